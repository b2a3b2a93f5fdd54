"""One job asks a read-out under every condition, paired with what it says of clean recordings."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.transfer.planted import Planted
from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.study.behaviour import Behaviour
from transferscale.study.behaviour_cells import BehaviourCell
from transferscale.study.reader import Reader
from transferscale.tables import read_table
from transferscale.transfer.behaviour.behave import behave
from transferscale.transfer.finetune import fit

RAW, RANDOM = Reader("raw:linear"), Reader("random", family="vit", depth=1, seed=0)
SCRATCH = Reader("scratch", family="vit", depth=1, seed=0)
ASKED = {"depths": [1], "labels": [4, 16], "tasks": ["small/group", "small/film"]}
SITES = ["one", "two", "three"]


def spec_of(planted: Planted, read_out: str, reader: Reader, n: str, **asked: Any) -> dict[str, Any]:
    section = Behaviour.model_validate({**ASKED, **asked})
    study = planted.study.model_copy(update={"behaviour": section})
    return Planted(planted.folder, study).grid.behaviour_spec(
        BehaviourCell("small", "roi", read_out, reader, n)
    )


def run(
    planted: Planted, spec: dict[str, Any], out: Path, view: Path | None = None, onto: Sequence[Path] = ()
) -> pa.Table:
    behave(spec, None, view or planted.view, planted.recordings, planted.splits, onto, out, 1)
    return read_table(out, "predictions")


def of(table: pa.Table, condition: str, severity: int, task: str = "group") -> list[dict[str, Any]]:
    keys = ("subject", "window", "repeat", "fold", "draw")
    rows = [
        row
        for row in table.to_pylist()
        if (row["condition"], row["severity"], row["task"]) == (condition, severity, task)
    ]
    return sorted(rows, key=lambda row: tuple(row[key] for key in keys))


@pytest.fixture(scope="module")
def with_sites(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The view, its subjects at three sites in turn, and a recordings table within."""
    folder = tmp_path_factory.mktemp("sites") / "view"
    shutil.copytree(planted.view, folder)
    windows = read_table(folder / "windows.parquet", "windows")
    sites = [SITES[int(subject[-2:]) // 2 % 3] for subject in windows["subject"].to_pylist()]
    place = windows.column_names.index("site")
    pa.parquet.write_table(windows.set_column(place, "site", pa.array(sites)), folder / "windows.parquet")
    shutil.copy(planted.recordings, folder / "recordings.parquet")
    return folder


def test_the_clean_rows_of_full_are_those_of_the_ordinary_job(planted: Planted, tmp_path: Path) -> None:
    spec = spec_of(planted, "full", SCRATCH, "16", corruptions=["noise"])
    ours = run(planted, spec, tmp_path / "ours.parquet")
    ordinary = planted.spec("full", SCRATCH, 16)
    fit(ordinary, None, planted.view, planted.recordings, planted.splits, tmp_path / "o.parquet", 1)
    theirs = read_table(tmp_path / "o.parquet", "predictions")
    for task in ("group", "film"):
        mine, other = of(ours, "clean", 0, task), of(theirs, "clean", 0, task)
        assert [row["subject"] for row in mine] == [row["subject"] for row in other]
        np.testing.assert_allclose(
            [row["y_score"] for row in mine], [row["y_score"] for row in other], atol=1e-4
        )


@pytest.mark.parametrize("reader", [RAW, RANDOM], ids=["raw", "random"])
def test_every_condition_is_of_the_same_test_rows_and_noise_costs_accuracy(
    planted: Planted, tmp_path: Path, reader: Reader
) -> None:
    spec = spec_of(planted, "ridge", reader, "16", corruptions=["noise", "sign"], radii=[0.02, 0.3])
    table = run(planted, spec, tmp_path / "p.parquet")
    clean = of(table, "clean", 0, "film")

    def right(rows: list[dict[str, Any]]) -> float:
        return float(np.mean([row["y_true"] == row["y_pred"] for row in rows]))

    asked = [("corrupt:noise", s) for s in range(1, 6)] + [("corrupt:sign", s) for s in range(1, 6)]
    for condition, severity in [*asked, ("attack", 1), ("attack", 2)]:
        rows = of(table, condition, severity, "film")
        for key in ("subject", "window", "fold", "draw", "y_true", "n_train", "choice"):
            assert [row[key] for row in rows] == [row[key] for row in clean]
    assert right(clean) > 0.9 > right(of(table, "corrupt:noise", 5, "film"))
    assert right(of(table, "attack", 2, "film")) < right(of(table, "attack", 1, "film")) <= right(clean)


def test_the_same_job_writes_the_same_bytes(planted: Planted, tmp_path: Path) -> None:
    spec = spec_of(planted, "full", SCRATCH, "4", corruptions=["spikes"], radii=[0.1])
    for name in ("a.parquet", "b.parquet"):
        run(planted, spec, tmp_path / name)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_site_is_tested_once_more_with_nobody_of_it_labelled(
    planted: Planted, with_sites: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {**spec_of(planted, "ridge", RAW, "4"), "sites": True}
    fitted = []
    from transferscale.transfer.behaviour import behave as module

    class Watched(module.Tuner):
        def fit(self, task, cell, identity):  # type: ignore[no-untyped-def]
            fitted.append((task.name, cell))
            return super().fit(task, cell, identity)

    monkeypatch.setattr(module, "Tuner", Watched)
    table = run(planted, spec, tmp_path / "p.parquet", with_sites)
    site = dict(
        zip(
            *(
                read_table(with_sites / "windows.parquet", "windows")[c].to_pylist()
                for c in ("subject", "site")
            ),
            strict=True,
        )
    )
    names = View(with_sites).subjects
    folds = Splits(planted.splits)
    moved = 0
    for name, cell in fitted:
        ordinary = folds.train(name, cell.repeat, cell.fold, cell.draw, 4)
        if sorted(names[i] for i in cell.train) == sorted(ordinary) and len(cell.test) > 5:
            continue  # the ordinary fit
        tested = {site[names[i]] for i in cell.test}
        assert len(tested) == 1
        assert not tested & {site[names[i]] for i in cell.train}
        assert len(cell.train) == 4
        moved += 1
    assert moved > 6
    clean, elsewhere = of(table, "clean", 0), of(table, "site", 1)
    keys = ("subject", "fold", "draw", "y_true", "n_train")
    assert [[row[k] for k in keys] for row in elsewhere] == [[row[k] for k in keys] for row in clean]


def test_where_all_are_at_one_site_the_condition_is_left_out_and_said(
    planted: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = {**spec_of(planted, "ridge", RAW, "4"), "sites": True}
    table = run(planted, spec, tmp_path / "p.parquet")
    assert not of(table, "site", 1)
    assert of(table, "clean", 0)
    assert "condition site of 'small/group' is left out at 4 labelled subjects" in capsys.readouterr().err


def test_a_task_is_asked_of_every_subject_of_another_dataset_once_a_draw(
    planted: Planted, with_sites: Path, tmp_path: Path
) -> None:
    spec = spec_of(planted, "ridge", RAW, "16")
    spec["onto"] = [{"task": "group", "dataset": "other", "asks": spec["tasks"]["group"]}]
    table = run(planted, spec, tmp_path / "p.parquet", onto=[with_sites])
    rows = of(table, "onto:small", 1)  # the other view is a copy, and calls itself so
    draws = {row["draw"] for row in rows}
    assert len(rows) == 30 * len(draws)
    assert len({row["subject"] for row in rows}) == 30
    assert {row["fold"] for row in rows} == {0, 1, 2}
    assert {row["dataset"] for row in rows} == {"small"}
    for row in of(table, "clean", 0):
        # The copy's subjects are the same people, so where both folds agree so does the score.
        same = [
            r
            for r in rows
            if (r["subject"], r["fold"], r["draw"]) == (row["subject"], row["fold"], row["draw"])
        ]
        assert all(np.allclose(r["y_score"], row["y_score"], atol=1e-5) for r in same)


def test_another_layout_or_other_classes_are_refused(
    planted: Planted, with_sites: Path, tmp_path: Path
) -> None:
    spec = spec_of(planted, "ridge", RAW, "16")
    asks = spec["tasks"]["group"]
    reverse = {**asks, "classes": ["b", "a"]}
    spec["onto"] = [{"task": "group", "dataset": "other", "asks": reverse}]
    with pytest.raises(UserError, match="task 'group' has classes a, b where it is learned, and b, a here"):
        run(planted, spec, tmp_path / "p.parquet", onto=[with_sites])
    mirrored = tmp_path / "mirrored"
    shutil.copytree(with_sites, mirrored)
    np.save(mirrored / "layout.npy", np.load(with_sites / "layout.npy")[:, ::-1])
    spec["onto"] = [{"task": "group", "dataset": "other", "asks": asks}]
    with pytest.raises(UserError, match="columns lie at other pixels"):
        run(planted, spec, tmp_path / "p.parquet", onto=[mirrored])
