"""Effective data transferred (Hernandez et al. 2021, arXiv:2102.01293), by isotonic inversion.

D_E is the number of labelled subjects that the reference needs for the arm's score; D_T = D_E - D_F, where
D_F is the number the arm had. D_T is negative where pretraining hurts. No law is assumed: the reference's
label curve is made monotone and interpolated linearly in the logarithm of the number of subjects; outside of
it there is only a bound.
"""

from dataclasses import dataclass

import numpy as np

from transferscale.scaling.metrics import Reals


@dataclass(frozen=True)
class EffectiveData:
    """D_T in subjects with its 95 % interval, the multiplier (D_F + D_T) / D_F, and '', '>=' or '<='."""

    value: float
    low: float
    high: float
    multiplier: float
    bound: str


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


def invert(subjects: Reals, curve: Reals, target: Reals, own: float) -> tuple[Reals, Reals]:
    """Number of subjects at which each curve reaches its target.

    Parameters
    ----------
    subjects
        Label counts of the curve, rising, shape (points,).
    curve
        Non-decreasing scores, shape (resamples, points).
    target
        Score to reach, shape (resamples,).
    own
        Label count of the arm. Where the curve is flat at the target, the end nearest to it is taken, so that
        flatness is never credited as transfer.

    Returns
    -------
    number, side
        Shapes (resamples,); side is 1 above the curve, -1 below it (``number`` is then its end) and 0 within.
    """
    log_n, last = np.log(subjects), len(subjects) - 1
    row = np.arange(len(curve))
    reached = curve >= target[:, None]
    exceeded = curve > target[:, None]
    first = np.where(reached.any(1), reached.argmax(1), last)
    beyond = np.where(exceeded.any(1), exceeded.argmax(1), last + 1)

    def between(upper: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Reals:
        upper = np.clip(upper, 1, last)
        left, right = curve[row, upper - 1], curve[row, upper]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.clip((target - left) / (right - left), 0, 1)
        reached_at: Reals = log_n[upper - 1] + np.nan_to_num(share) * (log_n[upper] - log_n[upper - 1])
        return reached_at

    low = np.where(first == 0, log_n[0], between(first))
    high = np.where(beyond == last + 1, log_n[last], between(beyond))
    side = np.where(target > curve[:, -1], 1.0, np.where(target < curve[:, 0], -1.0, 0.0))
    log_number = np.clip(np.log(own), np.minimum(low, high), high)
    log_number = np.where(side > 0, log_n[last], np.where(side < 0, log_n[0], log_number))
    # own itself where the curve allows it, to the last digit
    return np.where(np.isclose(log_number, np.log(own), rtol=0, atol=1e-12), own, np.exp(log_number)), side


def effective_data(
    subjects: Reals, curve: Reals, curves: Reals, target: float, targets: Reals, own: float
) -> EffectiveData | None:
    """Effective data transferred with its bootstrap interval; None where the curve has a single label count.

    Parameters
    ----------
    subjects
        Label counts of the reference, rising, shape (points,).
    curve, curves
        The reference's scores, shape (points,), and in every resample, shape (resamples, points).
    target, targets
        The arm's score, and in every resample.
    own
        Labelled subjects of the arm, D_F.
    """
    if len(subjects) < 2:
        return None
    number, side = invert(subjects, isotonic(curve[None]), np.array([target]), own)
    drawn, _ = invert(subjects, isotonic(curves), targets, own)
    low, high = np.quantile(drawn - own, [0.025, 0.975])
    bound = {1.0: ">=", -1.0: "<=", 0.0: ""}[float(side[0])]
    value = float(number[0]) - own
    return EffectiveData(value, float(low), float(high), float(number[0]) / own, bound)
