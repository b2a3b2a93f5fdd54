"""Every break comes with its place, its width and its slopes, or with the reason why they are not known."""

import numpy as np
import pytest

from tests.scaling.planted_courses import BREAK, planted
from transferscale.scaling.changes.change import Change, change

DRAWS = 80


@pytest.fixture(scope="module")
def sharp() -> Change:
    return change(planted(2.0), 1, DRAWS, 0)


def test_a_planted_break_comes_back(sharp: Change) -> None:
    (found,) = sharp.breaks
    assert (sharp.answer, sharp.reason) == ("sharp", "")
    assert found.interval[0] < BREAK < found.interval[1]
    assert found.width_interval[0] < 2.0 < found.width_interval[1]
    assert found.before == pytest.approx(-0.05, abs=0.02)
    assert found.after == pytest.approx(-0.6, abs=0.05)
    assert found.before_interval[0] < found.before < found.before_interval[1]
    assert found.identified
    assert found.faster


def test_intervals_cover_the_place() -> None:
    held = 0
    for seed in range(8):
        (found,) = change(planted(2.0, seed, places=14), 1, DRAWS, seed).breaks
        held += found.interval[0] <= BREAK <= found.interval[1]
    # At 95 % fewer than seven of eight have a probability of 0.06, fewer than six one of 0.006.
    assert held >= 6


def test_a_wide_transition_is_gradual() -> None:
    found = change(planted(1000.0, noise=0.002, places=30), 1, DRAWS, 0)
    assert found.answer == "gradual"
    assert found.breaks[0].width_interval[0] > 10


def test_a_smooth_curve_has_none() -> None:
    found = change(planted(None), 1, DRAWS, 0)
    assert (found.answer, found.breaks) == ("none", ())


def test_a_break_at_the_end_of_the_points_is_not_identified() -> None:
    course = planted(2.0, places=30, breaks=[7e9], noise=0.01)
    found = change(course, 1, DRAWS, 0)
    assert found.answer in ("none", "not identified")
    assert all(not one.identified for one in found.breaks)


def test_a_width_that_is_not_known_is_not_called_sharp() -> None:
    found = change(planted(6.0, 1, places=14, noise=0.1), 1, DRAWS, 0)
    low, high = found.breaks[0].width_interval
    assert low < 10 < high
    assert found.answer == "not identified"
    assert found.reason


def test_a_break_sharper_than_the_points_has_no_lower_end_of_its_width() -> None:
    found = change(planted(1.1, places=14, noise=0.005), 1, DRAWS, 0)
    assert found.answer == "sharp"
    assert not found.breaks[0].resolved


def test_runs_that_change_at_different_places_are_fitted_one_by_one() -> None:
    places = [4e7, 8e7, 1.2e8, 2.5e8]
    found = change(planted(2.0, clusters=4, breaks=places, noise=0.01), 1, DRAWS, 0)
    assert found.runs is not None
    assert np.exp(found.runs[:, 4]) == pytest.approx(places, rel=0.15)
    (one,) = found.breaks
    assert one.x == pytest.approx(np.exp(np.mean(np.log(places))), rel=0.1)
    spread = np.log(places).std(ddof=1) / 2 * 3.182
    assert np.log(one.interval[1] / one.x) == pytest.approx(spread, rel=0.15)
    assert one.width == pytest.approx(2.0, rel=0.3)


def test_clusters_whose_level_alone_differs_share_their_break() -> None:
    found = change(planted(2.0, clusters=4, noise=0.01, shared=0.05), 1, DRAWS, 0)
    assert found.runs is None
    assert found.breaks[0].interval[0] < BREAK < found.breaks[0].interval[1]


def test_too_few_places_and_no_draws_are_told() -> None:
    assert "a test of a break needs 7" in change(planted(2.0, places=6), 1, DRAWS, 0).reason
    untested = change(planted(2.0), 1, 0, 0)
    assert (untested.answer, untested.breaks, untested.drawn) == ("not identified", (), None)


def test_the_curve_has_a_band_in_the_unit_of_the_column(sharp: Change) -> None:
    middle, low, high = sharp.curve(sharp.course.places)
    assert low is not None
    assert high is not None
    assert (low <= middle * 1.01).all()
    assert (middle <= high * 1.01).all()
    assert middle == pytest.approx(sharp.course.y, rel=0.1)
