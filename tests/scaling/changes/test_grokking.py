"""The delay of the test curve: per run, with an interval over runs, and honest where a threshold is not passed."""

import numpy as np
import pytest

from transferscale.errors import UserError
from transferscale.scaling.changes.course import LOG_PROBABILITY
from transferscale.scaling.changes.grokking import Grokking, grokking, passed
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.metrics import Reals

STEPS = np.geomspace(1, 1e5, 51)
SCORE, LOSS = Outcome(True), Outcome()


def _step(at: float, low: float = 0.1, high: float = 1.0) -> Reals:
    return np.where(at * 0.999 <= STEPS, high, low)


def _runs(train: list[float], test: list[float], outcome: Outcome = SCORE, **options: float) -> Grokking:
    """Runs that jump at given steps; infinity for never."""
    ends = (0.1, 1.0) if outcome.score else (2.0, 0.1)
    label = [str(run) for run in range(len(train)) for _ in STEPS]
    return grokking(
        np.tile(STEPS, len(train)),
        np.concatenate([_step(at, *ends) for at in test]),
        np.concatenate([_step(at, *ends) for at in train]),
        outcome,
        cluster=label,
        **options,
    )


def test_a_threshold_counts_from_where_it_holds_for_good() -> None:
    steps, value = np.array([1.0, 2.0, 4.0, 8.0, 16.0]), np.array([0.0, 1.0, 0.5, 1.0, 1.0])
    assert passed(steps, value, 0.9) == 8.0
    assert passed(steps, value, 0.4) == 2.0
    assert passed(steps, value, 0.0) == 1.0
    assert passed(steps, value, 1.1) is None


def test_the_delay_is_in_decades_with_student_s_interval() -> None:
    found = _runs([1e2, 1e2, 1e2], [1e2, 1e3, 1e3])
    assert [one.value for one in found.delays] == pytest.approx([0, 1, 1])
    assert found.mean == pytest.approx(2 / 3)
    assert found.interval is not None
    # The 97.5 % quantile of t with 2 degrees of freedom is 4.3027.
    assert found.interval[1] - 2 / 3 == pytest.approx(4.3027 / 3, rel=1e-4)
    assert found.late is False
    assert "fewer than 10" in found.warnings[-1]


def test_delays_that_agree_are_late() -> None:
    assert _runs([1e2, 1e2, 1e2], [1e4, 1.6e4, 1e4]).late


def test_one_run_has_a_delay_and_no_interval() -> None:
    found = _runs([1e2], [1e4])
    assert (found.mean, found.interval, found.late) == (pytest.approx(2), None, None)
    assert found.warnings == ("one run: a delay without an interval",)


def test_a_threshold_not_reached_so_far_is_a_bound() -> None:
    found = _runs([1e2, 1e2], [1e4, np.inf])
    assert [one.bound for one in found.delays] == ["", ">="]
    assert found.delays[1].value == pytest.approx(3)
    assert (found.mean, found.bound, found.interval) == (pytest.approx(2.5), ">=", None)
    assert "does not stay at 0.95 so far: 1" in found.warnings[0]


def test_training_that_never_passes_has_no_delay() -> None:
    found = _runs([np.inf, 1e2], [1e4, 1e4])
    assert found.delays[0].value is None
    assert found.mean == pytest.approx(2)
    assert "train never stays at 0.95: 0" in found.warnings[0]


def test_what_passed_before_the_first_step_is_a_bound_too() -> None:
    assert [one.bound for one in _runs([1.0, 1e2, 1.0], [1e2, 1.0, 1.0]).delays] == [">=", "<=", ""]
    both = _runs([1.0], [1.0])
    assert both.mean is None
    assert "from the first step on" in both.warnings[0]


def test_bounds_on_both_sides_have_no_mean() -> None:
    assert _runs([1.0, 1e2], [1e2, 1.0]).mean is None


def test_thresholds_have_their_rules() -> None:
    assert _runs([1e2], [1e3]).threshold == 0.95
    assert _runs([1e2], [1e3], Outcome(True, 1.0, 0.5)).threshold == pytest.approx(0.975)
    loss = _runs([1e2], [1e3], LOSS)
    assert loss.threshold == pytest.approx((2.0 + 0.1) / 2)
    assert "half-way" in loss.rule
    assert _runs([1e2], [1e3], threshold=0.5).threshold == 0.5
    known = grokking(STEPS, _step(1e3, -4, -1), _step(1e2, -4, 0), LOG_PROBABILITY)
    assert known.threshold == pytest.approx(-2.5)
    assert known.mean == pytest.approx(1)


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(UserError, match="not below the ceiling"):
        _runs([1e2], [1e3], threshold=1.5)
    with pytest.raises(UserError, match="no loss passes it"):
        _runs([1e2], [1e3], LOSS, threshold=-1.0)
    with pytest.raises(UserError, match="several points at one step; name the column of the runs"):
        grokking(np.array([1.0, 1.0, 2.0]), np.ones(3), np.ones(3), SCORE)
