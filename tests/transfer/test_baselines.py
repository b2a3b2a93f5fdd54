"""Baselines compute what their names say."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.transfer.planted import Planted
from transferscale.errors import UserError
from transferscale.transfer import baselines
from transferscale.transfer.baselines import correlations, extract, in_bands, log_power, smoothed, trend
from transferscale.transfer.grams import read_grams


def test_connectivity_is_fisher_z_of_pearson_and_zero_for_a_constant_parcel() -> None:
    series = np.random.default_rng(0).standard_normal((50, 5)).astype(np.float32)
    series[:, 2] = 3.0
    z = correlations(series)
    rows, columns = np.triu_indices(5, k=1)
    constant = (rows == 2) | (columns == 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        wanted = np.arctanh(np.corrcoef(series.T)[rows, columns])
    np.testing.assert_allclose(z[~constant], wanted[~constant], atol=1e-5)
    assert not z[constant].any()


def test_smoothing_keeps_a_line_s_inside_and_a_constant_and_halves_a_zigzag() -> None:
    line = np.arange(8, dtype=np.float32)[None, :, None] * np.ones((1, 1, 2), np.float32)
    np.testing.assert_allclose(smoothed(line)[:, 1:-1], line[:, 1:-1])
    np.testing.assert_allclose(smoothed(np.ones_like(line)), 1)
    zigzag = (-1.0) ** np.arange(8, dtype=np.float32)[None, :, None] * np.ones((1, 1, 2), np.float32)
    assert np.abs(smoothed(zigzag)[:, 1:-1]).max() == 0


def test_identical_parcels_stay_finite() -> None:
    series = np.repeat(np.random.default_rng(0).standard_normal((20, 1)), 2, axis=1).astype(np.float32)
    assert np.isfinite(correlations(series)).all()


def test_drift_keeps_the_line_and_loses_the_rest() -> None:
    times = np.arange(16, dtype=np.float32)
    line = (2 + 0.3 * times)[None, :, None] * np.ones((1, 1, 3), np.float32)
    wave = np.cos(np.pi * (times + 0.5) / 16 * 2)[None, :, None].astype(np.float32)
    np.testing.assert_allclose(trend(line + wave * 0), line, rtol=1e-4)
    assert np.abs(trend(np.broadcast_to(wave, (1, 16, 3)))).max() < 1e-5


@pytest.mark.parametrize("volumes", [6, 18, 19, 200])
def test_bands_of_any_run_are_as_many_and_hold_its_spectrum(volumes: int) -> None:
    frequency = (np.arange(volumes // 2) + 1) / (volumes // 2)
    power = np.stack([frequency, np.full(volumes // 2, 2.0)], axis=1).astype(np.float32)
    bands = in_bands(power)
    assert bands.shape == (10, 2)
    np.testing.assert_allclose(bands[:, 1], 2.0)
    assert (np.diff(bands[:, 0]) >= 0).all()


@pytest.mark.parametrize("reader", ["raw-linear", "drift"])
def test_many_columns_are_read_as_few_are(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    extract(planted.features_spec(reader), planted.view, tmp_path / "few")
    monkeypatch.setattr(baselines, "MANY_COLUMNS", 0)
    extract(planted.features_spec(reader), planted.view, tmp_path / "many")
    few, many = read_grams(tmp_path / "few").matrices, read_grams(tmp_path / "many").matrices
    assert few.keys() == many.keys()
    for name, matrix in few.items():
        np.testing.assert_allclose(many[name], matrix, atol=1e-4 * np.abs(matrix).max())


def test_log_power_is_high_where_the_wave_is_and_finite_for_a_constant_parcel() -> None:
    times = np.arange(40)
    series = np.stack([np.cos(2 * np.pi * 5 * times / 40), np.full(40, 3.0)], axis=1).astype(np.float32)
    power = log_power(series)
    assert power.shape == (20, 2)
    assert power[:, 0].argmax() == 4
    assert np.isfinite(power).all()
    # Twice the amplitude is log 4 more at every frequency that holds anything.
    assert log_power(2 * series)[4, 0] - power[4, 0] == pytest.approx(np.log(4), abs=1e-5)


@pytest.mark.parametrize("reader", ["connectivity", "raw-linear", "smooth", "spectrum", "drift", "dummy"])
def test_every_baseline_writes_one_layer(planted: Planted, tmp_path: Path, reader: str) -> None:
    extract(planted.features_spec(reader), planted.view, tmp_path / "f")
    grams = read_grams(tmp_path / "f")
    assert grams.layers == 1
    assert grams.subject_blocks(0, "group", 0)
    assert all(np.isfinite(matrix).all() for matrix in grams.matrices.values())


def test_an_unknown_baseline_is_a_sentence(planted: Planted, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'connectivity'"):
        extract(planted.features_spec("conectivity"), planted.view, tmp_path / "f")


def test_frozen_read_outs_and_baselines_start_without_torch_or_scipy() -> None:
    code = (
        "import sys, transferscale.transfer.fit, transferscale.transfer.baselines; "
        "print({'torch', 'scipy', 'sklearn', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
