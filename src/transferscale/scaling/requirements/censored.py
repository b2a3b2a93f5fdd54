"""A straight line through points of which some are only bounded (Tobin 1958), many resamples at a time.

A point whose value is at least (at most) a bound enters by the probability of lying there, for normal scatter
about the line. The likelihood is climbed by expectation and maximisation: bounded points are replaced by their
mean and variance given the bound, and the line is fitted by least squares.
"""

import math
from dataclasses import dataclass

import numpy as np

from transferscale.scaling.metrics import Ints, Reals

ITERATIONS, SETTLED = 500, 1e-9
# Scatter about the line is taken for at least this large.
LEAST_SCATTER = 1e-6


@dataclass(frozen=True)
class Line:
    """y = intercept + slope x with normal scatter; each of shape (resamples,)."""

    intercept: Reals
    slope: Reals
    scatter: Reals

    def at(self, x: float) -> Reals:
        """The line at one place, shape (resamples,)."""
        return self.intercept + self.slope * x


def line(x: Reals, y: Reals, side: Ints) -> Line:
    """Fit a line to every resample.

    Parameters
    ----------
    x
        Places, shape (points,); at least two different ones.
    y, side
        Values and whether each is measured (0), a bound from above (-1, the value is at most y) or one from
        below (1, at least y), shapes (resamples, points).
    """
    middle = x.mean()
    columns = np.stack([np.ones_like(x), x - middle], -1)
    solve = np.linalg.pinv(columns)
    bounded = side != 0
    filled = y
    theta = filled @ solve.T
    scatter = np.maximum((filled - theta @ columns.T).std(1), LEAST_SCATTER)
    for _ in range(ITERATIONS if bounded.any() else 1):
        mean = theta @ columns.T
        expected, variance = _given_bound(y, mean, scatter[:, None], side, bounded)
        new = expected @ solve.T
        residual = expected - new @ columns.T
        spread = np.maximum(np.sqrt((residual**2 + variance).mean(1)), LEAST_SCATTER)
        moved = max(float(np.abs(new - theta).max()), float(np.abs(spread - scatter).max()))
        theta, scatter = new, spread
        if moved < SETTLED:
            break
    return Line(theta[:, 0] - theta[:, 1] * middle, theta[:, 1], scatter)


def _given_bound(y: Reals, mean: Reals, scatter: Reals, side: Ints, bounded: Ints) -> tuple[Reals, Reals]:
    """Mean and variance of every value, given its bound where it has one."""
    scatter = np.broadcast_to(scatter, y.shape)
    # A bound from above is one from below with the signs turned.
    depth = side[bounded] * (y[bounded] - mean[bounded]) / scatter[bounded]
    excess = _mills(depth)
    expected, variance = np.array(y), np.zeros_like(y)
    expected[bounded] = mean[bounded] + side[bounded] * scatter[bounded] * excess
    variance[bounded] = scatter[bounded] ** 2 * np.clip(1 + depth * excess - excess**2, 0, 1)
    return expected, variance


def _mills(z: Reals) -> Reals:
    """Normal density over upper tail probability; for large z by its asymptotic series."""
    tail = np.array([0.5 * math.erfc(value / math.sqrt(2)) for value in z], dtype=np.float64)
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    far = z > 25
    safe = np.where(far, z, 1.0)
    return np.where(
        far, safe + 1 / safe - 2 / safe**3, density / np.where(far, 1.0, np.maximum(tail, 1e-300))
    )
