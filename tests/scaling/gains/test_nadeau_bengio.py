"""The corrected resampled t-test: exact where its assumption holds, the plain t-test without the correction."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from transferscale.scaling.fits.student import critical, two_sided_p
from transferscale.scaling.gains.nadeau_bengio import corrected_t_test

GAINS = st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=30).map(np.array)


@settings(max_examples=80, deadline=None)
@given(t=st.floats(0, 40), df=st.integers(1, 400))
def test_students_t_is_scipys(t: float, df: int) -> None:
    # Near t = 0 scipy's own is off by some 1e-10.
    assert two_sided_p(t, df) == pytest.approx(2 * stats.t.sf(t, df), abs=1e-9)


@pytest.mark.parametrize("df", [1, 2, 3, 4, 19, 20, 299, 10_000])
def test_critical_values_are_scipys(df: int) -> None:
    for alpha in (0.05, 0.10):
        assert critical(alpha, df) == pytest.approx(stats.t.ppf(1 - alpha / 2, df), rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(gains=GAINS)
def test_without_a_correction_it_is_the_t_test(gains: np.ndarray) -> None:
    assume(gains.std() > 1e-6)
    found = corrected_t_test(gains, 0.0)
    assert found is not None
    theirs = stats.ttest_1samp(gains, 0.0)
    interval = theirs.confidence_interval()
    assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@settings(max_examples=60, deadline=None)
@given(gains=GAINS, ratio=st.floats(0, 2), scale=st.floats(0.01, 100))
def test_the_interval_has_the_published_variance_and_agrees_with_the_p_value(
    gains: np.ndarray, ratio: float, scale: float
) -> None:
    assume(gains.std() > 1e-6)
    found, scaled = corrected_t_test(gains, ratio), corrected_t_test(scale * gains, ratio)
    assert found is not None
    assert scaled is not None
    assert found.error**2 == pytest.approx((1 / len(gains) + ratio) * gains.var(ddof=1))
    assert scaled.p_value == pytest.approx(found.p_value, abs=1e-9)
    assert found.low <= found.low90 <= found.estimate <= found.high90 <= found.high
    if abs(found.p_value - 0.05) > 1e-6:
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


@pytest.mark.parametrize(("folds", "ratio"), [(10, 1 / 9), (25, 1 / 4)])
def test_it_is_exact_where_folds_are_correlated_by_the_share_that_is_tested(folds: int, ratio: float) -> None:
    rng, correlation, trials = np.random.default_rng(0), ratio / (1 + ratio), 2000
    gains = np.sqrt(correlation) * rng.standard_normal((trials, 1))
    gains = gains + np.sqrt(1 - correlation) * rng.standard_normal((trials, folds))
    p = np.array([found.p_value for row in gains if (found := corrected_t_test(row, ratio))])
    assert len(p) == trials
    # 2000 trials: 0.05 within three standard errors.
    assert 0.035 <= np.mean(p < 0.05) <= 0.065
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_one_fold_tests_nothing_and_equal_gains_are_certain() -> None:
    assert corrected_t_test(np.array([0.1]), 0.25) is None
    nothing, something = (corrected_t_test(np.full(5, gain), 0.25) for gain in (0.0, 0.25))
    assert nothing is not None
    assert something is not None
    assert (nothing.p_value, nothing.low, nothing.high) == (1, 0, 0)
    assert (something.p_value, something.low) == (0, 0.25)
