"""A transition is foretold where the curve so far shows it, and otherwise it is said that it cannot be told."""

import pytest

from tests.scaling.planted_courses import BREAK, planted
from transferscale.scaling.changes.breaks import count_breaks
from transferscale.scaling.changes.course import Course
from transferscale.scaling.changes.forecast import Backtest, Forecast, Trial, backtest, cuts, forecast

DRAWS = 60


def _forecast(course: Course, draws: int = DRAWS) -> Forecast:
    return forecast(course, count_breaks(course, 1, draws, 0), draws, 0)


def _told(alarm: bool, low: float = 1.0, high: float = 2.0) -> Forecast:
    if not alarm:
        return Forecast("cannot be told", 1.0, 4.0, None, None, None, None, "no sign")
    return Forecast("coming", 1.0, 4.0, 0.9, 0.0, 1.5, (low, high), "")


def test_a_wide_transition_is_seen_before_its_place() -> None:
    found = _forecast(planted(30.0, places=40, noise=0.002).until(BREAK / 1.3))
    assert found.alarm
    assert found.interval is not None
    assert found.interval[0] < BREAK < found.interval[1]
    assert 0 < (found.p_coming or 0) + (found.p_under_way or 0) <= 1


def test_a_sharp_one_leaves_no_sign() -> None:
    found = _forecast(planted(1.2, places=40, noise=0.01).until(BREAK / 1.5))
    assert found.answer == "cannot be told"
    assert "a sharp transition shows none before it begins" in found.reason


def test_a_transition_that_is_over_foretells_no_other() -> None:
    found = _forecast(planted(2.0, places=40))
    assert found.answer == "cannot be told"
    assert "no sign of another" in found.reason


def test_too_few_points_and_no_draws_are_told() -> None:
    assert "too few" in _forecast(planted(2.0, places=6)).reason
    assert "without draws" in _forecast(planted(2.0), draws=0).reason


def test_a_backtest_counts_misses_false_alarms_and_leads() -> None:
    trials = (
        # Curve 0: alarms from 1.6 before the break on, one too early that did not stay.
        Trial(0, 30.0, 100.0, _told(True)),
        Trial(0, 45.0, 100.0, _told(False)),
        Trial(0, 62.5, 100.0, _told(True, 90.0, 120.0)),
        Trial(0, 80.0, 100.0, _told(True, 90.0, 99.0)),
        # Curve 1: missed, for the alarm did not stay.
        Trial(1, 50.0, 100.0, _told(True)),
        Trial(1, 80.0, 100.0, _told(False)),
        # Quiet.
        Trial(2, 50.0, None, _told(True)),
        Trial(2, 60.0, None, _told(False)),
    )
    found = Backtest(4.0, trials)
    assert found.leads == [pytest.approx(1.6), None]
    assert (found.misses, found.false_alarms, len(found.quiet)) == (1, 1, 2)
    assert found.inside == (1, 4)
    assert found.words.startswith(
        "2 known breaks after which the fall is faster, 1 missed; false alarms in 1 of 2"
    )


def test_curves_are_cut_off_before_breaks_and_where_nothing_follows() -> None:
    course = planted(None, places=60)
    around = cuts(course, [BREAK], 4.0)
    assert all(at < BREAK or at > 4 * BREAK for at in around)
    assert max(at for at in around if at < BREAK) == pytest.approx(BREAK / 1.25, rel=0.2)
    # Without a break the whole range ahead must have been seen.
    assert max(cuts(course, [], 4.0)) <= 1e10 / 4
    # Seven different x are the least that is tested.
    assert cuts(planted(None, places=8), [], 4.0) == []


def test_a_backtest_on_planted_curves_sees_wide_transitions() -> None:
    wide, smooth = planted(30.0, places=24, noise=0.003), planted(None, places=24, noise=0.003)
    (lead,) = backtest([wide], [[BREAK]], 40, 0).leads
    assert lead is not None
    assert lead > 1
    quiet = backtest([smooth], [[]], 40, 0)
    assert (len(quiet.quiet), quiet.leads) == (len(quiet.trials), [])
    assert quiet.false_alarms <= 1
