"""What every law has in common.

A curve is a function of scale in coordinates in which a fit is easy (logarithms of positive parameters), and
speaks to people in its natural parameters. ``theta`` has shape (..., coordinates), ``log_x`` the natural
logarithm of the variables, (points, variables); values are natural logarithms of the outcome, (..., points),
so that a thousand resamples are fitted at once.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np

from transferscale.scaling.metrics import Reals

# A floor is looked for down to this fraction of the smallest outcome; below ten times that, it is none.
SMALLEST_FLOOR = 1e-6
# Exponents that a law with a floor may take; a fit that ends there is reported.
SMALLEST_EXPONENT, LARGEST_EXPONENT = 1e-3, 10.0
# Logarithm of the largest number that is told.
LARGEST_LOG = 700.0


def along(law: "Curve", log_x: Reals) -> Reals:
    """How far along points (points, variables) are, (points,): by scale, or for a law of a loss by how low it is."""
    total: Reals = log_x.sum(-1)
    return -total if law.rises else total


class Curve(Protocol):
    """A fitted function of scale: what is told, drawn and extrapolated."""

    name: ClassVar[str]
    rises: ClassVar[bool | None]
    """Whether the outcome (an error or a loss) grows with x; None where either is meaningful."""

    @property
    def variables(self) -> tuple[str, ...]:
        """What the columns of scale are, in their order."""
        ...

    @property
    def equation(self) -> str:
        """The law in its natural parameters."""
        ...

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the natural parameters."""
        ...

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """Logarithm of the outcome, shape (..., points)."""
        ...

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """Its derivative by the coordinates, shape (..., points, coordinates)."""
        ...

    def natural(self, theta: Reals) -> Reals:
        """The parameters that are reported, shape (..., parameters)."""
        ...

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """What people act on, each of shape (...), for the fitted points ``log_x``."""
        ...


class Law(Curve, Protocol):
    """A law of scale, which can be fitted. Adding one is one class in one file of this folder."""

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """Starting points for the outcome ``log_y`` (points,), shape (starts, coordinates)."""
        ...

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """Lowest and highest coordinates, shapes (coordinates,)."""
        ...

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """The coordinates of given natural parameters, shape (coordinates,)."""
        ...


def exponential(log: Reals) -> Reals:
    """exp, kept within what a number can hold: the factor of a very steep law may exceed it."""
    found: Reals = np.exp(np.clip(log, -LARGEST_LOG, LARGEST_LOG))
    return found


def logarithm(positive: float) -> float:
    """log of a parameter that may be 0, such as a floor."""
    return float(np.log(max(positive, np.exp(-LARGEST_LOG))))


def log_sum(first: Reals | float, *terms: Reals) -> Reals:
    """log of the sum of exponentials of arrays that broadcast.

    As np.logaddexp, to a few roundings, in a third of its time: most of the time of a fit is spent here.
    """
    total = np.asarray(first, dtype=np.float64)
    for term in terms:
        least = np.asarray(-np.abs(total - term))
        np.exp(least, out=least)
        least += 1
        np.log(least, out=least)
        least += np.maximum(total, term)
        total = least
    return total


def floor_bounds(log_y: Reals) -> tuple[float, float]:
    """Where a floor's logarithm may lie: from almost nothing to the largest outcome."""
    return float(log_y.min()) + np.log(SMALLEST_FLOOR), float(log_y.max())


def linear_starts(columns: Reals, target: Reals, weight: Reals | None = None) -> Reals:
    """Weighted least squares of ``target`` (..., points) on ``columns`` (..., points, k), shape (..., k)."""
    root = 1.0 if weight is None else np.sqrt(weight)[..., None]
    left, right = columns * root, target[..., None] * root
    normal = np.swapaxes(left, -1, -2) @ left
    size = np.einsum("...ii->...i", normal)
    ridge = np.eye(columns.shape[-1]) * (1e-12 * size + 1e-300)[..., None, :]
    solution: Reals = np.linalg.solve(normal + ridge, np.swapaxes(left, -1, -2) @ right)[..., 0]
    return solution
