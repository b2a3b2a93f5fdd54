"""The predictions table of a study, read as cells: one reader group, read-out and label count on one task each."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transferscale.errors import UserError
from transferscale.partitions import read_part
from transferscale.scaling import metrics
from transferscale.scaling.gains.cells import Cell, Rows, arrays, combine
from transferscale.scaling.gains.scores import Evaluation
from transferscale.scaling.metrics import Ints, Reals
from transferscale.study.reader import Reader
from transferscale.study.study import Study

CELL_TEXTS = ("dataset", "task", "kind", "view", "reader_id", "read_out", "n_labels")
ROW_TEXTS = ("subject", "family_group", "session", "run")
NUMBERS = ("n_train", "draw", "seed", "repeat", "fold", "window", "y_true", "y_pred")

CellKey = tuple[str, str, str, str, str]  # dataset, task, read_out, reader_group, n_labels


@dataclass(frozen=True, kw_only=True)
class StudyCell(Cell):
    """A cell of a study: which dataset, view, reader and read-out the predictions are of."""

    dataset: str
    view: str
    read_out: str
    reader: Reader

    @property
    def population(self) -> str:
        """Dataset and task."""
        return f"{self.dataset}/{self.task}"

    @property
    def where(self) -> str:
        """Dataset and task."""
        return self.population

    @property
    def who(self) -> str:
        """The reader without its seed."""
        return self.reader_group

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


def read_cells(predictions: Path, condition: str = "clean") -> list[StudyCell]:
    """Cells of a predictions table under one condition, sorted by their key.

    Raises
    ------
    UserError
        If a subject is missing in, or tested twice in, one column of a cell, or its truth differs between
        columns.
    """
    table = read_part(predictions, "curves", "predictions")
    table = table.filter(pc.equal(table["condition"], condition))
    if not table.num_rows:
        raise UserError(f"{predictions}: no prediction under the condition '{condition}'")
    return cells_of(table, predictions)


def cells_of(table: pa.Table, predictions: Path) -> list[StudyCell]:
    """Cells of rows of a predictions table under one condition and severity, as of :func:`read_cells`."""
    text = {name: _encode(table[name]) for name in (*CELL_TEXTS, *ROW_TEXTS)}
    number = {name: table[name].to_numpy() for name in NUMBERS}
    scores, probabilities = _Lists(table["y_score"], "y_score"), _Lists(table["y_prob"], "y_prob")
    readers = [Reader.parse(name) for name in text["reader_id"][1]]
    groups = sorted({reader.group for reader in readers})
    group_of_reader = np.array([groups.index(reader.group) for reader in readers])
    group = group_of_reader[text["reader_id"][0]]
    _, cell_of = combine(*(text[n][0] for n in ("dataset", "task", "read_out", "n_labels")), group)
    cells = []
    for rows in _split(cell_of):
        reader = readers[int(text["reader_id"][0][rows[0]])]
        names = {name: values[int(codes[rows[0]])] for name, (codes, values) in text.items()}
        cells.append(_cell(predictions, rows, names, reader, text, number, scores, probabilities))
    return sorted(cells, key=lambda cell: cell.key)


def _cell(
    path: Path,
    rows: Ints,
    names: dict[str, str],
    reader: Reader,
    text: dict[str, tuple[Ints, list[str]]],
    number: dict[str, npt.NDArray[Any]],
    scores: "_Lists",
    probabilities: "_Lists",
) -> StudyCell:
    where = f"{path}: {names['dataset']}/{names['task']}, {reader.group}, {names['read_out']}"
    where += f", n = {names['n_labels']}"
    columns = np.stack([number[name][rows] for name in ("repeat", "draw", "seed")], 1).astype(np.int64)
    probability = probabilities.rows(rows, where)
    own = Rows(
        subject=text["subject"][0][rows],
        subject_names=text["subject"][1],
        family=text["family_group"][0][rows],
        places=(text["session"][0][rows], text["run"][0][rows], number["window"][rows]),
        columns=columns,
        fold=number["fold"][rows].astype(np.int64),
        truth=number["y_true"][rows],
        predicted=number["y_pred"][rows],
        score=scores.rows(rows, where),
        probability=probability if probability.shape[1] else None,
    )
    return StudyCell(
        **arrays(own, names["n_labels"], where),
        **{key: names[key] for key in ("dataset", "task", "kind", "view", "read_out", "n_labels")},
        arm=reader.arm_name,
        reader=reader,
        n_train=float(number["n_train"][rows].mean()),
    )


def metrics_of(study: Study, dataset: str, task: str) -> tuple[str, ...]:
    """Metrics of a task: those of its kind, and whatever the study asks for besides."""
    declared = study.task(dataset, task)
    asked = [declared.metric]
    asked += [c.metric for c in study.verdict if (study.claim_dataset(c), c.task) == (dataset, task)]
    asked += [k.metric for k in study.known_answers if (study.claim_dataset(k), k.task) == (dataset, task)]
    return tuple(dict.fromkeys([*metrics.OF_KIND[declared.kind], *asked]))


def score_rows(evaluations: Iterable[Evaluation[StudyCell]]) -> list[dict[str, Any]]:
    """Rows of the `scores` table."""
    return [
        {
            **evaluation.cell.keys,
            "reader_group": evaluation.cell.reader_group,
            "metric": evaluation.metric,
            "value": evaluation.value,
            "low": evaluation.interval[0],
            "high": evaluation.interval[1],
            "n_subjects": len(evaluation.cell.subjects),
            "n_seeds": len(np.unique(evaluation.cell.columns[:, 2])),
            "n_draws": len(np.unique(evaluation.cell.columns[:, 1])),
        }
        for evaluation in evaluations
    ]


class _Lists:
    """A list column as one flat array with offsets."""

    def __init__(self, column: pa.ChunkedArray, name: str) -> None:
        self.name = name
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
                f"{where}: {self.name} has {length.min()} values in one row and {length.max()} in another"
            )
        values: Reals = self.flat[self.start[rows][:, None] + np.arange(length[0])]
        return values


def _encode(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Codes and sorted names of a text column; null is the empty text."""
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    rank = np.argsort(np.argsort(np.array(names, dtype=object)))
    return rank[encoded.indices.to_numpy()].astype(np.int64), sorted(names)


def _split(groups: Ints) -> list[Ints]:
    """Rows of each group."""
    order = np.argsort(groups, kind="stable")
    return [part for part in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(part)]
