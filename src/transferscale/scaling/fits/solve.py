"""Fits a law to many outcomes from many starts at once: Levenberg and Marquardt, in batches, within bounds.

Robust objectives are descended by reweighting, which is slow to settle at a corner where several residuals
vanish: near the end the curvature of the points inside of Huber's delta takes over (a semismooth Newton step),
and whichever of the two steps is better is kept.
"""

from dataclasses import dataclass

import numpy as np

from transferscale.scaling.fits.objectives import Log1pLsq, LogLsq, Objective
from transferscale.scaling.laws.base import Curve, Law
from transferscale.scaling.metrics import Ints, Reals

# Steps of a fit, and of a refit to a resample, which starts near its optimum.
ITERATIONS, RESAMPLED = 4000, 300
# A problem has converged when this many steps in a row gained less than this share of the objective.
SETTLED, SMALL_GAIN = 3, 1e-11
# Where along a step its bend is measured, and how long the bend may be against the step (Transtrum & Sethna
# 2012, arXiv 1201.5885): valleys of sloppy models, such as a break near the edge of the points, are curved.
PROBE, ACCELERATION = 0.1, 0.75
# Two optima are one if their curves differ by less than this at every point (in log y).
SAME_CURVE = 1e-6


@dataclass(frozen=True)
class Posed:
    """A curve, points and an objective. ``log_x`` (points, variables), ``weight`` (points,)."""

    law: Curve
    log_x: Reals
    weight: Reals
    objective: Objective
    lowest: Reals
    highest: Reals

    def residual(self, theta: Reals, log_y: Reals) -> Reals:
        """On the objective's scale, shape (problems, points)."""
        scale_of = self.objective.scale_of
        return scale_of(log_y)[0] - scale_of(self.law.log_value(theta, self.log_x))[0]

    def jacobian(self, theta: Reals) -> Reals:
        """Derivative of the fitted curve on the objective's scale, shape (problems, points, k)."""
        by_log = self.law.jacobian(theta, self.log_x)
        if not isinstance(self.objective, Log1pLsq):
            # The others' scale is log y itself, and a curve costs more to evaluate than anything else here.
            return by_log
        return by_log * self.objective.scale_of(self.law.log_value(theta, self.log_x))[1][..., None]

    def values(self, theta: Reals, log_y: Reals, weight: Reals | None = None) -> Reals:
        """The objective of coordinates (problems, k) for outcomes (problems, points).

        ``weight`` (problems, points) replaces the problem's own.
        """
        return self.value_of(self.residual(theta, log_y), weight)

    def value_of(self, residual: Reals, weight: Reals | None = None) -> Reals:
        """The same for residuals (problems, points)."""
        found = self.objective.value(residual, self.weight if weight is None else weight)
        return np.where(np.isfinite(found), found, np.inf)


@dataclass(frozen=True)
class Problem(Posed):
    """The same of a law that can be fitted."""

    law: Law

    @classmethod
    def of(
        cls, law: Law, log_x: Reals, log_y: Reals, objective: Objective, weight: Reals | None = None
    ) -> "Problem":
        """With the law's bounds for these points."""
        low, high = law.bounds(log_x, log_y)
        return cls(law, log_x, np.ones(len(log_x)) if weight is None else weight, objective, low, high)


def optima(problem: Problem, log_y: Reals, follow: int) -> tuple[Reals, Reals]:
    """Different local optima for one outcome, best first: of those with one curve, the best.

    Parameters
    ----------
    log_y
        Shape (points,).
    follow
        Starts that are followed to the end, of those that the law offers: the best, and fewer of the worse.

    Returns
    -------
    theta, values
        Shapes (optima, coordinates) and (optima,).
    """
    theta, values = followed(problem, log_y, follow)
    kept = distinct(problem, theta)
    return theta[kept], values[kept]


def followed(problem: Problem, log_y: Reals, follow: int) -> tuple[Reals, Reals]:
    """Where every start ends, best first; as :func:`optima`, which leaves out what has the same curve."""
    starts = np.clip(problem.law.starts(problem.log_x, log_y), problem.lowest, problem.highest)
    starts = starts[np.isfinite(starts).all(1)]
    first = problem.values(starts, np.broadcast_to(log_y, (len(starts), len(log_y))))
    starts = starts[np.argsort(first, kind="stable")][_spaced(len(starts), follow)]
    theta, values = descend(problem, np.broadcast_to(log_y, (len(starts), len(log_y))), starts)
    order = np.argsort(values, kind="stable")
    return theta[order], values[order]


def distinct(problem: Problem, theta: Reals) -> list[int]:
    """Of coordinates (many, k), the first of each curve."""
    curves = problem.law.log_value(theta, problem.log_x)
    kept: list[int] = []
    for i in range(len(theta)):
        if all(np.abs(curves[i] - curves[j]).max() > SAME_CURVE for j in kept):
            kept.append(i)
    return kept


def with_one_curve(problem: Problem, theta: Reals) -> Reals:
    """Of coordinates (many, k), those whose curve is that of the first."""
    curves = problem.law.log_value(theta, problem.log_x)
    alike: Reals = theta[np.abs(curves - curves[0]).max(1) <= SAME_CURVE]
    return alike


def _spaced(many: int, follow: int) -> Ints:
    """Ranks, dense among the best: the best alone often lie in one valley, which is not always the deepest."""
    own = np.arange(min(follow, many))
    return np.maximum(own, (many * (own / follow) ** 3).astype(np.int64))


