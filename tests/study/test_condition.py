"""Conditions of `include`: what they say, and that they can do nothing else."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transferscale.errors import UserError
from transferscale.study.condition import Condition

PERSON = {"age": "21.5", "site": "A", "scanner type": "3T1", "mean_fd": 0.2, "iq": None, "code": "01"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age >= 18", True),
        ("18 <= age < 21", False),
        ("age == 21.50", True),
        ("site in ('A', 'B') and mean_fd < 0.3", True),
        ("site not in ['A']", False),
        ("not site == 'A' or age > 20", True),
        ('`scanner type` != "3T2"', True),
        ("mean_fd > -1", True),
        ("code == '1'", False),
        ("code == '01'", True),
        ("code == 1", True),
        ("code in (1, 'x')", True),
        ("iq > 100 or age > 20", True),
        ("not (iq > 100 and age < 20)", True),
    ],
)
def test_it_says_what_it_says(text: str, expected: bool) -> None:
    assert Condition.parse(text).holds(PERSON) is expected


@pytest.mark.parametrize(
    "text",
    [
        "iq > 1",
        "iq == 1",
        "iq != 1",
        "iq in (1, 2)",
        "iq not in (1, 2)",
        "not iq < 1",
        "not (iq < 1 or age < 3)",
    ],
)
def test_a_missing_value_does_not_hold(text: str) -> None:
    assert not Condition.parse(text).holds(PERSON)


def test_it_tells_the_columns_it_needs() -> None:
    assert Condition.parse("`scanner type` == 'x' and age > 3 and age < 4").names == ("scanner type", "age")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age",
        "age >",
        "1 == 1",
        "age = 3",
        "__import__('os').system('true') == 0",
        "age.real > 3",
        "age[0] > 3",
        "(lambda: 1)() == age",
        "age is 3",
        "site in site",
        "age + 1 > 3",
        "[x for x in age] == 1",
        "age == True and f(x)",
        "age > 10**9999",
        "not " * 5000 + "age > 3",
    ],
)
def test_what_is_no_comparison_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        Condition.parse(text)


def test_a_text_has_no_order() -> None:
    with pytest.raises(UserError, match="'A' is no number, so it has no order"):
        Condition.parse("site > 3").holds(PERSON)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_numbers_compare_as_numbers(one: float, other: float) -> None:
    values = {"x": repr(one)}
    assert Condition.parse(f"x < {other!r}").holds(values) == (one < other)
    assert Condition.parse(f"x >= {other!r}").holds(values) == (one >= other)


@given(st.text(st.characters(exclude_characters="`", codec="utf-8"), min_size=1), st.text())
@example("word", "NaN")
def test_any_column_name_and_text_can_be_compared(name: str, text: str) -> None:
    if name.strip() != name or "\n" in name:
        return
    values = {name: text}
    assert Condition.parse(f"`{name}` == {text!r}").holds(values)


@given(st.text())
def test_anything_is_read_or_refused_with_a_sentence(text: str) -> None:
    with suppress(UserError):
        assert Condition.parse(text).names
