"""An arm beside its reference: the same subjects, folds, draws and seeds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.gains.bootstrap import crossed
from transferscale.scaling.gains.cells import Cell
from transferscale.scaling.gains.scores import Evaluation
from transferscale.scaling.metrics import Ints, Reals

# So many names are spelt out in a message.
NAMED = 3


@dataclass(frozen=True)
class Pair:
    """An arm and its reference over the columns that they share.

    ``kept`` are the arm's shared columns and ``partner`` the reference's beside each, shapes (columns,).
    """

    arm: Evaluation[Cell]
    reference: Evaluation[Cell]
    kept: Ints
    partner: Ints

    @property
    def arm_value(self) -> float:
        """The arm's score."""
        return float(self.arm.point[self.kept].mean())

    @property
    def reference_value(self) -> float:
        """The reference's score."""
        return float(self.reference.point[self.partner].mean())

    @property
    def columns(self) -> Ints:
        """Repeat, draw and seed of each shared column, shape (columns, 3)."""
        return self.arm.cell.columns[self.kept]

    @cached_property
    def gains(self) -> Reals:
        """The gain in every resample of subjects, draws and seeds, shape (resamples,)."""
        columns = self.columns
        return crossed(
            self.arm.resampled[:, self.kept] - self.reference.resampled[:, self.partner],
            self.arm.point[self.kept] - self.reference.point[self.partner],
            columns[:, 1],
            columns[:, 2],
        )

    @cached_property
    def fold_gains(self) -> Reals:
        """The gain within each fold, shape (folds, columns); NaN where a fold cannot be scored."""
        return self.arm.by_fold[:, self.kept] - self.reference.by_fold[:, self.partner]

    @cached_property
    def test_share(self) -> float:
        """Mean share of the subjects that one fold tests; 1 where there is a single fold."""
        fold = self.arm.cell.fold[:, self.kept]
        return 1 / float(np.mean([len(np.unique(column)) for column in fold.T]))


def paired(arm: Evaluation[Cell], reference: Evaluation[Cell]) -> Pair:
    """Pair two evaluations on subject, fold, repeat, draw and, where both have one, seed.

    A baseline has no seed (-1): its column stands beside every seed of the arm. With all subjects labelled
    there is one draw. Columns that only one of the two has are left out of both.

    Raises
    ------
    UserError
        If the two were not tested on the same subjects with the same truth, lie in different folds, or share
        no column.
    """
    one, other = arm.cell, reference.cell
    where = f"{one.where}: {one.who} and {other.who}, n = {one.n_labels}"
    _same_subjects(where, one, other)
    partner = match(one.columns, other.columns)
    kept = np.flatnonzero(partner >= 0)
    if not len(kept):
        raise UserError(
            f"{where}: no repeat, draw and seed is shared; {one.who} has {_columns(one.columns)}, "
            f"{other.who} has {_columns(other.columns)}: fit both on the same draws"
        )
    partner = partner[kept]
    _same_folds(where, one, other, kept, partner)
    return Pair(arm, reference, kept, partner)


def match(columns: Ints, others: Ints) -> Ints:
    """For each column (repeat, draw, seed) the number of its partner among ``others``, or -1."""
    index = {tuple(int(v) for v in column): i for i, column in enumerate(others)}
    found = []
    for repeat, draw, seed in columns.tolist():
        found.append(index.get((repeat, draw, seed), index.get((repeat, draw, -1), -1)))
    return np.array(found, dtype=np.int64)


def _same_subjects(where: str, one: Cell, other: Cell) -> None:
    alone = [
        f"{len(missing)} by {cell.who} alone ({_some(missing)})"
        for cell, missing in (
            (one, sorted(set(one.subjects) - set(other.subjects))),
            (other, sorted(set(other.subjects) - set(one.subjects))),
        )
        if missing
    ]
    if alone:
        shared = len(set(one.subjects) & set(other.subjects))
        raise UserError(
            f"{where}: not tested on the same subjects: {shared} by both, {' and '.join(alone)}; "
            "a gain is of the same subjects, so test both on all, or leave those out of both"
        )
    windows = [np.bincount(cell.subject_of, minlength=len(cell.subjects)) for cell in (one, other)]
    differ = windows[0] != windows[1]
    if differ.any():
        names = [name for name, yes in zip(one.subjects, differ, strict=True) if yes]
        raise UserError(
            f"{where}: {len(names)} subjects have different windows in the two ({_some(names)}); "
            "test both on the same windows"
        )
    differ = one.truth != other.truth
    if differ.any():
        names = sorted({one.subjects[subject] for subject in one.subject_of[differ]})
        raise UserError(
            f"{where}: {len(names)} subjects have another y_true in the two ({_some(names)}); "
            "correct the table"
        )


def _same_folds(where: str, one: Cell, other: Cell, kept: Ints, partner: Ints) -> None:
    differ = one.fold[:, kept] != other.fold[:, partner]
    if not differ.any():
        return
    rows = np.flatnonzero(differ.any(1))
    names = sorted({one.subjects[subject] for subject in one.subject_of[rows]})
    row = min(rows.tolist(), key=lambda row: one.subjects[one.subject_of[row]])
    column = int(np.flatnonzero(differ[row])[0])
    folds = (
        one.fold_name(int(one.fold[row, kept[column]])),
        other.fold_name(int(other.fold[row, partner[column]])),
    )
    raise UserError(
        f"{where}: {len(names)} of {len(one.subjects)} subjects lie in different folds ({_some(names)}; "
        f"{names[0]} in fold {folds[0]} of {one.who} and {folds[1]} of {other.who}); use the same folds for both"
    )


def _some(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _columns(columns: Ints) -> str:
    """Repeats, draws and seeds in words."""
    words = (("repeats", 0), ("draws", 1), ("seeds", 2))
    return ", ".join(f"{word} {_numbers(columns[:, i].tolist())}" for word, i in words)


def _numbers(values: Iterable[int]) -> str:
    found = sorted(set(values))
    if len(found) > NAMED:
        return f"{found[0]} to {found[-1]}"
    return ", ".join(map(str, found))
