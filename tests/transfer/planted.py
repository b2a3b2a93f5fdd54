"""A small dataset with effects planted in plain sight, written and laid out by the real verbs."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.medical.index import index
from transferscale.medical.split import split
from transferscale.medical.view import build
from transferscale.study.cells import Cell
from transferscale.study.grid import Grid
from transferscale.study.load import load_study
from transferscale.study.reader import Reader
from transferscale.study.study import Study

SUBJECTS, PARCELS, VOLUMES = 30, 16, 8
TASKS = {
    "group": {"target": "group", "kind": "classification", "metric": "auroc"},
    "three": {"target": "three", "kind": "classification", "metric": "auroc"},
    "score": {"target": "score", "kind": "regression", "metric": "r"},
    "film": {"target": "window", "kind": "state", "metric": "accuracy"},
    "few": {"target": "group", "kind": "classification", "metric": "auroc", "where": {"half": "a"}},
}


@dataclass
class Planted:
    """The dataset's files and the study that names its runs."""

    folder: Path
    study: Study

    @property
    def grid(self) -> Grid:
        return Grid(self.study)

    @property
    def view(self) -> Path:
        return self.folder / "view"

    @property
    def recordings(self) -> Path:
        return self.folder / "recordings.parquet"

    @property
    def splits(self) -> Path:
        return self.folder / "splits.json"

    def features_spec(self, reader: str) -> dict[str, Any]:
        return self.grid.features_spec("small", Reader.parse(reader))

    def spec(self, read_out: str, reader: Reader, n_labels: int | str, **changes: Any) -> dict[str, Any]:
        return {**self.grid.fit_spec(Cell("small", "roi", read_out, reader, str(n_labels))), **changes}


def write(root: Path) -> None:
    """Coupling differs between groups, amplitude follows the score, windows have a shape of their own."""
    random = np.random.default_rng(0)
    (root / "series").mkdir(parents=True)
    shape = random.standard_normal((4, VOLUMES, PARCELS))
    with (root / "participants.tsv").open("w", newline="") as stream:
        table = csv.writer(stream, delimiter="\t")
        table.writerow(["participant_id", "group", "three", "score", "half"])
        for i in range(SUBJECTS):
            group, score = i % 2, random.uniform(0.5, 2)
            half = "a" if i % 5 < 3 else "b"
            table.writerow([f"sub-{i:02d}", "ab"[group], "xyz"[i % 3], f"{score:.4f}", half])
            series = random.standard_normal((4, VOLUMES, PARCELS))
            series[:, :, 1:8] += 1.5 * (1 if group else -1) * series[:, :, :1] * np.tile([1, -1], 4)[1:]
            series[:, :, 8:11] += 2 * (i % 3 - 1) * series[:, :, 11:12]
            series += 0.6 * shape
            series[:, :, 12] += 3 * score * np.linspace(-1, 1, VOLUMES)
            np.save(root / "series" / f"sub-{i:02d}.npy", series.reshape(-1, PARCELS).astype(np.float32))


def study(root: Path) -> Study:
    """The study on it: small networks, few draws."""
    dataset = {
        "dataset": "small",
        "root": str(root),
        "recordings": {"kind": "series", "pattern": "series/{subject}.npy", "tr_s": 2.0},
        "clean": {"standardize": False},
        "windows": {"volumes": VOLUMES},
        "tasks": TASKS,
    }
    full = {"depths": [1], "labels": [16], "steps": 4, "batch_subjects": 4, "learning_rates": [3e-3]}
    return load_study(
        {
            "study": "small",
            "results": str(root / "results"),
            "corpus": {
                "name": "motion",
                "sources": [{"kind": "synthetic", "files": 8, "seconds": 2, "fps": 8, "size": 32}],
                "clip": {"frames": VOLUMES, "size": 16, "stride": 1},
            },
            "pretrain": {"vit": {"depths": [1]}, "budgets": {"first": 1000, "rungs": 1}},
            "datasets": [dataset],
            "transfer": {
                "labels": [4, 16, "all"],
                "draws": 2,
                "folds": 3,
                "baselines": ["connectivity", "raw:linear", "spectrum", "drift", "dummy"],
                "read_outs": {"ridge": {}, "full": full},
            },
            "verdict": {
                "task": "group",
                "depth": 1,
                "n_labels": 16,
                "metric": "auroc",
                "sesoi": 0.05,
            },
        }
    )


def make(folder: Path) -> Planted:
    """Write, index, lay out and split."""
    write(folder / "raw")
    planted = Planted(folder, study(folder / "raw"))
    index(planted.grid.recordings_spec("small"), planted.recordings, folder / "quarantine.parquet")
    build(planted.grid.view_spec("small"), planted.recordings, planted.view, 1)
    split(planted.grid.split_spec("small"), planted.recordings, planted.splits)
    return planted


def auroc(score: np.ndarray, positive: np.ndarray) -> float:
    """Share of (positive, negative) pairs in the right order, ties half."""
    difference = score[positive][:, None] - score[~positive]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())
