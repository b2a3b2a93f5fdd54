"""Whether the points determine a parameter, and whether they say anything beyond themselves.

A fit can be perfect and have no future: a break whose onset is barely seen fits to the last digit and
extrapolates anywhere. So the spread of the draws is judged, or without draws that of the linearised fit, for
outcomes that are taken to be known to nine digits at best.
"""

import numpy as np

from transferscale.scaling.metrics import Reals
from transferscale.scaling.solve import Problem

# A parameter is identified if its 95 % interval excludes 0 and its ends differ by less than this factor.
IDENTIFIED_FACTOR = 10.0
# Outcomes are not taken to be known better than this (relative).
PRECISION = 1e-9
# The future that is judged lies this factor beyond the largest scale, and is identified if the ends of its
# 95 % interval differ by less than this factor.
BEYOND, FUTURE_FACTOR = 2.0, 1.25
NORMAL_DRAWS = 400


def covariance(problem: Problem, theta: Reals, log_y: Reals) -> Reals:
    """Covariance of the coordinates by linearisation, for independent noise; 0 for those held at a bound."""
    jacobian = np.sqrt(problem.weight)[:, None] * problem.law.jacobian(theta, problem.log_x)
    free = (theta > problem.lowest) & (theta < problem.highest)
    residual = np.sqrt(problem.weight) * (log_y - problem.law.log_value(theta, problem.log_x))
    noise = np.sqrt((residual**2).sum() / max(len(residual) - int(free.sum()), 1))
    out = np.zeros((len(theta), len(theta)))
    if free.any():
        size = np.linalg.norm(jacobian[:, free], axis=0)
        size = np.where(size > 0, size, 1.0)
        inverse = np.linalg.pinv(jacobian[:, free] / size, rcond=1e-13)
        out[np.ix_(free, free)] = max(noise, PRECISION) ** 2 * (inverse @ inverse.T) / np.outer(size, size)
    return out


def normal_draws(problem: Problem, theta: Reals, spread: Reals, seed: int) -> Reals:
    """Coordinates from the linearised fit, shape (draws, coordinates), within the law's bounds."""
    values, vectors = np.linalg.eigh(spread)
    root = vectors * np.sqrt(np.maximum(values, 0))
    draws = theta + np.random.default_rng(seed).standard_normal((NORMAL_DRAWS, len(theta))) @ root.T
    clipped: Reals = np.clip(draws, problem.lowest, problem.highest)
    return clipped


def identified(low: float, high: float) -> bool:
    """The verdict on one parameter from its 95 % interval."""
    near, far = sorted((abs(low), abs(high)))
    return low * high > 0 and far < IDENTIFIED_FACTOR * near


def future_factor(problem: Problem, theta: Reals, spread: Reals, resampled: Reals | None) -> float:
    """Factor between the ends of the 95 % interval of the outcome beyond the largest scale."""
    beyond = (problem.log_x[problem.log_x.sum(1).argmax()] + np.log(BEYOND))[None]
    slope = problem.law.jacobian(theta, beyond)[0]
    out = float(np.exp(min(2 * 1.959964 * np.sqrt(max(slope @ spread @ slope, 0.0)), 700.0)))
    if resampled is not None:
        low, high = np.quantile(problem.law.log_value(resampled, beyond)[:, 0], [0.025, 0.975])
        out = max(out, float(np.exp(min(high - low, 700.0))))
    return out
