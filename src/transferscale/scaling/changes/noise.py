"""The noise of a curve about its law: each point's own, what a cluster shares, and what neighbours share.

A test that takes correlated points for independent ones finds breaks everywhere: points along one training run
follow each other, and points of one trunk share its luck.
"""

from dataclasses import dataclass

import numpy as np

from transferscale.scaling.fits.identification import PRECISION
from transferscale.scaling.fits.solve import Problem
from transferscale.scaling.metrics import Ints, Reals

# Correlation of neighbours is looked for from this many pairs up, and taken for what it is when it exceeds this
# many standard errors of that of independent noise; it never counts for more than the last number.
FEWEST_PAIRS, BEYOND_CHANCE, HIGHEST = 16, 2.0, 0.95
TRIED = np.linspace(0, HIGHEST, 20)


@dataclass(frozen=True)
class Noise:
    """Standard deviations in log y, of each point and of the shift of a whole cluster.

    ``correlation`` is that of neighbours along x within a cluster, after the shift.
    """

    own: float
    shared: float
    correlation: float

    def simulate(self, member: Ints, draws: int, seed: int | list[int]) -> Reals:
        """Noise for points in the order of x, shape (draws, points)."""
        rng = np.random.default_rng(seed)
        out = rng.standard_normal((draws, len(member)))
        shift = rng.standard_normal((draws, int(member.max()) + 1))
        if self.correlation:
            fresh = np.sqrt(1 - self.correlation**2)
            for before, after in _chains(member):
                for i, j in zip(before, after, strict=True):
                    out[:, j] = self.correlation * out[:, i] + fresh * out[:, j]
        return self.own * out + self.shared * shift[:, member]


def noise_of(problem: Problem, theta: Reals, log_y: Reals, member: Ints) -> Noise:
    """Noise about a fitted law, from its residuals and the freedom that the fit left them.

    Parameters
    ----------
    log_y, member
        Outcome and cluster of each point, (points,), in the order of x.
    """
    root = np.sqrt(problem.weight)
    residual = root * (log_y - problem.law.log_value(theta, problem.log_x))
    free = (theta > problem.lowest) & (theta < problem.highest)
    jacobian = root[:, None] * problem.law.jacobian(theta, problem.log_x)[:, free]
    size = np.linalg.norm(jacobian, axis=0)
    scaled = jacobian / np.where(size > 0, size, 1.0)
    rest = np.eye(len(residual)) - scaled @ np.linalg.pinv(scaled, rcond=1e-10)
    variance = float((residual**2).sum() / max(np.trace(rest), 1.0))
    shared = 0.0
    if 1 < member.max() + 1 < len(member):
        same = (member[:, None] == member) & ~np.eye(len(member), dtype=np.bool_)
        # The fit itself makes residuals follow each other a little; what independent noise would do is taken off.
        together = (np.outer(residual, residual) - variance * rest)[same].sum() / max(same.sum(), 1)
        shared = float(min(max(together, 0.0), HIGHEST * variance))
    if shared:
        centre = (member[:, None] == member) / np.bincount(member)[member]
        rest, residual = rest - centre @ rest, residual - centre @ residual
    own, correlation = _series(rest, residual, member)
    return Noise(max(float(np.sqrt(own)), PRECISION), float(np.sqrt(shared)), correlation)


def _series(rest: Reals, residual: Reals, member: Ints) -> tuple[float, float]:
    """Variance and correlation of neighbours of a first-order autoregression that leaves such residuals.

    ``rest`` (points, points) takes noise to residuals, which are shorter and less correlated than the noise.
    """
    pairs = np.array([pair for chain in _chains(member) for pair in zip(*chain, strict=True)]).reshape(-1, 2)
    square = float((residual**2).sum())
    plain = square / max(float((rest**2).sum()), 1.0)
    if len(pairs) < FEWEST_PAIRS or not square:
        return plain, 0.0
    first, second = pairs.T
    found = float(residual[first] @ residual[second]) / square
    position = np.empty(len(member))
    for before, after in _chains(member):
        own = np.append(before, after[-1:]) if len(before) else before
        position[own] = np.arange(len(own))
    apart = np.where(member[:, None] == member, np.abs(position[:, None] - position), np.inf)
    expected, length = [], []
    for correlation in TRIED:
        left = rest @ (np.where(apart == 0, 1.0, correlation**apart)) @ rest.T
        length.append(float(np.trace(left)))
        expected.append(float(left[first, second].sum()) / length[-1])
    if found < expected[0] + BEYOND_CHANCE / np.sqrt(len(pairs)):
        return plain, 0.0
    correlation = float(np.interp(found, np.maximum.accumulate(expected), TRIED))
    return square / float(np.interp(correlation, TRIED, length)), correlation


def lag(residual: Reals, member: Ints) -> Reals:
    """Correlation of neighbours within clusters in residuals (..., points), about the clusters' own means."""
    size = np.bincount(member)
    if 1 < len(size) < len(member):
        residual = residual - (residual @ (member[:, None] == np.arange(len(size))) / size)[..., member]
    pairs = neighbours(member)
    product = (residual[..., pairs[:, 0]] * residual[..., pairs[:, 1]]).sum(-1)
    found: Reals = product / np.maximum((residual**2).sum(-1), 1e-300)
    return found


def neighbours(member: Ints) -> Ints:
    """Index pairs of points that follow each other within a cluster, (pairs, 2)."""
    pairs = [pair for before, after in _chains(member) for pair in zip(before, after, strict=True)]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _chains(member: Ints) -> list[tuple[Ints, Ints]]:
    """Neighbours within each cluster: indices of the earlier and of the later point."""
    order = [np.flatnonzero(member == number) for number in range(int(member.max()) + 1)]
    return [(own[:-1], own[1:]) for own in order]
