"""The bootstrap of a fit over clusters, such as training trunks.

Least squares take the wild cluster bootstrap: the residuals of a cluster change sign and size together by Webb's
six-point weights, after multiplication by the inverse of one minus the cluster's leverage (CR3; Cameron,
Gelbach & Miller 2008; MacKinnon, Nielsen & Webb 2023). Points are never resampled, so every resample keeps the
whole range of scales.

Robust objectives take the weighted bootstrap of M-estimators (Chatterjee & Bose 2005, Annals of Statistics 33).
How far a fit by absolute residuals spreads depends on how many residuals lie near zero, which a wild bootstrap
changes: Webb's weights do not have the mean of 1 / |w| that Feng, He & Hu (2011, Biometrika 98) ask for, and
even changes of sign alone gave intervals that were too narrow. So outcomes stay and every cluster gets a random
positive weight in the objective: an exponential draw (as in Rubin's Bayesian bootstrap, 1981) to the power that
gives it the variance 1 / (1 - leverage), divided by its mean. No cluster is left out altogether. The leverage is
that of least squares, the largest of the cluster's directions.

With few clusters the spread of the draws is itself uncertain: residuals, or distances of refits from the fit,
are widened by the ratio of Student's quantile with one degree of freedom less than there are clusters to the
normal one.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from transferscale.scaling.fits.objectives import LogLsq
from transferscale.scaling.fits.solve import Problem, refit
from transferscale.scaling.fits.student import critical
from transferscale.scaling.metrics import Ints, Reals

WEBB = np.sqrt([0.5, 1.0, 1.5])
# The part of a cluster that leverage leaves free is taken for at least this large.
SMALLEST_REST = 0.2
# Directions of the linearised fit that are shorter than this, relative to the longest, bind no point.
SHORTEST = 1e-10
# A refit under weights has settled when a step gains less than this share of the objective: the spread of
# draws is known to some per cent only, and corners are approached slowly.
SMALL_GAIN = 1e-7
# Fewer clusters than this give no interval; fewer than that, one that is not to be relied on.
FEWEST, RELIABLE = 3, 10
# Draws are refitted in parts, of as many numbers in their jacobians at most.
AT_ONCE = 300_000


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
    drawn = wild if isinstance(problem.objective, LogLsq) else weighted
    return drawn(problem, log_y, optima, member, names, draws, seed)


def wild(
    problem: Problem,
    log_y: Reals,
    optima: Reals,
    member: Ints,
    names: Sequence[str],
    draws: int,
    seed: int,
) -> Reals:
    """Refits to outcomes whose residuals are drawn, as :func:`resample`."""
    theta = optima[0]
    fitted = problem.law.log_value(theta, problem.log_x)
    residual = leveraged(problem, theta, log_y - fitted, member)
    signed = np.stack([_webb_step(name, draws, seed) for name in names], 1)
    factor = np.r_[-WEBB[::-1], 0.0, WEBB] * student_factor(len(names) - 1)
    found = [
        refit(problem, fitted + factor[signed[part] + len(WEBB)][:, member] * residual, optima)[0]
        for part in _parts(draws, log_y, optima)
    ]
    return np.concatenate(found)


def weighted(
    problem: Problem,
    log_y: Reals,
    optima: Reals,
    member: Ints,
    names: Sequence[str],
    draws: int,
    seed: int,
) -> Reals:
    """Refits under weights that are drawn, as :func:`resample`."""
    power = np.array(
        [weight_power(float(held)) for held in Leverage.of(problem, optima[0], member).largest()]
    )
    mean = np.array([math.gamma(1 + one) for one in power])
    drawn = np.stack([exponential(name, draws, seed) for name in names], 1)
    found = [
        refit(
            problem,
            np.broadcast_to(log_y, (len(part), len(log_y))),
            optima,
            weight=problem.weight * (drawn[part] ** power / mean)[:, member],
            small_gain=SMALL_GAIN,
        )[0]
        for part in _parts(draws, log_y, optima)
    ]
    wide = optima[0] + student_factor(len(names) - 1) * (np.concatenate(found) - optima[0])
    clipped: Reals = np.clip(wide, problem.lowest, problem.highest)
    return clipped


def _parts(draws: int, log_y: Reals, optima: Reals) -> list[Ints]:
    """Numbers of the draws that are refitted together."""
    many = math.ceil(draws * len(log_y) * optima.size / AT_ONCE)
    return np.array_split(np.arange(draws), min(many, draws))


@dataclass(frozen=True)
class Leverage:
    """What of its own outcomes each cluster decides, in the linearised fit of least squares.

    ``columns`` (points, r) are orthonormal and span the fit; ``taken`` (clusters, r) and ``vectors``
    (clusters, r, r) are the eigenvalues and vectors of their products within a cluster. The eigenvalues are
    those of the cluster's block of the hat matrix that are not zero; the block itself is never formed.
    """

    columns: Reals
    member: Ints
    taken: Reals
    vectors: Reals

    @classmethod
    def of(cls, problem: Problem, theta: Reals, member: Ints) -> "Leverage":
        """At coordinates ``theta`` (k,); those held at a bound take nothing."""
        jacobian = np.sqrt(problem.weight)[:, None] * problem.law.jacobian(theta, problem.log_x)
        free = (theta > problem.lowest) & (theta < problem.highest)
        size = np.linalg.norm(jacobian[:, free], axis=0)
        scaled = jacobian[:, free] / np.where(size > 0, size, 1.0)
        columns, length, _ = np.linalg.svd(scaled, full_matrices=False)
        columns = columns[:, length > SHORTEST * length.max(initial=0.0)]
        product = _by_cluster(columns[:, :, None] * columns[:, None, :], member)
        taken, vectors = np.linalg.eigh(product)
        return cls(columns, member, taken, vectors)

    def largest(self) -> Reals:
        """Of every cluster the largest share, shape (clusters,)."""
        most: Reals = np.clip(self.taken.max(1, initial=0.0), 0.0, 1 - SMALLEST_REST)
        return most

    def undone(self, residual: Reals) -> Reals:
        """(I - H)^-1 of every cluster's residuals, shape (points,): e + Q (I - Q'Q)^-1 Q' e."""
        rest = np.maximum(1 - self.taken, SMALLEST_REST)
        # Of a direction of the cluster: 1 / rest - 1, over its squared length.
        factor = np.where(
            1 - self.taken > SMALLEST_REST,
            1 / rest,
            (1 / SMALLEST_REST - 1) / np.maximum(self.taken, SMALLEST_REST),
        )
        pulled = _by_cluster(self.columns * residual[:, None], self.member)
        inside = np.einsum("gji,gj->gi", self.vectors, pulled) * factor
        back = np.einsum("gij,gj->gi", self.vectors, inside)
        found: Reals = residual + np.einsum("ni,ni->n", self.columns, back[self.member])
        return found


