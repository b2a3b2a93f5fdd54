"""Whether the points determine a parameter, and whether they say anything beyond themselves.

A fit can be perfect and have no future: a break whose onset is barely seen fits to the last digit and
extrapolates anywhere. So the spread of the draws is judged, or without draws that of the linearised fit, for
outcomes that are taken to be known to nine digits at best.
"""

import numpy as np

from transferscale.scaling.fits.solve import Problem
from transferscale.scaling.laws.base import Curve, along
from transferscale.scaling.metrics import Reals

# A parameter is identified if its 95 % interval excludes 0 and its ends differ by less than this factor.
IDENTIFIED_FACTOR = 10.0
# Outcomes are not taken to be known better than this (relative).
PRECISION = 1e-9
# The future that is judged lies this factor beyond the largest scale, and is identified if the ends of its
# 95 % interval differ by less than this factor.
BEYOND, FUTURE_FACTOR = 2.0, 1.25
# Of a law of a loss, how far below the lowest loss, as a share of the points' range.
LOWER = 0.25
NORMAL_DRAWS = 400
# Singular values of the jacobian, relative to the largest, below which a direction counts as not determined.
SINGULAR = 1e-13


def spread(problem: Problem, theta: Reals, log_y: Reals | None = None) -> Reals:
    """Root R of the linearised covariance R R' of the coordinates, shape (k, directions), for independent noise.

    Coordinates held at a bound do not vary. A direction along which the curve does not change is all but free.

    Parameters
    ----------
    log_y
        Outcomes, whose residuals give the noise; without them it is that of outcomes known to nine digits.
    """
    root = np.sqrt(problem.weight)
    jacobian = root[:, None] * problem.law.jacobian(theta, problem.log_x)
    free = (theta > problem.lowest) & (theta < problem.highest)
    noise = PRECISION
    if log_y is not None:
        residual = root * (log_y - problem.law.log_value(theta, problem.log_x))
        noise = max(noise, np.sqrt((residual**2).sum() / max(len(residual) - int(free.sum()), 1)))
    out = np.zeros((len(theta), int(free.sum())))
    if free.any():
        size = np.linalg.norm(jacobian[:, free], axis=0)
        size = np.where(size > 0, size, 1.0)
        # Fewer points than coordinates leave directions that only the full decomposition names.
        few = len(jacobian) < out.shape[1]
        _, length, directions = np.linalg.svd(jacobian[:, free] / size, full_matrices=few)
        known = np.full(out.shape[1], length[0] * SINGULAR)
        known[: len(length)] = np.maximum(length, known[: len(length)])
        out[free] = noise * directions.T / known / size[:, None]
    return out


def normal_draws(problem: Problem, theta: Reals, root: Reals, seed: int) -> Reals:
    """Coordinates from the linearised fit, shape (draws, coordinates), within the law's bounds."""
    draws = theta + np.random.default_rng(seed).standard_normal((NORMAL_DRAWS, root.shape[1])) @ root.T
    clipped: Reals = np.clip(draws, problem.lowest, problem.highest)
    return clipped


def determined(problem: Problem, alike: Reals, seed: int) -> list[bool]:
    """Whether each parameter would be identified if the outcomes were known to nine digits.

    Draws of a bootstrap start from the fit and stay where they are along a direction that no point determines.

    Parameters
    ----------
    alike
        Coordinates of the fit, and of others with the same curve: shape (fits, coordinates).
    """
    law, theta = problem.law, alike[0]
    with np.errstate(over="ignore"):
        drawn = law.natural(normal_draws(problem, theta, spread(problem, theta), seed))
    ends = np.quantile(drawn, [0.025, 0.975], axis=0, method="nearest")
    every: Reals = np.concatenate([ends, law.natural(alike)])
    return [identified(float(own.min()), float(own.max())) for own in every.T]


def identified(low: float, high: float) -> bool:
    """The verdict on one parameter from its 95 % interval."""
    near, far = sorted((abs(low), abs(high)))
    return low * high > 0 and far < IDENTIFIED_FACTOR * near


def ahead(law: Curve, log_x: Reals) -> Reals:
    """Where the future is judged, (variables,): twice the largest scale; for a law of a loss, a loss that is lower
    than the lowest by a quarter of the range of the points (of its logarithm)."""
    farthest: Reals = log_x[along(law, log_x).argmax()]
    return farthest - LOWER * np.ptp(log_x) if law.rises else farthest + np.log(BEYOND)


def ahead_words(law: Curve, log_x: Reals) -> str:
    """Where that is, in words."""
    if law.rises:
        return f"at a loss of {float(np.exp(ahead(law, log_x)[0])):.4g}"
    return f"at {BEYOND:g} times the largest scale"


def future_factor(problem: Problem, theta: Reals, root: Reals, resampled: Reals | None) -> float:
    """Factor between the ends of the 95 % interval of the outcome beyond the largest scale."""
    beyond = ahead(problem.law, problem.log_x)[None]
    slope = problem.law.jacobian(theta, beyond)[0]
    out = float(np.exp(min(2 * 1.959964 * float(np.linalg.norm(slope @ root)), 700.0)))
    if resampled is not None:
        low, high = np.quantile(problem.law.log_value(resampled, beyond)[:, 0], [0.025, 0.975])
        out = max(out, float(np.exp(min(high - low, 700.0))))
    return out
