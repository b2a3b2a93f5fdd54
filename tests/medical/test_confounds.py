"""Confounds are those of nilearn, with every threshold the dataset's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.medical.fmriprep import write_confounds
from transferscale.medical.confounds import confounds_of
from transferscale.medical.recording import UnreadableError
from transferscale.study.cleaning import Confounds

VOLUMES = 40


def options(*strategy: str, **keys: Any) -> dict[str, Any]:
    return Confounds(strategy=list(strategy), **keys).model_dump(mode="json")  # type: ignore[arg-type]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "sub-01_task-film_desc-confounds_timeseries.tsv"
    write_confounds(path, VOLUMES, np.random.default_rng(0))
    return path


def change(path: Path, **columns: Any) -> None:
    frame = pd.read_csv(path, sep="\t")
    for name, values in columns.items():
        frame[name] = values
    frame.to_csv(path, sep="\t", index=False, na_rep="n/a")


@pytest.mark.parametrize(
    ("strategy", "keys", "number"),
    [
        (["motion"], {}, 24),
        (["motion"], {"motion": "basic"}, 6),
        (["motion", "wm_csf", "high_pass"], {"motion": "derivatives"}, 12 + 2 + 2),
        (["global_signal"], {"global_signal": "full"}, 4),
        (["high_pass", "compcor"], {"n_compcor": 3}, 2 + 3),
    ],
)
def test_a_strategy_gives_its_confounds(strategy: list[str], keys: Any, number: int, table: Path) -> None:
    found = confounds_of(table, options(*strategy, **keys), VOLUMES)
    assert found.values is not None
    assert found.values.shape == (VOLUMES, number) == (VOLUMES, len(set(found.names)))
    assert np.abs(found.values.mean(axis=0)).max() < 1e-8
    assert np.all(np.isfinite(found.values))
    assert found.kept.all()


def test_the_first_row_that_is_missing_takes_the_seconds_value(table: Path) -> None:
    found = confounds_of(table, options("motion"), VOLUMES)
    assert found.values is not None
    column = found.values[:, found.names.index("trans_x_derivative1")]
    assert column[0] == column[1]
    assert column[1] != column[2]


def test_scrubbing_follows_the_thresholds_of_the_dataset(table: Path) -> None:
    quiet = np.full(VOLUMES, 0.1)
    quiet[20] = 0.45
    change(table, framewise_displacement=quiet, std_dvars=np.ones(VOLUMES))
    lax = confounds_of(table, options("motion", "scrub"), VOLUMES)
    strict = confounds_of(table, options("motion", "scrub", fd_mm=0.4), VOLUMES)
    assert lax.kept.all()
    assert np.flatnonzero(~strict.kept).tolist() == [20]
    quiet[24] = 0.45
    change(table, framewise_displacement=quiet)
    short = confounds_of(table, options("scrub", fd_mm=0.4, scrub_segment=5), VOLUMES)
    assert np.flatnonzero(~short.kept).tolist() == [20, 21, 22, 23, 24]
    assert short.values is None


def test_the_non_steady_state_never_counts(table: Path) -> None:
    change(
        table, non_steady_state_outlier00=np.eye(VOLUMES)[0], non_steady_state_outlier01=np.eye(VOLUMES)[1]
    )
    found = confounds_of(table, options("motion"), VOLUMES)
    assert np.flatnonzero(~found.kept).tolist() == [0, 1]


def test_any_name_of_the_table_will_do(table: Path) -> None:
    other = table.with_name("motion and more.txt")
    other.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    one, two = (confounds_of(path, options("motion", "wm_csf"), VOLUMES) for path in (table, other))
    assert one.values is not None
    assert two.values is not None
    assert one.names == two.names
    assert np.array_equal(one.values, two.values)


def test_what_is_missing_is_told(table: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"no confounds table, which clean\.confounds needs"):
        confounds_of(None, options("motion"), VOLUMES)
    with pytest.raises(UnreadableError, match=r"x\.tsv: no such file"):
        confounds_of(tmp_path / "x.tsv", options("motion"), VOLUMES)
    with pytest.raises(UnreadableError, match="has 40 rows, the image 41 volumes"):
        confounds_of(table, options("motion"), 41)
    frame = pd.read_csv(table, sep="\t")
    frame.drop(columns=["std_dvars", "csf", "rot_z_power2"]).to_csv(
        table, sep="\t", index=False, na_rep="n/a"
    )
    with pytest.raises(UnreadableError, match="no column 'std_dvars', which scrubbing needs"):
        confounds_of(table, options("scrub"), VOLUMES)
    with pytest.raises(UnreadableError, match="rot_z_power2"):
        confounds_of(table, options("motion"), VOLUMES)
    table.with_suffix(".json").write_text(json.dumps({}))
    with pytest.raises(UnreadableError, match="compcor"):
        confounds_of(table, options("compcor"), VOLUMES)


def test_a_gap_in_a_confound_is_told(table: Path) -> None:
    values = np.random.default_rng(0).standard_normal(VOLUMES)
    values[7] = np.nan
    change(table, csf=values)
    with pytest.raises(UnreadableError, match="column 'csf' has missing values"):
        confounds_of(table, options("wm_csf"), VOLUMES)


@pytest.mark.filterwarnings("ignore:All volumes were marked")
def test_a_run_that_is_scrubbed_whole_is_told(table: Path) -> None:
    change(table, framewise_displacement=np.full(VOLUMES, 3.0))
    with pytest.raises(UnreadableError, match="every volume is scrubbed"):
        confounds_of(table, options("motion", "scrub"), VOLUMES)
