"""M1 to M4, the laws of learning curves (Alabdulmohsin, Neyshabur & Zhai 2022, arXiv 2209.06640)."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from transferscale.scaling.laws.base import (
    LARGEST_EXPONENT,
    SMALLEST_EXPONENT,
    exponential,
    floor_bounds,
    log_sum,
    logarithm,
)
from transferscale.scaling.laws.power import Power, PowerFloor
from transferscale.scaling.metrics import Reals

# A logit this far out is as good as infinite; an exponent a this small as good as 0.
FARTHEST, SMALLEST_A = 700.0, 1e-12
# Halley's steps triple the digits: after one this small, s is exact.
LAST_STEP, STEPS = 1e-5, 60


class M1(Power):
    """M1, y = b x^c: the power law with the paper's sign."""

    name: ClassVar[str] = "m1"
    equation: str = "y = b x^c"

    def natural(self, theta: Reals) -> Reals:
        """(b, c)."""
        return np.stack([exponential(theta[..., 0]), -theta[..., 1]], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log b, -c)."""
        return np.array([np.log(natural["b"]), -natural["c"]])


class M2(PowerFloor):
    """M2, y = e + b x^c: the power law above a floor with the paper's sign."""

    name: ClassVar[str] = "m2"
    equation: str = "y = e + b x^c"

    def natural(self, theta: Reals) -> Reals:
        """(e, b, c)."""
        return np.stack([np.exp(theta[..., 2]), exponential(theta[..., 0]), -theta[..., 1]], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log b, -c, log e)."""
        return np.array([np.log(natural["b"]), -natural["c"], logarithm(natural["e"])])


class M3:
    """M3, y = b (1/x + g)^c with g >= 0 and c > 0: a floor at infinite x. Coordinates: log b, c, log g."""

    name: ClassVar[str] = "m3"
    equation: str = "y = b (1/x + g)^c"
    parameters: tuple[str, ...] = ("b", "g", "c")
    variables: ClassVar[tuple[str, ...]] = ("x",)
    rises: ClassVar[bool | None] = False

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log b + c log(1/x + g)."""
        return theta[..., :1] + theta[..., 1:2] * log_sum(-log_x[:, 0], theta[..., 2:3])

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """(1, log(1/x + g), c g / (1/x + g))."""
        both = log_sum(-log_x[:, 0], theta[..., 2:3])
        share = np.exp(theta[..., 2:3] - both)
        return np.stack([np.ones_like(both), both, theta[..., 1:2] * share], -1)

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """For each g of a grid the best b and c, which are linear in logarithms."""
        reach = -float(log_x.max())
        g = np.linspace(reach - 12, -float(log_x.min()) + 1, 16)
        columns = log_sum(-log_x[:, 0], g[:, None])
        centred = columns - columns.mean(1, keepdims=True)
        slope = (centred @ log_y) / np.maximum((centred**2).sum(1), 1e-300)
        slope = np.clip(slope, SMALLEST_EXPONENT, LARGEST_EXPONENT)
        return np.stack([log_y.mean() - slope * columns.mean(1), slope, g], -1)

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """g lies between almost nothing at the largest x and far more than the largest 1/x."""
        low, high = -float(log_x.max()) + np.log(1e-8), -float(log_x.min()) + 3
        return np.array([-np.inf, SMALLEST_EXPONENT, low]), np.array([np.inf, LARGEST_EXPONENT, high])

    def natural(self, theta: Reals) -> Reals:
        """(b, g, c)."""
        return np.stack([exponential(theta[..., 0]), np.exp(theta[..., 2]), theta[..., 1]], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log b, c, log g)."""
        return np.array([np.log(natural["b"]), natural["c"], logarithm(natural["g"])])

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """The outcome at infinite x."""
        return {"value_at_infinity": np.exp(theta[..., 0] + theta[..., 1] * theta[..., 2])}


class M4:
    """M4, (y - e) / (e0 - y)^a = b x^c: from e0 without data to e at infinite x, with c < 0 and a >= 0.

    y is found as a root between e and e0 and differentiated implicitly. Coordinates: log b, -c, log e,
    log e0, a.
    """

    name: ClassVar[str] = "m4"
    equation: str = "(y - e) / (e0 - y)^a = b x^c"
    parameters: tuple[str, ...] = ("e", "b", "c", "e0", "a")
    variables: ClassVar[tuple[str, ...]] = ("x",)
    rises: ClassVar[bool | None] = False

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log y, with y = e + (e0 - e) p."""
        log_floor, ratio = theta[..., 2:3], self._ratio(theta)
        return log_floor + np.log1p(ratio * self._logistic(theta, log_x)[0])

    def _ratio(self, theta: Reals) -> Reals:
        """(e0 - e) / e, shape (..., 1)."""
        return np.maximum(np.expm1(theta[..., 3:4] - theta[..., 2:3]), 1e-12)

    def _logistic(self, theta: Reals, log_x: Reals) -> tuple[Reals, Reals, Reals]:
        """p = (y - e) / (e0 - e), q = 1 - p and log q, each of shape (..., points)."""
        log_b, slope, log_floor, _, a = (theta[..., i : i + 1] for i in range(5))
        target = log_b - slope * log_x[:, 0] + (a - 1) * (log_floor + np.log(self._ratio(theta)))
        s = logit_between(target, a)
        tail = np.exp(-np.abs(s))
        p, q = np.where(s > 0, 1.0, tail), np.where(s > 0, tail, 1.0)
        return p / (1 + tail), q / (1 + tail), -np.maximum(s, 0.0) - np.log1p(tail)

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """By the implicit function theorem from log p - a log q = log b + c log x + (a - 1) log(e0 - e)."""
        p, q, log_q = self._logistic(theta, log_x)
        a, ratio = np.maximum(theta[..., 4:5], SMALLEST_A), self._ratio(theta)
        value = 1 + ratio * p  # y / e
        by_target = ratio * p * q / (q + a * p) / value
        by_floor = by_target * (1 - a) / ratio
        log_width = theta[..., 2:3] + np.log(ratio)
        columns = [
            by_target,
            -by_target * log_x[:, 0],
            q / value + by_floor,
            (1 + ratio) * (p / value - by_floor),
            by_target * (log_width + log_q),
        ]
        return np.stack(columns, -1)

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """A grid of e, e0 and a, each with the best line of log((y - e) / (e0 - y)^a) on log x."""
        low, high, top = np.exp(log_y.min()), np.exp(log_y.max()), np.exp(log_y.max())
        y, x = np.exp(log_y), log_x[:, 0] - log_x[:, 0].mean()
        found = []
        for floor in low * np.array([1e-3, 0.3, 0.6, 0.8, 0.9, 0.97]):
            for ceiling in (high * 1.02, high * 1.2, max(1.0, high * 1.02), high * 3, high * 30):
                for a in (0.0, 0.5, 1.0, 2.0):
                    left = np.log(y - floor) - a * np.log(ceiling - y)
                    weight = (1 / ((y - floor) ** -1 + a / (ceiling - y)) / y) ** 2
                    share = weight / weight.sum()
                    mean_x, mean_l = share @ x, share @ left
                    slope = (share * (x - mean_x)) @ (left - mean_l) / (share @ (x - mean_x) ** 2)
                    slope = np.clip(-slope, SMALLEST_EXPONENT, LARGEST_EXPONENT)
                    intercept = mean_l + slope * mean_x + slope * log_x[:, 0].mean()
                    found.append([intercept, slope, np.log(floor), np.log(max(ceiling, top)), a])
        return np.array(found)

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """e below all outcomes, e0 above all of them and at most a hundred times the largest."""
        low, high = floor_bounds(log_y)
        return (
            np.array([-np.inf, SMALLEST_EXPONENT, low, high + 1e-3, 0.0]),
            np.array([np.inf, LARGEST_EXPONENT, float(log_y.min()) - 1e-9, high + np.log(100), 5.0]),
        )

    def natural(self, theta: Reals) -> Reals:
        """(e, b, c, e0, a)."""
        return np.stack(
            [
                np.exp(theta[..., 2]),
                exponential(theta[..., 0]),
                -theta[..., 1],
                np.exp(theta[..., 3]),
                theta[..., 4],
            ],
            -1,
        )

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log b, -c, log e, log e0, a)."""
        return np.array(
            [
                np.log(natural["b"]),
                -natural["c"],
                logarithm(natural["e"]),
                np.log(natural["e0"]),
                natural["a"],
            ]
        )

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """Nothing beyond its parameters."""
        return {}


def logit_between(target: Reals, a: Reals) -> Reals:
    """s with log p - a log(1 - p) = target for p = 1 / (1 + exp(-s)), elementwise, by Halley's method.

    The left side is s + (a - 1) softplus(s): growing, and bent one way only. A hyperbola in the softplus's
    place gives the first guess in closed form; each element is followed until it has settled.
    """
    shape = np.broadcast_shapes(np.shape(target), np.shape(a))
    a = np.maximum(np.broadcast_to(a, shape), SMALLEST_A).ravel()
    reach = FARTHEST * np.maximum(a, 1.0)
    target = np.clip(np.broadcast_to(target, shape).ravel(), -reach, reach)
    bent = (a - 1) * np.sqrt(target**2 + a * (2 * np.log(2)) ** 2)
    s = np.clip(((1 + a) * target - bent) / (2 * a), -FARTHEST, FARTHEST)
    own = np.arange(s.size)
    here, t, k = s, target, a
    for _ in range(STEPS):
        tail = np.exp(-np.abs(here))
        p = np.where(here > 0, 1.0, tail) / (1 + tail)
        slope = 1 + (k - 1) * p
        # The softplus is max(s, 0) + log1p(tail); k s in place of s + (k - 1) s, where the two cancel.
        error = np.where(here > 0, k, 1.0) * here + (k - 1) * np.log1p(tail) - t
        newton = error / slope
        curved = newton * (k - 1) * p * (1 - p) / (2 * slope)
        there = np.clip(here - newton / (1 - np.clip(curved, -1.0, 0.5)), -FARTHEST, FARTHEST)
        moving = np.abs(there - here) > LAST_STEP * (1 + np.abs(here))
        s[own] = there
        if not moving.any():
            break
        own, here, t, k = own[moving], there[moving], t[moving], k[moving]
    found: Reals = s.reshape(shape)
    return found
