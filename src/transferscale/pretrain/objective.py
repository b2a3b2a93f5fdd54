"""What pretraining minimises: a small protocol, and the objectives by name."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from jaxtyping import Float
from torch import Tensor, nn

from transferscale.errors import UserError, nearest
from transferscale.models.build import build
from transferscale.models.video_transformer import VideoTransformer
from transferscale.pretrain.counter import Draw
from transferscale.pretrain.mae import MaskedAutoencoder


class Objective(Protocol):
    """An encoder, a decoder that is dropped after pretraining, and a loss a clip."""

    @property
    def encoder(self) -> VideoTransformer:
        """What is kept for transfer."""
        ...

    @property
    def decoder(self) -> nn.Module:
        """What is dropped."""
        ...

    def losses(self, clip: Float[Tensor, "batch time height width"], draw: Draw) -> Float[Tensor, " batch"]:  # type: ignore[name-defined]
        """Loss of every clip; whatever is random comes from ``draw``."""
        ...


OBJECTIVES: Mapping[str, Callable[[VideoTransformer, int, Mapping[str, Any]], Objective]] = {
    "mae": lambda encoder, seed, spec: MaskedAutoencoder(encoder, seed, float(spec["mask_ratio"])),
}


def build_objective(spec: Mapping[str, Any]) -> Objective:
    """The objective of a rung's spec with its networks at their initial weights.

    Raises
    ------
    UserError
        If the objective is unknown.
    """
    name = spec["objective"]
    if name not in OBJECTIVES:
        raise UserError(f"pretrain.objective: unknown objective '{name}'; {nearest(name, OBJECTIVES)}")
    return OBJECTIVES[name](build(spec["model"], int(spec["seed"])), int(spec["seed"]), spec)
