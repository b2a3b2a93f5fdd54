"""Loss of a model of N parameters trained on D tokens (Hoffmann et al. 2022, arXiv 2203.15556)."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from transferscale.scaling.laws.base import exponential, floor_bounds, linear_starts, log_sum, logarithm
from transferscale.scaling.laws.power import PowerFloor
from transferscale.scaling.metrics import Reals

SMALLEST, LARGEST = 0.01, 5.0
# Training FLOPs a parameter and token.
FLOPS = 6.0


class Chinchilla:
    """L = E + A / N^alpha + B / D^beta (their equation 2). Coordinates: log E, log A, log B, alpha, beta."""

    name: ClassVar[str] = "chinchilla"
    equation: str = "L = E + A / N^alpha + B / D^beta"
    parameters: tuple[str, ...] = ("E", "A", "B", "alpha", "beta")
    variables: ClassVar[tuple[str, ...]] = ("N", "D")
    rises: ClassVar[bool | None] = False

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log(E + A / N^alpha + B / D^beta)."""
        return log_sum(*self._terms(theta, log_x))

    def _terms(self, theta: Reals, log_x: Reals) -> tuple[Reals, Reals, Reals]:
        e, a, b, alpha, beta = (theta[..., i : i + 1] for i in range(5))
        return e, a - alpha * log_x[..., 0], b - beta * log_x[..., 1]

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """Shares of the three terms."""
        terms = self._terms(theta, log_x)
        total = log_sum(*terms)
        e, a, b = (np.exp(term - total) for term in terms)
        return np.stack([e, a, b, -a * log_x[..., 0], -b * log_x[..., 1]], -1)

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """For a grid of exponents the best E, A, B, which are linear (variable projection)."""
        grid = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.9, 1.3])
        alpha, beta = (axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij"))
        middle = log_x.mean(0)
        falls = [
            np.exp(-exponent[:, None] * (log_x[:, i] - middle[i])) for i, exponent in enumerate((alpha, beta))
        ]
        columns = np.stack([np.ones_like(falls[0]), *falls], -1)
        relative = np.broadcast_to(np.exp(-2 * log_y), falls[0].shape)
        found = linear_starts(columns, np.exp(log_y), relative)
        least = np.exp(log_y.mean()) * np.array([1e-2, 1e-3, 1e-3])
        e, a, b = np.log(np.maximum(found, least)).T
        return np.stack([e, a + alpha * middle[0], b + beta * middle[1], alpha, beta], -1)

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """Exponents between 0.01 and 5; a floor of at most the largest loss."""
        low, high = floor_bounds(log_y)
        return (
            np.array([low, -np.inf, -np.inf, SMALLEST, SMALLEST]),
            np.array([high, np.inf, np.inf, LARGEST, LARGEST]),
        )

    def natural(self, theta: Reals) -> Reals:
        """(E, A, B, alpha, beta)."""
        return np.concatenate([exponential(theta[..., :3]), theta[..., 3:]], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log E, log A, log B, alpha, beta)."""
        return np.array(
            [logarithm(natural["E"]), *(np.log(natural[p]) for p in "AB"), natural["alpha"], natural["beta"]]
        )

    def optimum(self, theta: Reals, flops: float) -> tuple[Reals, Reals]:
        """N and D of the least loss at C = 6 N D (their equation 4), each of shape (...)."""
        _, a, b, alpha, beta = np.moveaxis(theta, -1, 0)
        log_g = (np.log(alpha) + a - np.log(beta) - b) / (alpha + beta)
        log_n = log_g + beta / (alpha + beta) * np.log(flops / FLOPS)
        return exponential(log_n), exponential(np.log(flops / FLOPS) - log_n)

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """Exponent a of N* ~ C^a, and the optimum at the largest C = 6 N D of the points."""
        largest = FLOPS * float(exponential(log_x.sum(1).max()))
        n, d = self.optimum(theta, largest)
        alpha, beta = theta[..., 3], theta[..., 4]
        compute = np.full(theta.shape[:-1], largest)
        return {
            "a": beta / (alpha + beta),
            "compute": compute,
            "optimal_N": n,
            "optimal_D": d,
            "D_per_N": exponential(np.log(d) - np.log(n)),
        }


class ChinchillaFrontier(PowerFloor):
    """Loss of the best split of C = 6 N D: L = E + K / C^gamma, gamma = alpha beta / (alpha + beta)."""

    name: ClassVar[str] = "chinchilla"
    equation: str = "L = E + K / C^gamma"
    parameters: tuple[str, ...] = ("E", "K", "gamma")
    variables: ClassVar[tuple[str, ...]] = ("C",)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log K, gamma, log E)."""
        return np.array([np.log(natural["K"]), natural["gamma"], logarithm(natural["E"])])


def saturated(log_unique: Reals, log_seen: Reals, log_r: Reals) -> tuple[Reals, Reals, Reals]:
    """What repeated data (or excess parameters) are worth: U (1 + R* (1 - exp(-R / R*))), R = seen / U - 1.

    Returns
    -------
    log_worth, by_unique, by_r
        Its logarithm, and the derivatives by log U and log R*, for inputs that broadcast.
    """
    r_star = np.exp(log_r)
    # So many repeats are worth as much as endless ones, and do not overflow.
    repeats = np.maximum(np.expm1(np.minimum(log_seen - log_unique, 500.0)), 0.0)
    decay = np.exp(-repeats / r_star)
    worth = 1 + r_star * (1 - decay)
    once = repeats == 0
    by_unique = np.where(once, 0.0, 1 - decay * (1 + repeats) / worth)
    value = np.where(once, log_seen, log_unique + np.log(worth))
    return value, by_unique, (worth - 1 - repeats * decay) / worth


class Repeated:
    """Data seen more than once, L = E + A / N'^alpha + B / D'^beta (Muennighoff et al. 2023, 2305.16264).

    D' = U + U R*_D (1 - exp(-R_D / R*_D)), R_D = D / U - 1, for U unique tokens; N' likewise from R*_N, with
    U_N the size whose compute-optimal data are U (at most N) and R_N = N / U_N - 1. Coordinates: log E,
    log A, log B, alpha, beta, log R*_D, log R*_N.
    """

    name: ClassVar[str] = "repeated"
    equation: str = "L = E + A / N'^alpha + B / D'^beta, D' = U + U RD (1 - exp((1 - D/U) / RD)), N' by RN"
    parameters: tuple[str, ...] = ("E", "A", "B", "alpha", "beta", "RD", "RN")
    variables: ClassVar[tuple[str, ...]] = ("N", "D", "U")
    rises: ClassVar[bool | None] = False
    plain: ClassVar[Chinchilla] = Chinchilla()

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log L: Chinchilla's law of the effective N' and D'."""
        return self.plain.log_value(theta[..., :5], self._effective(theta, log_x)[0])

    def _effective(self, theta: Reals, log_x: Reals) -> tuple[Reals, Reals, Reals, Reals, Reals]:
        """(log N', log D'), log U_N, and the derivatives of log N' by U_N and R*_N and of log D' by R*_D."""
        _, a, b, alpha, beta, log_rd, log_rn = (theta[..., i : i + 1] for i in range(7))
        log_n, log_d, log_u = log_x[:, 0], log_x[:, 1], log_x[:, 2]
        fitting = (np.log(alpha) - np.log(beta) + a - b + beta * log_u) / alpha
        log_un = np.minimum(fitting, log_n)
        n, n_by_un, n_by_rn = saturated(log_un, log_n, log_rn)
        d, _, d_by_rd = saturated(log_u, log_d, log_rd)
        effective = np.stack(np.broadcast_arrays(n, d), -1)
        return effective, log_un, np.where(fitting < log_n, n_by_un, 0.0), n_by_rn, d_by_rd

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """Chinchilla's at (N', D'), and the chain through U_N (which moves with A, B, alpha, beta) and R*."""
        effective, log_un, n_by_un, n_by_rn, d_by_rd = self._effective(theta, log_x)
        plain = self.plain.jacobian(theta[..., :5], effective)
        alpha, beta = theta[..., 3:4], theta[..., 4:5]
        by_n, by_d = -alpha * plain[..., 1], -beta * plain[..., 2]
        through = by_n * n_by_un / alpha
        moved = [
            np.zeros_like(by_n),
            through,
            -through,
            through * (1 / alpha - log_un),
            through * (log_x[:, 2] - 1 / beta),
        ]
        return np.concatenate(
            [plain + np.stack(moved, -1), np.stack([by_d * d_by_rd, by_n * n_by_rn], -1)], -1
        )

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """Chinchilla's, for three values of each R*: where the bend of U_N lies, there are several optima."""
        plain = self.plain.starts(log_x[:, :2], log_y)
        grid = [np.log([rd, rn]) for rd in (2.0, 6.0, 20.0) for rn in (2.0, 6.0, 20.0)]
        return np.concatenate([np.column_stack([plain, np.tile(r, (len(plain), 1))]) for r in grid])

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """Chinchilla's; R* between 0.1 and 1000."""
        low, high = self.plain.bounds(log_x, log_y)
        return np.r_[low, np.log([0.1, 0.1])], np.r_[high, np.log([1e3, 1e3])]

    def natural(self, theta: Reals) -> Reals:
        """(E, A, B, alpha, beta, R*_D, R*_N)."""
        return np.concatenate([self.plain.natural(theta[..., :5]), np.exp(theta[..., 5:])], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log E, log A, log B, alpha, beta, log R*_D, log R*_N)."""
        return np.append(self.plain.coordinates(natural), np.log([natural["RD"], natural["RN"]]))

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """Exponent a, and the factor on unique data that endless repetition is worth."""
        return {"a": theta[..., 4] / (theta[..., 3] + theta[..., 4]), "most_of_U": 1 + np.exp(theta[..., 5])}


class RepeatedData:
    """The data's term alone, L = E + B / D'^beta, for one model size. Coordinates: log E, log B, beta, log R*."""

    name: ClassVar[str] = "repeated"
    equation: str = "L = E + B / D'^beta, D' = U + U RD (1 - exp((1 - D/U) / RD))"
    parameters: tuple[str, ...] = ("E", "B", "beta", "RD")
    variables: ClassVar[tuple[str, ...]] = ("D", "U")
    rises: ClassVar[bool | None] = False
    plain: ClassVar[PowerFloor] = PowerFloor()

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """log L."""
        worth, _, _ = saturated(log_x[:, 1], log_x[:, 0], theta[..., 3:4])
        return log_sum(theta[..., :1], theta[..., 1:2] - theta[..., 2:3] * worth)

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """Shares of floor and fall, and the chain through D'."""
        worth, _, by_r = saturated(log_x[:, 1], log_x[:, 0], theta[..., 3:4])
        beta = theta[..., 2:3]
        share = np.exp(theta[..., 1:2] - beta * worth - self.log_value(theta, log_x))
        return np.stack([1 - share, share, -share * worth, -share * beta * by_r], -1)

    def starts(self, log_x: Reals, log_y: Reals) -> Reals:
        """The power law's with a floor, for three values of R*."""
        found = []
        for r in np.log([2.0, 6.0, 20.0]):
            worth = saturated(log_x[:, 1], log_x[:, 0], r)[0][:, None]
            log_b, beta, log_e = self.plain.starts(worth, log_y).T
            found.append(np.stack([log_e, log_b, beta, np.full_like(beta, r)], -1))
        return np.concatenate(found)

    def bounds(self, log_x: Reals, log_y: Reals) -> tuple[Reals, Reals]:
        """Exponents as for Chinchilla; R* between 0.1 and 1000."""
        low, high = floor_bounds(log_y)
        return np.array([low, -np.inf, SMALLEST, np.log(0.1)]), np.array([high, np.inf, LARGEST, np.log(1e3)])

    def natural(self, theta: Reals) -> Reals:
        """(E, B, beta, R*)."""
        return np.concatenate([exponential(theta[..., :2]), theta[..., 2:3], np.exp(theta[..., 3:])], -1)

    def coordinates(self, natural: Mapping[str, float]) -> Reals:
        """(log E, log B, beta, log R*)."""
        return np.array(
            [logarithm(natural["E"]), np.log(natural["B"]), natural["beta"], np.log(natural["RD"])]
        )

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """The factor on unique data that endless repetition is worth."""
        return {"most_of_U": 1 + np.exp(theta[..., 3])}
