"""What laws share: sums of logarithms, weighted least squares, numbers that stay finite."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.scaling.laws.base import exponential, floor_bounds, linear_starts, log_sum, logarithm


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_a_sum_of_logarithms_is_the_logarithm_of_the_sum(logs: list[float]) -> None:
    terms = [np.array([value]) for value in logs]
    np.testing.assert_allclose(log_sum(*terms), np.log(np.exp(logs).sum()), rtol=1e-12, atol=1e-12)


def test_weighted_least_squares_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    columns, target = rng.standard_normal((4, 12, 3)), rng.standard_normal((4, 12))
    weight = rng.uniform(0.1, 2, (4, 12))
    for left, right, w, found in zip(
        columns, target, weight, linear_starts(columns, target, weight), strict=True
    ):
        root = np.sqrt(w)
        wanted = np.linalg.lstsq(left * root[:, None], right * root, rcond=None)[0]
        np.testing.assert_allclose(found, wanted, rtol=1e-8)


def test_a_column_of_zeros_is_no_obstacle() -> None:
    columns = np.c_[np.ones(5), np.zeros(5)]
    np.testing.assert_allclose(linear_starts(columns, np.full(5, 2.0)), [2, 0], atol=1e-9)


def test_a_factor_beyond_all_numbers_stays_a_number() -> None:
    assert np.isfinite(exponential(np.array([-1e6, 0.0, 1e6]))).all()
    np.testing.assert_array_equal(exponential(np.array([0.0, 2.0])), np.exp([0.0, 2.0]))


def test_a_floor_of_zero_has_a_logarithm() -> None:
    assert np.isfinite(logarithm(0.0))
    assert np.exp(logarithm(0.0)) < 1e-300
    assert logarithm(2.0) == np.log(2.0)


def test_a_floor_lies_between_almost_nothing_and_the_largest_outcome() -> None:
    low, high = floor_bounds(np.log([0.5, 2.0]))
    np.testing.assert_allclose(np.exp([low, high]), [0.5e-6, 2.0])
