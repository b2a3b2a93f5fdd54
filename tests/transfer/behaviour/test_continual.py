"""Tasks learned one after another: nobody tested is ever labelled, the frozen forget nothing, the trained move on."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.transfer.planted import Planted
from transferscale.study.behaviour import Behaviour
from transferscale.study.behaviour_cells import ContinualCell
from transferscale.study.reader import Reader
from transferscale.tables import read_table
from transferscale.transfer.behaviour import continual as module
from transferscale.transfer.behaviour.continual import continual

SEQUENCE = ["small/few", "small/film", "small/score"]


@pytest.fixture(scope="module")
def folder(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset's folder, as a study has it."""
    found = tmp_path_factory.mktemp("medical")
    shutil.copytree(planted.view, found / "roi")
    shutil.copy(planted.recordings, found / "roi" / "recordings.parquet")
    shutil.copy(planted.splits, found / "splits.json")
    return found


def spec_of(planted: Planted, read_out: str, reader: Reader, n: str = "4") -> dict[str, Any]:
    asked = {"depths": [1], "labels": [4], "draws": 2, "continual": [SEQUENCE]}
    study = planted.study.model_copy(update={"behaviour": Behaviour.model_validate(asked)})
    return Planted(planted.folder, study).grid.continual_spec(ContinualCell(1, read_out, reader, n))


def rows(path: Path) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows by stage, task, subject, window and draw."""
    keys = ("severity", "task", "subject", "window", "draw")
    return {tuple(row[key] for key in keys): row for row in read_table(path, "predictions").to_pylist()}


@pytest.mark.parametrize("n_labels", ["4", "all"])
def test_nobody_is_labelled_in_any_task_in_the_fold_that_tests_them(
    planted: Planted, folder: Path, n_labels: str
) -> None:
    spec = spec_of(planted, "ridge", Reader("raw:linear"), n_labels)
    ground = module._grounds(spec, None, [folder / "roi"])["small"]
    stages = [
        module.Stage(
            module.load_task(s["task"], s["asks"], folder / "roi" / "recordings.parquet", ground.view), ground
        )
        for s in spec["stages"]
    ]
    sequences, left_out = module._cells(spec, stages)
    assert not left_out
    assert len(sequences) == 3 * (2 if n_labels == "4" else 1)
    for cells in sequences:
        tested = set(np.concatenate([cell.test for cell in cells]).tolist())
        assert not tested & set(np.concatenate([cell.train for cell in cells]).tolist())
    for k, stage in enumerate(stages):
        everybody = np.sort(np.concatenate([cells[k].test for cells in sequences if cells[k].draw == 0]))
        np.testing.assert_array_equal(everybody, stage.task.subjects)


def test_a_frozen_read_out_forgets_nothing_and_a_trained_one_moves(
    planted: Planted, folder: Path, tmp_path: Path
) -> None:
    moved = {}
    for read_out, arm in (("ridge", "random"), ("full", "scratch")):
        spec = spec_of(planted, read_out, Reader(arm, family="vit", depth=1, seed=0))
        continual(spec, None, [folder / "roi"], tmp_path / f"{read_out}.parquet", 1)
        found = rows(tmp_path / f"{read_out}.parquet")
        assert {(stage, task) for stage, task, *_ in found} == {
            (stage, name.split("/")[1]) for stage in (1, 2, 3) for name in SEQUENCE[:stage]
        }
        moved[read_out] = max(
            abs(np.subtract(found[(3, *key[1:])]["y_score"], row["y_score"])).max()
            for key, row in found.items()
            if key[:2] == (1, "few")
        )
    assert moved["ridge"] == 0 < moved["full"]


def test_the_first_task_is_learned_alike_whatever_comes_after_it(
    planted: Planted, folder: Path, tmp_path: Path
) -> None:
    spec = spec_of(planted, "full", Reader("scratch", family="vit", depth=1, seed=0))
    continual(spec, None, [folder / "roi"], tmp_path / "long.parquet", 1)
    continual({**spec, "stages": spec["stages"][:2]}, None, [folder / "roi"], tmp_path / "short.parquet", 1)
    long, short = rows(tmp_path / "long.parquet"), rows(tmp_path / "short.parquet")
    assert short.keys() <= long.keys()
    assert all(long[key]["y_score"] == row["y_score"] for key, row in short.items())


def test_a_sequence_without_enough_to_label_is_left_out_and_said(
    planted: Planted, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of(planted, "ridge", Reader("raw:linear"), "16")
    continual(spec, None, [folder / "roi"], tmp_path / "p.parquet", 1)
    assert not rows(tmp_path / "p.parquet")
    assert "sequence 1 is left out at 16 labelled subjects" in capsys.readouterr().err
