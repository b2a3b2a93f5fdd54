"""From test predictions to a score with its resamples.

The metric is taken of every column (repeat, draw, seed) over all test subjects, pooled over the folds, and
averaged over columns.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.scaling import metrics
from transferscale.scaling.gains.bootstrap import RESAMPLES, crossed, subject_weights
from transferscale.scaling.gains.cells import Cell
from transferscale.scaling.metrics import Ints, Reals

AnyCell = TypeVar("AnyCell", bound=Cell, covariant=True)
OneCell = TypeVar("OneCell", bound=Cell)

# A correlation or R2 of fewer subjects is a matter of chance: two points always lie on a line.
FEWEST_FOR_R = 3


@dataclass(frozen=True)
class Evaluation(Generic[AnyCell]):
    """One metric of one cell: ``point`` (columns,) and its bootstrap ``resampled`` (resamples, columns)."""

    cell: AnyCell
    metric: str
    point: Reals
    resampled: Reals

    @property
    def value(self) -> float:
        """Mean over columns."""
        return float(self.point.mean())

    @cached_property
    def values(self) -> Reals:
        """The same in every resample, shape (resamples,)."""
        return crossed(self.resampled, self.point, self.cell.columns[:, 1], self.cell.columns[:, 2])

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % interval for new subjects, draws and seeds."""
        low, high = np.quantile(self.values, [0.025, 0.975])
        return float(low), float(high)

    @cached_property
    def by_fold(self) -> Reals:
        """The metric within each fold, shape (folds, columns); NaN where a fold cannot be scored.

        Folds are in the order of their numbers. A fold that lacks a class, or has fewer than three rows for a
        correlation, cannot be scored.
        """
        return _by_fold(self.cell, self.metric)


def evaluate(
    cell: OneCell, metric: str, resamples: int = RESAMPLES, weights: Reals | None = None
) -> Evaluation[OneCell]:
    """Score one cell: the metric of every column, and in every resample of the test subjects.

    The resamples of subjects depend on the task alone, so that any two cells of a task are paired; who pairs cells of
    several tasks gives the ``weights`` of their subjects, shape (resamples, subjects).

    Raises
    ------
    UserError
        If the target does not vary among the test subjects, or a prediction is NaN.
    """
    if (cell.truth == cell.truth[0]).all():
        needs = "two different values" if metric in ("r", "r2") else "two classes"
        raise UserError(
            f"{cell.where}: y_true is the same for all {len(cell.subjects)} test subjects of {cell.who}; "
            f"{metric} needs {needs}"
        )
    subjects = len(cell.subjects)
    if weights is None:
        weights = subject_weights(cell.family, strata(cell), resamples, cell.population)
    values = _metric(cell, metric, np.concatenate([np.ones((1, subjects)), weights]))
    if not np.isfinite(values[0]).all():
        raise UserError(
            f"{cell.where}: {metric} of {cell.who} is not a number at n = {cell.n_labels}; "
            "among its predictions is one that is none"
        )
    return Evaluation(cell, metric, values[0], values[1:])


def strata(cell: Cell) -> Ints:
    """What subjects are resampled within (subjects,): their class, in tasks that have classes of subjects."""
    stratum = np.zeros(len(cell.subjects), dtype=np.int64)
    if cell.kind == "classification":
        stratum[cell.subject_of] = cell.truth.astype(np.int64)
    return stratum


def _metric(cell: Cell, metric: str, weights: Reals) -> Reals:
    """The metric with each subject weighted, shape (resamples, columns)."""
    # The unit is the subject: the windows of one share its weight.
    windows = np.bincount(cell.subject_of, minlength=len(cell.subjects))
    of_row = (weights / windows)[:, cell.subject_of]
    if metric in metrics.CALIBRATION:
        return _calibration(cell, metric, of_row)
    score, predicted = cell.score, cell.predicted
    if metric == "auroc":
        score = np.where(_mute(cell, score), 0.0, score)
    elif metric == "r":
        predicted = np.where(_mute(cell, predicted), 0.0, predicted)
    return _of_rows(metric, cell.truth, predicted, score, of_row)


def _of_rows(metric: str, truth: Reals, predicted: Reals, score: Reals, weights: Reals | None) -> Reals:
    classes = truth.astype(np.int64)
    if metric == "auroc":
        return metrics.auroc(classes, score, weights)
    if metric == "accuracy":
        return metrics.accuracy(classes, predicted.astype(np.int64), weights)
    if metric == "balanced_accuracy":
        return metrics.balanced_accuracy(classes, predicted.astype(np.int64), weights)
    if metric == "r":
        return metrics.r(truth, predicted, weights)
    if metric == "r2":
        return metrics.r2(truth, predicted, weights)
    raise ValueError(f"unknown metric '{metric}'")


def _calibration(cell: Cell, metric: str, weights: Reals) -> Reals:
    if cell.probability is None:
        raise UserError(f"{cell.where}: {metric} of {cell.who} needs probabilities, and its table has none")
    scored = metrics.brier if metric == "brier" else metrics.ece
    return scored(cell.truth.astype(np.int64), cell.probability, weights)


def _by_fold(cell: Cell, metric: str) -> Reals:
    windows = np.bincount(cell.subject_of, minlength=len(cell.subjects))
    share = (1 / windows)[cell.subject_of]
    folds = np.unique(cell.fold)
    out = np.full((len(folds), cell.fold.shape[1]), np.nan)
    # Columns that share their folds, as the draws and seeds of a repeat do, are scored together.
    patterns, pattern_of = np.unique(cell.fold, axis=1, return_inverse=True)
    for p, pattern in enumerate(patterns.T):
        columns = np.flatnonzero(pattern_of.ravel() == p)
        for f, fold in enumerate(folds):
            rows = np.flatnonzero(pattern == fold)
            if _can_be_scored(cell, metric, rows):
                at = np.ix_(rows, columns)
                score = cell.score[rows][:, :, columns]
                out[f, columns] = _of_rows(
                    metric, cell.truth[rows], cell.predicted[at], score, share[rows][None]
                )[0]
    return out


def _can_be_scored(cell: Cell, metric: str, rows: Ints) -> bool:
    if not len(rows):
        return False
    truth = cell.truth[rows]
    if metric in ("r", "r2"):
        return len(rows) >= FEWEST_FOR_R and bool((truth != truth[0]).any())
    return metric == "accuracy" or len(np.unique(truth)) == len(np.unique(cell.truth))


def _mute(cell: Cell, values: Reals) -> npt.NDArray[np.bool_]:
    """Columns, shape (1, ..., columns), whose prediction is constant within every fold.

    Such a predictor tells no two test subjects of a model apart. Pooled over folds it would nevertheless seem
    to rank them, the wrong way round, because a fold with high values leaves a training set with low ones.
    """
    spread = np.zeros(values.shape[1:])
    for fold in np.unique(cell.fold):
        inside = (cell.fold == fold).reshape(len(values), *([1] * (values.ndim - 2)), -1)
        high = np.where(inside, values, -np.inf).max(0)
        low = np.where(inside, values, np.inf).min(0)
        spread = np.maximum(spread, np.where(np.isfinite(high), high - low, 0.0))
    columns = values.shape[-1]
    size = np.abs(values).reshape(-1, columns).max(0)
    muted: npt.NDArray[np.bool_] = spread.reshape(-1, columns).max(0) <= 1e-12 * size
    return muted.reshape(*([1] * (values.ndim - 1)), -1)
