"""The laws of the compute frontier: least loss, and the size that has it, against compute.

The frontier is made of isoFLOP minima, not of the lowest of all checkpoints: the lowest of many noisy losses lies
below what another run would reach, and the more so the more there are, while a minimum is a fit to the means of
several sizes. Its intervals come from the same draws of the trunks as the minima's own, because budgets share their
trunks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.fits.fit import STARTS, Fit, finish, prepare, settle
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.fits.solve import refit
from transferscale.scaling.metrics import Reals

# A law without a floor and one with it are different claims.
LAWS = ("power", "power-floor")
# So many bracketed minima make a frontier by themselves.
ENOUGH = 4


@dataclass(frozen=True)
class Frontier:
    """Points of a frontier: log compute and log error (budgets,), the errors in every draw (draws, budgets).

    ``open`` is how many of the minima are not bracketed: there the frontier is that of the sizes that were run.
    """

    log_c: Reals
    log_error: Reals
    drawn: Reals | None
    open: int


def frontier(log_c: Reals, log_error: Reals, drawn: Reals | None, bracketed: Sequence[bool]) -> Frontier:
    """The bracketed minima where there are enough of them, or else all."""
    kept = np.array(bracketed, dtype=np.bool_)
    if kept.sum() < ENOUGH:
        kept = np.ones(len(log_c), dtype=np.bool_)
    missing = int((~np.array(bracketed)[kept]).sum())
    return Frontier(log_c[kept], log_error[kept], None if drawn is None else drawn[:, kept], missing)


def frontier_laws(
    points: Frontier,
    outcome: Outcome,
    names: tuple[str, str],
    trunks: Sequence[str],
    group: Mapping[str, str],
    seed: int,
) -> tuple[list[Fit], list[str]]:
    """The laws of a frontier, and a sentence for each that cannot be fitted.

    Parameters
    ----------
    names
        Columns of compute and loss.
    trunks
        Names of the clusters that the draws are of.
    """
    notes = []
    if points.open:
        notes.append(
            f"{points.open} of {len(points.log_c)} minima are not bracketed: there the frontier is that of the sizes "
            "that were run"
        )
    fits, refused = [], []
    for law in LAWS:
        try:
            prepared = prepare(
                np.exp(points.log_c),
                outcome.value(np.exp(points.log_error)),
                law,
                outcome=outcome,
                names=((names[0],), names[1]),
                group={
                    **group,
                    "curve": ", ".join([f"{names[1]} ~ {names[0]}", *group.values(), "frontier"]),
                },
                notes=notes,
            )
        except UserError as error:
            refused.append(f"frontier, law '{law}': {error}")
            continue
        # What varies independently are the trunks; the budgets share them.
        prepared = replace(prepared, shared=tuple(trunks), clustered=True)
        settled = settle(prepared, STARTS, 0, seed)
        if points.drawn is not None:
            drawn, _ = refit(prepared.problem, points.drawn, settled.optima)
            settled = replace(settled, resampled=drawn)
        fits.append(finish(prepared, settled, STARTS, seed))
    return fits, refused


@dataclass(frozen=True)
class Allocation:
    """How the best size grows with compute, N* ~ C^a, over bracketed budgets: by the minima and by the surface."""

    budgets: int
    a: float
    low: float | None
    high: float | None
    surface_a: float
    surface_low: float | None
    surface_high: float | None


def exponent(log_c: Reals, log_n: Reals) -> Reals:
    """Slope of log size in log compute, of every row (..., budgets), by least squares."""
    u = log_c - log_c.mean()
    slope: Reals = (log_n * u).sum(-1) / (u**2).sum()
    return slope
