"""The broken neural scaling law (Caballero, Gupta, Rish & Krueger 2022, arXiv 2210.14891)."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from transferscale.scaling.laws.base import exponential, floor_bounds, linear_starts, log_sum, logarithm
from transferscale.scaling.metrics import Reals

# A break may lie this far (factor in x) outside of the points; it is then said not to be observed.
BEYOND = 3.0
# Sharpness f: 10 to 90 % of a slope's change takes 4.39 f in log x.
SHARPEST, WIDEST = 0.02, 5.0
TRANSITION = 2 * np.log(9.0)
STEEPEST = 50.0


class Broken:
    """Broken law, y = a + b x^-c0 prod_i (1 + (x/d_i)^(1/f_i))^(-c_i f_i), with a >= 0 (their equation 1).

    The slope after break j is -(c_0 + ... + c_j). Coordinates: log b, c0, log a, and for each break c_i,
    log d_i, log f_i.
    """

    name: ClassVar[str] = "broken"
    variables: ClassVar[tuple[str, ...]] = ("x",)
    rises: ClassVar[bool | None] = None

    def __init__(self, breaks: int = 1) -> None:
        self.breaks = breaks

    @property
    def equation(self) -> str:
        """With the number of breaks written out."""
        factors = [f"(1 + (x/d{i})^(1/f{i}))^(-c{i} f{i})" for i in range(1, self.breaks + 1)]
        return " ".join(["y = a + b x^-c0", *factors])

    @property
    def parameters(self) -> tuple[str, ...]:
        """a, b, c0 and three for each break."""
        return ("a", "b", "c0", *(f"{p}{i}" for i in range(1, self.breaks + 1) for p in "cdf"))

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log(a + the broken power)."""
        return log_sum(theta[..., 2:3], self._power(theta, log_x[:, 0]))

    def _power(self, theta: Reals, x: Reals) -> Reals:
        """Logarithm of the part above the floor."""
        out: Reals = theta[..., :1] - theta[..., 1:2] * x
        for i in range(3, 3 + 3 * self.breaks, 3):
            c, log_d, f = theta[..., i : i + 1], theta[..., i + 1 : i + 2], np.exp(theta[..., i + 2 : i + 3])
            out = out - c * f * log_sum(0, (x - log_d) / f)
        return out

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """By the chain rule, the share of the broken power times its own derivatives."""
        x = log_x[:, 0]
        power = self._power(theta, x)
        share = np.exp(power - log_sum(theta[..., 2:3], power))
        columns = [share, -share * x, 1 - share]
        for i in range(3, 3 + 3 * self.breaks, 3):
            c, log_d, f = theta[..., i : i + 1], theta[..., i + 1 : i + 2], np.exp(theta[..., i + 2 : i + 3])
            z = (x - log_d) / f
            soft, sigmoid = log_sum(0, z), np.exp(-log_sum(0, -z))
            columns += [-share * f * soft, share * c * sigmoid, -share * c * f * (soft - z * sigmoid)]
        return np.stack(columns, -1)

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """Variable projection: for a grid of floors, breaks and sharpnesses, the best slopes are linear."""
        x = log_x[:, 0]
        low, high = float(x.min()), float(x.max())
        floors = np.exp(log_y.min()) * np.array([1e-4, 0.5, 0.8, 0.9, 0.97])
        if self.breaks == 0:
            grid = np.empty((1, 0, 2))
        elif self.breaks == 1:
            places = np.linspace(low, high + np.log(2), 14)
            grid = np.array([[[d, f]] for d in places for f in np.log([0.06, 0.25, 1.0])])
        else:
            # The grid would grow as a power of the number of breaks: a fixed set of ordered places instead.
            rng = np.random.default_rng(self.breaks)
            places = np.sort(rng.uniform(low, high + np.log(1.5), (80, self.breaks)), axis=1)
            grid = np.stack([places, rng.uniform(np.log(0.05), 0.0, places.shape)], -1)
        soft = np.exp(grid[..., 1:2]) * log_sum(0, (x - grid[..., :1]) * np.exp(-grid[..., 1:2]))
        middle = float(x.mean())
        ones = np.ones((len(grid), len(x)))
        columns = np.stack([ones, -(x - middle) * ones, *np.moveaxis(-soft, 1, 0)], -1)
        found = []
        for floor in floors:
            # Residuals of log(y - a) weigh as much as they move log y.
            above = np.exp(log_y) - floor
            weight = np.broadcast_to((above * np.exp(-log_y)) ** 2, ones.shape)
            line = linear_starts(columns, np.broadcast_to(np.log(above), ones.shape), weight)
            line[:, 0] += line[:, 1] * middle
            parts = [line[:, 0], line[:, 1], np.full(len(grid), np.log(floor))]
            for i in range(self.breaks):
                parts += [line[:, 2 + i], grid[:, i, 0], grid[:, i, 1]]
            found.append(np.stack(parts, -1))
        return np.concatenate(found)

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """Breaks at most a factor beyond the points; growth before the first one only where the points grow.

        Without that, a break in front of the points makes a curve that they say nothing about.
        """
        low, high = floor_bounds(log_y)
        order = np.argsort(log_x[:, 0], kind="stable")
        first = order[: max(3, len(order) // 3)]
        steps = log_x[first, 0] - log_x[first, 0].mean()
        grows = float(steps @ log_y[first]) > 0
        x_low, x_high = float(log_x.min()) - np.log(BEYOND), float(log_x.max()) + np.log(BEYOND)
        each_low, each_high = [-STEEPEST, x_low, np.log(SHARPEST)], [STEEPEST, x_high, np.log(WIDEST)]
        return (
            np.array([-np.inf, -STEEPEST if grows else 0.0, low, *each_low * self.breaks]),
            np.array([np.inf, STEEPEST, high, *each_high * self.breaks]),
        )

    def natural(self, theta: Reals) -> Reals:
        """(a, b, c0, c1, d1, f1, ...), breaks in the order of their place."""
        first = [np.exp(theta[..., 2]), exponential(theta[..., 0]), theta[..., 1]]
        if not self.breaks:
            return np.stack(first, -1)
        triples = theta[..., 3:].reshape(*theta.shape[:-1], self.breaks, 3)
        order = np.argsort(triples[..., 1], axis=-1, kind="stable")
        triples = np.take_along_axis(triples, order[..., None], axis=-2)
        triples = np.concatenate([triples[..., :1], np.exp(triples[..., 1:])], -1)
        return np.concatenate([np.stack(first, -1), triples.reshape(*theta.shape[:-1], -1)], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log b, c0, log a, c1, log d1, log f1, ...)."""
        theta = [np.log(natural["b"]), natural["c0"], logarithm(natural["a"])]
        for i in range(1, self.breaks + 1):
            theta += [natural[f"c{i}"], np.log(natural[f"d{i}"]), np.log(natural[f"f{i}"])]
        return np.array(theta)

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """Slope of log y after each break (floor apart) and the factor in x that its transition takes."""
        natural = self.natural(theta)
        out = {"slope0": -natural[..., 2]}
        for i in range(1, self.breaks + 1):
            at = 3 * i
            out[f"slope{i}"] = -natural[..., 2] - natural[..., 3 : at + 1 : 3].sum(-1)
            out[f"width{i}"] = np.exp(TRANSITION * natural[..., at + 2])
        return out
