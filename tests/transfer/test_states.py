"""State decoding by events: windows are labelled by what they follow, and only those of the asked classes count."""

from pathlib import Path

import numpy as np
import pytest

from tests.transfer.planted import study
from transferscale.errors import UserError
from transferscale.medical.index import index
from transferscale.medical.reading import Splits, View
from transferscale.medical.split import split
from transferscale.medical.view import build
from transferscale.study.cells import Cell
from transferscale.study.grid import Grid
from transferscale.study.reader import Reader
from transferscale.study.study import Study
from transferscale.tables import read_table
from transferscale.transfer import baselines
from transferscale.transfer.fit import fit
from transferscale.transfer.task import load_task

SUBJECTS, VOLUMES, TR_S, LAG_S = 18, 100, 2.0, 4.0
PICTURES = ("face", "house", "rest")


def events_study(folder: Path) -> Study:
    """People who see pictures; each kind has a response of its own, ``LAG_S`` after its onset."""
    root, rng = folder / "raw", np.random.default_rng(0)
    (root / "series").mkdir(parents=True)
    response = {name: rng.standard_normal((8, 16)) for name in PICTURES[:2]}
    names = [f"sub-{i:02d}" for i in range(SUBJECTS)]
    for name in names:
        series = rng.standard_normal((VOLUMES, 16))
        lines = ["onset\tduration\ttrial_type"]
        for number, kind in enumerate(rng.permutation(PICTURES * 3)):
            onset = 20 * number
            lines.append(f"{onset}\t16\t{kind}")
            at = int((onset + LAG_S) / TR_S)
            if kind in response:
                series[at : at + 8] += 0.8 * response[str(kind)]
        np.save(root / "series" / f"{name}.npy", series)
        (root / "series" / f"{name}_events.tsv").write_text("\n".join(lines) + "\n")
    (root / "participants.tsv").write_text("\n".join(["participant_id", *names]) + "\n")
    made = study(root)
    dataset = made.datasets[0].model_validate(
        {
            "dataset": "small",
            "root": str(root),
            "recordings": {
                "kind": "series",
                "pattern": "series/{subject}.npy",
                "events": "series/{subject}_events.tsv",
                "tr_s": TR_S,
            },
            "windows": {"volumes": 8, "events": {"lag_s": LAG_S}},
            "tasks": {
                "all": {"target": "trial_type", "kind": "state", "metric": "accuracy"},
                "pictures": {
                    "target": "trial_type",
                    "kind": "state",
                    "metric": "accuracy",
                    "classes": ["house", "face"],
                },
            },
        }
    )
    claim = made.verdict[0].model_copy(update={"task": "pictures", "metric": "accuracy"})
    return made.model_copy(update={"datasets": [dataset], "verdict": [claim]})


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Grid, Path]:
    """The grid of the study, and the folder with recordings, view and splits."""
    folder = tmp_path_factory.mktemp("events")
    grid = Grid(events_study(folder))
    index(grid.recordings_spec("small"), folder / "recordings.parquet", folder / "quarantine.parquet")
    build(grid.view_spec("small"), folder / "recordings.parquet", folder / "roi", 1)
    split(grid.split_spec("small"), folder / "recordings.parquet", folder / "splits.json")
    return grid, folder


def test_windows_follow_their_events_by_the_lag(seen: tuple[Grid, Path]) -> None:
    view = View(seen[1] / "roi")
    assert len(view) == SUBJECTS * 9
    assert set(view.windows["trial_type"]) == set(PICTURES)
    assert sorted(set(view.windows["start"])) == [2 + 10 * k for k in range(9)]


def test_pictures_are_decoded_and_only_those_of_the_classes_count(
    seen: tuple[Grid, Path], tmp_path: Path
) -> None:
    grid, folder = seen
    features = tmp_path / "raw.safetensors"
    reader = Reader.parse("raw-linear")
    baselines.extract(grid.features_spec("small", reader), folder / "roi", features)
    spec = grid.fit_spec(Cell("small", "roi", "ridge", reader, "all"))
    fit(spec, features, folder / "roi", folder / "recordings.parquet", folder / "splits.json", tmp_path / "p")
    rows = read_table(tmp_path / "p", "predictions").to_pylist()
    for task, classes, chance in (("all", list(PICTURES), 1 / 3), ("pictures", ["house", "face"], 1 / 2)):
        own = [row for row in rows if row["task"] == task]
        assert {tuple(row["classes"]) for row in own} == {tuple(classes)}
        assert len(own) == SUBJECTS * 3 * len(classes)
        right = np.mean([row["y_true"] == row["y_pred"] for row in own])
        assert right > chance + 0.3


def test_fine_tuning_sees_the_same_windows(seen: tuple[Grid, Path]) -> None:
    grid, folder = seen
    view = View(folder / "roi")
    spec = grid.study.dataset("small").tasks["pictures"].spec()
    task = load_task("pictures", spec, folder / "recordings.parquet", view)
    subjects = np.array([3, 5])
    rows = task.windows(view.window_subject, subjects)
    assert rows.tolist() == task.rows(subjects).tolist()
    assert {view.windows["trial_type"][row] for row in rows} == {"face", "house"}
    assert len(rows) == 2 * 6
    assert Splits(folder / "splits.json").kind("pictures") == "state"


def test_an_event_that_no_window_follows_is_told_with_the_nearest_name(seen: tuple[Grid, Path]) -> None:
    grid, folder = seen
    spec = {**grid.study.dataset("small").tasks["pictures"].spec(), "classes": ["face", "hous"]}
    with pytest.raises(UserError, match=r"no window follows event 'hous'; .*house"):
        load_task("pictures", spec, folder / "recordings.parquet", View(folder / "roi"))
