"""Sharp changes of one outcome: how many breaks count, where each lies, how wide it is, and whether that is known.

Breaks are those of a broken law (Caballero et al. 2022, arXiv 2210.14891). Intervals are of a parametric bootstrap:
curves with the noise that was found, each fitted again. Runs that change at different places, as seeds along training
do, are fitted one by one; the interval is then Student's over runs.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from transferscale.scaling.changes.breaks import Counted, count_breaks, fewest_places, problem_of
from transferscale.scaling.changes.breakthrough import Sharpness, sharpness
from transferscale.scaling.changes.course import Course
from transferscale.scaling.comparisons.verdict import number
from transferscale.scaling.fits.fit import REFIT_STARTS, STARTS
from transferscale.scaling.fits.identification import IDENTIFIED_FACTOR
from transferscale.scaling.fits.resample import student_factor
from transferscale.scaling.fits.solve import Problem, optima, refit
from transferscale.scaling.fits.student import critical
from transferscale.scaling.laws.broken import SHARPEST, TRANSITION
from transferscale.scaling.metrics import Reals

# A change is sharp if its transition takes less than this factor in x.
SHARP = 10.0
# Steps of a refit to a simulated curve.
STEPS = 100

Interval = tuple[float, float]
Answer = Literal["sharp", "gradual", "none", "not identified"]


@dataclass(frozen=True)
class Break:
    """One break: its place in x, the factor in x that 10 to 90 % of the slope's change takes, and both slopes.

    Slopes are those of the logarithm of the error (or loss) in the logarithm of x, floor apart. ``resolved`` tells
    whether the width has a lower end: a break sharper than the distance of the points has none.
    """

    x: float
    interval: Interval
    width: float
    width_interval: Interval
    resolved: bool
    before: float
    before_interval: Interval
    after: float
    after_interval: Interval
    identified: bool
    reason: str

    @property
    def faster(self) -> bool:
        """Whether the error falls faster after it."""
        return self.after < self.before

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "x": self.x,
            "interval": list(self.interval),
            "width": self.width,
            "width_interval": list(self.width_interval),
            "resolved": self.resolved,
            "slope_before": self.before,
            "slope_before_interval": list(self.before_interval),
            "slope_after": self.after,
            "slope_after_interval": list(self.after_interval),
            "faster": self.faster,
            "identified": self.identified,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Change:
    """What is known of sharp changes of one outcome."""

    course: Course
    counted: Counted
    breaks: tuple[Break, ...]
    breakthroughness: Sharpness
    linearity: Sharpness
    answer: Answer
    reason: str
    problem: Problem = field(repr=False)
    theta: Reals = field(repr=False)
    drawn: Reals | None = field(repr=False)
    """Coordinates fitted to the points, (k,), and to simulated curves, (draws, k)."""
    runs: Reals | None = field(repr=False)
    """Coordinates of every cluster alone, (clusters, k), where they change at different places."""

    def curve(self, x: Reals) -> tuple[Reals, Reals | None, Reals | None]:
        """The law at ``x`` (points,) with its pointwise 95 % band, in the column's unit."""
        log_x, value = np.log(x)[:, None], self.course.outcome.value
        middle = value(np.exp(self.problem.law.log_value(self.theta, log_x)))
        if self.drawn is None:
            return middle, None, None
        low, high = np.quantile(
            value(np.exp(self.problem.law.log_value(self.drawn, log_x))), [0.025, 0.975], axis=0
        )
        return middle, low, high

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "column": self.course.name,
            "outcome": self.course.outcome.describe(self.course.name),
            "n": len(self.course.x),
            "answer": self.answer,
            "reason": self.reason,
            "breaks": [one.as_json() for one in self.breaks],
            "tests": [
                {"breaks": step.breaks, "ratio": step.ratio, "p_value": step.p_value, "draws": step.simulated}
                for step in self.counted.steps
            ],
            "noise": self.counted.noise.own,
            "noise_of_cluster": self.counted.noise.shared,
            "correlation": self.counted.noise.correlation,
            "breakthroughness": self.breakthroughness.as_json(),
            "linearity": self.linearity.as_json(),
            "breaks_of_runs": None
            if self.runs is None
            else [[float(x) for x in np.exp(own[4::3])] for own in self.runs],
        }


def change(course: Course, most: int, draws: int, seed: int) -> Change:
    """Count the breaks of a course, and say what is known of each.

    Parameters
    ----------
    most
        Largest number of breaks that is tried.
    draws
        Simulated curves for each test and for the intervals; with 0 nothing is tested.
    """
    counted = count_breaks(course, most, draws, seed)
    problem = problem_of(course, counted.breaks)
    best = optima(problem, course.log_y, STARTS)[0]
    drawn = redrawn(course, problem, best, counted, draws, seed) if draws else None
    runs = _runs(course, problem, best) if draws and counted.breaks else None
    breaks = _breaks(problem, course, best[0], drawn, runs) if drawn is not None else ()
    answer, reason = _answer(course, counted, breaks, draws)
    broken, linear = sharpness(course, counted, draws, seed)
    return Change(course, counted, breaks, broken, linear, answer, reason, problem, best[0], drawn, runs)


