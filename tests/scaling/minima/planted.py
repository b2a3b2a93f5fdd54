"""A ladder of runs on a known surface L = E + A / N^alpha + B / D^beta, with the noise of trunks and of their rungs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transferscale.scaling.fits.points import Points
from transferscale.scaling.metrics import Reals

SEEDS = (3, 3, 1, 1, 1, 1)


@dataclass(frozen=True)
class Surface:
    """The surface, and the FLOPs a parameter and unit of data."""

    e: float = 0.3
    a: float = 60.0
    alpha: float = 0.4
    b: float = 12.0
    beta: float = 0.45
    cost: float = 600.0

    def loss(self, n: Reals, d: Reals) -> Reals:
        """Loss without noise."""
        found: Reals = self.e + self.a / n**self.alpha + self.b / d**self.beta
        return found

    def best(self, compute: float) -> tuple[float, float]:
        """The best size of the ladder's range at a budget, and its loss, to one part in two thousand."""
        grid = np.geomspace(size(1), size(6), 20000)
        losses = self.loss(grid, compute / (self.cost * grid))
        return float(grid[losses.argmin()]), float(losses.min())


def size(depth: int) -> float:
    """Parameters at a depth."""
    return 50_000.0 + 12 * (32 * depth) ** 2 * depth


def ladder(
    surface: Surface, noise: float = 0.0, seed: int = 0, group: str = "", seeds_of: Sequence[int] = SEEDS
) -> Points:
    """Six sizes, five rungs, three seeds at the two smallest: columns N, C, D."""
    rng = np.random.default_rng(seed)
    x, y, trunks = [], [], []
    for depth, seeds in enumerate(seeds_of, 1):
        n = size(depth)
        for number in range(seeds):
            luck = noise * rng.standard_normal()
            for rung in range(5):
                d = 1000.0 * 2**rung
                x.append((n, surface.cost * n * d, d))
                error = luck + noise / 3 * rng.standard_normal()
                y.append(float(surface.loss(np.array(n), np.array(d))) * np.exp(error))
                trunks.append(f"{group}d{depth}-s{number}")
    rows = np.arange(1, len(y) + 1)
    return Points(
        {"family": group} if group else {},
        np.array(x),
        np.array(y),
        tuple(trunks),
        None,
        None,
        np.zeros(len(y), dtype=np.bool_),
        rows,
        (),
    )


def as_csv(*ladders: Points) -> str:
    """Ladders as a text table."""
    lines = ["family,trunk,params,flops,clips,loss"]
    for points in ladders:
        family = points.group.get("family", "")
        for (n, c, d), y, trunk in zip(points.x, points.y, points.cluster or (), strict=True):
            lines.append(f"{family},{trunk},{n:.0f},{c:.6g},{d:.0f},{y:.6f}")
    return "\n".join(lines) + "\n"
