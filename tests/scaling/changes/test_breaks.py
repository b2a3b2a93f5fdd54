"""A break counts only where curves without it are not as far from the law without it."""

import numpy as np
import pytest

from tests.scaling.planted_courses import planted
from transferscale.scaling.changes.breaks import LEVEL, count_breaks, fewest_places
from transferscale.scaling.changes.course import course

DRAWS = 60


def test_without_a_break_one_is_rarely_claimed() -> None:
    claimed = [
        count_breaks(planted(None, seed, places=12), 1, DRAWS, seed).steps[0].p_value < LEVEL
        for seed in range(16)
    ]
    # 5 % of 16 are 0.8; four or more have a probability of 0.007.
    assert sum(claimed) < 4


def test_points_of_a_cluster_that_vary_together_are_no_break() -> None:
    claimed = [
        count_breaks(planted(None, seed, places=8, clusters=4, noise=0.005, shared=0.05), 1, DRAWS, seed)
        for seed in range(4)
    ]
    assert sum(one.breaks for one in claimed) < 2


@pytest.mark.parametrize("width", [1.5, 10.0])
def test_a_planted_break_is_found(width: float) -> None:
    for seed in range(3):
        assert count_breaks(planted(width, seed), 1, DRAWS, seed).breaks == 1


def test_two_breaks_are_counted() -> None:
    x = np.geomspace(1e6, 1e12, 26)
    slope = np.select([x < 1e8, x < 1e10], [0.05, 0.5], 0.1)
    log_y = 1.0 - np.concatenate([[0.0], np.cumsum(slope[1:] * np.diff(np.log(x)))])
    y = np.exp(log_y + 0.01 * np.random.default_rng(0).standard_normal(len(x)))
    found = count_breaks(course(x, y, "loss"), 2, DRAWS, 0)
    assert found.breaks == 2
    assert [step.breaks for step in found.steps] == [1, 2]


def test_noise_about_the_law_with_the_break_is_the_planted_one() -> None:
    found = [count_breaks(planted(2.0, seed, noise=0.03), 1, DRAWS, seed).noise.own for seed in range(3)]
    assert np.mean(found) == pytest.approx(0.03, rel=0.3)


def test_few_places_are_not_tested() -> None:
    assert fewest_places(1) == 7
    found = count_breaks(planted(2.0, places=6), 2, DRAWS, 0)
    assert (found.breaks, found.steps) == (0, [])


def test_without_draws_nothing_is_tested() -> None:
    assert count_breaks(planted(2.0), 2, 0, 0).steps == []


def test_an_exact_law_has_no_break() -> None:
    assert count_breaks(planted(None, noise=0.0), 1, DRAWS, 0).breaks == 0


def test_simulation_stops_where_the_p_value_is_plainly_not_small() -> None:
    step = count_breaks(planted(None, 1), 1, 1000, 0).steps[0]
    assert step.simulated < 1000
    assert step.p_value > LEVEL


def test_the_same_input_gives_the_same_answer() -> None:
    first, second = (count_breaks(planted(4.0, 3, noise=0.2), 1, DRAWS, 5) for _ in range(2))
    assert first.steps == second.steps
