"""What clips seen again are worth, beside as many new ones: the data term of the law of repeated data.

D clips seen of U different ones are D / U epochs. The plain surface L(N, D) counts every clip as new. In the law of
repeated data (Muennighoff et al. 2023, arXiv 2305.16264) they are worth D' = U + U R* (1 - exp((1 - D/U) / R*)). For R*
on a grid the surface L(N, D') is fitted anew; the interval of R* is where its residuals are no worse than chance
allows. Their law also lets parameters saturate, R*_N, which a ladder as short as ours does not tell, so N stays as it
is here; `scaling fit --law repeated` fits both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.fits.student import critical
from transferscale.scaling.laws.chinchilla import saturated
from transferscale.scaling.metrics import Reals
from transferscale.scaling.rungs.ladder import Row, Rows

# R* that are tried; at the largest, repeated clips are worth as much as new ones.
GRID = np.geomspace(0.1, 1000.0, 33)
# Of each fit: a surface with one R* is near that with the next, and all start from a grid of exponents.
STARTS = 4
# Coordinates of the surface: E, A, B, alpha, beta.
SURFACE = 5
# More epochs than this are a repeat; the last batches of an epoch may run over.
ONCE = 1.01


@dataclass(frozen=True)
class Worth:
    """What the most epochs of a family's runs are worth, in epochs of new clips, with the 95 % interval.

    ``told`` says whether that is less than as many new clips, beyond chance.
    """

    family: str
    epochs: float
    value: float
    low: float
    high: float
    told: bool

    @property
    def words(self) -> str:
        """The answer."""
        span = f"(95 % {self.low:.1f} to {self.high:.1f})"
        if self.told:
            return (
                f"{self.family}: {self.epochs:.1f} epochs are worth {self.value:.1f} of new clips {span}: repeats "
                "count for less, and the surface, which takes every clip for new, does not hold beyond these runs"
            )
        return (
            f"{self.family}: {self.epochs:.1f} epochs are worth {self.low:.1f} to {self.high:.1f} of new clips (95 %): "
            "not identified, repeats cannot be told from new clips"
        )


def epochs(row: Row) -> float:
    """How often a run saw each of its clips: D / U."""
    return float(row["clips_seen"] / row["clips_unique"])


def worth(rows: Rows) -> tuple[list[Worth], list[str]]:
    """What repeats are worth to every family that has any, from rows of the `ladder` table.

    Returns
    -------
    worth, refused
        And a sentence for every family to whose runs no surface can be fitted.
    """
    out: list[Worth] = []
    refused: list[str] = []
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        if max(map(epochs, own)) <= ONCE:
            continue
        try:
            out.append(_worth(family, own))
        except UserError as error:
            refused.append(f"{family}, repeated clips: {error}")
    return out, refused


def _worth(family: str, rows: Rows) -> Worth:
    squares = np.array([_squares(rows, r) for r in GRID])
    trunks = len({row["trunk"] for row in rows})
    freedom = max(trunks - SURFACE, 1)
    # A trunk's rungs share its luck: chance is judged with the degrees of freedom of the trunks.
    chance = 1 + critical(0.05, freedom) ** 2 / max(len(rows) - SURFACE - 1, 1)
    inside = np.flatnonzero(squares <= chance * squares.min())
    # The ends lie between those that fit and their neighbours that do not: the neighbours are on the safe side.
    first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, len(GRID) - 1)
    most = max(map(epochs, rows))
    at = _new(most, GRID)
    return Worth(
        family,
        most,
        float(at[squares.argmin()]),
        float(at[first]),
        float(at[last]),
        told=bool(inside[-1] < len(GRID) - 1),
    )


def _new(most: float, r: Reals) -> Reals:
    """What epochs are worth in new ones at every R*."""
    return np.exp(saturated(np.zeros(1), np.log([most]), np.log(r))[0])


def _squares(rows: Rows, r: float) -> float:
    """Mean squared log residual of the surface L(N, D') at one R*."""
    found = fit(
        np.column_stack([_column(rows, "params_encoder"), _effective(rows, r)]),
        _column(rows, "heldout_loss"),
        "chinchilla",
        cluster=[row["trunk"] for row in rows],
        outcome=Outcome(),
        starts=STARTS,
        bootstrap=0,
        names=(["params_encoder", "clips_seen"], "heldout_loss"),
    )
    return found.rmsle_fit**2


def _effective(rows: Rows, r: float) -> Reals:
    """D', (runs,)."""
    unique, seen = np.log(_column(rows, "clips_unique")), np.log(_column(rows, "clips_seen"))
    return np.exp(saturated(unique, seen, np.log(r))[0])


def _column(rows: Sequence[Row], name: str) -> Reals:
    return np.array([row[name] for row in rows], dtype=np.float64)
