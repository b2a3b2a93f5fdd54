"""Breakthroughness and linearity: known values, direction, and what smooth curves give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scaling.planted_courses import planted
from transferscale.scaling.changes.breaks import count_breaks
from transferscale.scaling.changes.breakthrough import Sharpness, breakthroughness, linearity, sharpness
from transferscale.scaling.changes.course import course


def test_values_by_hand() -> None:
    y = np.array([0.0, 1.0, 1.0, 3.0])
    # Steps 1, 0, 2: mean square 5/3, median square 1.
    assert linearity(y) == pytest.approx(3 / np.sqrt(5 / 3))
    assert breakthroughness(y) == pytest.approx(3)


def test_a_straight_line_of_n_steps_has_both_equal_to_n() -> None:
    y = np.linspace(0, 1, 9)
    assert (linearity(y), breakthroughness(y)) == (pytest.approx(8), pytest.approx(8))


def test_a_single_jump_is_unbounded_in_the_median() -> None:
    y = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    assert breakthroughness(y) == np.inf
    assert linearity(y) == pytest.approx(np.sqrt(5))


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=12, unique=True))
def test_turning_the_score_round_turns_the_sign(values: list[int]) -> None:
    y = np.array(values, dtype=np.float64)
    assert breakthroughness(1 - y) == pytest.approx(-breakthroughness(y))
    assert linearity(3 * y + 1) == pytest.approx(linearity(y))


def _both(width: float | None, clusters: int = 1) -> tuple[Sharpness, Sharpness]:
    own = planted(width, clusters=clusters)
    return sharpness(own, count_breaks(own, 1, 100, 0), 200, 0)


def test_a_sharp_curve_is_less_linear_than_smooth_ones() -> None:
    x = np.geomspace(1e6, 1e10, 20)
    y = 0.25 + 0.7 / (1 + (x / 1e8) ** -4.0) + 0.005 * np.random.default_rng(0).standard_normal(20)
    own = course(x, y, "accuracy", chance=0.25)
    broken, line = sharpness(own, count_breaks(own, 1, 100, 0), 200, 0)
    assert broken.p_value is not None
    assert line.p_value is not None
    assert broken.p_value < 0.05
    assert line.p_value < 0.05


def test_a_smooth_curve_is_as_smooth_as_smooth_ones() -> None:
    for found in _both(None):
        assert found.value is not None
        assert found.value < 0
        assert found.p_value is not None
        assert found.p_value > 0.05


def test_intervals_take_two_clusters_and_hold_the_value() -> None:
    assert all(found.interval is None for found in _both(None))
    for found in _both(None, clusters=4):
        assert found.value is not None
        assert found.interval is not None
        assert found.interval[0] < found.value < found.interval[1] < 0


def test_without_draws_there_is_a_value_alone() -> None:
    own = planted(None)
    for found in sharpness(own, count_breaks(own, 1, 0, 0), 0, 0):
        assert found.value is not None
        assert (found.smooth, found.p_value) == (None, None)
