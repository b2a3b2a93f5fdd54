"""What a column of a participants table can be used for."""

import pytest

from transferscale.medical.add.columns import column
from transferscale.medical.add.confounding import confounded, correlation_ratio, cramers_v


def cells(**counts):
    return [text for text, number in counts.items() for _ in range(number)]


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (cells(m=10, f=12), "classes"),
        (["1"] * 10 + ["2"] * 9, "classes"),
        ([str(20 + i / 2) for i in range(20)], "number"),
        ([str(20 + i % 7) for i in range(30)], "number"),
        (cells(m=20), "constant"),
        ([f"code-{i}" for i in range(20)], "name"),
        ([str(1 + i) for i in range(20)], "name"),
        ([str(21 + i) for i in range(10)], "number"),
        ([f"word {i % 15}" for i in range(30)], "text"),
    ],
)
def test_a_columns_role_follows_from_its_values(values, role):
    assert column("x", values).role == role


def test_numbers_that_only_tell_people_apart_are_names():
    codes = [str(28000 + i * i) for i in range(20)]
    assert column("SUB_ID", codes).role == "name"
    assert column("reaction_time", codes).role == "number"


def test_missing_values_are_counted_and_are_no_class():
    found = column("diagnosis", ["patient", "n/a", "control", "", "NaN", "patient"])
    assert (found.present, found.missing) == (3, 3)
    assert found.words() == "patient 2, control 1, 3 missing"


def test_a_class_of_too_few_people_is_no_class_to_predict():
    found = column("hand", cells(right=30, left=7, both=2))
    assert found.classes == ["left", "right"]
    assert found.is_target
    assert not column("hand", cells(right=30, left=2)).is_target


@pytest.mark.parametrize("name", ["site", "SITE_ID", "Scanlog: Scanner", "acquisition_site", "Hospital"])
def test_a_column_of_sites_is_recognised_by_its_name(name):
    assert column(name, cells(a=10, b=10)).is_site


@pytest.mark.parametrize("name", ["website", "parasite", "opposite_sex"])
def test_a_word_that_only_holds_site_is_none(name):
    assert not column(name, cells(a=10, b=10)).is_site


def test_families_are_recognised_when_somebody_shares_one():
    assert column("family_id", ["f1", "f1", "f2", "f3"]).is_family
    assert not column("family_id", ["f1", "f2", "f3", "f4"]).is_family


def test_a_long_upper_tail_asks_for_the_logarithm():
    ages = [3, 4, 4, 5, 5, 5, 6, 6, 7, 7, 8, 9, 11, 30]
    assert column("age", [str(age) for age in ages]).is_skewed
    assert not column("age", [str(20 + i) for i in range(0, 60, 3)]).is_skewed
    assert not column("score", [str(age - 4) for age in ages]).is_skewed  # not positive


def columns_of(table):
    return [column(name, values) for name, values in table.items()]


def test_a_target_that_goes_with_the_scanner_is_said():
    table = {"group": ["a"] * 20 + ["b"] * 20, "scanner": ["x"] * 18 + ["y"] * 2 + ["y"] * 18 + ["x"] * 2}
    (sentence,) = confounded(table, columns_of(table), ["group"])
    assert "'scanner' (0.79 of 1)" in sentence


def test_a_target_that_is_balanced_over_scanners_is_not_mentioned():
    table = {"group": ["a", "b"] * 20, "scanner": ["x", "x", "y", "y"] * 10}
    assert confounded(table, columns_of(table), ["group"]) == []


def test_measures_of_association_know_nothing_and_everything():
    import numpy as np

    group = np.repeat([0, 1], 50)
    assert cramers_v(group, group) == pytest.approx(1.0, abs=0.02)
    assert cramers_v(group, np.tile([0, 1], 50)) == 0
    assert correlation_ratio(group * 3.0, group) == pytest.approx(1.0)
    assert correlation_ratio(np.tile([0.0, 1.0], 50), group) == 0
