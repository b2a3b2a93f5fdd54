"""The wild cluster bootstrap of a fit.

The residuals of a cluster, such as one training trunk, change sign and size together by Webb's six-point
weights, after multiplication by the inverse of one minus the cluster's leverage (CR3; Cameron, Gelbach &
Miller 2008; MacKinnon, Nielsen & Webb 2023). Points are never resampled, so every resample keeps the whole
range of scales. With few clusters the spread of the draws is itself uncertain: residuals are widened by the
ratio of Student's quantile with one degree of freedom less than there are clusters to the normal one.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from transferscale.scaling.fits.solve import Problem, refit
from transferscale.scaling.fits.student import critical
from transferscale.scaling.metrics import Ints, Reals

WEBB = np.sqrt([0.5, 1.0, 1.5])
# The part of a cluster that leverage leaves free is taken for at least this large.
SMALLEST_REST = 0.2
# Fewer clusters than this give no interval; fewer than that, one that is not to be relied on.
FEWEST, RELIABLE = 3, 10


def resample(
    problem: Problem,
    log_y: Reals,
    optima: Reals,
    member: Ints,
    names: Sequence[str],
    draws: int,
    seed: int,
) -> Reals:
    """Coordinates refitted in every draw, shape (draws, coordinates).

    Parameters
    ----------
    optima
        Local optima of the fit, best first, shape (optima, coordinates): where refits start.
    member, names
        Cluster of each point, (points,), and the name of each cluster. Draws depend on the name, so that fits
        whose clusters share names are paired.
    """
    theta = optima[0]
    fitted = problem.law.log_value(theta, problem.log_x)
    residual = leveraged(problem, theta, log_y - fitted, member)
    factor = np.stack([webb(name, draws, seed) for name in names], 1) * student_factor(len(names) - 1)
    resampled, _ = refit(problem, fitted + factor[:, member] * residual, optima)
    return resampled


def leveraged(problem: Problem, theta: Reals, residual: Reals, member: Ints) -> Reals:
    """Residuals as they would be without their cluster in the fit (CR3)."""
    root = np.sqrt(problem.weight)[:, None]
    jacobian = root * problem.law.jacobian(theta, problem.log_x)
    free = (theta > problem.lowest) & (theta < problem.highest)
    size = np.linalg.norm(jacobian[:, free], axis=0)
    scaled = jacobian[:, free] / np.where(size > 0, size, 1.0)
    hat = scaled @ np.linalg.pinv(scaled, rcond=1e-10)
    out = residual * root[:, 0]
    for number in range(int(member.max()) + 1):
        own = np.flatnonzero(member == number)
        values, vectors = np.linalg.eigh(np.eye(len(own)) - hat[np.ix_(own, own)])
        out[own] = vectors @ ((vectors.T @ out[own]) / np.maximum(values, SMALLEST_REST))
    return out / np.where(root[:, 0] > 0, root[:, 0], 1.0)


def webb(name: str, draws: int, seed: int) -> Reals:
    """Webb's six-point weights of one cluster, shape (draws,), decided by its name."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return WEBB[rng.integers(0, len(WEBB), draws)] * (rng.integers(0, 2, draws) * 2 - 1)


def student_factor(freedom: int) -> float:
    """97.5 % quantile of Student's t over that of the normal."""
    return critical(0.05, freedom) / 1.959964
