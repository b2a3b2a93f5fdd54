"""Realistic predictions with a planted quality an arm, for the tests of scaling and report.

A subject's score is its class (or target) times the reader's quality, plus noise that belongs to the subject
and is shared by all readers, plus noise of the reader, label draw and seed.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.scaling.gains.cells import Cell as Tested
from transferscale.study.cells import Cell, tasks_for
from transferscale.study.grid import Grid
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
        tasks = tasks_for(study, cell.read_out, cell.dataset, cell.reader)
        draws = transfer.draws if cell.n_labels != "all" else 1
        first = 0
        if cell.read_out == "full":
            full = transfer.read_outs.full
            assert full is not None
            first, draws = max(cell.reader.seed, 0) * full.draws, full.draws if cell.n_labels != "all" else 1
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
                    "arm": cell.reader.arm_name,
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
                    "y_prob": _probabilities(kind, scores),
                    "classes": [] if kind == "regression" else [str(k) for k in range(len(scores))],
                    "choice": "{}",
                    "split_hash": "0" * 12,
                }
            )
    return rows


def _probabilities(kind: str, scores: list[float]) -> list[float]:
    """Two-class log-odds as probabilities; none for states."""
    return [float(1 / (1 + np.exp(-2 * z))) for z in scores] if kind == "classification" else []


def pair_of_cells(
    rng: np.random.Generator,
    gain: float,
    *,
    level: float = 0.5,
    subjects: int = 48,
    draws: int = 5,
    seeds: int = 3,
    moved: float = 0.1,
    shared: float = 0.8,
    kind: str = "classification",
) -> tuple[Tested, Tested]:
    """An arm and its reference: draws and seeds move the quality of both by ``moved`` (SD), and a share of the
    subjects' noise, ``shared`` squared, is common to both and to all draws and seeds.

    The class (or target) is planted with the reference's ``level``, in SDs of the noise, and the arm's ``gain``
    more.
    """
    columns = np.array([[0, draw, seed] for draw in range(draws) for seed in range(seeds)])
    classes = kind == "classification"
    truth = np.arange(subjects) % 2.0 if classes else rng.standard_normal(subjects)
    signal = (2 * truth - 1 if classes else truth)[:, None]
    common, task = rng.standard_normal((subjects, 1)), f"t{rng.integers(10**9)}"
    drawn = np.repeat(rng.normal(0, moved, draws), seeds)
    cells = []
    for arm, quality in (("video", level + gain), ("random", level)):
        own = np.sqrt(1 - shared**2) * rng.standard_normal((subjects, len(columns)))
        seeded = np.tile(rng.normal(0, moved, seeds), draws)
        z = (quality + drawn + seeded) * signal + shared * common + own
        cells.append(
            Tested(
                task=task,
                arm=arm,
                kind=kind,
                n_labels="16",
                n_train=16.0,
                subjects=tuple(f"{i:03d}" for i in range(subjects)),
                family=np.arange(subjects),
                columns=columns,
                subject_of=np.arange(subjects),
                truth=truth,
                predicted=(z > 0).astype(float) if classes else z,
                score=np.stack([-z, z], 1) if classes else np.empty((subjects, 0, len(columns))),
                fold=np.repeat(np.arange(subjects)[:, None] // 2 % 4, len(columns), axis=1),
            )
        )
    return cells[0], cells[1]


def table_rows(
    arms: Mapping[str, float],
    *,
    labels: Sequence[int | str] = (8, 16, 32),
    subjects: int = 40,
    draws: int = 2,
    seeds: int = 2,
    task: str | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Rows of a person's own table of predictions, two classes; ``arms`` are names and how far ahead each is."""
    rng = np.random.default_rng(seed)
    common, rows = rng.standard_normal(subjects), []
    for arm, ahead in arms.items():
        for i, n in enumerate(labels):
            for draw in range(draws):
                for start in range(seeds):
                    z = (0.3 + 0.25 * i + ahead) * (2 * (np.arange(subjects) % 2) - 1)
                    z = z + 0.8 * common + 0.6 * rng.standard_normal(subjects)
                    rows += [
                        {
                            **({} if task is None else {"task": task}),
                            "arm": arm,
                            "subject": f"s{k:02d}",
                            "n_labels": n,
                            "draw": draw,
                            "seed": start,
                            "fold": k // 2 % 4,
                            "y_true": k % 2,
                            "y_pred": int(z[k] > 0),
                            "y_score": float(z[k]),
                        }
                        for k in range(subjects)
                    ]
    return rows


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows as a CSV file."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
