"""Realistic predictions with a planted quality an arm, for the tests of scaling and report.

A subject's score is its class (or target) times the reader's quality, plus noise that belongs to the subject
and is shared by all readers, plus noise of the reader, label draw and seed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from transferscale.study.grid import Cell, Grid
from transferscale.study.study import Study

Quality = Callable[[Cell, str], float]


def predictions(
    study: Study, quality: Quality, rng: np.random.Generator, subjects: int = 48, shared: float = 0.8
) -> list[dict[str, Any]]:
    """Rows of the predictions table for every cell of a study."""
    rows: list[dict[str, Any]] = []
    grid, transfer = Grid(study), study.transfer
    truths = {
        (d.dataset, t): _truth(rng, task.kind, subjects)
        for d in study.datasets
        for t, task in d.tasks.items()
    }
    common = {key: rng.standard_normal(subjects) for key in truths}
    shuffles = [rng.permutation(subjects) for _ in range(transfer.repeats)]
    for cell in grid.cells():
        tasks = (
            grid.full_tasks(cell.dataset) if cell.read_out == "full" else study.dataset(cell.dataset).tasks
        )
        draws = transfer.draws if cell.n_labels != "all" else 1
        first = 0
        if cell.read_out == "full":
            full = transfer.read_outs.full
            assert full is not None
            first, draws = cell.reader.seed * full.draws, full.draws if cell.n_labels != "all" else 1
        for task in tasks:
            kind = study.task(cell.dataset, task).kind
            truth, level = truths[cell.dataset, task], quality(cell, task)
            own = np.sqrt(1 - shared**2)
            for repeat in range(transfer.repeats):
                fold = np.empty(subjects, dtype=int)
                fold[shuffles[repeat]] = np.arange(subjects) % transfer.folds
                for draw in range(first, first + draws):
                    noise = shared * common[cell.dataset, task] + own * rng.standard_normal(subjects)
                    rows += _rows(cell, task, kind, truth, level, noise, repeat, draw, fold, transfer.folds)
    return rows


def _truth(rng: np.random.Generator, kind: str, subjects: int) -> np.ndarray:
    if kind == "regression":
        return rng.standard_normal(subjects)
    return np.arange(subjects) % 2


def _rows(
    cell: Cell,
    task: str,
    kind: str,
    truth: np.ndarray,
    level: float,
    noise: np.ndarray,
    repeat: int,
    draw: int,
    fold: np.ndarray,
    folds: int,
) -> list[dict[str, Any]]:
    subjects = len(truth)
    all_train = subjects * (folds - 1) // folds
    constant = cell.reader.arm == "dummy"
    rows = []
    for s in range(subjects):
        for window in range(4) if kind == "state" else (-1,):
            if kind == "regression":
                y = float(truth[s])
                value, scores = (0.1 * fold[s] if constant else level * y + noise[s]), []
            elif kind == "classification":
                y = float(truth[s])
                z = 0.0 if constant else level * (2 * y - 1) + noise[s]
                value, scores = float(z > 0), [-z, z]
            else:
                y = float(window)
                scores = [
                    0.0
                    if constant
                    else level * (k == window) + np.sin(7.0 * s + 3 * k + 5 * window) * noise[s]
                    for k in range(4)
                ]
                value = float(np.argmax(scores))
            rows.append(
                {
                    "dataset": cell.dataset,
                    "task": task,
                    "kind": kind,
                    "view": cell.view,
                    "arm": cell.reader.arm,
                    "control": "",
                    "reader_id": cell.reader.reader_id,
                    "read_out": cell.read_out,
                    "n_labels": cell.n_labels,
                    "n_train": all_train if cell.n_labels == "all" else int(cell.n_labels),
                    "draw": draw,
                    "seed": cell.reader.seed,
                    "repeat": repeat,
                    "fold": int(fold[s]),
                    "condition": "clean",
                    "severity": 0,
                    "subject": f"sub-{s:02d}",
                    "session": "",
                    "run": "",
                    "window": window,
                    "site": f"site{s % 2}",
                    "family_group": f"sub-{s:02d}",
                    "y_true": y,
                    "y_pred": value,
                    "y_score": scores,
                    "classes": [] if kind == "regression" else [str(k) for k in range(len(scores))],
                    "choice": "{}",
                    "split_hash": "0" * 12,
                }
            )
    return rows
