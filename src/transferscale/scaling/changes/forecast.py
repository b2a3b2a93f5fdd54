"""Is a faster fall coming soon? Told from the curve so far, and backtested on curves cut off before a known break.

A break shows before its place only as far as its transition is wide: a sharp one leaves no sign. So there are
three answers: it is coming, it is under way, or it cannot be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from transferscale.scaling.changes.breaks import Counted, count_breaks, fewest_places, problem_of
from transferscale.scaling.changes.change import Interval, redrawn
from transferscale.scaling.changes.course import Course
from transferscale.scaling.fits.fit import STARTS
from transferscale.scaling.fits.solve import optima
from transferscale.scaling.laws.broken import TRANSITION

# A transition is looked for up to this factor beyond the largest x.
WITHIN = 4.0
# It is foretold if at least this share of the draws has it.
LIKELY = 0.5
# In a backtest, curves are cut off at these factors before a known break.
AHEAD = (1.25, 1.6, 2.2, 3.2)

ForecastAnswer = Literal["coming", "under way", "cannot be told"]


@dataclass(frozen=True)
class Forecast:
    """The answer, shares of draws with a break ahead and with one under way, and where it lies."""

    answer: ForecastAnswer
    last: float
    within: float
    p_coming: float | None
    p_under_way: float | None
    x: float | None
    interval: Interval | None
    reason: str

    @property
    def alarm(self) -> bool:
        """Whether a transition is foretold."""
        return self.answer != "cannot be told"

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "answer": self.answer,
            "from": self.last,
            "to": self.last * self.within,
            "p_coming": self.p_coming,
            "p_under_way": self.p_under_way,
            "x": self.x,
            "interval": list(self.interval) if self.interval else None,
            "reason": self.reason,
        }


def forecast(course: Course, counted: Counted, draws: int, seed: int, within: float = WITHIN) -> Forecast:
    """Forecast from the curve so far.

    Breaks that count are fitted again with their places allowed up to ``within`` times the largest x. In every
    draw a break after which the error falls faster is ahead if its place lies beyond the points, and under way if
    the end of its transition (90 % of the slope's change) does.

    Parameters
    ----------
    counted
        Breaks that count in the curve so far.
    draws
        Simulated curves; with 0 nothing is forecast.
    """
    last = float(course.places[-1])
    unknown = Forecast("cannot be told", last, within, None, None, None, None, "")
    if not draws:
        return replace(unknown, reason="nothing is forecast without draws")
    if not counted.steps:
        return replace(unknown, reason=f"{len(course.places)} different x are too few to see a sign")
    if not counted.breaks:
        return replace(
            unknown,
            reason="the curve so far shows no sign, and a sharp transition shows none before it begins",
        )
    problem = problem_of(course, counted.breaks)
    highest = problem.highest.copy()
    highest[4::3] = np.log(last * within)
    problem = replace(problem, highest=highest)
    best, _ = optima(problem, course.log_y, STARTS)
    theta = redrawn(course, problem, best, counted, draws, seed)
    steeper, place = theta[:, 3::3] > 0, np.exp(theta[:, 4::3])
    end = place * np.exp(TRANSITION / 2 * np.exp(theta[:, 5::3]))
    ahead = steeper & (place > last)
    begun = steeper & (place <= last) & (end > last)
    coming = float(ahead.any(1).mean())
    under_way = float((begun & ~ahead.any(1, keepdims=True)).any(1).mean())
    if coming + under_way < LIKELY:
        return replace(
            unknown,
            p_coming=coming,
            p_under_way=under_way,
            reason="the breaks so far are over or slow the fall, and there is no sign of another",
        )
    # Of several in a draw the last one.
    own = np.where(ahead | begun, place, -np.inf).max(1)
    own = own[np.isfinite(own)]
    low, high = np.quantile(own, [0.025, 0.975])
    return Forecast(
        answer="coming" if coming >= LIKELY else "under way",
        last=last,
        within=within,
        p_coming=coming,
        p_under_way=under_way,
        x=float(np.median(own)),
        interval=(float(low), float(high)),
        reason="",
    )


@dataclass(frozen=True)
class Trial:
    """A curve cut off at ``until``: where its next faster fall came (None: none within reach), and the forecast."""

    curve: int
    until: float
    due: float | None
    told: Forecast


@dataclass(frozen=True)
class Backtest:
    """Forecasts from truncated curves, held against what came."""

    within: float
    trials: tuple[Trial, ...]

    @property
    def due(self) -> list[Trial]:
        """Trials in which a break came."""
        return [one for one in self.trials if one.due is not None]

    @property
    def quiet(self) -> list[Trial]:
        """Trials in which none came."""
        return [one for one in self.trials if one.due is None]

    @property
    def misses(self) -> int:
        """Breaks that came without an alarm at any truncation before."""
        return sum(lead is None for lead in self.leads)

    @property
    def false_alarms(self) -> int:
        """Alarms after which none came."""
        return sum(one.told.alarm for one in self.quiet)

    @property
    def leads(self) -> list[float | None]:
        """Of every known break, the factor from the first alarm that stayed to its place; None for a miss."""
        found = []
        for key in sorted({(one.curve, one.due) for one in self.due if one.due is not None}):
            own = sorted((one for one in self.due if (one.curve, one.due) == key), key=lambda one: -one.until)
            lead = None
            for one in own:
                if not one.told.alarm:
                    break
                lead = key[1] / one.until
            found.append(lead)
        return found

    @property
    def inside(self) -> tuple[int, int]:
        """Alarms before a break whose interval holds its place, and all of those alarms."""
        told = [one for one in self.due if one.told.interval is not None]
        held = [
            one
            for one in told
            if one.told.interval and one.due and one.told.interval[0] <= one.due <= one.told.interval[1]
        ]
        return len(held), len(told)

    @property
    def words(self) -> str:
        """In one sentence."""
        leads = [lead for lead in self.leads if lead is not None]
        held, told = self.inside
        parts = [
            f"{len(self.leads)} known breaks after which the fall is faster, {self.misses} missed",
            f"false alarms in {self.false_alarms} of {len(self.quiet)} truncations without one within a factor of "
            f"{self.within:g}",
        ]
        if leads:
            parts.append(
                f"lead a factor of {np.median(leads):.3g} (median of {len(leads)}), the interval of the place held "
                f"in {held} of {told} alarms"
            )
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        held, told = self.inside
        return {
            "within": self.within,
            "breaks": len(self.leads),
            "misses": self.misses,
            "leads": self.leads,
            "truncations_without": len(self.quiet),
            "false_alarms": self.false_alarms,
            "alarms_before_a_break": told,
            "interval_held": held,
            "words": self.words,
        }


def backtest(
    courses: Sequence[Course],
    known: Sequence[Sequence[float]],
    draws: int,
    seed: int,
    within: float = WITHIN,
    most: int = 1,
) -> Backtest:
    """Cut curves off before each known break, and where none follows, and forecast from what is left.

    Parameters
    ----------
    courses, known
        Whole curves, and of each the places of the breaks after which the error falls faster.
    most
        Largest number of breaks that is tried in what is left.
    """
    trials = []
    for number, (course, places) in enumerate(zip(courses, known, strict=True)):
        for until in cuts(course, places, within):
            left = course.until(until)
            due = min((place for place in places if until < place <= within * until), default=None)
            counted = count_breaks(left, most, draws, seed)
            trials.append(Trial(number, until, due, forecast(left, counted, draws, seed, within)))
    return Backtest(within, tuple(trials))


def cuts(course: Course, places: Sequence[float], within: float) -> list[float]:
    """Where a curve is cut off: its last x before certain factors of its breaks, and of its end where it is quiet.

    What is left must suffice for a test, and of a quiet cut all of the range ahead must have been seen.
    """
    end = float(course.places[-1])
    quiet = [
        until
        for until in (end / within, end / within**1.5, end / within**2)
        if not any(until / within < place <= within * until for place in places)
    ]
    # The points are apart, so that the last before a cut may be farther from the break than the forecast looks.
    wanted = [(place / factor, place / within) for place in places for factor in AHEAD if factor < within]
    found = set()
    for until, least in [*wanted, *((until, 0.0) for until in quiet)]:
        at = course.places[course.places <= until]
        if len(at) >= fewest_places(1) and at[-1] >= least and np.ptp(course.y[course.x <= at[-1]]) > 0:
            found.add(float(at[-1]))
    return sorted(found)
