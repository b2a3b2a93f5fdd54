"""Cleaning: the same numbers as nilearn's, scrubbed volumes bridged, one rate for all."""

from typing import Any

import numpy as np
import pytest

from transferscale.errors import UserError
from transferscale.medical.cleaning import clean_run, degrees_of_freedom
from transferscale.medical.confounds import Regressors
from transferscale.medical.recording import UnreadableError
from transferscale.medical.timing import timing
from transferscale.study.cleaning import Cleaning


def cleaning(**options: Any) -> dict[str, Any]:
    return Cleaning.model_validate({"standardize": False, **options}).spec()


def regressors(kept: np.ndarray, values: np.ndarray | None = None) -> Regressors:
    return Regressors(values, [] if values is None else ["c"] * values.shape[1], kept)


def test_cleaning_without_a_filter_is_nilearns_z_score() -> None:
    from nilearn.signal import clean

    series = np.random.default_rng(0).normal(5, 3, (60, 7))
    expected = clean(series, detrend=False, filter=False, standardize="zscore_sample")
    assert np.allclose(clean_run(series, cleaning(standardize=True), 2.0).series, expected, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"detrend": True, "high_pass_hz": 0.01},
        {"detrend": True, "high_pass_hz": 0.01, "low_pass_hz": 0.1, "filter": "butterworth"},
        {"detrend": False},
    ],
)
@pytest.mark.parametrize("scrubbed", [False, True])
def test_cleaning_is_nilearns_in_its_order(options: dict[str, Any], scrubbed: bool) -> None:
    from nilearn.signal import clean

    rng = np.random.default_rng(0)
    series, confounds = rng.normal(100, 3, (120, 5)).cumsum(axis=0), rng.standard_normal((120, 6))
    kept = np.ones(120, dtype=bool)
    kept[[0, 40, 41, 90]] = not scrubbed
    filtered = options.get("high_pass_hz") is not None
    expected = clean(
        series,
        detrend=options["detrend"],
        filter=options.get("filter", "cosine") if filtered else False,
        high_pass=options.get("high_pass_hz"),
        low_pass=options.get("low_pass_hz"),
        t_r=2.0,
        confounds=confounds,
        sample_mask=np.flatnonzero(kept),
        standardize="zscore_sample",
    )
    done = clean_run(series, cleaning(standardize=True, **options), 2.0, regressors(kept, confounds))
    assert np.allclose(done.series[kept], expected, atol=1e-4)
    assert np.array_equal(done.kept, kept)


def test_the_high_pass_stays_though_a_confound_looks_like_a_cosine() -> None:
    t = np.arange(150)
    slow = np.cos(np.pi * (t + 0.5) / 150)[:, None]  # a drift of the head, correlated with the first cosine
    series = np.cos(np.pi * (t + 0.5) * 2 / 150)[:, None] + np.random.default_rng(0).normal(0, 0.1, (150, 2))
    drift = slow + np.random.default_rng(1).normal(0, 0.1, (150, 1))
    kept = np.ones(150, dtype=bool)
    done = clean_run(series, cleaning(high_pass_hz=0.01), 2.0, regressors(kept, drift))
    assert done.series.std() < 0.12


def test_a_spike_at_both_ends_does_not_ring_through_the_filter() -> None:
    series = np.random.default_rng(0).normal(size=(100, 3))
    spoiled, kept = series.copy(), np.ones(100, dtype=bool)
    kept[[0, 30, 69, 99]] = False
    spoiled[~kept] = 1e5
    butterworth = cleaning(high_pass_hz=0.01, low_pass_hz=0.1, filter="butterworth")
    done = clean_run(spoiled, butterworth, 2.0, regressors(kept))
    assert np.abs(done.series).max() < 3


