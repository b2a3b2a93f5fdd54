"""Crossings of curves: all that there are, none that there are not, and how far the draws agree."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.scaling.comparisons.crossover import (
    SEARCH,
    Window,
    crossover,
    order,
    outside,
    overtaking,
    p_best,
    ratio_interval,
    reached,
)
from transferscale.scaling.fits.solve import SAME_CURVE
from transferscale.scaling.metrics import Reals

WINDOW = Window.of(1e4, 1e8)
Curve = Callable[[Reals], Reals]


def power(level: float, slope: float, at: float = 1e6) -> Curve:
    """Log error of a power law that has the value ``level`` at ``at``."""
    return lambda log_x: np.log(level) - slope * (log_x - np.log(at))


def drawn(curve: Curve, shifts: Reals, tilts: Reals | float = 0.0) -> Reals:
    """A curve in draws that are shifted by ``shifts`` and tilted about x = 1e6 by ``tilts``."""
    tilts = np.broadcast_to(tilts, shifts.shape)
    return curve(WINDOW.grid) + shifts[:, None] + tilts[:, None] * (WINDOW.grid - np.log(1e6))


SPREAD = np.random.default_rng(0).standard_normal(400)
NONE = np.zeros(400)


@settings(max_examples=50, deadline=None)
@given(at=st.floats(1.1e4, 0.9e8), slope=st.floats(0.01, 1), more=st.floats(0.01, 1))
def test_two_power_laws_cross_where_they_were_made_to(at: float, slope: float, more: float) -> None:
    found = crossover((power(1, slope, at), power(1, slope + more, at)), None, WINDOW)
    assert found.answer == "crossover"
    # A point of the grid at which the curves are the same to rounding is their crossing.
    assert found.x == pytest.approx(at, rel=1.01 * SAME_CURVE / more)
    assert (found.overtakes, found.leads) == (1, 1)
    assert len(found.roots) == 1


@settings(max_examples=25, deadline=None)
@given(unit=st.floats(1e-6, 1e6))
def test_the_unit_of_x_does_not_matter(unit: float) -> None:
    here = crossover((power(1, 0.1), power(1, 0.2)), None, WINDOW)
    there = crossover(
        (power(1, 0.1, 1e6 * unit), power(1, 0.2, 1e6 * unit)), None, Window.of(1e4 * unit, 1e8 * unit)
    )
    assert here.x is not None
    assert there.x == pytest.approx(here.x * unit, rel=1e-9)


def test_curves_that_cross_twice_show_both_crossings_and_the_last_one_counts() -> None:
    def bent(log_x: Reals) -> Reals:
        return 0.02 * (log_x - np.log(1e5)) * (log_x - np.log(1e7))

    found = crossover((lambda log_x: 0 * log_x, bent), None, WINDOW)
    assert [root.x for root in found.roots] == pytest.approx([1e5, 1e7])
    assert [root.overtakes for root in found.roots] == [1, 0]
    assert found.x == pytest.approx(1e7)
    assert found.overtakes == 0


def test_curves_that_touch_do_not_cross() -> None:
    def touching(log_x: Reals) -> Reals:
        return 0.02 * (log_x - np.log(1e6)) ** 2

    found = crossover((lambda log_x: 0 * log_x, touching), None, WINDOW)
    assert found.answer == "none in range"
    assert found.roots == ()
    assert found.leads == 0


def test_a_dip_as_short_as_the_sharpest_break_is_seen() -> None:
    def dip(log_x: Reals) -> Reals:
        return 0.01 - 0.02 * np.exp(-(((log_x - np.log(1e6)) / 0.09) ** 2))

    assert len(crossover((lambda log_x: 0 * log_x, dip), None, WINDOW).roots) == 2


def test_the_same_curve_twice_does_not_cross_whatever_the_rounding() -> None:
    noise = 1e-9 * np.random.default_rng(0).standard_normal((50, len(WINDOW.grid)))
    curve = power(1, 0.1)
    flat = np.broadcast_to(curve(WINDOW.grid), noise.shape)
    found = crossover((curve, curve), (flat, flat + noise), WINDOW)
    assert (found.answer, found.reason) == ("not identified", "same curve")
    assert found.p_roots == (1.0, 0.0, 0.0)
    assert found.x is None


def test_parallel_curves_have_no_crossing_in_range() -> None:
    curves = (power(1, 0.1), power(1.2, 0.1))
    found = crossover(curves, (drawn(curves[0], 0.01 * SPREAD), drawn(curves[1], NONE)), WINDOW)
    assert found.answer == "none in range"
    assert found.throughout == (1.0, 0.0)
    assert found.x is None


def test_curves_whose_draws_disagree_on_the_sign_everywhere_are_not_identified() -> None:
    curves = (power(1, 0.1), power(1.001, 0.1))
    found = crossover(curves, (drawn(curves[0], 0.01 * SPREAD), drawn(curves[1], NONE)), WINDOW)
    # no draw crosses, yet it is not known which family leads
    assert found.p_roots == (1.0, 0.0, 0.0)
    assert (found.answer, found.reason) == ("not identified", "alike")


def test_the_interval_is_that_of_the_crossings_of_the_draws() -> None:
    curves = (power(1, 0.1), power(1, 0.2))
    found = crossover(curves, (drawn(curves[0], 0.05 * SPREAD), drawn(curves[1], NONE)), WINDOW)
    # a shift of the first curve by s moves the crossing by -s / 0.1 in log x
    low, high = np.exp(np.quantile(-0.05 * SPREAD / 0.1, [0.025, 0.975])) * 1e6
    assert found.answer == "crossover"
    assert found.low == pytest.approx(low, rel=0.03)
    assert found.high == pytest.approx(high, rel=0.03)
    assert found.p_roots == (0.0, 1.0, 0.0)


def test_an_interval_that_is_open_is_no_crossover() -> None:
    curves = (power(1, 0.1), power(0.97, 0.11))
    found = crossover(curves, (drawn(curves[0], NONE, 0.02 * SPREAD), drawn(curves[1], NONE)), WINDOW)
    assert (found.answer, found.reason, found.x) == ("not identified", "wide", None)
    assert found.interval is not None
    assert found.interval[0] == 0
    assert len(found.roots) == 1


def test_draws_that_cross_where_the_fitted_curves_do_not_are_not_identified() -> None:
    curves = (power(1, 0.1), power(1.02, 0.1))
    found = crossover(curves, (drawn(curves[0], NONE, 0.004 * SPREAD), drawn(curves[1], NONE)), WINDOW)
    assert (found.answer, found.reason) == ("not identified", "divided")


@pytest.mark.parametrize(("at", "known"), [(5e8, True), (1e8 * SEARCH * 2, False), (1e3, True)])
def test_a_crossing_outside_of_the_range_is_looked_for_up_to_the_stated_factor(
    at: float, known: bool
) -> None:
    curves = (power(1, 0.1, at), power(1, 0.3, at))
    found = crossover(curves, (drawn(curves[0], 0.01 * SPREAD), drawn(curves[1], NONE)), WINDOW)
    assert found.answer == "none in range"
    assert found.x == (pytest.approx(at, rel=1e-9) if known else None)


def test_a_draw_whose_overtaking_lies_beyond_counts_as_beyond() -> None:
    first, second = np.zeros((3, len(WINDOW.grid))), np.zeros((3, len(WINDOW.grid)))
    second[0] = power(1, 0.1, 1e9)(WINDOW.grid)
    second[1] += 1
    second[2] -= 1
    found = overtaking(order(first, second, WINDOW), -1, WINDOW.last)
    assert found[0] == pytest.approx(np.log(1e9))
    assert list(found[1:]) == [np.inf, -np.inf]


def test_a_level_is_reached_where_the_curve_first_gets_there() -> None:
    curves = np.stack(
        [power(1, 0.5)(WINDOW.grid), np.full(len(WINDOW.grid), 3.0), power(1e-9, 0.5)(WINDOW.grid)]
    )
    found = reached(curves, 0.0, WINDOW)
    assert found[0] == pytest.approx(np.log(1e6))
    assert list(found[1:]) == [np.inf, -np.inf]


def test_a_draw_in_which_neither_reaches_the_level_opens_both_ends() -> None:
    first, second = np.full(40, 2.0), np.full(40, 1.0)
    assert ratio_interval(first, second, np.e) == pytest.approx((np.e, np.e))
    first[:2] = second[:2] = np.inf
    assert ratio_interval(first, second, np.e) == (0, np.inf)


def test_families_that_tie_share_the_draw() -> None:
    assert list(p_best(np.array([[0.0, 0.0], [0.0, 1.0], [2.0, 1.0]]))) == [0.75, 0.25, 0.0]


def test_the_factor_outside_of_the_data_counts_from_the_nearer_end() -> None:
    assert outside(1e5, (1e6, 1e8)) == pytest.approx(10)
    assert outside(5e8, (1e6, 1e8)) == pytest.approx(5)
    assert outside(1e8 * (1 + 1e-12), (1e6, 1e8)) <= 1
