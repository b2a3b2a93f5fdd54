"""IsoFLOP minima of every group of anybody's table, their frontiers compared, and the results as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.comparisons.compare import Comparison, compare_fits
from transferscale.scaling.comparisons.families import Fitted
from transferscale.scaling.fits.fit import BOOTSTRAP
from transferscale.scaling.fits.outcome import outcome_by, trend
from transferscale.scaling.fits.points import Points, read_points, where
from transferscale.scaling.fits.rows import law_rows
from transferscale.scaling.laws import law as law_named
from transferscale.scaling.minima.isoflop import Isoflop, isoflop
from transferscale.tables import write_table

# Frontiers are compared by the law with a floor: that of a surface with a floor has one, too.
COMPARED = "power-floor"


@dataclass(frozen=True)
class Isoflops:
    """Minima of every group, and where the frontier of one group overtakes another's."""

    groups: tuple[Isoflop, ...]
    comparison: Comparison | None
    left_out: tuple[str, ...]
    """A sentence for every group, budget or law that is left out."""

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "groups": [one.as_json() for one in self.groups],
            "frontiers": None if self.comparison is None else self.comparison.as_json(),
            "left_out": list(self.left_out),
        }


def isoflop_table(
    path: Path,
    n: str,
    c: str,
    y: str,
    *,
    d: str | None = None,
    group: Sequence[str] = (),
    cluster: str | None = None,
    budgets: Sequence[float] = (),
    better: str = "auto",
    ceiling: float | None = None,
    chance: float | None = None,
    bootstrap: int = BOOTSTRAP,
    seed: int = 0,
    empty_ok: bool = False,
) -> Isoflops:
    """IsoFLOP minima of every group of a table of runs.

    Parameters
    ----------
    path
        CSV, TSV or parquet, one row a finished run (a budget of a trunk).
    n, c, y, d
        Columns of size, compute and loss, and of the data seen; default of the last: C / 6 N.
    group, cluster
        Columns: what has minima of its own (a family), and what varies together (a trunk).
    budgets
        Compute budgets; default: seven in the range of three sizes or more.
    empty_ok
        Whether it is no error that no group has a minimum.

    Raises
    ------
    UserError
        If the table cannot be read, or no group has a minimum.
    """
    names = [n, c, *([d] if d else [])]
    points, refused = read_points(path, names, y, group=group, cluster=cluster)
    form = law_named("chinchilla", 2)
    found: list[Isoflop] = []
    left_out = list(refused)
    for own in points:
        place = where(path, own.group)
        try:
            outcome = outcome_by(form, _trend(own), own.y, y, better=better, ceiling=ceiling, chance=chance)
            one = isoflop(own, names, y, outcome, budgets=budgets, bootstrap=bootstrap, seed=seed)
        except UserError as error:
            left_out.append(f"{place}: {error}")
            continue
        found.append(one)
        left_out += [f"{place}: {sentence}" for sentence in one.left_out]
    if not found and not empty_ok:
        raise UserError(left_out[0] + (f" (and {len(left_out) - 1} more groups)" if left_out[1:] else ""))
    comparison, why = frontiers(found, path)
    return Isoflops(tuple(found), comparison, (*left_out, *why))


def frontiers(found: Sequence[Isoflop], path: Path) -> tuple[Comparison | None, list[str]]:
    """The frontiers of groups against each other; None for fewer than two, with the reason if they cannot be."""
    if len(found) < 2:
        return None, []
    families = {}
    for one in found:
        name = ", ".join(one.group.values())
        law = next((own for own in one.frontier if own.law == COMPARED), None)
        if law is not None:
            # Trunks of different groups are different runs.
            labels = frozenset(f"{name}/{trunk}" for trunk in one.trunks)
            families[name] = Fitted(law, (float(law.points.min()), float(law.points.max())), labels)
    first = found[0]
    try:
        made = compare_fits(
            families,
            first.outcome,
            names=(first.c_name, first.y_name),
            group={"curve": "frontiers"},
        )
    except UserError as error:
        return None, [f"{path}: the frontiers: {error}"]
    return made, []


def _trend(points: Points) -> float:
    """Which way the outcome goes with compute."""
    return trend(np.log(points.x[:, 1:2]), points.y)


def write_isoflop(path: Path, found: Isoflops) -> None:
    """Write the `isoflop` table."""
    write_table(path, "isoflop", [row for one in found.groups for row in one.rows()])


def write_frontiers(path: Path, found: Isoflops) -> None:
    """Write the `laws` table of all frontiers."""
    write_table(path, "laws", law_rows([law for one in found.groups for law in one.frontier]))


def write_crossovers(path: Path, found: Isoflops) -> None:
    """Write the `crossovers` table of the frontiers; without rows where they are not compared."""
    write_table(path, "crossovers", [] if found.comparison is None else found.comparison.rows())