def test_scrubbed_volumes_are_bridged_by_a_line_and_count_in_nothing() -> None:
    ramp = np.arange(20.0)[:, None].repeat(2, axis=1)
    spoiled, kept = ramp.copy(), np.ones(20, dtype=bool)
    kept[[0, 7, 8, 19]] = False
    spoiled[~kept] = 1e6
    done = clean_run(spoiled, cleaning(), 2.0, regressors(kept))
    expected = ramp.copy()
    expected[0], expected[19] = 1, 18
    assert np.allclose(done.series, expected)
    assert done.moments[0] == pytest.approx(ramp[kept].mean(axis=0))


def test_too_few_volumes_kept_is_no_recording() -> None:
    kept = np.zeros(20, dtype=bool)
    kept[:2] = True
    with pytest.raises(UnreadableError, match="scrubbing keeps 2 of 20 volumes"):
        clean_run(np.random.default_rng(0).normal(size=(20, 3)), cleaning(), 2.0, regressors(kept))


def test_first_volumes_are_left_out_before_anything() -> None:
    series = np.random.default_rng(0).normal(size=(60, 4))
    confounds, kept = np.random.default_rng(1).normal(size=(60, 2)), np.ones(60, dtype=bool)
    kept[10] = False
    spoiled = series.copy()
    spoiled[:6] += 1e5
    options = {"detrend": True, "high_pass_hz": 0.01, "standardize": True}
    done = clean_run(spoiled, cleaning(discard=6, **options), 2.0, regressors(kept, confounds))
    alone = clean_run(series[6:], cleaning(**options), 2.0, regressors(kept[6:], confounds[6:]))
    assert np.allclose(done.series, alone.series)
    assert np.array_equal(done.kept, alone.kept)


@pytest.mark.parametrize(("tr_s", "wanted"), [(0.8, 2.0), (2.0, 1.0), (1.97, 2.0), (2.5, 2.0)])
def test_resampling_keeps_the_time_of_a_slow_wave(tr_s: float, wanted: float) -> None:
    t = tr_s * np.arange(200)
    series = 50 + np.stack([np.sin(2 * np.pi * t / 40), np.cos(2 * np.pi * t / 25)], axis=1)
    done = clean_run(series, cleaning(resample_s=wanted), tr_s)
    at = wanted * np.arange(len(done.series))
    assert done.tr_s == wanted
    assert t[-1] - wanted < at[-1] <= t[-1] + 1e-6
    expected = 50 + np.stack([np.sin(2 * np.pi * at / 40), np.cos(2 * np.pi * at / 25)], axis=1)
    inner = slice(15, -15)
    assert np.allclose(done.series[inner], expected[inner], atol=0.03)


def test_resampling_does_not_fold_fast_waves_into_slow_ones() -> None:
    t = 0.5 * np.arange(400)
    fast = np.sin(2 * np.pi * t / 1.7)[:, None] + 100
    done = clean_run(fast, cleaning(resample_s=2.0), 0.5)
    assert done.series[10:-10].std() < 0.02
    assert fast[::4].std() > 0.5


def test_the_same_rate_is_left_alone() -> None:
    series = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    assert np.array_equal(clean_run(series, cleaning(resample_s=2.00001), 2.0).series, series)


def test_a_scrubbed_volume_is_scrubbed_at_the_new_rate() -> None:
    kept = np.ones(100, dtype=bool)
    kept[50:54] = False
    done = clean_run(
        np.random.default_rng(0).normal(size=(100, 2)), cleaning(resample_s=2.0), 1.0, regressors(kept)
    )
    assert list(np.flatnonzero(~done.kept)) == [25, 26]
    assert timing(100, 1.0, cleaning(resample_s=2.0)).volumes == len(done.series) == 50


def test_a_slow_wave_is_removed_and_a_fast_one_is_kept() -> None:
    t = 2.0 * np.arange(150)
    slow, fast = np.cos(2 * np.pi * t / 200), np.cos(2 * np.pi * t / 30)
    both = np.stack([slow + fast + 0.01 * t, fast], axis=1)
    cleaned = clean_run(both, cleaning(detrend=True, high_pass_hz=0.01), 2.0).series
    assert np.corrcoef(cleaned[:, 0], fast)[0, 1] > 0.98
    assert np.corrcoef(cleaned[:, 1], fast)[0, 1] > 0.99
    assert abs(cleaned.mean()) < 1e-3


