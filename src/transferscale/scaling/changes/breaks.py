"""How many breaks a curve has: each must beat the law without it, by a bootstrap of the likelihood ratio.

Where a break lies is not defined under the law without one, so that twice the log likelihood ratio does not follow
a chi-square (Davies 1987; Hansen 1996). Curves are simulated from the fitted law without the break, with the noise
found, both laws are fitted to each in the same way, and the p-value is the share of curves whose ratio is at least
the one observed. Simulation stops early where it is plainly not small (Besag & Clifford 1991).
"""

from dataclasses import dataclass, replace

import numpy as np

from transferscale.scaling.changes.course import Course
from transferscale.scaling.changes.noise import FEWEST_PAIRS, Noise, lag, neighbours, noise_of
from transferscale.scaling.fits.objectives import LogLsq
from transferscale.scaling.fits.solve import Problem, descend, optima
from transferscale.scaling.laws.broken import Broken
from transferscale.scaling.metrics import Ints, Reals

# A break counts below this p-value.
LEVEL = 0.05
# Simulated curves at a time, and how many of them may reach the observed ratio before it is enough.
BATCH, ENOUGH = 100, 25
# Places and sharpnesses from which a further break is looked for, and steps of its fit.
PLACES, SHARPNESSES, STEPS = 24, (0.03, 0.1, 0.3, 1.0), 60
# Curves simulated for each correlation of neighbours that is tried.
TRIED, MATCHED = np.array([0.0, 0.25, 0.5, 0.75, 0.95]), 24
# A start's change of slope is at most this.
STEEPEST_START = 10.0
# The smallest sum of squares that counts as one, relative to that of log y: an exact fit has no ratio.
EXACT = 1e-18


@dataclass(frozen=True)
class Step:
    """One break more: twice the log likelihood ratio, its p-value, and the number of curves simulated."""

    breaks: int
    ratio: float
    p_value: float
    simulated: int


@dataclass(frozen=True)
class Counted:
    """Breaks that count, the steps that were tried, and the noise about the law with those breaks.

    ``smooth`` holds the coordinates of the law without a break.
    """

    breaks: int
    steps: list[Step]
    noise: Noise
    smooth: Reals


def problem_of(course: Course, breaks: int) -> Problem:
    """Least squares of the log error by a broken law."""
    return Problem.of(Broken(breaks), course.log_x, course.log_y, LogLsq())


def fewest_places(breaks: int) -> int:
    """Different x that a test of this many breaks needs: one more than parameters."""
    return len(Broken(breaks).parameters) + 1


def count_breaks(course: Course, most: int, draws: int, seed: int) -> Counted:
    """Test one break more until one is not needed.

    Parameters
    ----------
    most
        Largest number of breaks that is tried; fewer are where the points are too few.
    draws
        Curves that are simulated at most for each; with 0 nothing is tested.
    """
    steps: list[Step] = []
    found: Noise | None = None
    counted, less = 0, problem_of(course, 0)
    log_y, member = course.log_y, course.member
    smooth = theta = optima(less, log_y, 1)[0][0]
    while draws and counted < most and len(course.places) >= fewest_places(counted + 1):
        breaks = counted + 1
        more = problem_of(course, breaks)
        before, observed, richer = _fits(less, more, log_y[None], theta)
        noises, likely = _matched(less, more, log_y, before[0], richer[0], member, [seed, breaks])
        fitted = less.law.log_value(before[0], course.log_x)
        reached = simulated = 0
        for batch in range(0, draws, BATCH):
            many = min(BATCH, draws - batch)
            number = np.random.default_rng([seed, breaks, batch]).multinomial(many, likely)
            noise = [
                one.simulate(member, int(count), [seed, breaks, batch, at])
                for at, (one, count) in enumerate(zip(noises, number, strict=True))
            ]
            curves = fitted + np.concatenate(noise)
            _, ratio, _ = _fits(less, more, curves, before[0])
            reached, simulated = reached + int((ratio >= observed[0]).sum()), simulated + many
            if reached >= ENOUGH:
                break
        steps.append(Step(breaks, float(observed[0]), (1 + reached) / (1 + simulated), simulated))
        if steps[-1].p_value >= LEVEL:
            break
        counted, less, theta, found = breaks, more, richer[0], noises[int(likely.argmax())]
    return Counted(counted, steps, found or noise_of(less, theta, log_y, member), smooth)


