"""Points of a curve are sorted, checked and turned into an error that laws can be fitted to."""

import numpy as np
import pytest

from transferscale.errors import UserError
from transferscale.scaling.changes.course import MOST_PLACES, course
from transferscale.scaling.metrics import Reals

X = np.array([1.0, 2.0, 4.0, 8.0])


def test_the_order_of_the_rows_has_no_say() -> None:
    y, seeds = np.array([4.0, 3.0, 2.0, 1.0, 4.1, 3.1, 2.1, 1.1]), list("aaaabbbb")
    x, order = np.tile(X, 2), np.array([3, 1, 7, 0, 5, 4, 2, 6])
    first = course(x, y, "loss", cluster=seeds)
    second = course(x[order], y[order], "loss", cluster=[seeds[i] for i in order])
    assert (first.x.tolist(), first.y.tolist()) == (second.x.tolist(), second.y.tolist())
    assert first.labels == second.labels == tuple("abababab")


def test_a_column_that_is_never_above_zero_is_a_log_probability() -> None:
    found = course(X, np.array([-3.0, -2.0, -1.0, -0.5]), "log_prob")
    assert found.error.tolist() == [3.0, 2.0, 1.0, 0.5]
    assert found.outcome.value(found.error).tolist() == [-3.0, -2.0, -1.0, -0.5]


def test_a_known_metric_keeps_its_meaning_although_it_does_not_rise() -> None:
    y = np.array([0.3, 0.2, 0.25, 0.2])
    assert course(X, y, "accuracy").outcome.score
    assert not course(X, y, "quality").outcome.score
    assert course(X, y, "quality", better="higher").outcome.score
    assert course(X, y, "quality", chance=0.1).outcome.chance == 0.1


def test_a_perfect_score_leaves_half_of_the_smallest_error() -> None:
    found = course(X, np.array([0.2, 0.5, 0.9, 1.0]), "accuracy")
    assert found.error[-1] == pytest.approx(0.05)
    assert "half the smallest" in found.notes[0]


def test_many_places_are_thinned_evenly_in_the_logarithm() -> None:
    x = np.arange(1.0, 5001.0)
    found = course(x, 3 * x**-0.3, "loss")
    assert 40 < len(found.x) <= MOST_PLACES
    assert (found.x[0], found.x[-1]) == (1.0, 5000.0)
    assert "even in its logarithm" in found.notes[0]


def test_until_a_place_there_is_nothing_of_the_rest() -> None:
    found = course(np.tile(X, 2), np.arange(8.0, 0.0, -1.0), "loss", cluster=list("aaaabbbb")).until(2.0)
    assert found.x.tolist() == [1.0, 1.0, 2.0, 2.0]
    assert found.member.tolist() == [0, 1, 0, 1]
    assert found.labels == ("a", "b", "a", "b")


def test_the_mean_is_over_the_points_of_a_place() -> None:
    found = course(np.tile(X, 2), np.arange(8.0, 0.0, -1.0), "loss", cluster=list("aaaabbbb"))
    assert found.mean(found.y).tolist() == [6.0, 5.0, 4.0, 3.0]
    weight = (np.array(found.labels) == "a").astype(float)
    assert found.mean(found.y, weight).tolist() == [8.0, 7.0, 6.0, 5.0]


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X, np.array([1.0, np.nan, 2.0, 3.0]), "column 'loss': found nan, which is no number"),
        (np.array([0.0, 1.0, 2.0, 3.0]), X, "column 'step': found 0, which is not above zero"),
        (np.array([1.0, 1.0, 2.0, 2.0]), X, "column 'step' has 2 different values; a change needs 3"),
        (X, np.ones(4), "column 'loss' has one value (1): nothing changes"),
        (X, np.array([3.0, 2.0, 1.0, -0.5]), "a loss is not negative"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(x: Reals, y: Reals, words: str) -> None:
    with pytest.raises(UserError) as error:
        course(x, y, "loss", "step")
    assert words in str(error.value)


def test_a_score_above_its_ceiling_is_told() -> None:
    with pytest.raises(UserError, match="exceeds the ceiling"):
        course(X, np.array([10.0, 20.0, 50.0, 90.0]), "accuracy")
