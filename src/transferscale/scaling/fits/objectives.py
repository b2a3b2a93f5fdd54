"""What a fit minimises: a function of the residuals of log y, with the weights that its descent needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from transferscale.errors import UserError, nearest
from transferscale.scaling.metrics import Reals

# A perfect fit has no likelihood: its scale is taken for at least this large.
LEAST_SCALE = 1e-14


class Objective(Protocol):
    """A sum over points. ``residual`` has shape (problems, points), ``weight`` (points,)."""

    @property
    def name(self) -> str:
        """What is printed with the value."""
        ...

    def scale_of(self, log_value: Reals) -> tuple[Reals, Reals]:
        """The scale on which residuals are taken, and its derivative by log y."""
        ...

    def value(self, residual: Reals, weight: Reals) -> Reals:
        """The objective, shape (problems,)."""
        ...

    def influence(self, residual: Reals, weight: Reals) -> tuple[Reals, Reals]:
        """Weights of the points whose weighted least squares has the same gradient, and those that curve.

        Both have shape (problems, points): the first is psi(r) / r, the second psi'(r), the curvature, which
        a last approach to a corner of the objective needs.
        """
        ...


class OfLog:
    """Residuals of log y itself."""

    def scale_of(self, log_value: Reals) -> tuple[Reals, Reals]:
        """log y."""
        return log_value, np.ones(1)


@dataclass(frozen=True)
class LogLsq(OfLog):
    """Sum of squared residuals of log y."""

    name: str = "sum of squared residuals of log y"

    def value(self, residual: Reals, weight: Reals) -> Reals:
        """sum w r^2."""
        total: Reals = (weight * residual**2).sum(-1)
        return total

    def influence(self, residual: Reals, weight: Reals) -> tuple[Reals, Reals]:
        """The weights themselves."""
        same = np.broadcast_to(weight, residual.shape)
        return same, same


@dataclass(frozen=True)
class Log1pLsq(LogLsq):
    """Sum of squared residuals of log(1 + y): scikit-learn's squared log error, as in the broken law's paper."""

    name: str = "sum of squared residuals of log(1 + y)"

    def scale_of(self, log_value: Reals) -> tuple[Reals, Reals]:
        """log(1 + y), whose derivative by log y is y / (1 + y)."""
        return np.logaddexp(0, log_value), np.exp(-np.logaddexp(0, -log_value))


@dataclass(frozen=True)
class Huber(OfLog):
    """Sum of Huber's losses of the residuals of log y: r^2 / 2 up to delta, then delta (|r| - delta / 2)."""

    delta: float

    @property
    def name(self) -> str:
        """With its delta."""
        return f"Huber sum of residuals of log y, delta {self.delta:g}"

    def value(self, residual: Reals, weight: Reals) -> Reals:
        """sum w rho(r)."""
        total: Reals = (weight * huber(residual, self.delta)).sum(-1)
        return total

    def influence(self, residual: Reals, weight: Reals) -> tuple[Reals, Reals]:
        """min(1, delta / |r|), and 1 inside of delta."""
        size = np.abs(residual)
        pull = weight * np.minimum(1.0, self.delta / np.maximum(size, 1e-300))
        return pull, weight * (size <= self.delta)


@dataclass(frozen=True)
class Likelihood(OfLog):
    """Negative log likelihood of Huber's density of the residuals of log y, with a fitted scale.

    As in Besiroglu et al. 2024 (arXiv 2404.10102): density exp(-rho(r / s)) / (s Z), delta in units of s; a
    small delta is nearly a Laplace density. The scale is the best one for the residuals at hand.
    """

    delta: float

    @property
    def name(self) -> str:
        """With its delta."""
        return f"negative log likelihood, Huber density of delta {self.delta:g}, scale fitted"

    def scale(self, residual: Reals, weight: Reals) -> Reals:
        """Maximum-likelihood scale, shape (problems, 1): the root of n s^2 = sum_in r^2 + delta s sum_out |r|.

        Which residuals lie inside depends on s; few passes settle it.
        """
        total, size = weight.sum(-1, keepdims=True), np.abs(residual)
        s: Reals = np.sqrt((weight * residual**2).sum(-1, keepdims=True) / total) + LEAST_SCALE
        for _ in range(60):
            inside = size <= self.delta * s
            near = np.where(inside, weight * size**2, 0.0).sum(-1, keepdims=True)
            far = self.delta * np.where(inside, 0.0, weight * size).sum(-1, keepdims=True)
            new = (far + np.sqrt(far**2 + 4 * total * near)) / (2 * total) + LEAST_SCALE
            if np.all(np.abs(new - s) <= 1e-13 * s):
                break
            s = new
        return s

    def value(self, residual: Reals, weight: Reals) -> Reals:
        """sum of w (rho(r / s) + log s + log Z)."""
        s = self.scale(residual, weight)
        inside = np.sqrt(2 * np.pi) * _central(self.delta)
        log_z = np.log(inside + 2 * np.exp(-0.5 * self.delta**2) / self.delta)
        total: Reals = (weight * (huber(residual / s, self.delta) + np.log(s) + log_z)).sum(-1)
        return total

    def influence(self, residual: Reals, weight: Reals) -> tuple[Reals, Reals]:
        """Huber's, for residuals in units of the scale."""
        s = self.scale(residual, weight)
        size = np.abs(residual) / s
        pull = weight * np.minimum(1.0, self.delta / np.maximum(size, 1e-300)) / s**2
        return pull, weight * (size <= self.delta) / s**2


def huber(residual: Reals, delta: float) -> Reals:
    """Huber's loss of each residual."""
    size = np.abs(residual)
    return np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))


def _central(z: float) -> float:
    """Probability of a standard normal within +-z."""
    from math import erf, sqrt

    return erf(z / sqrt(2))


OBJECTIVES: dict[str, Callable[[float], Objective]] = {
    "log-lsq": lambda _: LogLsq(),
    "log1p-lsq": lambda _: Log1pLsq(),
    "huber": Huber,
    "likelihood": Likelihood,
}


def objective(name: str, delta: float) -> Objective:
    """The objective of a name.

    Raises
    ------
    UserError
        If there is none, or delta is not positive.
    """
    if name not in OBJECTIVES:
        raise UserError(f"objective '{name}' is unknown; {nearest(name, OBJECTIVES)}")
    if not delta > 0:
        raise UserError(f"--delta must be above 0, not {delta:g}")
    return OBJECTIVES[name](delta)
