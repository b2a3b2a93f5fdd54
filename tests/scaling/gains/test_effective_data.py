"""Effective data: the reference's label curve read backwards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.scaling.gains.effective_data import EffectiveData, effective_data, invert, isotonic

N = np.array([8.0, 16.0, 32.0])
RISING = (0.6, 0.7, 0.8)


def _transfer(gain: float, at: int, curve: tuple[float, ...] = RISING) -> EffectiveData:
    points = np.array(curve)
    found = effective_data(N, points, points[None].repeat(3, 0), at, gain, np.full(3, gain), N[at])
    assert found is not None
    return found


def test_a_score_that_the_reference_reaches_with_twice_the_subjects_doubles_the_data() -> None:
    found = _transfer(0.1, at=0)
    assert (found.value, found.multiplier, found.bound) == (pytest.approx(8), pytest.approx(2), "")
    assert (found.multiplier_low, found.multiplier_high) == (pytest.approx(2), pytest.approx(2))


def test_a_worse_score_is_negative_transfer() -> None:
    found = _transfer(-0.1, at=2)
    assert (found.value, found.multiplier, found.bound) == (pytest.approx(-16), pytest.approx(0.5), "")


def test_above_the_curve_the_multiplier_is_at_least_the_largest_count_over_the_own() -> None:
    found = _transfer(0.3, at=0)
    assert (found.value, found.multiplier, found.bound) == (24, 4, ">=")
    assert (found.open_low, found.open_high) == (False, True)


def test_below_the_curve_the_multiplier_is_at_most_the_smallest_count_over_the_own() -> None:
    found = _transfer(-0.2, at=1)
    assert (found.value, found.multiplier, found.bound) == (-8, 0.5, "<=")
    assert (found.open_low, found.open_high) == (True, False)


@pytest.mark.parametrize(
    ("curve", "at", "gain", "number", "bound"),
    [
        # A curve that does not rise at all is left by any gain and by any loss.
        ((0.7, 0.7, 0.7), 1, 0.01, 32, ">="),
        ((0.7, 0.7, 0.7), 1, -0.01, 8, "<="),
        # The reference needs at least 16 for 0.7, however many more would not tell.
        ((0.6, 0.7, 0.7), 0, 0.1, 16, ">="),
        # It needs at most 16 for 0.6.
        ((0.6, 0.6, 0.7), 2, -0.1, 16, "<="),
    ],
)
def test_a_flat_stretch_gives_a_one_sided_bound(
    curve: tuple[float, ...], at: int, gain: float, number: float, bound: str
) -> None:
    found = _transfer(gain, at, curve)
    assert (found.multiplier, found.bound) == (pytest.approx(number / N[at]), bound)


def test_no_gain_transfers_nothing_however_the_reference_wiggles() -> None:
    for curve in (RISING, (0.7, 0.7, 0.7), (0.6, 0.75, 0.7), (0.8, 0.6, 0.7)):
        for at in range(3):
            found = _transfer(0.0, at, curve)
            assert (found.value, found.multiplier) == (0, 1)
    assert _transfer(0.0, 1, (0.7, 0.7, 0.7)).bound == "flat"


def test_an_interval_that_reaches_the_end_of_the_curve_is_open_there() -> None:
    curves = np.tile(np.array(RISING), (1000, 1))
    gains = np.linspace(-0.05, 0.25, 1000)
    found = effective_data(N, curves[0], curves, 0, 0.1, gains, 8.0)
    assert found is not None
    assert (found.open_low, found.open_high) == (True, True)
    assert (found.multiplier_low, found.multiplier_high) == (1, 4)
    assert (found.low, found.high) == (0, 24)


def test_one_label_count_is_no_curve() -> None:
    assert effective_data(N[:1], np.array([0.7]), np.array([[0.7]]), 0, 0.0, np.zeros(1), 8) is None


@settings(max_examples=60, deadline=None)
@given(curve=st.lists(st.floats(0, 1), min_size=3, max_size=3), share=st.floats(0, 1))
def test_the_inverse_lies_on_the_curve(curve: list[float], share: float) -> None:
    rising = isotonic(np.array(curve)[None])
    target = np.clip(rising[:, 0] + share * (rising[:, -1] - rising[:, 0]), rising[:, 0], rising[:, -1])
    for number in invert(N, rising, target):
        assert 8 - 1e-9 <= number[0] <= 32 + 1e-9
        assert np.interp(np.log(number[0]), np.log(N), rising[0]) == pytest.approx(target[0], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    curve=st.lists(st.floats(0, 1), min_size=3, max_size=3),
    gains=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    at=st.integers(0, 2),
)
def test_a_larger_gain_is_never_worth_fewer_subjects(
    curve: list[float], gains: tuple[float, float], at: int
) -> None:
    less, more = (_transfer(gain, at, tuple(curve)) for gain in sorted(gains))
    assert less.value <= more.value + 1e-9
    assert np.sign(more.value) in (0, np.sign(max(gains)))


@settings(max_examples=60, deadline=None)
@given(curve=st.lists(st.floats(-1, 1), min_size=1, max_size=6))
def test_the_isotonic_fit_is_scikit_learns(curve: list[float]) -> None:
    from sklearn.isotonic import IsotonicRegression

    theirs = IsotonicRegression().fit_transform(np.arange(len(curve)), curve)
    assert np.allclose(isotonic(np.array(curve)[None])[0], theirs, atol=1e-6)
