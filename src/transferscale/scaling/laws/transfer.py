"""Laws of fine-tuning: what pretraining is worth in data, and loss from pretraining and fine-tuning together."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from transferscale.scaling.laws.base import exponential, floor_bounds, linear_starts, log_sum, logarithm
from transferscale.scaling.metrics import Reals

SMALLEST, LARGEST = 1e-3, 5.0


class Transfer:
    """Effective data transferred, D_T = k D_F^alpha N^beta (Hernandez et al. 2021, arXiv 2102.01293).

    Linear in logarithms, so its fit is exact; valid for small D_F, and D_T must be positive (where
    pretraining hurts it is not, and `scaling gain` says so). Coordinates: log k, alpha, beta.
    """

    name: ClassVar[str] = "transfer"
    equation: str = "D_T = k D_F^alpha N^beta"
    parameters: tuple[str, ...] = ("k", "alpha", "beta")
    variables: ClassVar[tuple[str, ...]] = ("D_F", "N")
    rises: ClassVar[bool | None] = None

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log k + alpha log D_F + beta log N."""
        return theta[..., :1] + theta[..., 1:] @ log_x.T

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """(1, log D_F, log N)."""
        columns = np.c_[np.ones(len(log_x)), log_x]
        return np.broadcast_to(columns, (*theta.shape[:-1], *columns.shape))

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """The solution of least squares itself."""
        return linear_starts(np.c_[np.ones(len(log_x)), log_x], log_y)[None]

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """None."""
        return np.full(3, -np.inf), np.full(3, np.inf)

    def natural(self, theta: Reals) -> Reals:
        """(k, alpha, beta)."""
        return np.concatenate([exponential(theta[..., :1]), theta[..., 1:]], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log k, alpha, beta)."""
        return np.array([np.log(natural["k"]), natural["alpha"], natural["beta"]])

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """Factors on D_T of ten times the fine-tuning data, and of ten times the parameters."""
        return {"factor_per_10x_D_F": 10 ** theta[..., 1], "factor_per_10x_N": 10 ** theta[..., 2]}


class FineTune:
    """Loss after fine-tuning, L = E + A / (X^alpha D_f^beta), X the pretraining scale (Zhang et al. 2024, 2402.17193).

    Coordinates: log E, log A, alpha, beta.
    """

    name: ClassVar[str] = "finetune"
    equation: str = "L = E + A / (X^alpha D_f^beta)"
    parameters: tuple[str, ...] = ("E", "A", "alpha", "beta")
    variables: ClassVar[tuple[str, ...]] = ("X", "D_f")
    rises: ClassVar[bool | None] = False

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log(E + A / (X^alpha D_f^beta))."""
        return log_sum(theta[..., :1], theta[..., 1:2] - theta[..., 2:] @ log_x.T)

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """Shares of floor and fall."""
        share = np.exp(theta[..., 1:2] - theta[..., 2:] @ log_x.T - self.log_value(theta, log_x))
        return np.stack([1 - share, share, -share * log_x[:, 0], -share * log_x[:, 1]], -1)

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """For a grid of floors the best A and exponents, linear in log(L - E)."""
        floors = np.exp(log_y.min()) * np.array([1e-4, 0.3, 0.6, 0.8, 0.9, 0.97])
        above = np.exp(log_y) - floors[:, None]
        columns = np.broadcast_to(np.c_[np.ones(len(log_x)), -log_x], (len(floors), len(log_x), 3))
        found = linear_starts(columns, np.log(above), (above * np.exp(-log_y)) ** 2)
        return np.column_stack([np.log(floors), found])

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """Exponents between 0.001 and 5."""
        low, high = floor_bounds(log_y)
        return np.array([low, -np.inf, SMALLEST, SMALLEST]), np.array([high, np.inf, LARGEST, LARGEST])

    def natural(self, theta: Reals) -> Reals:
        """(E, A, alpha, beta)."""
        return np.concatenate([exponential(theta[..., :2]), theta[..., 2:]], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log E, log A, alpha, beta)."""
        return np.array([logarithm(natural["E"]), np.log(natural["A"]), natural["alpha"], natural["beta"]])

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """Factor on X that is worth as much as twice the fine-tuning data."""
        return {"X_factor_worth_2x_D_f": exponential(np.log(2) * theta[..., 3] / theta[..., 2])}
