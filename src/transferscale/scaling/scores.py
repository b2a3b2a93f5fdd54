"""From test predictions to scores with intervals.

A cell is one reader group (a reader without its seed), read-out, label count and task. Its predictions are
pooled over the folds of a repeat, so that every subject is tested once a repeat; the metric is taken of every
column (repeat, draw, seed) and averaged over columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transferscale.errors import UserError
from transferscale.scaling import metrics
from transferscale.scaling.bootstrap import RESAMPLES, column_weights, crossed, subject_weights
from transferscale.scaling.metrics import Ints, Reals
from transferscale.study.grid import Reader
from transferscale.study.study import Study
from transferscale.tables import read_table

CELL_TEXTS = ("dataset", "task", "kind", "view", "reader_id", "read_out", "n_labels")
ROW_TEXTS = ("subject", "family_group", "session", "run")
NUMBERS = ("n_train", "draw", "seed", "repeat", "fold", "window", "y_true", "y_pred")

CellKey = tuple[str, str, str, str, str]  # dataset, task, read_out, reader_group, n_labels


@dataclass(frozen=True)
class Cell:
    """Test predictions of one cell as arrays.

    ``truth`` (rows,), ``predicted`` (rows, columns), ``score`` (rows, classes, columns; none for regression)
    and ``fold`` (rows, columns); ``subject_of`` (rows,) indexes ``subjects``; ``columns`` (columns, 3) holds
    repeat, draw and seed.
    """

    dataset: str
    task: str
    kind: str
    view: str
    read_out: str
    reader: Reader
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

    @property
    def arm(self) -> str:
        """What the read-out starts from."""
        return self.reader.arm

    @cached_property
    def reader_group(self) -> str:
        """The reader without its seed."""
        return self.reader.group

    @property
    def keys(self) -> dict[str, Any]:
        """Columns that the `scores` and `gains` tables share."""
        return {
            "dataset": self.dataset,
            "task": self.task,
            "kind": self.kind,
            "view": self.view,
            "arm": self.arm,
            "read_out": self.read_out,
            "depth": self.reader.depth,
            "rung": self.reader.rung,
            "n_labels": self.n_labels,
            "n_train": self.n_train,
        }

    @property
    def key(self) -> CellKey:
        """What names the cell."""
        return self.dataset, self.task, self.read_out, self.reader_group, self.n_labels


@dataclass(frozen=True)
class Evaluation:
    """One metric of one cell: ``point`` (columns,) and its bootstrap ``resampled`` (resamples, columns)."""

    cell: Cell
    metric: str
    point: Reals
    resampled: Reals

    @cached_property
    def weights(self) -> Reals:
        """Weights of the columns in every resample, shape (resamples, columns)."""
        return column_weights(self.cell.columns[:, 1], self.cell.columns[:, 2], len(self.resampled))

    @property
    def value(self) -> float:
        """Mean over columns."""
        return float(self.point.mean())

    @cached_property
    def values(self) -> Reals:
        """The same in every resample, shape (resamples,)."""
        return crossed(self.resampled, self.point, self.weights)


def read_cells(predictions: Path) -> list[Cell]:
    """Cells of a predictions table, clean conditions only, sorted by their key.

    Raises
    ------
    UserError
        If a subject is missing in, or tested twice in, one column of a cell, or its truth differs between
        columns.
    """
    table = read_table(predictions, "predictions")
    table = table.filter(pc.equal(table["condition"], "clean"))
    if not table.num_rows:
        raise UserError(f"{predictions}: no prediction under the condition 'clean'")
    text = {name: _encode(table[name]) for name in (*CELL_TEXTS, *ROW_TEXTS)}
    number = {name: table[name].to_numpy() for name in NUMBERS}
    scores = _Lists(table["y_score"])
    readers = [Reader.parse(name) for name in text["reader_id"][1]]
    groups = sorted({reader.group for reader in readers})
    group_of_reader = np.array([groups.index(reader.group) for reader in readers])
    group = group_of_reader[text["reader_id"][0]]
    _, cell_of = _combine(*(text[n][0] for n in ("dataset", "task", "read_out", "n_labels")), group)
    cells = []
    for rows in _split(cell_of):
        reader = readers[int(text["reader_id"][0][rows[0]])]
        names = {name: values[int(codes[rows[0]])] for name, (codes, values) in text.items()}
        cells.append(_cell(predictions, rows, names, reader, text, number, scores))
    return sorted(cells, key=lambda cell: cell.key)


def _cell(
    path: Path,
    rows: Ints,
    names: dict[str, str],
    reader: Reader,
    text: dict[str, tuple[Ints, list[str]]],
    number: dict[str, npt.NDArray[Any]],
    scores: "_Lists",
) -> Cell:
    where = f"{path}: {names['dataset']}/{names['task']}, {reader.group}, {names['read_out']}"
    where += f", n = {names['n_labels']}"
    # Rows of the result are subjects, or windows of one, sorted by name: the order of the table has no say.
    parts = [text["subject"][0], text["session"][0], text["run"][0], number["window"]]
    rows = rows[np.lexsort([part[rows] for part in reversed(parts)])]
    first, row = _combine(*(part[rows] for part in parts))
    subject, subject_names = text["subject"][0][rows], text["subject"][1]
    columns = np.stack([number["repeat"][rows], number["draw"][rows], number["seed"][rows]], 1).astype(
        np.int64
    )
    if names["n_labels"] == "all" and _one_draw(columns):
        columns[:, 1] = 0  # all draws coincide when every training subject is labelled
    unique, column = np.unique(columns, axis=0, return_inverse=True)
    shape = (len(first), len(unique))
    at = row * shape[1] + column.ravel()
    times = np.bincount(at, minlength=shape[0] * shape[1])
    if (times != 1).any():
        worst = int(np.flatnonzero(times != 1)[0])
        repeat, draw, seed = unique[worst % shape[1]]
        name = subject_names[int(subject[first[worst // shape[1]]])]
        raise UserError(
            f"{where}: subject '{name}' is tested {times[worst]} times in repeat {repeat}, draw {draw}, "
            f"seed {seed}; it must be once"
        )
    truth = number["y_true"][rows][first]
    if (number["y_true"][rows] != truth[row]).any():
        raise UserError(f"{where}: a subject has two different values of y_true")
    subjects, subject_of = np.unique(subject[first], return_inverse=True)
    _, family = np.unique(text["family_group"][0][rows][first], return_inverse=True)
    one_each = np.unique(subject_of, return_index=True)[1]

    def grid(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        out = np.empty((shape[0] * shape[1], *values.shape[1:]), dtype=values.dtype)
        out[at] = values
        return out.reshape(*shape, *values.shape[1:])

    return Cell(
        **{key: names[key] for key in ("dataset", "task", "kind", "view", "read_out", "n_labels")},
        reader=reader,
        n_train=float(number["n_train"][rows].mean()),
        subjects=tuple(subject_names[s] for s in subjects),
        family=family[one_each].astype(np.int64),
        columns=unique,
        subject_of=subject_of.astype(np.int64),
        truth=truth,
        predicted=grid(number["y_pred"][rows]),
        score=np.moveaxis(grid(scores.rows(rows, where)), 1, 2),
        fold=grid(number["fold"][rows].astype(np.int64)),
    )


def _one_draw(columns: Ints) -> bool:
    """Whether each (repeat, seed) comes with a single draw."""
    return len(np.unique(columns, axis=0)) == len(np.unique(columns[:, [0, 2]], axis=0))


def evaluate(cell: Cell, metric: str, resamples: int = RESAMPLES) -> Evaluation:
    """Score one cell: the metric of every column, and in every resample of the test subjects.

    The resamples of subjects depend on the dataset and task alone, so that any two cells of a task are
    paired.
    """
    subjects = len(cell.subjects)
    stratum = np.zeros(subjects, dtype=np.int64)
    if cell.kind == "classification":
        stratum[cell.subject_of] = cell.truth.astype(np.int64)
    weights = subject_weights(cell.family, stratum, resamples, f"{cell.dataset}/{cell.task}")
    weights = np.concatenate([np.ones((1, subjects)), weights])
    # The unit is the subject: the windows of one share its weight.
    windows = np.bincount(cell.subject_of, minlength=subjects)
    values = _metric(cell, metric, (weights / windows)[:, cell.subject_of])
    if not np.isfinite(values[0]).all():
        raise UserError(
            f"{cell.dataset}/{cell.task}: {metric} of {cell.reader_group} is not a number; "
            "are two classes, or two different values of the target, among the test subjects?"
        )
    return Evaluation(cell, metric, values[0], values[1:])


def _metric(cell: Cell, metric: str, weights: Reals) -> Reals:
    classes = cell.truth.astype(np.int64)
    if metric == "auroc":
        return metrics.auroc(classes, np.where(_mute(cell, cell.score), 0.0, cell.score), weights)
    if metric == "accuracy":
        return metrics.accuracy(classes, cell.predicted.astype(np.int64), weights)
    if metric == "balanced_accuracy":
        return metrics.balanced_accuracy(classes, cell.predicted.astype(np.int64), weights)
    if metric == "r":
        return metrics.r(cell.truth, np.where(_mute(cell, cell.predicted), 0.0, cell.predicted), weights)
    if metric == "r2":
        return metrics.r2(cell.truth, cell.predicted, weights)
    raise ValueError(f"unknown metric '{metric}'")


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


def metrics_of(study: Study, dataset: str, task: str) -> tuple[str, ...]:
    """Metrics of a task: those of its kind, and whatever the study asks for besides."""
    declared = study.task(dataset, task)
    asked = [declared.metric]
    asked += [c.metric for c in study.verdict if (study.claim_dataset(c), c.task) == (dataset, task)]
    asked += [k.metric for k in study.known_answers if (study.claim_dataset(k), k.task) == (dataset, task)]
    return tuple(dict.fromkeys([*metrics.OF_KIND[declared.kind], *asked]))


def rows(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Rows of the `scores` table."""
    out = []
    for evaluation in evaluations:
        cell = evaluation.cell
        low, high = np.quantile(evaluation.values, [0.025, 0.975])
        out.append(
            {
                **cell.keys,
                "reader_group": cell.reader_group,
                "metric": evaluation.metric,
                "value": evaluation.value,
                "low": float(low),
                "high": float(high),
                "n_subjects": len(cell.subjects),
                "n_seeds": len(np.unique(cell.columns[:, 2])),
                "n_draws": len(np.unique(cell.columns[:, 1])),
            }
        )
    return out


