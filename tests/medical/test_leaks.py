"""The leak audit of a view: every planted leak is found, and honest data pass."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.medical.conftest import CONFIG, Made, SmallSeries, made
from transferscale.artefacts import read_json, write_json
from transferscale.errors import UserError
from transferscale.medical.leaks import audit_view
from transferscale.medical.reading import splits_hash
from transferscale.study.load import load_dataset
from transferscale.tables import read_table, write_table

DATA = Path(os.environ.get("TRANSFERSCALE_DATA", CONFIG.parents[1] / "../shared/data"))
SUBJECTS = 12


def audited(it: Made) -> dict[str, object]:
    """What the audit wrote."""
    out = it.folder / "audit.json"
    audit_view(it.splits, it.recordings, it.view, out)
    found: dict[str, object] = json.loads(out.read_text())
    return found


def series_of(it: Made, subject: int) -> Path:
    return Path(it.dataset.root) / "series" / f"sub-{subject:02d}.npy"


def prepared(it: Made) -> Made:
    return it.index().build().split(folds=3, repeats=1)


def test_honest_data_pass_and_it_is_told_what_was_compared(small_series: SmallSeries) -> None:
    found = audited(prepared(small_series(SUBJECTS, parcels=25)))
    assert found["recordings"] == SUBJECTS
    assert found["series_pairs"] == found["connectivity_pairs"] == SUBJECTS * (SUBJECTS - 1) // 2
    assert found["series_most_alike"] < 0.5  # type: ignore[arg-type]


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_rescaled_noisy_copy_under_another_name_is_found(small_series: SmallSeries, noise: float) -> None:
    it = small_series(SUBJECTS)
    rng = np.random.default_rng(1)
    copied = 3 + 2 * np.load(series_of(it, 2))
    np.save(series_of(it, 7), copied + noise * copied.std() * rng.standard_normal(copied.shape))
    with pytest.raises(UserError, match=r"sub-02\.npy and series/sub-07\.npy are nearly the same recording"):
        audited(prepared(it))


def test_a_copy_that_starts_later_is_found(small_series: SmallSeries) -> None:
    it = small_series(6, parcels=9, volumes=200)
    long = np.random.default_rng(1).standard_normal((210, 9))
    np.save(series_of(it, 4), long[:200])
    np.save(series_of(it, 5), long[10:])
    with pytest.raises(UserError, match=r"sub-04\.npy and series/sub-05\.npy .* their series"):
        audited(prepared(it))


def test_a_copy_that_was_cut_is_found(small_series: SmallSeries) -> None:
    it = small_series(SUBJECTS, volumes=120)
    np.save(series_of(it, 5), np.load(series_of(it, 4))[40:100])
    with pytest.raises(UserError, match=r"sub-04\.npy and series/sub-05\.npy .* their series"):
        audited(prepared(it))


def test_a_copy_at_half_the_rate_is_found_among_many_columns(small_series: SmallSeries) -> None:
    it = small_series(SUBJECTS, parcels=30, volumes=400)
    rng = np.random.default_rng(1)
    # Networks of its own, which are there at any rate.
    copied = rng.standard_normal((400, 5)) @ rng.standard_normal((5, 30)) + rng.standard_normal((400, 30))
    np.save(series_of(it, 4), copied)
    np.save(series_of(it, 5), copied[::2])
    with pytest.raises(UserError, match=r"sub-04\.npy and series/sub-05\.npy .* their connectivity"):
        audited(prepared(it))


def test_two_runs_of_one_person_may_be_alike(small_series: SmallSeries) -> None:
    it = small_series(
        SUBJECTS, recordings={"kind": "series", "pattern": "series/{subject}*.npy", "tr_s": 2.0}
    )
    np.save(series_of(it, 3).with_name("sub-03_run-2.npy"), np.load(series_of(it, 3)) * 2)
    assert audited(prepared(it))["recordings"] == SUBJECTS + 1


def test_statistics_of_other_recordings_are_found(small_series: SmallSeries) -> None:
    it = prepared(small_series(SUBJECTS))
    path = it.view / "series.npy"
    series = np.load(path)
    # As if standardised by all subjects' mean and SD: one person is louder than the others.
    series[:40] *= 1.5
    np.save(path, (series - series.mean(axis=0)) / series.std(axis=0))
    with pytest.raises(UserError, match="not standardised by its own mean and SD"):
        audited(it)


def test_windows_of_one_recording_on_both_sides_are_found(small_series: SmallSeries) -> None:
    it = prepared(small_series(SUBJECTS))
    rows = read_table(it.view / "windows.parquet", "windows").to_pylist()
    fold = read_json(it.splits)["tasks"]["group"]["repeats"][0][0]
    names = read_json(it.splits)["subjects"]
    test, train = names[fold["test"][0]], names[fold["train"][0]]
    own = [row for row in rows if row["subject"] == test]
    own[-1]["subject"] = train
    write_table(it.view / "windows.parquet", "windows", rows)
    with pytest.raises(UserError, match=f"windows of .* are on both sides of task .*{min(test, train)}"):
        audited(it)


@pytest.mark.parametrize("leak", ["subject", "family"])
def test_a_subject_or_a_family_on_both_sides_is_found(small_series: SmallSeries, leak: str) -> None:
    it = small_series(SUBJECTS, family_column="family").index().build().split(folds=2, repeats=1)
    content = read_json(it.splits)
    fold = content["tasks"]["age"]["repeats"][0][0]
    if leak == "subject":
        fold["train"].append(fold["test"][0])
    else:
        fold["train"].append(fold["test"].pop(0))
    fold["orders"] = [fold["train"] for _ in fold["orders"]]
    content["hash"] = splits_hash(content)
    write_json(it.splits, content)
    with pytest.raises(UserError, match=f"{leak} '.*' is on both sides"):
        audited(it)


@pytest.mark.real_data
@pytest.mark.skipif(not (DATA / "fmri").is_dir(), reason=f"no real data at TRANSFERSCALE_DATA ({DATA})")
def test_real_people_watching_one_film_are_told_apart(tmp_path: Path) -> None:
    dataset = load_dataset(CONFIG.parent / "datasets" / "pixar.yaml")
    root = dataset.root.replace("{data_root}", str(DATA))
    it = made({**dataset.model_dump(), "root": root}, tmp_path).index().build().split(folds=5, repeats=1)
    found = audited(it)
    assert found["recordings"] == 77
    assert found["series_most_alike"] < 0.35  # type: ignore[operator]
    assert found["connectivity_most_alike"] < 0.75  # type: ignore[operator]
