"""What is chosen inside the training subjects and what is fixed in advance: one rule for every arm."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# Below this many labelled subjects an inner choice is mostly noise, so nothing is chosen.
CHOICE_FROM = 16


def inner_folds(target: npt.NDArray[np.floating[Any]], folds: int) -> list[npt.NDArray[np.int64]]:
    """Positions of the held-out subjects of each inner fold, stratified, without randomness.

    Subjects are sorted by class or value (ties stay in the order given) and dealt out in turn, so that every
    fold spans the whole range.

    Parameters
    ----------
    target
        Class index or value of each training subject (subjects,).
    folds
        Number of folds; no more than subjects.
    """
    order = np.argsort(target, kind="stable")
    return [np.sort(order[fold::folds]) for fold in range(min(folds, len(target)))]


def best(losses: Sequence[float] | npt.NDArray[np.float64]) -> int:
    """Index of the smallest loss, the first of equals; candidates are given simplest first."""
    return int(np.argmin(np.asarray(losses, dtype=np.float64)))
