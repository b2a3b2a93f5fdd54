"""The same planted signal through volumes, GIFTI and CIFTI gives the same flat maps; confounds, scrubbing and events
are those of the derivatives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.medical.conftest import Made, made
from tests.medical.fmriprep import Planted, write_fmriprep
from transferscale.errors import UserError
from transferscale.medical.reading import View
from transferscale.tables import read_table, write_table

ROADS = {"volume": "MNI152NLin2009cAsym", "surface": "fsaverage5", "cifti": "fsaverage5"}
GROUP = {"group": {"target": "group", "kind": "classification", "metric": "auroc"}}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return write_fmriprep(tmp_path_factory.mktemp("fmriprep"), subjects=2, runs=("1", "2"))


def dataset(planted: Planted, folder: Path, road: str, **keys: Any) -> Made:
    content = {
        "dataset": "film",
        "root": str(planted.root),
        "recordings": {"kind": "bids", "files": road, "space": ROADS[road]},
        "view": "flatmap",
        "windows": {"volumes": 12},
        "tasks": GROUP,
        **keys,
    }
    return made(content, folder, size=48).index()


@pytest.fixture(scope="module")
def roads(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> dict[str, View]:
    folders = {road: tmp_path_factory.mktemp(road) for road in ROADS}
    # Not standardised, so that pixels count by the signal planted there and not by their noise.
    clean = {"detrend": True, "standardize": False}
    return {
        road: View(dataset(planted, folder, road, clean=clean).build().view)
        for road, folder in folders.items()
    }


def test_three_roads_give_the_same_flat_maps(roads: dict[str, View]) -> None:
    clips = {road: view.clips() for road, view in roads.items()}
    assert {each.shape for each in clips.values()} == {(8, 12, 48, 48)}
    shown = roads["volume"].layout >= 0
    for road in ("surface", "cifti"):
        assert np.array_equal(roads[road].layout >= 0, shown)
        for one, other in zip(clips["volume"], clips[road], strict=True):
            assert np.corrcoef(one[:, shown].ravel(), other[:, shown].ravel())[0, 1] >= 0.95


def test_another_persons_flat_map_is_another(roads: dict[str, View]) -> None:
    shown = roads["volume"].layout >= 0
    volume, surface = roads["volume"].clips(), roads["surface"].clips()
    assert abs(np.corrcoef(volume[0][:, shown].ravel(), surface[4][:, shown].ravel())[0, 1]) < 0.3


def test_the_contract_says_where_the_pixels_come_from(roads: dict[str, View]) -> None:
    contract = roads["volume"].contract
    assert contract["view"] == "flatmap"
    assert contract["layout_rule"].startswith("left hemisphere in the upper right corner")
    assert "ball of 3 mm" in contract["sampling"]
    assert contract["space"] == ["MNI152NLin2009cAsym"]
    assert contract["columns"] == contract["pixels_shown"] == np.count_nonzero(roads["volume"].layout >= 0)
    assert "as given" in roads["cifti"].contract["sampling"]


def test_confounds_are_regressed_out_of_every_pixel(planted: Planted, tmp_path: Path) -> None:
    clean = {"confounds": {"strategy": ["motion", "wm_csf"], "motion": "basic"}}
    view = View(dataset(planted, tmp_path, "surface", clean=clean).build().view)
    assert view.contract["confounds"] == sorted(
        ["csf", "white_matter", "trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]
    )
    row = read_table(tmp_path / "recordings.parquet", "recordings").to_pylist()[0]
    lines = (planted.root / json.loads(row["files"])["confounds"]).read_text().splitlines()
    table = [line.split("\t") for line in lines]
    course = np.array([float(line[table[0].index("trans_x")]) for line in table[1:]])
    series = view.runs()[0][1]
    live = series[:, series.std(axis=0) > 0]
    along = (course - course.mean()) @ live / np.linalg.norm(course - course.mean()) / np.sqrt(len(course))
    assert np.abs(along).max() < 1e-4


def test_scrubbed_volumes_stay_in_clips_and_leave_runs(planted: Planted, tmp_path: Path) -> None:
    fd = {
        "strategy": ["motion", "scrub"],
        "motion": "basic",
        "fd_mm": 0.16,
        "std_dvars": 9.0,
        "scrub_segment": 0,
    }
    clean = {"confounds": fd, "max_scrubbed": 1.0}
    view = View(dataset(planted, tmp_path, "surface", clean=clean).build().view)
    scrubbed = [len(entry["scrubbed"]) for entry in view.recordings]
    assert sum(scrubbed) > 0
    for (_, run), entry, lost in zip(view.runs(), view.recordings, scrubbed, strict=True):
        assert entry["volumes"] == 24
        assert len(run) == 24 - lost
    assert view.clips().shape[1] == 12


def test_windows_follow_the_events(planted: Planted, tmp_path: Path) -> None:
    windows = {"volumes": 4, "events": {"lag_s": 4.0}}
    tasks = {"what": {"target": "trial_type", "kind": "state", "metric": "accuracy"}}
    view = View(dataset(planted, tmp_path, "surface", windows=windows, tasks=tasks).build().view)
    assert view.windows["start"][:4] == [3, 7, 11, 15]
    assert view.windows["trial_type"][:4] == ["a", "b", "a", "b"]
    assert view.contract["events_past_end"] == 0


def test_a_native_space_is_not_taken_for_mni(planted: Planted, tmp_path: Path) -> None:
    it = dataset(planted, tmp_path, "volume")
    rows = read_table(it.recordings, "recordings").to_pylist()
    write_table(it.recordings, "recordings", [{**row, "space": "T1w"} for row in rows])
    with pytest.raises(UserError, match="is in space T1w; use outputs in an MNI space, or view mosaic"):
        it.build()
