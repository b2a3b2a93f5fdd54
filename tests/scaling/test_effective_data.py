"""Effective data: the reference's label curve read backwards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.scaling.effective_data import effective_data, invert, isotonic

N = np.array([8.0, 16.0, 32.0])


def _transfer(target: float, own: float, curve: tuple[float, ...] = (0.6, 0.7, 0.8)):
    points = np.array(curve)
    return effective_data(N, points, points[None].repeat(3, 0), target, np.full(3, target), own)


def test_a_score_that_the_reference_reaches_with_twice_the_subjects_doubles_the_data() -> None:
    found = _transfer(0.7, own=8)
    assert found is not None
    assert (found.value, found.multiplier, found.bound) == (pytest.approx(8), pytest.approx(2), "")


def test_a_worse_score_is_negative_transfer() -> None:
    found = _transfer(0.7, own=32)
    assert found is not None
    assert (found.value, found.bound) == (pytest.approx(-16), "")


def test_beyond_the_curve_there_is_only_a_bound() -> None:
    above, below = _transfer(0.9, own=8), _transfer(0.5, own=16)
    assert above is not None
    assert below is not None
    assert (above.value, above.bound) == (pytest.approx(24), ">=")
    assert (below.value, below.bound) == (pytest.approx(-8), "<=")


def test_a_flat_curve_credits_no_transfer() -> None:
    found = _transfer(0.7, own=16, curve=(0.7, 0.7, 0.7))
    assert found is not None
    assert (found.value, found.multiplier) == (0, 1)


def test_one_label_count_is_no_curve() -> None:
    assert effective_data(N[:1], np.array([0.7]), np.array([[0.7]]), 0.7, np.array([0.7]), 8) is None


@settings(max_examples=60, deadline=None)
@given(
    curve=st.lists(st.floats(0, 1), min_size=3, max_size=3),
    share=st.floats(0, 1),
    own=st.sampled_from([8.0, 16.0, 32.0]),
)
def test_the_inverse_lies_on_the_curve(curve: list[float], share: float, own: float) -> None:
    rising = isotonic(np.array(curve)[None])
    target = rising[:, 0] + share * (rising[:, -1] - rising[:, 0])
    number, side = invert(N, rising, target, own)
    assert 8 - 1e-9 <= number[0] <= 32 + 1e-9
    if side[0] == 0:
        assert np.interp(np.log(number[0]), np.log(N), rising[0]) == pytest.approx(target[0], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(curve=st.lists(st.floats(-1, 1), min_size=1, max_size=6))
def test_the_isotonic_fit_is_scikit_learns(curve: list[float]) -> None:
    from sklearn.isotonic import IsotonicRegression

    theirs = IsotonicRegression().fit_transform(np.arange(len(curve)), curve)
    assert np.allclose(isotonic(np.array(curve)[None])[0], theirs, atol=1e-6)
