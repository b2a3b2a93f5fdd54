"""The best learning rate is where a parabola through the lowest losses has its vertex."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferscale.pretrain.rates import best_rate, bracketed, interval

RATES = 1e-3 * 2.0 ** np.arange(7)


def valley(best: float, depth: float = 0.1) -> np.ndarray:
    return 0.5 + depth * np.log(RATES / best) ** 2


@given(st.floats(1.5e-3, 4e-2), st.floats(0.01, 1.0))
def test_the_vertex_of_a_parabola_is_found_between_the_rates(best: float, depth: float) -> None:
    assert best_rate(RATES, valley(best, depth)) == pytest.approx(best, rel=1e-6)


def test_a_rate_at_the_edge_is_named_and_not_bracketed() -> None:
    assert best_rate(RATES, valley(1e-5)) == RATES[0]
    assert not bracketed(valley(1e-5))
    assert not bracketed(valley(10.0))
    assert bracketed(valley(8e-3))


def test_a_rate_that_diverged_bounds_the_best_but_shapes_no_parabola() -> None:
    losses = np.where(RATES > 9e-3, np.inf, valley(8e-3))
    assert best_rate(RATES, losses) == pytest.approx(8e-3)
    assert bracketed(losses)
    assert np.isnan(best_rate(RATES, np.full(7, np.inf)))
    assert not bracketed(np.full(7, np.inf))


def test_the_interval_is_as_wide_as_the_seeds_disagree() -> None:
    seeds = np.stack([valley(best) for best in (6e-3, 8e-3, 1.1e-2)], axis=1)
    low, high = interval(RATES, seeds)
    assert 5.9e-3 < low < 7e-3
    assert 9e-3 < high < 1.2e-2
    same = np.stack([valley(8e-3)] * 3, axis=1)
    assert interval(RATES, same) == pytest.approx((8e-3, 8e-3))


def test_the_interval_leaves_out_draws_without_a_finite_rate() -> None:
    losses = np.stack([valley(8e-3), np.full(7, np.inf)], axis=1)
    assert interval(RATES, losses) == pytest.approx((8e-3, 8e-3))
