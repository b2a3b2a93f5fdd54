"""From a loss to the error of a task: the outcome grows with x, which is the loss itself."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from transferscale.scaling.laws.base import exponential, floor_bounds, log_sum, logarithm
from transferscale.scaling.metrics import Reals


class ExpLink:
    """Error = eps - k exp(-gamma L) (Gadre et al. 2024, arXiv 2403.08540), above zero on all losses fitted.

    Coordinates: log eps, log gamma, L0, the loss at which the error would vanish: k = eps exp(gamma L0).
    """

    name: ClassVar[str] = "exp-link"
    equation: str = "error = eps - k exp(-gamma L)"
    parameters: tuple[str, ...] = ("eps", "k", "gamma")
    variables: ClassVar[tuple[str, ...]] = ("L",)
    rises: ClassVar[bool | None] = True

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log eps + log(1 - exp(-gamma (L - L0))); beyond L0 the error is as good as zero."""
        z = np.exp(theta[..., 1:2]) * (np.exp(log_x[:, 0]) - theta[..., 2:3])
        return theta[..., :1] + np.log(-np.expm1(-np.maximum(z, 1e-12)))

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """By eps, gamma and L0."""
        gamma, beyond = np.exp(theta[..., 1:2]), np.exp(log_x[:, 0]) - theta[..., 2:3]
        z = np.maximum(gamma * beyond, 1e-12)
        slope = np.exp(-z) / -np.expm1(-z)
        return np.stack([np.ones_like(z), slope * z, -slope * gamma], -1)

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """A grid of gamma and L0, each with the best eps."""
        loss, width = np.exp(log_x[:, 0]), max(float(np.ptp(np.exp(log_x))), 1e-9)
        found = []
        for gamma in np.geomspace(0.1, 20, 10) / width:
            for zero in float(loss.min()) - width * np.array([0.01, 0.05, 0.2, 0.5, 1, 3]):
                shape = np.log(-np.expm1(-gamma * (loss - zero)))
                found.append([float((log_y - shape).mean()), np.log(gamma), zero])
        return np.array(found)

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """L0 below every loss fitted."""
        loss = np.exp(log_x[:, 0])
        width = max(float(np.ptp(loss)), 1e-9)
        return (
            np.array([float(log_y.max()) - 1, np.log(1e-3 / width), float(loss.min()) - 100 * width]),
            np.array([float(log_y.max()) + 5, np.log(1e3 / width), float(loss.min()) - 1e-6 * width]),
        )

    def natural(self, theta: Reals) -> Reals:
        """(eps, k, gamma)."""
        eps, gamma = np.exp(theta[..., 0]), np.exp(theta[..., 1])
        return np.stack([eps, exponential(theta[..., 0] + gamma * theta[..., 2]), gamma], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log eps, log gamma, L0)."""
        eps, k, gamma = natural["eps"], natural["k"], natural["gamma"]
        return np.array([np.log(eps), np.log(gamma), np.log(k / eps) / gamma])

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """The loss at which the error would vanish."""
        return {"loss_without_error": theta[..., 2]}


class SigmoidLink:
    """Error = e0 + (e1 - e0) / (1 + exp(-k (L - m))): a sigmoid in the loss, as for Llama 3 (2407.21783).

    Coordinates: log e0, log(e1 - e0), log k, m.
    """

    name: ClassVar[str] = "sigmoid-link"
    equation: str = "error = e0 + (e1 - e0) / (1 + exp(-k (L - m)))"
    parameters: tuple[str, ...] = ("e0", "e1", "k", "m")
    variables: ClassVar[tuple[str, ...]] = ("L",)
    rises: ClassVar[bool | None] = True

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log of the floor and the sigmoid."""
        z = np.exp(theta[..., 2:3]) * (np.exp(log_x[:, 0]) - theta[..., 3:4])
        return log_sum(theta[..., :1], theta[..., 1:2] - log_sum(0, -z))

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """Shares of floor and sigmoid."""
        k, beyond = np.exp(theta[..., 2:3]), np.exp(log_x[:, 0]) - theta[..., 3:4]
        log_p, rest = -log_sum(0, -k * beyond), np.exp(-log_sum(0, k * beyond))
        share = np.exp(theta[..., 1:2] + log_p - log_sum(theta[..., :1], theta[..., 1:2] + log_p))
        return np.stack([1 - share, share, share * rest * k * beyond, -share * rest * k], -1)

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """A grid of floors, steepnesses and middles, each with the best ceiling."""
        loss, width = np.exp(log_x[:, 0]), max(float(np.ptp(np.exp(log_x))), 1e-9)
        found = []
        for floor in np.exp(log_y.min()) * np.array([1e-4, 0.3, 0.8]):
            for k in np.geomspace(1, 30, 6) / width:
                for middle in float(loss.min()) + width * np.array([-0.5, 0, 0.25, 0.5, 0.75, 1, 1.5]):
                    shape = -log_sum(0, -k * (loss - middle))
                    above = np.log(np.maximum(np.exp(log_y) - floor, 1e-3 * np.exp(log_y)))
                    found.append([np.log(floor), float((above - shape).mean()), np.log(k), middle])
        return np.array(found)

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """The middle at most three widths outside of the losses fitted."""
        low, high = floor_bounds(log_y)
        loss = np.exp(log_x[:, 0])
        width = max(float(np.ptp(loss)), 1e-9)
        return (
            np.array([low, low, np.log(0.01 / width), float(loss.min()) - 3 * width]),
            np.array([high, high + 5, np.log(1e3 / width), float(loss.max()) + 3 * width]),
        )

    def natural(self, theta: Reals) -> Reals:
        """(e0, e1, k, m)."""
        floor = np.exp(theta[..., 0])
        return np.stack([floor, floor + np.exp(theta[..., 1]), np.exp(theta[..., 2]), theta[..., 3]], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log e0, log(e1 - e0), log k, m)."""
        e0, e1 = natural["e0"], natural["e1"]
        return np.array([logarithm(e0), np.log(e1 - e0), np.log(natural["k"]), natural["m"]])

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """Range of losses over which 10 to 90 % of the change happens."""
        return {"width": 2 * np.log(9.0) / np.exp(theta[..., 2])}
