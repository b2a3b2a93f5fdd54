"""How often the 95 % intervals of `scaling plan` and `scaling relative` hold what was planted.

    python -m benchmarks.plan_coverage [--trials 200] [--out docs/benchmarks/plan_coverage.md]

Plan: the least cost with 3 % noise a trunk and 1.5 % a run. Relative: the exponent of a requirement against
difficulty, with 3 % noise a run and the given scatter of the requirements themselves.
"""

import argparse
from pathlib import Path

import numpy as np
from benchmarks.machine import heading, publish

from transferscale.scaling.plans.cost import Prices, Rate
from transferscale.scaling.plans.plan import plan
from transferscale.scaling.plans.target import target_of
from transferscale.scaling.plans.ways import LEAST, REACHABLE, Question, Runs
from transferscale.scaling.requirements.need import Task
from transferscale.scaling.requirements.relative import relative

E, A, ALPHA, BETA = 0.2, 45.0, 0.11, 0.35
SUBJECTS = np.array([8.0, 16.0, 32.0, 64.0, 128.0])
MOST_FLOPS, MOST_SUBJECTS = 1e16, 128


def least(prices: Prices, target: float, beyond: float) -> tuple[float, float]:
    """Least cost on the planted surface, and how far beyond the data it lies."""
    subjects = np.arange(SUBJECTS[0], MOST_SUBJECTS * beyond + 1)
    left = (1 - target) / 0.5 - E
    flops = np.maximum((A / (left * subjects**BETA)) ** (1 / ALPHA), 1e13)
    cost = np.where(flops <= MOST_FLOPS * beyond, prices.cost(flops, subjects), np.inf)
    best = int(cost.argmin())
    return float(cost[best]), max(flops[best] / MOST_FLOPS, subjects[best] / MOST_SUBJECTS, 1.0)


def cost_coverage(trunks: int, target: float, hour: float, beyond: float, trials: int) -> str:
    """Row about the interval of the least cost."""
    rng, prices = np.random.default_rng(0), Prices(Rate(1e13, ""), hour, 100.0)
    true, far = least(prices, target, beyond)
    question = Question(target_of("auroc", target), None, prices, bootstrap=400, beyond=beyond)
    grid = np.meshgrid(np.geomspace(1e13, MOST_FLOPS, trunks), SUBJECTS, indexing="ij")
    flops, subjects = (axis.ravel() for axis in grid)
    trunk = np.repeat(np.arange(trunks), len(SUBJECTS))
    covered = told = 0
    for _ in range(trials):
        noise = 0.03 * rng.standard_normal(trunks)[trunk] + 0.015 * rng.standard_normal(len(flops))
        score = 1 - 0.5 * (E + A / (flops**ALPHA * subjects**BETA)) * np.exp(noise)
        runs = Runs("video", flops, subjects, score, tuple(map(str, trunk)))
        way = plan([runs], question).options[0].way(LEAST)
        if way is None or way.cost.low is None or way.cost.high is None:
            raise ValueError("a plan without an interval")
        covered += way.cost.low <= true <= way.cost.high
        told += way.status == REACHABLE
    return (
        f"| {trunks} | {target:g} | {far:.2g} x | {100 * told / trials:.0f} | {100 * covered / trials:.1f} |"
    )


def exponent_coverage(levels: tuple[float, ...], scatter: float, trials: int) -> str:
    """Row about the interval of a requirement's exponent, 1.5; ``scatter`` is that of log requirements."""
    rng, compute = np.random.default_rng(0), np.geomspace(1e12, 1e16, 12)
    covered = fitted = 0
    for _ in range(trials):
        tasks = []
        for level in levels:
            need = 3e10 * np.exp(scatter * rng.standard_normal()) * level**1.5
            error = 0.06 + 0.94 * (compute / need) ** -0.2
            score = 1 - 0.5 * error * np.exp(0.03 * rng.standard_normal(len(compute)))
            tasks.append(Task(f"{level:g}", level, {"compute": compute}, score))
        law = relative(tasks, target_of("auroc", 0.75), bootstrap=300).laws[0]
        if law.low is not None and law.high is not None:
            fitted += 1
            covered += law.low <= 1.5 <= law.high
    held = f"{100 * covered / fitted:.1f}"
    return f"| {len(levels)}, up to {levels[-1]:g} | {scatter:g} | {100 * fitted / trials:.0f} | {held} |"


def main() -> None:
    """Simulate, count, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    trials = arguments.trials
    lines = [
        heading(f"--trials {trials}"),
        "",
        f"Coverage of 95 % intervals in per cent ({trials} trials: standard error "
        f"{100 * np.sqrt(0.95 * 0.05 / trials):.1f}). The least cost, by how far beyond the data it lies:",
        "",
        "| trunks | auroc | least cost lies at | identified | covered |",
        "|---|---|---|---|---|",
    ]
    for trunks in (6, 12, 20):
        lines.append(cost_coverage(trunks, 0.75, 4000.0, 1.0, trials))
        lines.append(cost_coverage(trunks, 0.75, 40.0, 10.0, trials))
        lines.append(cost_coverage(trunks, 0.85, 40.0, 10.0, trials))
    lines += [
        "",
        "The exponent of a requirement, of the trials that have a law:",
        "",
        "| difficulties | scatter | have a law | covered |",
        "|---|---|---|---|",
    ]
    for levels in ((1.0, 3.0, 9.0), (1.0, 2.0, 4.0, 8.0, 16.0), tuple(2.0**i for i in range(8))):
        lines += [exponent_coverage(levels, scatter, trials) for scatter in (0.0, 0.5)]
    publish(lines, arguments.out)


if __name__ == "__main__":
    main()
