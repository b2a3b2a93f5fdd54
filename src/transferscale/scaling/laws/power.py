"""Power laws, with and without a floor."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from transferscale.scaling.laws.base import (
    LARGEST_EXPONENT,
    SMALLEST_EXPONENT,
    exponential,
    floor_bounds,
    linear_starts,
    log_sum,
    logarithm,
)
from transferscale.scaling.metrics import Reals


class Power:
    """Power law, y = b x^-c: linear in logarithms, so its fit is exact. Coordinates: log b, c."""

    name: ClassVar[str] = "power"
    equation: str = "y = b x^-c"
    parameters: tuple[str, ...] = ("b", "c")
    variables: ClassVar[tuple[str, ...]] = ("x",)
    rises: ClassVar[bool | None] = None

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log b - c log x."""
        return theta[..., :1] - theta[..., 1:2] * log_x[:, 0]

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """(1, -log x)."""
        columns = np.stack([np.ones(len(log_x)), -log_x[:, 0]], -1)
        return np.broadcast_to(columns, (*theta.shape[:-1], *columns.shape))

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """The solution of least squares itself."""
        return linear_starts(np.stack([np.ones(len(log_x)), -log_x[:, 0]], -1), log_y)[None]

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """None."""
        return np.full(2, -np.inf), np.full(2, np.inf)

    def natural(self, theta: Reals) -> Reals:
        """(b, c)."""
        return np.stack([exponential(theta[..., 0]), theta[..., 1]], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log b, c)."""
        return np.array([np.log(natural["b"]), natural["c"]])

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """Factor on y when x doubles."""
        return {"factor_per_doubling": 2 ** -theta[..., 1]}


class PowerFloor:
    """Power law above a floor, y = e + b x^-c with e >= 0 and c > 0. Coordinates: log b, c, log e."""

    name: ClassVar[str] = "power-floor"
    equation: str = "y = e + b x^-c"
    parameters: tuple[str, ...] = ("e", "b", "c")
    variables: ClassVar[tuple[str, ...]] = ("x",)
    rises: ClassVar[bool | None] = False

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log(e + b x^-c)."""
        return log_sum(theta[..., 2:3], theta[..., :1] - theta[..., 1:2] * log_x[:, 0])

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """Shares of the falling part and of the floor."""
        share = np.exp(theta[..., :1] - theta[..., 1:2] * log_x[:, 0] - self.log_value(theta, log_x))
        return np.stack([share, -share * log_x[:, 0], 1 - share], -1)

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """For each exponent of a grid the best floor and factor (variable projection), in relative errors."""
        lowest, _ = self.bounds(log_x, log_y)
        width, middle = max(float(np.ptp(log_x)), 1e-9), float(log_x.mean())
        exponent = np.clip(np.geomspace(0.05, 20, 14) / width, SMALLEST_EXPONENT, LARGEST_EXPONENT)
        fall = np.exp(-exponent[:, None] * (log_x[:, 0] - middle))
        columns = np.stack([np.ones_like(fall), fall], -1)
        relative = np.broadcast_to(np.exp(-2 * log_y), fall.shape)
        both = linear_starts(columns, np.exp(log_y), relative)
        floor = np.clip(both[:, 0], np.exp(lowest[2] + 1), np.exp(log_y.min()) * (1 - 1e-6))
        rest = (np.exp(log_y) - floor[:, None]) * relative
        factor = (rest * fall).sum(-1) / (relative * fall**2).sum(-1)
        factor = np.maximum(factor, 1e-12 * np.exp(log_y.mean()))
        return np.stack([np.log(factor) + exponent * middle, exponent, np.log(floor)], -1)

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """The floor lies between almost nothing and the largest outcome."""
        low, high = floor_bounds(log_y)
        return np.array([-np.inf, SMALLEST_EXPONENT, low]), np.array([np.inf, LARGEST_EXPONENT, high])

    def natural(self, theta: Reals) -> Reals:
        """(e, b, c)."""
        return np.stack([np.exp(theta[..., 2]), exponential(theta[..., 0]), theta[..., 1]], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log b, c, log e)."""
        return np.array([np.log(natural["b"]), natural["c"], logarithm(natural["e"])])

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """Factor on the part above the floor when x doubles, and that part's share at the largest scale."""
        largest = log_x[:, 0].max()
        falling = theta[..., 0] - theta[..., 1] * largest
        return {
            "factor_per_doubling_above_floor": 2 ** -theta[..., 1],
            "reducible_share_at_largest": np.exp(falling - log_sum(falling, theta[..., 2])),
        }