def refit(
    problem: Problem,
    log_y: Reals,
    starts: Reals,
    iterations: int = RESAMPLED,
    weight: Reals | None = None,
    small_gain: float = SMALL_GAIN,
) -> tuple[Reals, Reals]:
    """The best of a few starts for each of many outcomes.

    Parameters
    ----------
    log_y
        Shape (outcomes, points).
    starts
        Shape (starts, coordinates), the same for all.
    weight, small_gain
        As for :func:`descend`, ``weight`` of shape (outcomes, points).
    """
    many, few = len(log_y), len(starts)
    theta, values = descend(
        problem,
        np.repeat(log_y, few, axis=0),
        np.tile(starts, (many, 1)),
        iterations,
        None if weight is None else np.repeat(weight, few, axis=0),
        small_gain,
    )
    theta, values = theta.reshape(many, few, -1), values.reshape(many, few)
    best = values.argmin(1)
    return theta[np.arange(many), best], values.min(1)


# Far trial steps may overflow; they are refused for not being finite.
@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def descend(
    problem: Problem,
    log_y: Reals,
    theta: Reals,
    iterations: int = ITERATIONS,
    weight: Reals | None = None,
    small_gain: float = SMALL_GAIN,
) -> tuple[Reals, Reals]:
    """Follow every start, shapes (problems, points) and (problems, k), to its local optimum.

    Parameters
    ----------
    weight
        Weights of the points that replace the problem's own, shape (problems, points).
    small_gain
        A step that gains less than this share of the objective is small; three in a row end a descent.

    Returns
    -------
    theta, values
        Shapes (problems, k) and (problems,).
    """
    theta = np.array(theta)
    residuals = problem.residual(theta, log_y)
    values = problem.value_of(residuals, weight)
    damping = np.full(len(theta), 1e-2)
    calm = np.zeros(len(theta), dtype=np.int64)
    robust = not isinstance(problem.objective, LogLsq)
    active: Ints = np.flatnonzero(np.isfinite(values))
    for _ in range(iterations):
        if not len(active):
            break
        here, y = theta[active], log_y[active]
        own = problem.weight if weight is None else weight[active]
        residual, jacobian = residuals[active], problem.jacobian(here)
        pull, curve = problem.objective.influence(residual, own)
        gradient = np.einsum("snp,sn->sp", jacobian, pull * residual)
        # A coordinate at a bound whose gradient points outward is held there.
        held = ((here <= problem.lowest) & (gradient < 0)) | ((here >= problem.highest) & (gradient > 0))
        jacobian = np.where(held[:, None], 0.0, jacobian)
        gradient = np.where(held, 0.0, gradient)
        before = values[active]
        trial, left, reached = _step(
            problem, y, own, here, residual, jacobian, gradient, pull, damping[active], held
        )
        if robust:
            newton = _step(problem, y, own, here, residual, jacobian, gradient, curve, damping[active], held)
            nearer = newton[2] < reached
            trial, left = (
                np.where(nearer[:, None], new, old)
                for new, old in zip(newton[:2], (trial, left), strict=True)
            )
            reached = np.where(nearer, newton[2], reached)
        better = reached < before
        theta[active] = np.where(better[:, None], trial, here)
        residuals[active] = np.where(better[:, None], left, residual)
        values[active] = np.where(better, reached, before)
        damping[active] = np.clip(np.where(better, damping[active] / 5, damping[active] * 3), 1e-15, None)
        gained = before - values[active]
        small = better & (gained <= small_gain * np.abs(before))
        calm[active] = np.where(small, calm[active] + 1, np.where(better, 0, calm[active]))
        done = (calm[active] >= SETTLED) | (damping[active] > 1e9)
        if not robust:
            done |= values[active] < 1e-29
        active = active[~done]
    return theta, values


def _step(
    problem: Problem,
    log_y: Reals,
    weight: Reals,
    theta: Reals,
    residual: Reals,
    jacobian: Reals,
    gradient: Reals,
    pull: Reals,
    damping: Reals,
    held: Reals,
) -> tuple[Reals, Reals, Reals]:
    """One damped step of every problem, bent along the valley, with the residuals and objective it reaches."""
    turned = np.swapaxes(jacobian * pull[..., None], -1, -2)
    normal = turned @ jacobian
    size = np.einsum("spp->sp", normal)
    ridge = damping[:, None] * np.maximum(size, 1e-9 * size.max(1, keepdims=True)) + held + 1e-30
    normal = normal + ridge[..., None] * np.eye(theta.shape[1])
    velocity = np.linalg.solve(normal, gradient[..., None])[..., 0]
    # Geodesic acceleration: the second derivative of the residuals along the step, by one more evaluation.
    ahead = problem.residual(theta + PROBE * velocity, log_y)
    bend = 2 / PROBE * ((ahead - residual) / PROBE + (jacobian @ velocity[..., None])[..., 0])
    bend = np.where(np.isfinite(bend), bend, 0.0)
    acceleration = 0.5 * np.linalg.solve(normal, turned @ bend[..., None])[..., 0]
    scale = np.sqrt(np.maximum(size, 1e-300))
    small = ACCELERATION * np.linalg.norm(scale * velocity, axis=1)
    allowed = np.linalg.norm(scale * acceleration, axis=1) <= small
    step = velocity + np.where(allowed[:, None], acceleration, 0.0)
    step = np.where(np.isfinite(step), step, 0.0)
    trial = np.clip(theta + step, problem.lowest, problem.highest)
    left = problem.residual(trial, log_y)
    return trial, left, problem.value_of(left, weight)
