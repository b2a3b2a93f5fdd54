"""Several laws as one: the weighted mean of their curves in log y. It is put together from fits, not fitted itself."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from transferscale.scaling.laws.base import Curve
from transferscale.scaling.metrics import Reals


class Mixture:
    """exp of the weighted mean of the laws' log y. Coordinates: those of the members, one after another."""

    name: ClassVar[str] = "auto"
    rises: ClassVar[bool | None] = None

    def __init__(self, members: Sequence[Curve], sizes: Sequence[int], weights: Sequence[float]) -> None:
        self.members = tuple(members)
        self.sizes = tuple(sizes)
        self.weights = tuple(weights)

    @property
    def variables(self) -> tuple[str, ...]:
        """Those of the members."""
        return self.members[0].variables

    @property
    def equation(self) -> str:
        """The members with their weights."""
        return "log y = " + " + ".join(
            f"{weight:.2f} log {name}" for name, weight in zip(self.parameters, self.weights, strict=True)
        )

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the members; their values are the weights."""
        return tuple(member.name for member in self.members)

    def _parts(self, theta: Reals) -> list[Reals]:
        return np.split(theta, np.cumsum(self.sizes)[:-1], axis=-1)

    def log_value(self, theta: Reals, log_x: Reals) -> Reals:
        """The weighted mean."""
        parts = zip(self.members, self._parts(theta), self.weights, strict=True)
        total: Reals = np.sum([weight * law.log_value(own, log_x) for law, own, weight in parts], axis=0)
        return total

    def jacobian(self, theta: Reals, log_x: Reals) -> Reals:
        """The members', weighted, side by side."""
        parts = zip(self.members, self._parts(theta), self.weights, strict=True)
        return np.concatenate([weight * law.jacobian(own, log_x) for law, own, weight in parts], -1)

    def natural(self, theta: Reals) -> Reals:
        """The weights."""
        return np.broadcast_to(np.array(self.weights), (*theta.shape[:-1], len(self.weights)))

    def derived(self, theta: Reals, log_x: Reals) -> dict[str, Reals]:
        """Slope of log y in log x at the largest scale."""
        top = log_x[log_x.sum(1).argmax()][None]
        step = 1e-4
        return {
            "slope_at_largest": (self.log_value(theta, top + step) - self.log_value(theta, top))[..., 0]
            / step
        }
