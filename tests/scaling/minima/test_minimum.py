"""The least loss along one budget."""

import numpy as np
import pytest

from transferscale.scaling.minima.minimum import INSIDE, LARGER, SMALLER, minima

SIZES = np.log([1e5, 2e5, 5e5, 1e6, 3e6, 1e7])
EVEN = np.ones(6)


def parabola(vertex: float, curvature: float = 0.02) -> np.ndarray:
    return np.log(0.8) + curvature * (SIZES - vertex) ** 2


def test_a_parabola_in_log_size_gives_its_vertex() -> None:
    for vertex in np.log([2.1e5, 6e5, 1.3e6, 4e6]):
        found = minima(SIZES, parabola(float(vertex))[None], EVEN)
        assert found.side[0] == INSIDE
        assert found.log_n[0] == pytest.approx(vertex)
        assert np.exp(found.log_loss[0]) == pytest.approx(0.8)


def test_a_best_size_at_an_end_is_not_bracketed_and_is_given_itself() -> None:
    falling, rising = -0.1 * SIZES, 0.1 * SIZES
    found = minima(SIZES, np.stack([falling, rising]), EVEN)
    assert found.side.tolist() == [LARGER, SMALLER]
    assert found.log_n == pytest.approx([SIZES[-1], SIZES[0]])
    assert found.log_loss == pytest.approx([falling[-1], rising[0]])


def test_the_vertex_lies_between_the_neighbours_of_the_best_size_whatever_the_losses() -> None:
    losses = np.random.default_rng(0).normal(size=(2000, 6))
    found = minima(SIZES, losses, EVEN)
    best = losses.argmin(1)
    inside = found.side == INSIDE
    assert inside.sum() > 1000
    assert (found.log_n[inside] > SIZES[best[inside] - 1]).all()
    assert (found.log_n[inside] < SIZES[best[inside] + 1]).all()
    assert np.isfinite(found.log_loss).all()


def test_draws_are_taken_one_by_one() -> None:
    losses = np.stack([parabola(float(np.log(4e5))), parabola(float(np.log(2e6))), -0.1 * SIZES])
    together = minima(SIZES, losses, EVEN)
    for i, row in enumerate(losses):
        alone = minima(SIZES, row[None], EVEN)
        assert (together.log_n[i], together.log_loss[i], together.side[i]) == (
            pytest.approx(alone.log_n[0]),
            pytest.approx(alone.log_loss[0]),
            alone.side[0],
        )


def test_a_size_with_more_trunks_has_more_say() -> None:
    losses = parabola(float(np.log(8e5))) + np.array([0, 0.02, 0, 0, 0, 0])
    even = minima(SIZES, losses[None], EVEN).log_n[0]
    heavy = minima(SIZES, losses[None], np.array([1, 50, 1, 1, 1, 1.0])).log_n[0]
    true = np.log(8e5)
    assert abs(heavy - true) > abs(even - true)
