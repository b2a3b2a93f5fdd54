"""Numbers and ticks are short, tell themselves apart, and stay on the axis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferscale.scaling.pictures.numbers import amount, around, linear_ticks, log_ticks, tick_labels


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (-0.5, "-0.5"),
        (500, "500"),
        (9999, "9999"),
        (20_000, "20k"),
        (3.5e6, "3.5M"),
        (2e10, "2e10"),
        (1e9, "1e9"),
        (999_999_999.9, "1e9"),
        (5e-7, "5e-7"),
        (128, "128"),
    ],
)
def test_numbers_are_short(value: float, words: str) -> None:
    assert amount(value) == words


def test_an_interval_stands_in_brackets_where_there_is_one() -> None:
    assert around(612.78, (606.6, 619.07)) == "613 (607 to 619)"
    assert around(612.78, None) == "613"


@given(low=st.floats(1e-12, 1e20), factor=st.floats(1.001, 1e12), most=st.integers(3, 6))
def test_ticks_of_a_logarithmic_axis_are_few_and_on_it(low: float, factor: float, most: int) -> None:
    high = low * factor
    ticks = log_ticks(low, high, most)
    assert 1 <= len(ticks) <= most
    assert all(low * (1 - 1e-6) <= tick <= high * (1 + 1e-6) for tick in ticks)
    assert len(set(tick_labels(ticks))) == len(ticks)


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e6), most=st.integers(3, 6))
def test_ticks_of_a_linear_axis_are_evenly_spaced(low: float, span: float, most: int) -> None:
    ticks = linear_ticks(low, low + span, most)
    assert 1 <= len(ticks) <= most
    if len(ticks) > 2:
        assert np.ptp(np.diff(ticks)) <= 1e-6 * span
