"""A cell: the test predictions of one arm at one label count on one task, as arrays.

Predictions are pooled over the folds of a repeat, so that every subject is tested once in every column, a
column being one (repeat, label draw, seed).
"""

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.scaling.metrics import Ints, Reals


class Arrays(TypedDict):
    """The arrays of a :class:`Cell`."""

    subjects: tuple[str, ...]
    family: Ints
    columns: Ints
    subject_of: Ints
    truth: Reals
    predicted: Reals
    score: Reals
    fold: Ints
    fold_names: tuple[str, ...]
    probability: Reals | None


@dataclass(frozen=True)
class Cell:
    """Test predictions of one arm at one label count.

    Attributes
    ----------
    task, arm
        What was predicted, and what the read-out started from. Cells of one task share their resamples of
        subjects.
    kind
        classification, regression or state.
    n_labels, n_train
        Label count as the study calls it (a number, or 'all'), and the mean number of labelled subjects
        really used; NaN where unknown.
    subjects, family
        Test subjects, sorted, and the family of each, shape (subjects,).
    columns
        Repeat, draw and seed of each column, shape (columns, 3).
    subject_of, truth
        Subject (index into ``subjects``) and target of each row, shape (rows,). A row is a subject, or a
        window of one.
    predicted, score, fold
        Shapes (rows, columns), (rows, classes, columns; no class for regression) and (rows, columns).
    fold_names
        Name of each fold, where folds are named; ``fold`` indexes it.
    probability
        Probability of each class, shape (rows, classes, columns); None where the table has none.
    """

    task: str
    arm: str
    kind: str
    n_labels: str
    n_train: float
    subjects: tuple[str, ...]
    family: Ints
    columns: Ints
    subject_of: Ints
    truth: Reals
    predicted: Reals
    score: Reals
    fold: Ints
    fold_names: tuple[str, ...] = ()
    probability: Reals | None = None

    @property
    def population(self) -> str:
        """What names the resamples of subjects: cells of one task share them."""
        return self.task

    @property
    def where(self) -> str:
        """The task, as messages name it."""
        return self.task

    @property
    def who(self) -> str:
        """The arm, as messages name it."""
        return self.arm

    def fold_name(self, fold: int) -> str:
        """A fold, as messages name it."""
        return self.fold_names[fold] if self.fold_names else str(fold)


@dataclass(frozen=True)
class Rows:
    """Rows of a predictions table, one entry a row: what :func:`arrays` puts in order.

    ``subject`` and ``family`` hold codes in the order of the names, ``subject_names`` the name of every code of
    ``subject``; ``places`` are the codes that tell the rows of one subject apart (session, run, window);
    ``columns`` (rows, 3) holds repeat, draw and seed; ``score`` and ``probability`` are (rows, classes).
    """

    subject: Ints
    subject_names: list[str]
    family: Ints
    places: tuple[Ints, ...]
    columns: Ints
    fold: Ints
    truth: Reals
    predicted: Reals
    score: Reals
    fold_names: tuple[str, ...] = ()
    probability: Reals | None = None


def arrays(rows: Rows, n_labels: str, where: str, hint: str = "") -> Arrays:
    """Lay the rows of one cell out as arrays; their order in the table has no say.

    Parameters
    ----------
    rows
        Rows of the cell.
    n_labels
        Label count; with all subjects labelled all draws coincide.
    where, hint
        What the messages begin with, and what they add where a subject has two rows in one fold.

    Raises
    ------
    UserError
        If a subject is missing in, or tested twice in, one column, or its truth differs between columns.
    """
    parts = [rows.subject, *rows.places]
    order = np.lexsort(parts[::-1])
    parts = [part[order] for part in parts]
    first, row = combine(*parts)
    subject = rows.subject[order]
    columns = rows.columns[order]
    if n_labels == "all" and _one_draw(columns):
        columns = columns * np.array([1, 0, 1])
    unique, column = np.unique(columns, axis=0, return_inverse=True)
    shape = (len(first), len(unique))
    at = row * shape[1] + column.ravel()
    times = np.bincount(at, minlength=shape[0] * shape[1])
    if (times != 1).any():
        worst = int(np.flatnonzero(times != 1)[0])
        name = rows.subject_names[int(subject[first[worst // shape[1]]])]
        folds = rows.fold[order][at == worst]
        column_of = unique[worst % shape[1]]
        raise UserError(f"{where}: {_tested(name, int(times[worst]), column_of, folds, rows, hint)}")
    truth = rows.truth[order]
    differs = truth != truth[first][row]
    if differs.any():
        name = rows.subject_names[int(subject[np.flatnonzero(differs)[0]])]
        raise UserError(f"{where}: subject '{name}' has two different values of y_true")
    codes, subject_of = np.unique(subject[first], return_inverse=True)
    _, family = np.unique(rows.family[order][first], return_inverse=True)
    one_each = np.unique(subject_of, return_index=True)[1]

    def grid(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        out = np.empty((shape[0] * shape[1], *values.shape[1:]), dtype=values.dtype)
        out[at] = values[order]
        return out.reshape(*shape, *values.shape[1:])

    return Arrays(
        subjects=tuple(rows.subject_names[code] for code in codes),
        family=family[one_each].astype(np.int64),
        columns=unique,
        subject_of=subject_of.astype(np.int64),
        truth=truth[first],
        predicted=grid(rows.predicted),
        score=np.moveaxis(grid(rows.score), 1, 2),
        fold=grid(rows.fold),
        fold_names=rows.fold_names,
        probability=None if rows.probability is None else np.moveaxis(grid(rows.probability), 1, 2),
    )


def _tested(name: str, times: int, column: Ints, folds: Ints, rows: Rows, hint: str) -> str:
    """A sentence about a subject that is not tested once in a column."""
    repeat, draw, seed = column.tolist()
    told = f"subject '{name}' is tested {times} times in repeat {repeat}, draw {draw}, seed {seed}"
    found = sorted(set(folds.tolist()))
    if len(found) > 1:
        names = ", ".join(rows.fold_names[fold] if rows.fold_names else str(fold) for fold in found)
        return (
            f"{told}, in folds {names}; it must be once: number the repeats of the folds in column 'repeat'"
        )
    return f"{told}; it must be once" + (hint if times else "")


def _one_draw(columns: Ints) -> bool:
    """Whether each (repeat, seed) comes with a single draw."""
    return len(np.unique(columns, axis=0)) == len(np.unique(columns[:, [0, 2]], axis=0))


def combine(*codes: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """First row and number of each combination of codes, numbered in their order."""
    combined = np.zeros(len(codes[0]), dtype=np.int64)
    for code in codes:
        _, dense = np.unique(code, return_inverse=True)
        combined = combined * (int(dense.max()) + 1) + dense
    _, first, number = np.unique(combined, return_index=True, return_inverse=True)
    return first.astype(np.int64), number.astype(np.int64)
