"""Breakthroughness and linearity (BIG-bench: Srivastava et al. 2022, arXiv 2206.04615), with what smooth curves give.

With y the score by rising x and I = sign(argmax y - argmin y) (max y - min y): linearity is I over the root mean
square of the steps y_(i+1) - y_i, breakthroughness I over their root median square. Both depend on the number of
points and on the noise, so that a number means nothing beside none: curves of a law without a break, at the same x
and with the same noise, say what to expect.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from transferscale.scaling.changes.breaks import Counted, problem_of
from transferscale.scaling.changes.course import Course
from transferscale.scaling.fits.student import critical
from transferscale.scaling.metrics import Reals


@dataclass(frozen=True)
class Sharpness:
    """A statistic of the mean curve, its 95 % interval over clusters, and what smooth curves of its kind give.

    ``value`` is None where it has no bound, because most steps are exactly zero. ``smooth`` holds the median of the
    statistic's size and the end that 5 % of smooth curves exceed, ``p_value`` the share of smooth curves at least as
    extreme: with as large a breakthroughness, with as small a linearity.
    """

    value: float | None
    interval: tuple[float, float] | None
    smooth: tuple[float, float] | None
    p_value: float | None

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "value": self.value,
            "interval": list(self.interval) if self.interval else None,
            "smooth": list(self.smooth) if self.smooth else None,
            "p_value": self.p_value,
        }


def linearity(y: Reals) -> Reals:
    """I / RMS(dy) along the last axis, which runs over rising x."""
    found: Reals = _extent(y) / np.sqrt((np.diff(y) ** 2).mean(-1))
    return found


def breakthroughness(y: Reals) -> Reals:
    """I / sqrt(median(dy^2)) along the last axis, which runs over rising x; infinite where most dy are zero."""
    with np.errstate(divide="ignore"):
        found: Reals = _extent(y) / np.sqrt(np.median(np.diff(y) ** 2, axis=-1))
    return found


def _extent(y: Reals) -> Reals:
    found: Reals = np.sign(y.argmax(-1) - y.argmin(-1)) * (y.max(-1) - y.min(-1))
    return found


def sharpness(course: Course, counted: Counted, draws: int, seed: int) -> tuple[Sharpness, Sharpness]:
    """Breakthroughness and linearity of the mean over clusters, in the unit of the column.

    Intervals are for new clusters, by the jackknife and Student's t, and need two clusters; without ``draws`` there are
    no smooth curves.
    """
    found, without = course.mean(course.y), _without_each(course)
    smooth = None
    if draws:
        problem = problem_of(course, 0)
        fitted = problem.law.log_value(counted.smooth, problem.log_x)
        noise = counted.noise.simulate(course.member, draws, [seed, 0])
        smooth = course.mean(course.outcome.value(np.exp(fitted + noise)))
    return (
        _judged(breakthroughness, found, without, smooth, large=True),
        _judged(linearity, found, without, smooth, large=False),
    )


def _without_each(course: Course) -> Reals | None:
    """Mean curves without each of the clusters, (clusters, places); a place left empty is taken from its sides."""
    if course.clusters < 2:
        return None
    curves = course.mean(course.y, 1.0 - np.eye(course.clusters)[:, course.member])
    log_x = np.log(course.places)
    for curve in curves[np.isnan(curves).any(1)]:
        known = ~np.isnan(curve)
        curve[~known] = np.interp(log_x[~known], log_x[known], curve[known])
    return curves


def _judged(
    statistic: Callable[[Reals], Reals],
    found: Reals,
    without: Reals | None,
    smooth: Reals | None,
    large: bool,
) -> Sharpness:
    value = float(statistic(found))
    interval = expected = p_value = None
    each = np.zeros(1) if without is None else statistic(without)
    # In the logarithm of the size, for statistics are ratios; none where clusters disagree on the direction.
    if np.isfinite([value, *each]).all() and (each * value > 0).all():
        error = np.sqrt((len(each) - 1) * np.log(np.abs(each)).var())
        factor = float(np.exp(critical(0.05, len(each) - 1) * error))
        low, high = sorted((value / factor, value * factor))
        interval = (low, high)
    if smooth is not None:
        size = np.abs(statistic(smooth))
        expected = (float(np.median(size)), float(np.quantile(size, 0.95 if large else 0.05)))
        extreme = size >= abs(value) if large else size <= abs(value)
        p_value = float((1 + extreme.sum()) / (1 + len(size)))
    return Sharpness(value if np.isfinite(value) else None, interval, expected, p_value)
