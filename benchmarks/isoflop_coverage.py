"""How often the 95 % intervals of `scaling isoflop` hold what was planted.

    python -m benchmarks.isoflop_coverage [--trials 200] [--out docs/benchmarks/isoflop_coverage.md]

A ladder of six sizes, five budgets and three seeds at the two smallest on a known surface, with 1 % noise a trunk and
a third of that a rung.
"""

import argparse
from pathlib import Path

import numpy as np
from benchmarks.machine import heading, publish

from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.fits.points import Points
from transferscale.scaling.metrics import Reals
from transferscale.scaling.minima.isoflop import isoflop

E, A, ALPHA, B, BETA, COST = 0.3, 60.0, 0.4, 12.0, 0.45, 600.0
SEEDS = (3, 3, 1, 1, 1, 1)
NOISE = 0.01
BUDGETS = (4e11, 7e11, 1.2e12, 2e12, 3.5e12, 6e12)


def size(depth: int) -> float:
    """Parameters at a depth."""
    return 50_000.0 + 12 * (32 * depth) ** 2 * depth


def loss(n: Reals, d: Reals) -> Reals:
    """Loss without noise."""
    found: Reals = E + A / n**ALPHA + B / d**BETA
    return found


def ladder(rng: np.random.Generator) -> Points:
    """Runs with columns N, C, D."""
    x, y, trunks = [], [], []
    for depth, seeds in enumerate(SEEDS, 1):
        n = size(depth)
        for seed in range(seeds):
            luck = NOISE * rng.standard_normal()
            for d in 1000.0 * 2 ** np.arange(5):
                x.append((n, COST * n * d, d))
                y.append(float(loss(np.array(n), d) * np.exp(luck + NOISE / 3 * rng.standard_normal())))
                trunks.append(f"d{depth}-s{seed}")
    held, row = np.zeros(len(y), dtype=np.bool_), np.arange(len(y))
    return Points({}, np.array(x), np.array(y), tuple(trunks), None, None, held, row, ())


def best(compute: float) -> tuple[float, float]:
    """Size and loss of the optimum."""
    grid = np.geomspace(size(1), size(6), 20_000)
    losses = loss(grid, compute / (COST * grid))
    return float(grid[losses.argmin()]), float(losses.min())


def rows(trials: int) -> list[str]:
    """A row a budget."""
    rng = np.random.default_rng(0)
    seen: dict[float, list[tuple[float, ...]]] = {compute: [] for compute in BUDGETS}
    for _ in range(trials):
        found = isoflop(ladder(rng), ("n", "c", "d"), "loss", Outcome(), budgets=BUDGETS, bootstrap=400)
        for one in found.budgets:
            if None in (one.n_low, one.n_high, one.loss_low, one.loss_high):
                raise ValueError("a minimum without an interval")
            n, least = best(one.compute)
            seen[one.compute].append(
                (
                    not one.side,
                    (one.n_low or 0) <= n <= (one.n_high or 0),
                    (one.surface_low or 0) <= n <= (one.surface_high or 0),
                    (one.loss_low or 0) <= least <= (one.loss_high or 0),
                    np.log(one.loss / least),
                )
            )
    out = []
    for compute, told in seen.items():
        bracketed, of_n, of_surface, of_loss, bias = np.mean(told, axis=0)
        shares = " | ".join(f"{100 * share:.0f}" for share in (bracketed, of_n, of_surface, of_loss))
        out.append(f"| {compute:.2g} | {shares} | {100 * bias:+.2f} % |")
    return out


def main() -> None:
    """Simulate, count, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [
        heading(f"--trials {options.trials}"),
        "",
        f"IsoFLOP minima of {options.trials} simulated ladders: share that is bracketed, coverage of 95 % intervals of",
        "the best size (by parabola and by surface) and of the least loss in per cent, and the mean error of the loss.",
        "Where a minimum is not bracketed its interval ends at the smallest or largest size.",
        "",
        "| budget | bracketed | best size | surface's | least loss | error of the loss |",
        "|---|---|---|---|---|---|",
        *rows(options.trials),
    ]
    publish(lines, options.out)


if __name__ == "__main__":
    main()
