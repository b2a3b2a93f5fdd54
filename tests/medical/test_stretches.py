"""A single run, cut: every stretch is a recording of its own from the index to the leak audit."""

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from tests.medical.conftest import SERIES, Made, made
from tests.medical.fmriprep import write_confounds
from transferscale.errors import UserError
from transferscale.medical.leaks import audit_view
from transferscale.medical.reading import View
from transferscale.study.dataset import Dataset
from transferscale.tables import read_table

VOLUMES, NUMBER, COLUMNS = 102, 5, 6
CONTENT: dict[str, Any] = {
    "dataset": "alone",
    "participants": None,
    "unit": "stretch",
    "stretches": NUMBER,
    "recordings": {"kind": "series", "pattern": "{subject}_run-{run}.npy", "tr_s": 2.0},
    "clean": {"detrend": True, "high_pass_hz": 0.02},
    "windows": {"volumes": 8},
    "tasks": {"film": {"target": "window", "kind": "state", "metric": "accuracy"}},
}


def alone(folder: Path, **keys: Any) -> Made:
    """One run of one person, noise and a drift."""
    root = folder / "raw"
    root.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    drift = np.linspace(0, 20, VOLUMES)[:, None]
    np.save(root / "sub-02_run-1.npy", random.standard_normal((VOLUMES, COLUMNS)) + drift)
    return made({**CONTENT, "root": str(root), **keys}, folder)


def change(it: Made, rows: slice, by: Any) -> None:
    path = Path(it.dataset.root) / "sub-02_run-1.npy"
    values = np.load(path)
    values[rows] = by(values[rows])
    np.save(path, values)


def audited(it: Made) -> dict[str, Any]:
    audit_view(it.splits, it.recordings, it.view, it.folder / "audit.json")
    found: dict[str, Any] = json.loads((it.folder / "audit.json").read_text())
    return found


def test_a_run_goes_from_index_to_audit_as_stretches(tmp_path: Path) -> None:
    it = alone(tmp_path).index().build().split()
    rows = read_table(it.recordings, "recordings").to_pylist()
    names = [f"sub-02_run-1_stretch-{k:02d}" for k in range(1, NUMBER + 1)]
    assert [row["subject"] for row in rows] == [row["family_group"] for row in rows] == names
    assert {row["n_volumes"] for row in rows} == {20}
    assert len({row["sha256"] for row in rows}) == NUMBER
    view = View(it.view)
    assert view.subjects == names
    assert set(view.windows["recording"]) == {f"sub-02_run-1.npy#{name[-10:]}" for name in names}
    assert view.windows["start"] == [0, 8] * NUMBER
    assert audited(it)["series_pairs"] == NUMBER * (NUMBER - 1) // 2


def test_nothing_of_a_stretch_reaches_another(tmp_path: Path) -> None:
    it = alone(tmp_path).index().build()
    before = np.array(View(it.view).series).reshape(NUMBER, 20, COLUMNS)
    change(it, slice(0, 20), lambda own: 100 * own**2)
    after = np.array(View(it.index().build().view).series).reshape(NUMBER, 20, COLUMNS)
    assert not np.array_equal(after[0], before[0])
    assert after[1:].tobytes() == before[1:].tobytes()


def test_a_stretch_is_cleaned_as_a_run_of_its_volumes_would_be(tmp_path: Path) -> None:
    keys = {"clean": {"detrend": True, "resample_s": 1.0, "discard": 2}}
    cut = alone(tmp_path, **keys).index().build()
    runs = tmp_path / "runs"
    runs.mkdir()
    for k, part in enumerate(
        np.split(np.load(Path(cut.dataset.root) / "sub-02_run-1.npy")[:100], NUMBER), start=1
    ):
        np.save(runs / f"sub-02_run-{k}.npy", part)
    content = {**CONTENT, **keys, "root": str(runs), "unit": "run", "stretches": None}
    (tmp_path / "other").mkdir()
    whole = made(content, tmp_path / "other").index().build()
    assert np.array_equal(View(cut.view).series, View(whole.view).series)
    assert np.array_equal(View(cut.view).moments, View(whole.view).moments)
    assert np.array_equal(View(cut.view).clips(), View(whole.view).clips())


