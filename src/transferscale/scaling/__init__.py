"""Fitting, comparing and acting on scaling laws, on anybody's table. No torch.

The verbs of the command line are functions here: :func:`fit`, :func:`compare`, :func:`gain`, :func:`isoflop`,
:func:`plan`, :func:`relative` and :func:`transitions`. They are imported when they are used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transferscale.scaling.verbs import compare, fit, gain, isoflop, plan, relative, transitions

__all__ = ["compare", "fit", "gain", "isoflop", "plan", "relative", "transitions"]


def __getattr__(name: str) -> Any:
    """A verb, at its first use."""
    if name not in __all__:
        raise AttributeError(f"module 'transferscale.scaling' has no attribute '{name}'")
    from transferscale.scaling import verbs

    return getattr(verbs, name)
