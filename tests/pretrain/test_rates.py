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
    found = interval(RATES, seeds)
    assert found is not None
    assert found[0] < 6e-3 < 8e-3 < 1.1e-2 < found[1]
    same = np.stack([valley(8e-3)] * 3, axis=1)
    assert interval(RATES, same) == pytest.approx((8e-3, 8e-3))


def test_a_seed_that_is_better_at_every_rate_widens_nothing() -> None:
    noise = 0.005 * np.random.default_rng(0).standard_normal((7, 3))
    losses = valley(8e-3)[:, None] + noise
    assert interval(RATES, losses + np.array([0.1, 0.0, -0.1])) == pytest.approx(interval(RATES, losses))


@pytest.mark.parametrize("smooth", [False, True])
def test_the_interval_holds_the_best_rate_nine_times_in_ten(smooth: bool) -> None:
    """Noise of every run on its own, or one that tilts all the runs of a seed."""
    source, held, of = np.random.default_rng(0), 0, 150
    for _ in range(of):
        best = float(np.exp(source.uniform(np.log(RATES[2]), np.log(RATES[4]))))
        noise = 0.01 * source.standard_normal((7, 3))
        if smooth:
            noise = 0.3 * noise + np.outer(np.log(RATES / RATES[3]), 0.01 * source.standard_normal(3))
        found = interval(RATES, valley(best, 0.02)[:, None] + noise, draws=300)
        assert found is not None
        held += found[0] <= best <= found[1]
    assert 0.88 <= held / of <= 0.99


def test_without_two_seeds_and_two_rates_that_held_there_is_no_interval() -> None:
    assert interval(RATES, valley(8e-3)[:, None]) is None
    assert interval(RATES, np.stack([valley(8e-3), np.full(7, np.inf)], axis=1)) is None
    one = np.where(RATES[:, None] > 1.5e-3, np.inf, np.stack([valley(8e-3)] * 2, axis=1))
    assert interval(RATES, one) is None
