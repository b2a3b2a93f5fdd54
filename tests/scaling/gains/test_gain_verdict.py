"""The verdict is what docs/design says of the interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferscale.scaling.gains.verdict import holm, negligible, p_value, verdict, words


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.01, 0.20, 0.02, 0.18), "helps"),
        ((-0.20, -0.01, -0.18, -0.02), "hurts"),
        ((-0.04, 0.03, -0.03, 0.02), "equivalent"),
        ((-0.06, 0.03, -0.05, 0.02), "inconclusive"),
        ((-0.20, 0.10, -0.15, 0.05), "inconclusive"),
        ((0.001, 0.03, 0.002, 0.02), "helps"),
    ],
)
def test_verdict_of_an_interval(interval: tuple[float, float, float, float], expected: str) -> None:
    assert verdict(*interval, sesoi=0.05) == expected


def test_without_a_smallest_effect_of_interest_nothing_is_equivalent() -> None:
    assert verdict(-0.01, 0.01, -0.01, 0.01, sesoi=None) == "inconclusive"
    assert negligible(0.002, 0.02, 0.05)


def test_holm_of_a_textbook_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(a >= b and a <= 1 for a, b in zip(adjusted, p, strict=True))
    assert all(x <= y for x, y in zip(np.array(adjusted)[np.argsort(p)], np.sort(adjusted), strict=True))


def test_a_p_value_is_never_zero() -> None:
    assert p_value(np.ones(999)) == pytest.approx(0.002)
    assert p_value(np.zeros(10)) == 1.0


def test_what_must_be_said_beside_a_verdict_is_said() -> None:
    assert words("helps") == "helps"
    assert words("helps", small=True) == "helps, below the smallest effect of interest"
    assert words("hurts", small=True) == "hurts, below the smallest effect of interest"
    assert words("equivalent", small=True, detectable=0.1) == "equivalent"
    assert words("inconclusive", detectable=0.083) == "inconclusive: the smallest detectable gain is 0.083"
    lost = words("helps", p_holm=0.12, claims=3)
    assert lost == "helps, but not after Holm's correction over 3 claims (p = 0.12)"
    assert words("helps", p_holm=0.12, claims=1) == words("helps", p_holm=0.04, claims=3) == "helps"
