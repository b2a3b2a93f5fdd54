"""How little is enough: the least of each resource among the cells whose score is close to the best."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from transferscale.scaling.metrics import Reals
from transferscale.scaling.plans.target import Target


@dataclass(frozen=True)
class Cell:
    """Runs of the same scales: what they took, by resource, their mean score, and how many there were."""

    scales: dict[str, float]
    score: float
    runs: int


@dataclass(frozen=True)
class Enough:
    """The cell with the least of a resource within a tolerance of the best score.

    ``saving`` is the factor by which the best cell takes more of it.
    """

    resource: str
    cell: Cell
    saving: float


def cells(scales: Mapping[str, Reals], score: Reals) -> list[Cell]:
    """Runs of the same scales together, in the order of their scales."""
    names = list(scales)
    places, place = np.unique(np.stack([scales[name] for name in names], -1), axis=0, return_inverse=True)
    return [
        Cell(
            dict(zip(names, map(float, at), strict=True)),
            float(score[place.ravel() == i].mean()),
            int((place.ravel() == i).sum()),
        )
        for i, at in enumerate(places)
    ]


def best_cell(of: list[Cell], target: Target) -> Cell:
    """The cell of the best mean score; of equals the first, which takes least."""
    sign = 1 if target.outcome.score else -1
    return max(of, key=lambda cell: sign * cell.score)


def enough(of: list[Cell], target: Target, tolerance: float) -> list[Enough]:
    """For each resource the cell that takes the least of it, of those within the tolerance of the best score.

    Of cells that take equally little the one that takes less of the other resources, in their order.
    """
    best = best_cell(of, target)
    close = [
        cell for cell in of if target.short_of(np.array(cell.score), best.score) <= tolerance * (1 + 1e-9)
    ]
    found = []
    for name in best.scales:
        least = min(close, key=lambda cell: (cell.scales[name], *cell.scales.values()))
        found.append(Enough(name, least, best.scales[name] / least.scales[name]))
    return found