def test_scrubbed_volumes_count_in_their_own_stretch_alone(tmp_path: Path) -> None:
    recordings = {
        "kind": "nifti",
        "tr_s": 2.0,
        "pattern": "{subject}_run-{run}_bold.nii.gz",
        "confounds": "{subject}_run-{run}_desc-confounds_timeseries.tsv",
    }
    root = tmp_path / "raw"
    root.mkdir()
    values = np.random.default_rng(0).integers(1, 999, (4, 4, 4, VOLUMES), dtype=np.int16)
    image = nibabel.Nifti1Image(values, np.diag([40.0, 40, 40, 1]))
    image.to_filename(root / "sub-02_run-1_bold.nii.gz")
    table = root / "sub-02_run-1_desc-confounds_timeseries.tsv"
    write_confounds(table, VOLUMES, np.random.default_rng(0))
    frame = pd.read_csv(table, sep="\t").assign(framewise_displacement=0.1, std_dvars=1.0)
    frame.loc[25, "framewise_displacement"] = 5.0
    frame.to_csv(table, sep="\t", index=False, na_rep="n/a")
    confounds = {"strategy": ["motion", "scrub"], "motion": "basic", "scrub_segment": 1}
    clean = {"detrend": True, "confounds": confounds}
    it = alone(tmp_path, recordings=recordings, clean=clean, view="mosaic").index().build().split()
    assert [entry["scrubbed"] for entry in View(it.view).recordings] == [[], [5], [], [], []]
    motion = [row["mean_fd"] for row in read_table(it.recordings, "recordings").to_pylist()]
    assert np.allclose(motion, [0.1, 0.1 + 4.9 / 20, 0.1, 0.1, 0.1])
    audited(it)


def test_a_bad_stretch_is_quarantined_and_the_others_are_used(tmp_path: Path) -> None:
    it = alone(tmp_path)
    change(it, slice(40, 60), lambda own: np.ones_like(own))
    it.index()
    (bad,) = read_table(it.quarantine, "recordings").to_pylist()
    assert json.loads(bad["stretch"]) == {"number": 3, "first": 40, "volumes": 20, "of": VOLUMES}
    assert bad["reason"] == "every value of this stretch is constant or not finite"
    assert len(read_table(it.recordings, "recordings")) == NUMBER - 1


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_stretch_that_is_a_copy_of_another_is_found(tmp_path: Path, noise: float) -> None:
    it = alone(tmp_path, clean={"detrend": True})
    own = np.load(Path(it.dataset.root) / "sub-02_run-1.npy")[:20]
    random = np.random.default_rng(1)
    change(it, slice(60, 80), lambda _: own + noise * random.standard_normal(own.shape))
    it.index().build()
    with pytest.raises(
        UserError, match=r"byte for byte" if not noise else r"#stretch-01 and .*#stretch-04 are"
    ):
        audited(it.split())


def test_windows_of_one_stretch_under_two_names_are_found(tmp_path: Path) -> None:
    it = alone(tmp_path).index().build().split()
    path = it.view / "windows.parquet"
    table = pq.read_table(path)
    subjects = table["subject"].to_pylist()
    subjects[1] = "sub-02_run-1_stretch-05"
    place = table.column_names.index("subject")
    pq.write_table(table.set_column(place, "subject", [subjects]), path)
    with pytest.raises(UserError, match=r"windows of sub-02_run-1.npy#stretch-01 are on both sides"):
        audited(it)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"unit": "stretch"}, "go together"),
        ({"stretches": 6}, "go together"),
        ({"unit": "run", "stretches": 6}, "go together"),
        ({"unit": "stretch", "stretches": 3}, "greater than or equal to 4"),
        ({"unit": "stretch", "stretches": 5}, "task 'group' predicts a column of the participants table"),
    ],
)
def test_what_does_not_fit_stretches_is_refused(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Dataset.model_validate({**SERIES, "root": "somewhere", **keys})