class _Lists:
    """A list column as one flat array with offsets."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        lists = column.combine_chunks()
        self.length = (
            pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        )
        self.start = np.concatenate([[0], np.cumsum(self.length)[:-1]]).astype(np.int64)
        self.flat = pc.list_flatten(lists).to_numpy(zero_copy_only=False).astype(np.float64)

    def rows(self, rows: Ints, where: str) -> Reals:
        """Lists of those rows, shape (rows, length); they must be equally long."""
        length = self.length[rows]
        if (length != length[0]).any():
            raise UserError(
                f"{where}: y_score has {length.min()} values in one row and {length.max()} in another"
            )
        values: Reals = self.flat[self.start[rows][:, None] + np.arange(length[0])]
        return values


def _encode(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Codes and sorted names of a text column; null is the empty text."""
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    rank = np.argsort(np.argsort(np.array(names, dtype=object)))
    return rank[encoded.indices.to_numpy()].astype(np.int64), sorted(names)


def _combine(*codes: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """First row and number of each combination of codes, numbered in their order."""
    combined = np.zeros(len(codes[0]), dtype=np.int64)
    for code in codes:
        _, dense = np.unique(code, return_inverse=True)
        combined = combined * (int(dense.max()) + 1) + dense
    _, first, number = np.unique(combined, return_index=True, return_inverse=True)
    return first.astype(np.int64), number.astype(np.int64)


def _split(groups: Ints) -> list[Ints]:
    """Rows of each group."""
    order = np.argsort(groups, kind="stable")
    return [part for part in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(part)]
