"""The real sets that lie beside the repository are read, and their traps are told."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import make_first_level_design_matrix

from tests.medical.conftest import Made, made
from tests.medical.test_pixar import DATA
from transferscale.medical.events import Event, read_events, within
from transferscale.medical.participants import read_participants
from transferscale.medical.readers import found_of, open_reader
from transferscale.study.recordings import NiftiRecordings
from transferscale.tables import read_table

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not (DATA / "fmri").is_dir(), reason=f"no real data at TRANSFERSCALE_DATA ({DATA})"),
]
FILM = {"film": {"target": "window", "kind": "state", "metric": "accuracy"}}


def indexed(folder: str, tmp_path: Path, **keys: Any) -> tuple[Made, list[dict[str, Any]]]:
    content = {
        "dataset": "real",
        "root": str(DATA / "fmri" / folder),
        "windows": {"volumes": 16},
        "tasks": FILM,
        **keys,
    }
    it = made(content, tmp_path).index()
    return it, read_table(it.recordings, "recordings").to_pylist()


def test_a_stack_of_322_people_is_read_in_the_tables_order(tmp_path: Path) -> None:
    recordings = {"kind": "series", "stack": "timeseries.npz", "array": "data", "tr_s": 1.97}
    age = {"age": {"target": "age", "kind": "regression", "metric": "r2"}}
    it, rows = indexed("camcan_smt_tissue", tmp_path, recordings=recordings, tasks=age)
    assert len(rows) == 322
    root = Path(it.dataset.root)
    first = next(iter(read_participants(root / "participants.tsv", "participant_id").rows))
    row = next(row for row in rows if row["part"] == 0)
    assert row["subject"] == first
    reader = open_reader(it.dataset.recordings.model_dump(mode="json"), root, None)
    with np.load(root / "timeseries.npz") as archive:
        assert np.array_equal(next(reader.open(found_of(row)).blocks()), archive["data"][0])


def test_named_columns_of_a_table_are_chosen(tmp_path: Path) -> None:
    recordings = {
        "kind": "series",
        "pattern": "{subject}_9roi_timeseries.tsv",
        "columns": ["LIFG", "RIFG"],
        "tr_s": 2.0,
    }
    it, rows = indexed("rhyming_9roi", tmp_path, recordings=recordings, participants=None)
    assert [row["subject"] for row in rows] == ["sub001", "sub004", "sub005", "sub009", "sub010"]
    reader = open_reader(it.dataset.recordings.model_dump(mode="json"), Path(it.dataset.root), None)
    assert {next(reader.open(found_of(row)).blocks()).shape for row in rows} == {(160, 2)}


def test_runs_of_one_person_have_masks_events_and_units(tmp_path: Path) -> None:
    stem = "{subject}_task-objectviewing_run-{run}"
    recordings = {
        "kind": "nifti",
        "pattern": f"{stem}_bold_25mm.nii.gz",
        "mask": "masks_25mm/brain.nii.gz",
        "events": f"{stem}_events.tsv",
        "tr_s": 2.5,
    }
    windows = {"volumes": 9, "events": {"lag_s": 5.0}}
    state = {"category": {"target": "trial_type", "kind": "state", "metric": "accuracy"}}
    _, rows = indexed(
        "haxby2001_sub001",
        tmp_path,
        recordings=recordings,
        participants=None,
        unit="run",
        windows=windows,
        tasks=state,
    )
    assert [row["subject"] for row in rows] == [f"sub-001_run-{k:02d}" for k in range(1, 7)]
    assert {row["n_volumes"] for row in rows} == {121}


def test_a_header_that_contradicts_the_dataset_is_noted(tmp_path: Path) -> None:
    recordings = {
        "kind": "nifti",
        "pattern": "{subject}_task-oneback_run-{run}_part-open_bold.nii.gz",
        "events": "{subject}_task-oneback_run-{run}_part-open_events.tsv",
        "tr_s": 2.0,
    }
    _, (row,) = indexed("studyforrest_localizer", tmp_path, recordings=recordings, participants=None)
    assert (row["subject"], row["run"], row["n_volumes"], row["tr_s"]) == ("sub-02", "1", 78, 2.0)
    assert row["reason"] == "TR 2 s from recordings.tr_s, though the header says 1.79355 s"


def test_a_model_of_the_events_fits_at_the_true_repetition_time_and_not_at_the_headers() -> None:
    """F of six picture categories in the best voxel: 60 at 2.0 s, 28 at 1.79 s, over these 78 volumes.

    Over all 156 volumes of the run, of which these are the first half, it is 107 and 19.
    """
    stem = "{subject}_task-oneback_run-{run}_part-open"
    recordings = NiftiRecordings(kind="nifti", pattern=f"{stem}_bold.nii.gz", events=f"{stem}_events.tsv")
    root = DATA / "fmri" / "studyforrest_localizer"
    reader = open_reader(recordings.model_dump(mode="json"), root, None)
    (found,) = reader.find(None)
    header_tr_s = reader.describe(found).tr_s
    assert header_tr_s == pytest.approx(1.7935, abs=1e-4)
    volumes = np.concatenate(list(reader.open(found).blocks())).astype(np.float64)
    mean = volumes.mean(axis=0)
    brain = volumes[:, mean > 0.3 * mean.max()]
    events = read_events(root / found.files["events"])
    true, header = (largest_f(brain, events, tr_s) for tr_s in (2.0, header_tr_s))
    assert true > 50
    assert true > 1.8 * header


def largest_f(series: np.ndarray, events: list[Event], tr_s: float) -> float:
    """Largest F of all types of events together, over cosines of drift."""
    shown, _ = within(events, len(series) * tr_s)
    frame = pd.DataFrame([asdict(event) for event in shown]).rename(
        columns={"onset_s": "onset", "duration_s": "duration"}
    )
    design = make_first_level_design_matrix(
        np.arange(len(series)) * tr_s, frame, hrf_model="spm", drift_model="cosine", high_pass=0.01
    )
    drift = design.drop(columns=sorted({event.trial_type for event in shown}))
    (left, rank), (left_by_drift, rank_of_drift) = (
        unexplained(series, m.to_numpy()) for m in (design, drift)
    )
    f = (left_by_drift - left) / (rank - rank_of_drift) / (left / (len(series) - rank))
    return float(f.max())


def unexplained(series: np.ndarray, design: np.ndarray) -> tuple[np.ndarray, int]:
    """Sum of squares that a design leaves of every column, and its rank."""
    weights, _, rank, _ = np.linalg.lstsq(design, series, rcond=None)
    return ((series - design @ weights) ** 2).sum(axis=0), int(rank)
