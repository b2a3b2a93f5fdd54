"""Effective data transferred (Hernandez et al. 2021, arXiv:2102.01293), by isotonic inversion.

D_E is the number of labelled subjects that the reference needs for the arm's score; D_T = D_E - D_F, where
D_F is the number the arm had. D_T is negative where pretraining hurts. No law is assumed: the reference's
label curve is made monotone and interpolated linearly in the logarithm of the number of subjects. Above the
curve the reference needs at least its largest number, below it at most its smallest; on a flat stretch the
data do not tell the numbers apart, and the nearest end is a bound.
"""

from dataclasses import dataclass

import numpy as np

from transferscale.scaling.metrics import Reals

# Scores that differ by rounding alone are the same: digits kept.
DIGITS = 12

# What `bound` says of a number of subjects.
EXACT, AT_LEAST, AT_MOST, FLAT = "", ">=", "<=", "flat"


@dataclass(frozen=True)
class EffectiveData:
    """D_T in subjects and the multiplier (D_F + D_T) / D_F, with their 95 % intervals.

    ``bound`` is '' where both are read off the curve, '>=' or '<=' where they are only bounded, and 'flat'
    where the arm's own number lies within a flat stretch at its score, so that no transfer is all that can be
    said. ``open_low`` and ``open_high`` say that an end of the intervals lies at the end of the curve: the true
    one lies beyond.
    """

    value: float
    low: float
    high: float
    multiplier: float
    multiplier_low: float
    multiplier_high: float
    bound: str
    open_low: bool
    open_high: bool


def isotonic(curve: Reals) -> Reals:
    """Least-squares non-decreasing fit along the last axis (min-max formula of the pooled averages)."""
    points = curve.shape[-1]
    mean = np.full((*curve.shape, points), np.nan)
    for i in range(points):
        for j in range(i, points):
            mean[..., i, j] = curve[..., i : j + 1].mean(-1)
    return np.stack(
        [np.max([mean[..., i, k:].min(-1) for i in range(k + 1)], axis=0) for k in range(points)], axis=-1
    )


def invert(subjects: Reals, curve: Reals, target: Reals) -> tuple[Reals, Reals]:
    """Least and largest number of subjects at which each curve has its target.

    Parameters
    ----------
    subjects
        Label counts of the curve, rising, shape (points,).
    curve
        Non-decreasing scores, shape (resamples, points).
    target
        Score to reach, shape (resamples,).

    Returns
    -------
    least, largest
        Shapes (resamples,); equal where the curve rises through the target. Above the curve ``largest`` is
        infinite and ``least`` the end of the curve, below it ``least`` is 0 and ``largest`` the start.
    """
    log_n, last = np.log(subjects), len(subjects) - 1
    row = np.arange(len(curve))
    reached, exceeded = curve >= target[:, None], curve > target[:, None]

    def crossing(upper: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Reals:
        """Number of subjects on the way up to point ``upper``."""
        left, right = curve[row, upper - 1], curve[row, upper]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.clip(np.nan_to_num((target - left) / (right - left)), 0, 1)
        start, end = subjects[upper - 1], subjects[upper]
        between = np.exp(log_n[upper - 1] + share * (log_n[upper] - log_n[upper - 1]))
        # The label counts themselves to the last digit.
        return np.where(share == 0, start, np.where(share == 1, end, between))

    first, beyond = reached.argmax(1), exceeded.argmax(1)
    least = np.where(first == 0, subjects[0], crossing(np.maximum(first, 1)))
    largest = np.where(beyond == 0, subjects[0], crossing(np.maximum(beyond, 1)))
    largest = np.where(exceeded.any(1), largest, subjects[last])
    above, below = ~reached.any(1), exceeded[:, 0]
    return (
        np.where(above, subjects[last], np.where(below, 0.0, least)),
        np.where(above, np.inf, np.where(below, subjects[0], largest)),
    )


def effective_data(
    subjects: Reals, curve: Reals, curves: Reals, at: int, gain: float, gains: Reals, own: float
) -> EffectiveData | None:
    """Effective data transferred with its bootstrap interval; None where the curve has a single label count.

    The score to reach is the reference's own, on its monotone curve, plus the gain: without a gain nothing is
    transferred, however the reference's curve wiggles.

    Parameters
    ----------
    subjects
        Label counts of the reference, rising, shape (points,).
    curve, curves
        The reference's scores, shape (points,), and in every resample, shape (resamples, points).
    at
        Point of the curve at the arm's label count.
    gain, gains
        Gain of the arm over the reference there, and in every resample, shape (resamples,).
    own
        Labelled subjects of the arm, D_F.
    """
    if len(subjects) < 2:
        return None
    rising, many = (np.round(isotonic(one), DIGITS) for one in (curve[None], curves))
    least, largest = invert(subjects, rising, np.round(rising[:, at] + gain, DIGITS))
    number, bound = _nearest(float(least[0]), float(largest[0]), own)
    drawn_least, drawn_largest = invert(subjects, many, np.round(many[:, at] + gains, DIGITS))
    above, below = np.isinf(drawn_largest), drawn_least == 0
    # Flatness is never credited as transfer: within a flat stretch the number nearest to the arm's own is taken.
    drawn = np.clip(own, drawn_least, drawn_largest)
    drawn = np.where(above, subjects[-1], np.where(below, subjects[0], drawn))
    low, high = (float(q) for q in np.quantile(drawn, [0.025, 0.975]))
    return EffectiveData(
        value=number - own,
        low=low - own,
        high=high - own,
        multiplier=number / own,
        multiplier_low=low / own,
        multiplier_high=high / own,
        bound=bound,
        open_low=bool(below.mean() >= 0.025),
        open_high=bool(above.mean() >= 0.025),
    )


def _nearest(least: float, largest: float, own: float) -> tuple[float, str]:
    """The number between two that is nearest to the arm's own, and what is known of it."""
    if np.isinf(largest):
        return least, AT_LEAST
    if least == 0:
        return largest, AT_MOST
    if least == largest:
        return least, EXACT
    if own <= least:
        return least, AT_LEAST
    if own >= largest:
        return largest, AT_MOST
    return own, FLAT
