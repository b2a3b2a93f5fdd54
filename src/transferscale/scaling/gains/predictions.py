"""Anybody's table of test predictions, read as cells.

It has columns ``arm``, ``subject``, ``y_true`` and ``y_pred`` or ``y_score``. The other columns have defaults, and
what was assumed is said.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.errors import UserError, nearest
from transferscale.scaling.fits.columns import number, read_columns
from transferscale.scaling.gains.cells import Cell, Rows, arrays
from transferscale.scaling.metrics import Ints, Reals

REQUIRED = ("arm", "subject", "y_true")
OPTIONAL = (
    "y_pred",
    "y_score",
    "n_labels",
    "n_train",
    "draw",
    "seed",
    "repeat",
    "fold",
    "window",
    "task",
    "family_group",
)
# What is assumed where a column is missing.
ASSUMED = {
    "draw": "one label draw",
    "seed": "one seed",
    "repeat": "one repeat of the folds",
    "fold": "one test set",
    "family_group": "subjects are unrelated",
}
CONTINUOUS = ("r", "r2")
COPY = "; delete the copy, or name in --group the column that tells the rows apart"


@dataclass(frozen=True)
class Group:
    """Rows that are compared with each other alone: those of one task and one value of every group column."""

    keys: dict[str, str]
    rows: list[int]

    @property
    def name(self) -> str:
        """The group as messages name it; empty where the table is one group."""
        return ", ".join(f"{key} {value}" for key, value in self.keys.items())


@dataclass(frozen=True, kw_only=True)
class TableCell(Cell):
    """A cell of a table, which its messages name.

    ``doubt`` is the question to ask of scores below chance; empty where the metric takes none.
    """

    path: Path
    doubt: str = ""

    @property
    def where(self) -> str:
        """Table and group."""
        return f"{self.path}: {self.task}" if self.task else str(self.path)


class Predictions:
    """A table of test predictions for one metric.

    Parameters
    ----------
    path
        CSV, TSV or parquet.
    metric
        What will be computed; it decides which columns are needed and how they are read.
    group
        Columns whose values are compared alone, besides ``task`` where there is one.
    positive
        The class whose score a ``y_score`` of one number is; default: the last in sorted order.

    Raises
    ------
    UserError
        If the file cannot be read, or lacks a column that the metric needs, or the metric takes no positive class.
    """

    def __init__(
        self, path: Path, metric: str, group: Sequence[str] = (), positive: str | None = None
    ) -> None:
        self.path, self.metric = path, metric
        self.positive = None if positive is None else _class(positive)
        self.columns = read_columns(path, [*REQUIRED, *group], OPTIONAL)
        self.assumptions: dict[str, None] = {}
        self._needed()
        if positive is not None and not self._scored:
            raise UserError(
                f"--positive is the class of a y_score, from which {metric} is not computed here; leave it out"
            )
        for column, assumed in ASSUMED.items():
            if column not in self.columns:
                self._assume(f"{assumed} (no column '{column}')")
        self.arm = [_label(value) for value in self.columns["arm"]]
        # Numbered over the whole table, so that a fold has one number in every cell.
        folds = [_label(value) for value in self.columns.get("fold", [0] * len(self.arm))]
        if "" in folds:
            raise UserError(
                f"{self._row(folds.index(''))}: fold is blank; name the fold, or leave the column out"
            )
        self.fold_names = tuple(sorted(set(folds)))
        code = {name: i for i, name in enumerate(self.fold_names)}
        self.fold = [code[name] for name in folds]
        self.group_columns = list(dict.fromkeys([*(["task"] if "task" in self.columns else []), *group]))
        found: dict[tuple[str, ...], list[int]] = {}
        for row in range(len(self.arm)):
            found.setdefault(tuple(_label(self.columns[key][row]) for key in self.group_columns), []).append(
                row
            )
        self.groups = [
            Group(dict(zip(self.group_columns, key, strict=True)), found[key]) for key in sorted(found)
        ]

    def require_arm(self, arm: str) -> None:
        """Check that an arm is in the table.

        Raises
        ------
        UserError
            If it is not; the nearest is offered.
        """
        if arm not in self.arm:
            raise UserError(f"{self.path}: column 'arm' has no '{arm}'; {nearest(arm, set(self.arm))}")

    def has(self, group: Group, arm: str) -> bool:
        """Whether an arm has a row in a group."""
        return any(self.arm[row] == arm for row in group.rows)

    def cells(self, group: Group, arm: str) -> dict[str, Cell | UserError]:
        """Cells of one arm in one group by label count; an error in place of one that cannot be read.

        Raises
        ------
        UserError
            If a label count is neither a number nor 'all'.
        """
        by_count: dict[str, list[int]] = {}
        for row in group.rows:
            if self.arm[row] == arm:
                by_count.setdefault(self._label_count(row), []).append(row)
        classes = [] if self.metric in CONTINUOUS else self._classes(group)
        found: dict[str, Cell | UserError] = {}
        for n_labels, rows in by_count.items():
            try:
                found[n_labels] = self._cell(group, arm, n_labels, rows, classes)
            except UserError as error:
                found[n_labels] = error
        return found

    @property
    def _scored(self) -> bool:
        """Whether the metric is computed from ``y_score``."""
        if self.metric in CONTINUOUS:
            return False
        return self.metric == "auroc" or not self._has("y_pred")

    def _needed(self) -> None:
        """Check that the table has what the metric is computed from."""
        if self.metric in CONTINUOUS or self.metric == "auroc":
            column = "y_score" if self.metric == "auroc" else "y_pred"
            if column not in self.columns:
                raise UserError(
                    f"{self.path}: metric {self.metric} needs column '{column}', which is missing"
                )
        elif "y_pred" not in self.columns:
            if "y_score" not in self.columns:
                raise UserError(f"{self.path}: metric {self.metric} needs column 'y_pred', which is missing")
            self._assume("the predicted class is the one of the highest y_score (no column 'y_pred')")

    def _assume(self, sentence: str) -> None:
        self.assumptions[sentence] = None

    def _label_count(self, row: int) -> str:
        if "n_labels" in self.columns:
            column = "n_labels"
        elif "n_train" in self.columns:
            self._assume("n_train is the label count (no column 'n_labels')")
            column = "n_train"
        else:
            self._assume("one label count, so no effective data (no column 'n_labels')")
            return "all"
        text = _label(self.columns[column][row])
        if text.lower() == "all":
            return "all"
        count = self._number(column, row)
        if not (math.isfinite(count) and count > 0):
            raise UserError(
                f"{self._row(row)}: {column} is '{text}'; give the number of labelled subjects, or 'all'"
            )
        return f"{count:g}"

    def _classes(self, group: Group) -> list[str]:
        """Classes among the true ones of a group, in their order."""
        found = {_class(value) for row in group.rows if not _missing(value := self.columns["y_true"][row])}
        try:
            return sorted(found, key=float)
        except ValueError:
            return sorted(found)

    def _cell(self, group: Group, arm: str, n_labels: str, rows: list[int], classes: list[str]) -> TableCell:
        where = f"{self.path}: " + (f"{group.name}, " if group.keys else "") + f"{arm}, n = {n_labels}"
        for column in ("subject", "y_true"):
            self._none_missing(where, column, rows)
        truth, predicted, score, doubt = self._values(where, rows, classes)
        subject = [_label(self.columns["subject"][row]) for row in rows]
        family = self._families(where, rows) if self._has("family_group") else subject
        window = (
            [_label(self.columns["window"][row]) for row in rows] if self._has("window") else [""] * len(rows)
        )
        if len(set(window)) > 1:
            self._assume("every window is scored, and the windows of a subject share its weight")
        columns = [[self._whole(name, row) for name in ("repeat", "draw", "seed")] for row in rows]
        laid_out = arrays(
            Rows(
                subject=_codes(subject),
                subject_names=sorted(set(subject)),
                family=_codes(family),
                places=(_codes(window),),
                columns=np.array(columns, dtype=np.int64),
                fold=np.array([self.fold[row] for row in rows], dtype=np.int64),
                truth=truth,
                predicted=predicted,
                score=score,
                fold_names=self.fold_names,
            ),
            n_labels,
            where,
            COPY,
        )
        if self.metric not in CONTINUOUS and 2 * len(classes) > len(laid_out["truth"]):
            raise UserError(
                f"{where}: y_true has {len(classes)} different values ({_short(classes)}), too many for classes; "
                "metrics r and r2 are for numbers"
            )
        return TableCell(
            **laid_out,
            path=self.path,
            doubt=doubt,
            task=group.name,
            arm=arm,
            kind=_kind(self.metric, laid_out["subject_of"], laid_out["truth"]),
            n_labels=n_labels,
            n_train=self._n_train(n_labels, rows, len(laid_out["subjects"]), laid_out["fold"]),
        )

    def _families(self, where: str, rows: list[int]) -> list[str]:
        """The family of each row; subjects without one are no family together."""
        families = [_label(self.columns["family_group"][row]) for row in rows]
        if "" in families:
            raise UserError(
                f"{where}: family_group is blank in data row {rows[families.index('')] + 1}; give a subject without "
                "relatives a family of its own"
            )
        return families

    def _values(self, where: str, rows: list[int], classes: list[str]) -> tuple[Reals, Reals, Reals, str]:
        """Truth, prediction and scores of those rows, shapes (rows,), (rows,) and (rows, classes), and a doubt.

        The doubt is what to ask where the scores turn out to rank below chance.
        """
        nothing = np.zeros(len(rows)), np.empty((len(rows), 0))
        if self.metric in CONTINUOUS:
            truth, predicted = (self._numbers(where, name, rows) for name in ("y_true", "y_pred"))
            return truth, predicted, nothing[1], ""
        doubt = ""
        if self._scored:
            classes, score, doubt = self._scores(where, rows, classes)
            predicted = score.argmax(1).astype(np.float64)
        else:
            self._none_missing(where, "y_pred", rows)
            # A class that is never true is wrong whichever it is.
            index = {name: i for i, name in enumerate(classes)}
            predicted = np.array(
                [index.get(_class(self.columns["y_pred"][row]), -1) for row in rows], dtype=float
            )
            score = nothing[1]
        truth = np.array([classes.index(_class(self.columns["y_true"][row])) for row in rows], dtype=float)
        return truth, predicted, score, doubt

    def _scores(self, where: str, rows: list[int], classes: list[str]) -> tuple[list[str], Reals, str]:
        """Classes in the order of the scores, one score a class, shape (rows, classes), and a doubt."""
        values = [self._list(row) for row in rows]
        lengths = {len(value) for value in values}
        if len(lengths) > 1:
            raise UserError(
                f"{where}: y_score has {min(lengths)} values in one row and {max(lengths)} in another"
            )
        bad = [row for row, value in zip(rows, values, strict=True) if not all(map(math.isfinite, value))]
        self._refuse(where, "y_score", bad, len(rows))
        found = np.array(values, dtype=np.float64)
        length = found.shape[1]
        named = ", ".join(f"'{name}'" for name in classes)
        if length == 1:
            if len(classes) > 2:
                raise UserError(
                    f"{where}: y_score is one number, but y_true has {len(classes)} values ({_short(classes)}); "
                    "with more than two classes it must be a list, one score a class"
                )
            if self.positive is not None:
                if self.positive not in classes:
                    raise UserError(
                        f"{where}: --positive '{self.positive}' is no class of y_true; "
                        f"{nearest(self.positive, classes)}"
                    )
                classes = sorted(classes, key=lambda name: name == self.positive)
            elif len(classes) == 2:
                self._assume(f"y_score is the score of class '{classes[1]}', the last of {named}")
            doubt = f"is '{classes[-1]}' the positive class? see --positive"
            return classes, np.concatenate([-found, found], axis=1) / 2, doubt
        if self.positive is not None:
            raise UserError(
                f"{where}: y_score lists {length} scores, one a class, so --positive has no say; leave it out"
            )
        if length != len(classes):
            numbered = [str(i) for i in range(length)]
            if not set(classes) <= set(numbered):
                raise UserError(
                    f"{where}: y_score lists {length} numbers, but y_true has {len(classes)} classes "
                    f"({_short(classes)})"
                )
            classes = numbered
        else:
            self._assume(f"the scores in y_score are in the order of the classes {named}")
        return classes, found, f"are the scores in the order of the classes {named}?"

    def _list(self, row: int) -> list[float]:
        """The scores of a row; a number is a list of one."""
        value = self.columns["y_score"][row]
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except ValueError:
                raise UserError(f"{self._row(row)}: y_score '{value}' is no list of numbers") from None
        if not isinstance(value, list):
            return [self._number("y_score", row)]
        try:
            return [number(one) for one in value]
        except ValueError:
            raise UserError(f"{self._row(row)}: y_score '{value}' is no list of numbers") from None

    def _numbers(self, where: str, column: str, rows: list[int]) -> Reals:
        values = np.array([self._number(column, row) for row in rows])
        self._refuse(where, column, [rows[i] for i in np.flatnonzero(~np.isfinite(values))], len(rows))
        return values

    def _number(self, column: str, row: int) -> float:
        value = self.columns[column][row]
        try:
            return number(value)
        except ValueError:
            raise UserError(f"{self._row(row)}: {column} '{value}' is no number") from None

    def _whole(self, column: str, row: int) -> int:
        """Number of a repeat, draw or seed; a blank seed is none, as of an arm that has no random start."""
        if not self._has(column):
            return 0
        found = self._number(column, row)
        if math.isnan(found) and column == "seed":
            return -1
        if not math.isfinite(found) or found != int(found):
            raise UserError(f"{self._row(row)}: {column} '{self.columns[column][row]}' is no whole number")
        return int(found)

    def _n_train(self, n_labels: str, rows: list[int], subjects: int, fold: Ints) -> float:
        """Mean number of labelled subjects; NaN where the table does not tell."""
        if self._has("n_train"):
            return float(np.mean([self._number("n_train", row) for row in rows]))
        if n_labels != "all":
            return float(n_labels)
        folds = np.mean([len(np.unique(column)) for column in fold.T])
        if folds == 1:
            return math.nan
        self._assume("with n_labels 'all', those outside the tested fold are labelled (no column 'n_train')")
        return float(subjects * (1 - 1 / folds))

    def _none_missing(self, where: str, column: str, rows: list[int]) -> None:
        self._refuse(where, column, [row for row in rows if _missing(self.columns[column][row])], len(rows))

    def _refuse(self, where: str, column: str, bad: list[int], rows: int) -> None:
        """Refuse a cell of which some rows have no usable value."""
        if bad:
            raise UserError(
                f"{where}: {len(bad)} of {rows} values of {column} are missing or not finite, the first in data row "
                f"{bad[0] + 1}; give them, or leave these subjects out of every arm"
            )

    def _has(self, column: str) -> bool:
        return column in self.columns

    def _row(self, row: int) -> str:
        return f"{self.path}: data row {row + 1}"


def _kind(metric: str, subject_of: Ints, truth: Reals) -> str:
    """Kind of task: with several true classes in one subject it is state decoding."""
    if metric in CONTINUOUS:
        return "regression"
    first = truth[np.unique(subject_of, return_index=True)[1]]
    return "classification" if (truth == first[subject_of]).all() else "state"


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or not str(value).strip()


def _label(value: Any) -> str:
    """A value as a name: 1 and 1.0 are one name."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _class(value: Any) -> str:
    """A class as a name: True, 1, 1.0 and '1.0' are one class."""
    try:
        return _label(float(value))
    except ValueError:
        return _label(value)


def _short(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _codes(names: Sequence[str]) -> Ints:
    """Place of each name among the sorted names."""
    return np.unique(np.array(names, dtype=object), return_inverse=True)[1].astype(np.int64)