@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"detrend": True, "high_pass_hz": 0.01}])
def test_a_constant_column_becomes_zero(options: dict[str, Any]) -> None:
    series = np.random.default_rng(0).standard_normal((80, 3))
    series[:, 1] = 1000.1
    done = clean_run(series, cleaning(**options), 2.0)
    assert np.all(done.series[:, 1] == 0)
    assert list(np.flatnonzero(done.constant)) == [1]
    assert done.series[:, [0, 2]].std() > 0.5


def test_cut_offs_that_cannot_be_are_refused() -> None:
    series = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(UserError, match=r"key 'clean\.high_pass_hz' is 0\.2 Hz"):
        clean_run(series, cleaning(high_pass_hz=0.2), tr_s=2.0)
    with pytest.raises(UserError, match=r"key 'clean\.low_pass_hz' is 0\.3 Hz"):
        clean_run(series, cleaning(low_pass_hz=0.3, filter="butterworth"), tr_s=2.0)


def test_confounds_that_use_up_the_volumes_are_a_reason_and_not_a_signal() -> None:
    rng = np.random.default_rng(0)
    series, kept = rng.normal(100, 3, (20, 4)), np.ones(20, dtype=bool)
    with pytest.raises(
        UnreadableError, match=r"18 confounds leave 0 degrees of freedom of 20 volumes, fewer than 10"
    ):
        clean_run(series, cleaning(detrend=True), 2.0, regressors(kept, rng.standard_normal((20, 18))))


def test_degrees_of_freedom_are_volumes_kept_less_what_is_regressed_out() -> None:
    rng = np.random.default_rng(0)
    values, kept = rng.standard_normal((120, 6)), np.ones(120, dtype=bool)
    values[:, 5] = values[:, 0] * 1e-6  # the same confound in other units is no further one
    kept[:10] = False
    # Mean, trend, five confounds, and cosines up to 0.01 Hz in 240 s: four.
    done = clean_run(
        rng.normal(100, 3, (120, 2)), cleaning(detrend=True, high_pass_hz=0.01), 2.0, regressors(kept, values)
    )
    assert done.freedom == 110 - 2 - 5 - 4
    butterworth = cleaning(high_pass_hz=0.05, low_pass_hz=0.1, filter="butterworth")
    assert degrees_of_freedom(121, butterworth, 2.0) == 120 * 0.05 / 0.25


def test_a_column_that_is_a_confound_is_zero_and_not_its_rounding() -> None:
    rng = np.random.default_rng(0)
    confounds = rng.standard_normal((100, 3))
    confounds -= confounds.mean(axis=0)
    series = np.column_stack([5 + confounds @ [1, 2, 3], rng.normal(100, 3, 100)])
    done = clean_run(series, cleaning(standardize=True), 2.0, regressors(np.ones(100, dtype=bool), confounds))
    assert done.constant.tolist() == [True, False]
    assert not done.series[:, 0].any()
    assert done.series[:, 1].std(ddof=1) == pytest.approx(1)


@pytest.mark.parametrize(("tr_s", "wanted"), [(1 / 2000, 2.0), (1 / 1024, 1.0), (0.72, 0.8), (2.0, 1 / 3000)])
def test_rates_far_apart_are_exact_to_half_a_volume(tr_s: float, wanted: float) -> None:
    time = timing(300_000, tr_s, cleaning(resample_s=wanted))
    assert abs(time.volumes * wanted - 300_000 * tr_s) <= max(wanted, tr_s) + 0.5 * tr_s


def test_a_rate_that_cannot_be_reached_is_told() -> None:
    with pytest.raises(
        UserError, match=r"resample_s.* is 1000 s, but 300 volumes every 0.001 s cannot be brought"
    ):
        timing(300, 0.001, cleaning(resample_s=1000.0))