def _by_cluster(values: Reals, member: Ints) -> Reals:
    """Sums over the points of each cluster, shape (clusters, ...)."""
    out = np.zeros((int(member.max()) + 1, *values.shape[1:]))
    np.add.at(out, member, values)
    return out


def leveraged(problem: Problem, theta: Reals, residual: Reals, member: Ints) -> Reals:
    """Residuals as they would be without their cluster in the fit (CR3)."""
    root = np.sqrt(problem.weight)
    undone = Leverage.of(problem, theta, member).undone(root * residual)
    return undone / np.where(root > 0, root, 1.0)


def webb(name: str, draws: int, seed: int) -> Reals:
    """Webb's six-point weights of one cluster, shape (draws,), decided by its name."""
    step = _webb_step(name, draws, seed)
    weight: Reals = np.sign(step) * WEBB[np.abs(step) - 1]
    return weight


def _webb_step(name: str, draws: int, seed: int) -> npt.NDArray[np.int8]:
    """Which of the six: -3 to 3 without 0, in a byte, since a table may have as many clusters as rows."""
    rng = generator(name, seed)
    size = rng.integers(1, len(WEBB) + 1, draws)
    step: npt.NDArray[np.int8] = (size * (rng.integers(0, 2, draws) * 2 - 1)).astype(np.int8)
    return step


def exponential(name: str, draws: int, seed: int) -> npt.NDArray[np.float32]:
    """Exponential draws of one cluster, mean 1, shape (draws,), decided by its name."""
    return generator(name, seed).standard_exponential(draws, dtype=np.float32)


def generator(name: str, seed: int) -> np.random.Generator:
    """Random numbers of one cluster, decided by its name."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


@lru_cache(maxsize=4096)
def weight_power(held: float) -> float:
    """The power p for which E^p / mean, E exponential, has the variance 1 / (1 - held): 1 where nothing is held.

    Its mean is gamma(1 + p), and that of its square gamma(1 + 2 p).
    """
    low, high = 1.0, 2.0
    while (middle := (low + high) / 2) not in (low, high):
        less = math.gamma(1 + 2 * middle) / math.gamma(1 + middle) ** 2 - 1 < 1 / (1 - held)
        low, high = (middle, high) if less else (low, middle)
    return high


def student_factor(freedom: int) -> float:
    """97.5 % quantile of Student's t over that of the normal."""
    return critical(0.05, freedom) / 1.959964