def redrawn(course: Course, problem: Problem, best: Reals, counted: Counted, draws: int, seed: int) -> Reals:
    """Coordinates fitted to simulated curves, (draws, k), from the optima (optima, k) of the points.

    The noise is itself known from few points and clusters: it is widened by the ratio of Student's quantile to the
    normal one, as in the wild bootstrap of a fit.
    """
    fitted = problem.law.log_value(best[0], problem.log_x)
    noise = replace(
        counted.noise,
        own=counted.noise.own * student_factor(max(len(fitted) - best.shape[1] - course.clusters + 1, 1)),
        shared=counted.noise.shared * student_factor(max(course.clusters - 1, 1)),
    )
    drawn = noise.simulate(course.member, draws, [seed, counted.breaks, 1 << 20])
    found, _ = refit(problem, fitted + drawn, best[:REFIT_STARTS], STEPS)
    return found


def _runs(course: Course, problem: Problem, best: Reals) -> Reals | None:
    """Coordinates of the law fitted to each cluster alone, (clusters, k), if that is worth its parameters (BIC).

    It takes clusters that each have points from the first x to the last.
    """
    many, size = course.clusters, best.shape[1]
    if many < 2:
        return None
    theta, after = np.empty((many, size)), 0.0
    for at in range(many):
        own = course.member == at
        x = course.x[own]
        if len(np.unique(x)) <= size or (x[0], x[-1]) != (course.x[0], course.x[-1]):
            return None
        alone = Problem.of(problem.law, problem.log_x[own], course.log_y[own], problem.objective)
        starts = np.concatenate([best[:REFIT_STARTS], optima(alone, course.log_y[own], STARTS)[0][:1]])
        found, value = refit(alone, course.log_y[None, own], np.clip(starts, alone.lowest, alone.highest))
        theta[at], after = found[0], after + float(value[0])
    # Runs whose level alone differs share their break.
    residual = course.log_y - problem.law.log_value(best[0], problem.log_x)
    level = np.bincount(course.member, residual) / np.bincount(course.member)
    before = float(problem.objective.value(residual - level[course.member], problem.weight))
    points = len(residual)
    gain = points * np.log(before / max(after, 1e-300))
    return theta if gain > (many - 1) * (size - 1) * np.log(points) else None


def _breaks(
    problem: Problem, course: Course, theta: Reals, drawn: Reals, runs: Reals | None
) -> tuple[Break, ...]:
    values, ends = _told(problem, theta, drawn) if runs is None else _over_runs(problem, runs)
    first, last = float(course.places[0]), float(course.places[-1])
    found = []
    for i in range(1, (len(theta) - 3) // 3 + 1):
        low, high = ends[f"d{i}"]
        reason = ""
        if low <= first or high >= last:
            reason = "it may lie outside of the points"
        elif high > IDENTIFIED_FACTOR * low:
            reason = f"its place is known within a factor of {number(high / low)} only"
        width = ends[f"width{i}"]
        found.append(
            Break(
                x=values[f"d{i}"],
                interval=(low, high),
                width=values[f"width{i}"],
                width_interval=width,
                resolved=bool(width[0] > np.exp(TRANSITION * SHARPEST) * (1 + 1e-9)),
                before=values[f"slope{i - 1}"] + 0.0,
                before_interval=ends[f"slope{i - 1}"],
                after=values[f"slope{i}"] + 0.0,
                after_interval=ends[f"slope{i}"],
                identified=not reason,
                reason=reason,
            )
        )
    return tuple(found)


def _parts(problem: Problem, theta: Reals) -> dict[str, Reals]:
    """Parameters and derived quantities by name."""
    law = problem.law
    own = dict(zip(law.parameters, law.natural(theta).T, strict=True))
    return own | law.derived(theta, problem.log_x)


def _told(problem: Problem, theta: Reals, drawn: Reals) -> tuple[dict[str, float], dict[str, Interval]]:
    """Values of the fit, and their intervals from the draws."""
    ends = {}
    for name, again in _parts(problem, drawn).items():
        low, high = np.quantile(again, [0.025, 0.975])
        ends[name] = (float(low), float(high))
    return {name: float(value) for name, value in _parts(problem, theta).items()}, ends


def _over_runs(problem: Problem, runs: Reals) -> tuple[dict[str, float], dict[str, Interval]]:
    """Means over runs with Student's intervals, of places and widths in their logarithm."""
    values, ends = {}, {}
    for name, own in _parts(problem, runs).items():
        log = name[0] in "dw"
        at = np.log(own) if log else own
        half = critical(0.05, len(at) - 1) * at.std(ddof=1) / np.sqrt(len(at))
        told = [float(v) for v in (at.mean(), at.mean() - half, at.mean() + half)]
        values[name], low, high = np.exp(told) if log else told
        ends[name] = (float(low), float(high))
    return values, ends


def _answer(course: Course, counted: Counted, breaks: tuple[Break, ...], draws: int) -> tuple[Answer, str]:
    """Whether there is a sharp change, and if that is not known, why."""
    if not draws:
        return "not identified", "nothing was tested without draws"
    if not counted.steps:
        return "not identified", (
            f"there are {len(course.places)} different x, and a test of a break needs {fewest_places(1)}"
        )
    known = [one for one in breaks if one.identified]
    if any(one.width_interval[1] < SHARP for one in known):
        return "sharp", ""
    for one in breaks:
        low, high = one.width_interval
        if not one.identified:
            return "not identified", f"of the break at {number(one.x)}, {one.reason}"
        if low < SHARP:
            return (
                "not identified",
                f"the break at {number(one.x)} takes a factor of {number(low)} to {number(high)}",
            )
    return ("gradual" if breaks else "none"), ""
