"""The crossed bootstrap resamples what it says, without bias, and the same for every cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.scaling.gains.bootstrap import (
    column_variance,
    column_weights,
    crossed,
    subject_weights,
    unit_weights,
)


@settings(max_examples=20, deadline=None)
@given(units=st.integers(1, 12))
def test_weights_keep_the_number_of_units(units: int) -> None:
    weights = unit_weights(units, 50, "x")
    assert weights.min() >= 0
    assert np.allclose(weights.sum(1), units)


@pytest.mark.parametrize("units", [2, 3, 10])
def test_the_variance_of_a_mean_of_few_units_is_unbiased(units: int) -> None:
    values = np.random.default_rng(1).standard_normal(units)
    means = unit_weights(units, 200_000, "x") @ values / units
    assert means.var() == pytest.approx(values.var(ddof=1) / units, rel=0.03)


def test_classes_keep_their_size_and_families_stay_together() -> None:
    cluster = np.array([0, 0, 1, 2, 3, 4])
    stratum = np.array([0, 0, 0, 1, 1, 1])
    weights = subject_weights(cluster, stratum, 300, "x")
    assert (weights[:, 0] == weights[:, 1]).all()
    assert np.allclose(weights[:, 3:].sum(1), 3)
    assert (weights[:, 2] != weights[:, 0]).any()


def test_draws_and_seeds_are_crossed_where_every_draw_was_run_with_every_seed() -> None:
    draw, seed = np.repeat([0, 1, 2], 2), np.tile([0, 1], 3)
    weights = column_weights(draw, seed, 100).reshape(100, 3, 2)
    outer = weights.sum(2, keepdims=True) * weights.sum(1, keepdims=True)
    assert np.allclose(weights, outer)


def test_draws_and_seeds_that_vary_together_are_resampled_together() -> None:
    weights = column_weights(np.array([0, 1, 2]), np.array([0, 1, 2]), 100)
    assert np.allclose(weights.sum(1), 1)
    assert {0.0, 0.5, 1.0} == set(weights.ravel().round(12))


def test_the_same_units_get_the_same_resamples() -> None:
    three = column_weights(np.array([0, 1, 2]), np.array([0, 0, 0]), 40)
    other = column_weights(np.array([5, 6, 7]), np.array([1, 1, 1]), 40)
    assert (three == other).all()


@pytest.mark.parametrize(
    ("of_draw", "of_seed", "of_pair"), [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0)]
)
def test_the_variance_over_columns_counts_draws_seeds_and_their_pairs_once(
    of_draw: float, of_seed: float, of_pair: float
) -> None:
    rng = np.random.default_rng(2)
    draw, seed = np.repeat(np.arange(12), 10), np.tile(np.arange(10), 12)
    told, means = [], []
    for _ in range(1500):
        parts = of_draw * rng.standard_normal(12)[draw] + of_seed * rng.standard_normal(10)[seed]
        point = parts + of_pair * rng.standard_normal(120)
        told.append(column_variance(point, draw, seed))
        means.append(point.mean())
    # At least the larger of two parts: with nothing but pairs, two draws of what is to be estimated.
    assert 0.9 <= np.mean(told) / np.var(means) <= (1.4 if (of_draw, of_seed) == (0.0, 0.0) else 1.1)


def test_one_draw_or_seed_has_no_variance_and_repeats_are_averaged() -> None:
    point, one = np.array([1.0, 2.0, 4.0]), np.zeros(3, dtype=np.int64)
    own = pytest.approx(point.var(ddof=1) / 3)
    assert column_variance(point, one, one) == 0
    assert column_variance(point, np.arange(3), one) == own
    assert column_variance(point, np.arange(3), np.arange(3)) == own
    twice = np.concatenate([point - 1, point + 1])
    assert column_variance(twice, np.tile(np.arange(3), 2), np.tile(one, 2)) == own


def test_the_crossed_variance_is_that_of_subjects_and_that_of_columns() -> None:
    rng = np.random.default_rng(4)
    draw, seed = np.repeat(np.arange(5), 3), np.tile(np.arange(3), 5)
    point = rng.standard_normal(15)
    resampled = point + rng.standard_normal((2000, 1)) + rng.standard_normal((2000, 15))
    wanted = resampled.mean(1).var() + column_variance(point, draw, seed)
    assert crossed(resampled, point, draw, seed).var() == pytest.approx(wanted)
