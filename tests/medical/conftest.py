"""Datasets for the tests of this room: the simulated demo, and small ones written on the spot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transferscale.medical.index import index
from transferscale.medical.simulate import write_dataset
from transferscale.medical.split import split
from transferscale.medical.view import build
from transferscale.study.dataset import Dataset
from transferscale.study.grid import Grid
from transferscale.study.load import load_study
from transferscale.study.study import Study

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"


@dataclass
class Made:
    """A dataset and the files that the verbs write of it."""

    dataset: Dataset
    grid: Grid
    folder: Path

    @property
    def recordings(self) -> Path:
        return self.folder / "recordings.parquet"

    @property
    def quarantine(self) -> Path:
        return self.folder / "quarantine.parquet"

    @property
    def view(self) -> Path:
        return self.folder / self.dataset.view.kind

    @property
    def splits(self) -> Path:
        return self.folder / "splits.json"

    def index(self) -> "Made":
        index(self.grid.recordings_spec(self.dataset.dataset), self.recordings, self.quarantine)
        return self

    def build(self, threads: int = 2) -> "Made":
        build(self.grid.view_spec(self.dataset.dataset), self.recordings, self.view, threads)
        return self

    def split(self, **changes: Any) -> "Made":
        split({**self.grid.split_spec(self.dataset.dataset), **changes}, self.recordings, self.splits)
        return self


def made(content: Mapping[str, Any], folder: Path, size: int = 32) -> Made:
    """The dataset of a YAML file's content, with the specs of the real grid."""
    study = load_study_of_the_demo()
    corpus = study.corpus.model_copy(update={"clip": study.corpus.clip.model_copy(update={"size": size})})
    dataset = Dataset.model_validate(content)
    return Made(
        dataset,
        Grid(
            Study.model_construct(
                datasets=[dataset], corpus=corpus, pretrain=study.pretrain, transfer=study.transfer
            )
        ),
        folder,
    )


def load_study_of_the_demo() -> Study:
    content = {"datasets": [str(CONFIG.parent / "datasets" / "demo.yaml")]}
    from transferscale.study.load import read_yaml

    return load_study({**read_yaml(CONFIG), **content})


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The embedded demo, simulated, indexed, laid out and split."""
    folder = tmp_path_factory.mktemp("demo")
    dataset = load_study_of_the_demo().dataset("demo")
    it = made({**dataset.model_dump(), "root": str(folder / "bids")}, folder)
    write_dataset(it.grid.simulate_spec("demo"), folder / "bids", threads=2)
    return it.index().build().split()


SERIES: dict[str, Any] = {
    "dataset": "small",
    "recordings": {"kind": "series", "pattern": "series/{subject}.npy", "tr_s": 2.0},
    "windows": {"volumes": 16},
    "tasks": {
        "group": {"target": "group", "kind": "classification", "metric": "auroc"},
        "age": {"target": "age", "kind": "regression", "metric": "r"},
        "film": {"target": "window", "kind": "state", "metric": "accuracy"},
    },
}

SmallSeries = Callable[..., Made]


@pytest.fixture
def small_series(tmp_path: Path) -> SmallSeries:
    """Make a dataset of series: ``small_series(subjects=12, parcels=9, **keys of the dataset's YAML)``."""

    def make(subjects: int = 12, parcels: int = 9, volumes: int = 40, size: int = 32, **keys: Any) -> Made:
        root = tmp_path / "small"
        (root / "series").mkdir(parents=True)
        rng = np.random.default_rng(0)
        lines = ["participant_id\tgroup\tage\tsite\tfamily"]
        for i in range(subjects):
            np.save(root / "series" / f"sub-{i:02d}.npy", rng.standard_normal((volumes, parcels)))
            lines.append(f"sub-{i:02d}\t{'ab'[i % 2]}\t{20 + i}\ts{i % 3}\tf{i // 2}")
        (root / "participants.tsv").write_text("\n".join(lines) + "\n")
        return made({**SERIES, "root": str(root), **keys}, tmp_path, size)

    return make
