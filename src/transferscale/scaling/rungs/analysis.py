"""The analysis of a study's ladder as the workflow's rules ask for it, with the fits and not only tables."""

from pathlib import Path

from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.fits.table import Request, fit_table
from transferscale.scaling.minima.table import Isoflops, isoflop_table

N, D, C, LOSS = "params_encoder", "clips_seen", "flops_formula", "heldout_loss"
SURFACE = "chinchilla"


def surfaces(ladder: Path) -> tuple[list[Fit], list[str]]:
    """The surface L(N, D) of every family, and a sentence for each that cannot be fitted; as rule ``scaling_surface``.

    Raises
    ------
    UserError
        If the `ladder` table cannot be read.
    """
    fits, refused = fit_table(
        ladder, [N, D], LOSS, [Request(SURFACE, better="lower")], group=["family"], cluster="trunk"
    )
    return fits, [sentence.removeprefix(f"{ladder}, ") for sentence in refused]


def minima(ladder: Path) -> tuple[Isoflops, list[str]]:
    """IsoFLOP minima and frontiers of every family, and what was left out; as rule ``scaling_isoflop``.

    Raises
    ------
    UserError
        If the `ladder` table cannot be read.
    """
    found = isoflop_table(
        ladder, N, C, LOSS, d=D, group=["family"], cluster="trunk", better="lower", empty_ok=True
    )
    return found, [sentence.removeprefix(f"{ladder}, ") for sentence in found.left_out]
