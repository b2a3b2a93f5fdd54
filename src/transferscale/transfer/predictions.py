"""Rows of the predictions table, gathered column by column."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import Stopwatch, canonical_json, write_provenance
from transferscale.conditions import CLEAN, permuted
from transferscale.medical.reading import View
from transferscale.tables import TABLES, write_columns
from transferscale.transfer.task import Cell, Task


class Predictions:
    """Gathers the predictions of one cell of the grid (a reader, a read-out, a label count) and writes them.

    Parameters
    ----------
    spec
        ``Grid.fit_spec``.
    view
        The view, for what is known of subjects and windows.
    split_hash
        Hash of the splits.
    """

    def __init__(self, spec: Mapping[str, Any], view: View, split_hash: str) -> None:
        self.constants = {
            "dataset": spec["dataset"],
            "view": spec["view"],
            "arm": spec["arm"],
            "control": spec["control"],
            "reader_id": spec["reader"],
            "read_out": spec["read_out"],
            "n_labels": str(spec["n_labels"]),
            "seed": spec["seed"],
            "split_hash": split_hash,
        }
        self.view = view
        self.first_windows = view.first_windows
        self.columns: dict[str, list[Any]] = {name: [] for name in TABLES["predictions"].columns}

    def __len__(self) -> int:
        return len(self.columns["subject"])

    def add(
        self,
        task: Task,
        cell: Cell,
        scores: npt.NDArray[np.floating[Any]],
        log_odds: npt.NDArray[np.floating[Any]],
        choice: Mapping[str, Any],
        condition: str = CLEAN,
        severity: int = 0,
    ) -> None:
        """Add a cell's test rows under a condition.

        Parameters
        ----------
        scores
            As the read-out gives them (rows, outputs).
        log_odds
            Of classes the scores before they were divided by the norm of their weights (rows, outputs).
        """
        windows = task.kind == "state"
        rows = task.rows(cell.test)
        places = rows.tolist() if windows else [self.first_windows[row] for row in rows]
        of = self.view.windows
        predicted, listed = decide(task.kind, scores)
        repeated = {
            **self.constants,
            "task": task.name,
            "kind": task.kind,
            "n_train": len(cell.train),
            "draw": cell.draw,
            "repeat": cell.repeat,
            "fold": cell.fold,
            "classes": list(task.classes),
            "choice": canonical_json(dict(choice)),
            "condition": condition if task.place is None else permuted(condition),
            "severity": severity,
        }
        values = {
            "subject": [of["subject"][place] for place in places],
            "session": [of["session"][place] if windows else "" for place in places],
            "run": [of["run"][place] if windows else "" for place in places],
            "window": [of["window"][place] if windows else -1 for place in places],
            "site": [of["site"][place] for place in places],
            "family_group": [of["family_group"][place] for place in places],
            "y_true": task.y[rows].tolist(),
            "y_pred": predicted.tolist(),
            "y_score": listed.tolist(),
            "y_prob": probabilities(task.kind, log_odds).tolist(),
        }
        for name, column in self.columns.items():
            column += values[name] if name in values else [repeated[name]] * len(rows)

    def extend(self, other: "Predictions") -> None:
        """Add the rows of predictions on another view."""
        for name, column in self.columns.items():
            column += other.columns[name]

    def write(self, out: Path, watch: Stopwatch, left_out: Sequence[str], **facts: Any) -> None:
        """Write the table and its provenance, and tell what was left out."""
        for sentence in left_out:
            print(sentence, file=sys.stderr)
        write_columns(out, "predictions", self.columns)
        write_provenance(out, watch, **facts, rows=len(self), left_out=left_out)


def decide(
    kind: str, scores: npt.NDArray[np.floating[Any]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Predicted value or class of each row, and one score a class (none for regression).

    Scores of two classes come as one number f, positive for the second, and are written as -f/2 and f/2.
    """
    values = np.asarray(scores, dtype=np.float64)
    if kind == "regression":
        return values[:, 0], np.empty((len(values), 0))
    if values.shape[1] == 1:
        values = np.concatenate([-values, values], axis=1) / 2
    return values.argmax(axis=1).astype(np.float64), values


def probabilities(kind: str, log_odds: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Probability of each class (rows, classes) by the fitted logistic loss; none for values and states.

    Values and states are fitted with squared error, which knows no probabilities. The loss weighs the classes alike, so
    these are probabilities for a population in which they are equally frequent. More than two classes are fitted one
    against the rest; their probabilities are divided by their sum.
    """
    values = np.asarray(log_odds, dtype=np.float64)
    if kind != "classification":
        return np.empty((len(values), 0))
    if values.shape[1] == 1:
        values = np.concatenate([-values, values], axis=1)
    each = np.exp(-np.logaddexp(0, -values))
    total = each.sum(axis=1, keepdims=True)
    given: npt.NDArray[np.float64] = np.divide(
        each, total, out=np.full_like(each, 1 / each.shape[1]), where=total > 0
    )
    return given
