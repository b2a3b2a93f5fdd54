"""The laws: functions of scale, each with its equation, its starting points and its derivatives.

A law is written in coordinates in which a fit is easy (logarithms of positive parameters) and speaks to
people in its natural parameters. All arrays may carry leading axes, so that a thousand resamples are fitted
at once.
"""

from typing import ClassVar, Protocol

import numpy as np

from transferscale.scaling.metrics import Reals

# Exponents that a floor law may take; a fit that ends there is reported.
SMALLEST_EXPONENT, LARGEST_EXPONENT = 1e-3, 10.0
# A floor is looked for down to this fraction of the smallest outcome; below it, it is none.
SMALLEST_FLOOR = 1e-6


class Law(Protocol):
    """What a fit needs to know of a law. ``theta`` has shape (..., coordinates), ``log_x`` (points,)."""

    name: ClassVar[str]
    equation: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]]

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """Logarithm of the outcome, shape (..., points)."""
        ...

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """Its derivative by the coordinates, shape (..., points, coordinates)."""
        ...

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """Starting points for outcomes (resamples, points), shape (resamples, starts, coordinates)."""
        ...

    def bounds(self, log_y: Reals) -> tuple[Reals, Reals]:
        """Lowest and highest coordinates, shapes (coordinates,)."""
        ...

    def moved(self, theta: Reals, shift: float) -> Reals:
        """Coordinates of the same curve when ``shift`` is added to every log x."""
        ...

    def natural(self, theta: Reals, log_y: Reals) -> Reals:
        """The parameters that are reported, shape (..., parameters)."""
        ...

    def derived(self, natural: dict[str, float], largest: float) -> dict[str, float]:
        """What people act on, from the natural parameters and the largest scale."""
        ...


class Power:
    """Power law, y = b x^-c: linear in logarithms, so its fit is exact."""

    name: ClassVar[str] = "power"
    equation: ClassVar[str] = "y = b x^-c"
    parameters: ClassVar[tuple[str, ...]] = ("b", "c")

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log b - c log x."""
        return theta[..., :1] - theta[..., 1:2] * log_x

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """(1, -log x)."""
        columns = np.stack([np.ones_like(log_x), -log_x], -1)
        return np.broadcast_to(columns, (*theta.shape[:-1], *columns.shape))

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """The solution itself."""
        mean_x, mean_y = log_x.mean(), log_y.mean(-1)
        x = log_x - mean_x
        slope = (log_y - mean_y[:, None]) @ x / (x @ x)
        return np.stack([mean_y - slope * mean_x, -slope], -1)[:, None]

    def bounds(self, log_y: Reals) -> tuple[Reals, Reals]:
        """None."""
        return np.full(2, -np.inf), np.full(2, np.inf)

    def moved(self, theta: Reals, shift: float) -> Reals:
        """b absorbs the shift."""
        return np.stack([theta[..., 0] + theta[..., 1] * shift, theta[..., 1]], -1)

    def natural(self, theta: Reals, log_y: Reals) -> Reals:
        """(b, c)."""
        return np.stack([np.exp(theta[..., 0]), theta[..., 1]], -1)

    def derived(self, natural: dict[str, float], largest: float) -> dict[str, float]:
        """Factor on y when x doubles."""
        return {"factor_per_doubling": float(2 ** -natural["c"])}


class PowerFloor:
    """Power law above a floor, y = e + b x^-c with e >= 0 and c > 0. Coordinates: log b, c, log e."""

    name: ClassVar[str] = "power-floor"
    equation: ClassVar[str] = "y = e + b x^-c"
    parameters: ClassVar[tuple[str, ...]] = ("e", "b", "c")

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log(e + b x^-c)."""
        return np.logaddexp(theta[..., 2:3], theta[..., :1] - theta[..., 1:2] * log_x)

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """Shares of the falling part and of the floor."""
        falling = np.exp(theta[..., :1] - theta[..., 1:2] * log_x - self.log_value(theta, log_x))
        return np.stack([falling, -falling * log_x, 1 - falling], -1)

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """For each exponent of a grid the best floor and factor (variable projection), in relative errors."""
        width = max(float(np.ptp(log_x)), 1e-9)
        lowest, highest = self.bounds(log_y)
        out = []
        for exponent in np.clip(np.geomspace(0.05, 20, 14) / width, SMALLEST_EXPONENT, LARGEST_EXPONENT):
            fall = np.exp(-exponent * log_x)
            relative = np.exp(-2 * log_y)
            s0, s1, s2 = relative.sum(-1), relative @ fall, relative @ fall**2
            t0, t1 = (relative * np.exp(log_y)).sum(-1), (relative * np.exp(log_y)) @ fall
            determinant = s0 * s2 - s1**2
            with np.errstate(divide="ignore", invalid="ignore"):
                floor = (s2 * t0 - s1 * t1) / determinant
                floor = np.where(np.isfinite(floor), floor, 0.0)
                floor = np.clip(floor, 0.0, np.exp(highest[2]))
                factor = np.maximum((t1 - s1 * floor) / s2, 1e-12 * np.exp(log_y.mean(-1)))
                log_floor = np.maximum(np.log(floor), lowest[2] + 1)
            out.append(np.stack([np.log(factor), np.full_like(factor, exponent), log_floor], -1))
        return np.stack(out, 1)

    def bounds(self, log_y: Reals) -> tuple[Reals, Reals]:
        """The floor lies between almost nothing and the largest outcome."""
        low, high = float(log_y.min()), float(log_y.max())
        return (
            np.array([-np.inf, SMALLEST_EXPONENT, low + np.log(SMALLEST_FLOOR)]),
            np.array([np.inf, LARGEST_EXPONENT, high]),
        )

    def moved(self, theta: Reals, shift: float) -> Reals:
        """b absorbs the shift."""
        return np.stack([theta[..., 0] + theta[..., 1] * shift, theta[..., 1], theta[..., 2]], -1)

    def natural(self, theta: Reals, log_y: Reals) -> Reals:
        """(e, b, c); a floor at its lower bound is 0."""
        floor = np.exp(theta[..., 2])
        floor = np.where(floor <= 10 * SMALLEST_FLOOR * np.exp(log_y.min()), 0.0, floor)
        return np.stack([floor, np.exp(theta[..., 0]), theta[..., 1]], -1)

    def derived(self, natural: dict[str, float], largest: float) -> dict[str, float]:
        """Share of the outcome at the largest scale that more scale could still remove."""
        falling = natural["b"] * largest ** -natural["c"]
        return {
            "factor_per_doubling_above_floor": float(2 ** -natural["c"]),
            "reducible_share_at_largest": float(falling / (natural["e"] + falling)),
        }


LAWS: dict[str, Law] = {law.name: law for law in (Power(), PowerFloor())}