def _matched(
    less: Problem, more: Problem, log_y: Reals, before: Reals, richer: Reals, member: Ints, seed: list[int]
) -> tuple[list[Noise], Reals]:
    """Noises whose curves leave the richer law residuals like the observed ones, and how likely each is.

    A break seeks out excursions, so that its residuals look less correlated and smaller than the noise is. For
    each correlation of neighbours, curves are simulated and fitted in the same way; it is as likely (each being so
    beforehand) as the observed correlation is among theirs.
    """
    noise = noise_of(more, richer, log_y, member)
    if len(neighbours(member)) < FEWEST_PAIRS:
        return [noise], np.ones(1)
    observed = log_y - more.law.log_value(richer, more.log_x)
    fitted = less.law.log_value(before, less.log_x)
    noises, density = [], []
    for correlation in map(float, TRIED):
        tried = replace(noise, correlation=correlation)
        curves = fitted + tried.simulate(member, MATCHED, [*seed, 1 << 30])
        _, _, found = _fits(less, more, curves, before)
        residual = curves - more.law.log_value(found, more.log_x)
        lags = lag(residual, member)
        spread = float(lags.std())
        density.append(np.exp(-0.5 * ((lag(observed, member) - lags.mean()) / spread) ** 2) / spread)
        wider = float(np.sqrt((observed**2).sum() / (residual**2).sum(1).mean()))
        noises.append(Noise(noise.own * wider, noise.shared * wider, correlation))
    return noises, np.array(density) / max(np.sum(density), 1e-300)


def _fits(less: Problem, more: Problem, log_y: Reals, theta: Reals) -> tuple[Reals, Reals, Reals]:
    """Both laws fitted to many curves (curves, points): coordinates without, likelihood ratio, coordinates with.

    ``theta`` (coordinates,) is where the fits without begin. An observed curve and simulated ones go the same way.
    """
    many = len(log_y)
    without, plain = descend(less, log_y, np.broadcast_to(theta, (many, len(theta))), STEPS)
    starts = with_a_break(less, more, log_y, without)
    few = starts.shape[1]
    found, values = descend(more, np.repeat(log_y, few, axis=0), starts.reshape(many * few, -1), STEPS)
    values = values.reshape(many, few)
    best = values.argmin(1)
    floor = EXACT * (log_y**2).sum(-1) + 1e-300
    ratio = log_y.shape[1] * np.log(np.maximum(plain, floor) / np.maximum(values.min(1), floor))
    return without, np.maximum(ratio, 0.0), found.reshape(many, few, -1)[np.arange(many), best]


def with_a_break(less: Problem, more: Problem, log_y: Reals, theta: Reals) -> Reals:
    """Where the law with one break more starts, for each curve fitted without: (curves, 2, coordinates).

    By one linear step: of a grid of breaks, those that take most from the residuals when the other coordinates
    give way, one that steepens and one that flattens the fall.
    """
    x = less.log_x[:, 0]
    places = np.linspace(x.min(), x.max(), PLACES)
    grid = np.array([(d, np.log(f)) for d in places for f in SHARPNESSES])
    softness = np.exp(grid[:, 1:])
    soft = softness * np.logaddexp(0, (x - grid[:, :1]) / softness)
    jacobian = less.law.jacobian(np.median(theta, axis=0), less.log_x)
    share = jacobian[:, 0]
    size = np.linalg.norm(jacobian, axis=0)
    size = np.where(size > 0, size, 1.0)
    inverse = np.linalg.pinv(jacobian / size, rcond=1e-8)
    bent = -share * soft
    across = bent - (bent @ inverse.T) @ (jacobian / size).T
    length = (across**2).sum(1)
    clear = length > 1e-8 * (bent**2).sum(1).max()
    residual = log_y - less.law.log_value(theta, less.log_x)
    along = residual @ across.T
    change = np.clip(along / np.where(clear, length, 1.0), -STEEPEST_START, STEEPEST_START)
    gain = np.where(clear, along**2 / np.where(clear, length, 1.0), 0.0)
    out = np.empty((len(log_y), 2, theta.shape[1] + 3))
    for at, steeper in enumerate((True, False)):
        best = np.where((change > 0) == steeper, gain, -1.0).argmax(1)
        c = change[np.arange(len(log_y)), best]
        moved = ((residual - c[:, None] * bent[best]) @ inverse.T) / size
        out[:, at] = np.concatenate([theta + np.clip(moved, -1, 1), c[:, None], grid[best]], 1)
    return np.clip(out, more.lowest, more.highest)
