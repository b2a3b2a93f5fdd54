"""How often the interval of a crossover holds the truth, and how often one is claimed where there is none.

    python -m benchmarks.crossover_coverage [--trials 300] [--out docs/benchmarks/crossover_coverage.md]

Two families of six sizes over two decades, every size with the same number of seeds, which are the clusters. Noise
of a seed, shared by its sizes (and by both families where draws are paired), and noise of every run.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarks.machine import heading, publish

from transferscale.scaling.comparisons.compare import compare
from transferscale.scaling.fits.points import Points
from transferscale.scaling.metrics import Reals

Law = Callable[[Reals], Reals]
SIZES, AT = np.geomspace(1e5, 1e7, 6), 1e6
# Noise of a seed and of a run.
NOISE = {"power": (0.03, 0.01), "power-floor": (0.01, 0.003)}


def power(c: float, level: float = 0.5) -> Law:
    """A power law with a given value at the crossing."""
    return lambda x: level * (x / AT) ** -c


def floor(e: float, c: float, level: float = 1.5) -> Law:
    """The same above a floor."""
    return lambda x: e + (level - e) * (x / AT) ** -c


TRUTHS: dict[tuple[str, str], tuple[Law, Law]] = {
    ("power", "cross, exponents 0.10 and 0.15"): (power(0.10), power(0.15)),
    ("power", "cross, exponents 0.10 and 0.11"): (power(0.10), power(0.11)),
    ("power", "equal"): (power(0.10), power(0.10)),
    ("power", "parallel, 5 % apart"): (power(0.10), power(0.10, 0.525)),
    ("power-floor", "cross, exponents 0.35 and 0.25, floors 1 and 0.95"): (floor(1, 0.35), floor(0.95, 0.25)),
    ("power-floor", "equal"): (floor(1, 0.35), floor(1, 0.35)),
}


def families(curves: tuple[Law, Law], law: str, seeds: int, paired: bool, trial: int) -> dict[str, Points]:
    """Simulated runs of two families."""
    of_seed, of_run = NOISE[law]
    rng = np.random.default_rng([trial, seeds])
    x, number = np.tile(SIZES, seeds), np.repeat(np.arange(seeds), len(SIZES))
    shared = of_seed * rng.standard_normal(seeds)
    labels = tuple(map(str, number))
    found = {}
    for name, curve in zip("ab", curves, strict=True):
        noise = shared if paired else of_seed * rng.standard_normal(seeds)
        found[name] = Points(
            group={},
            x=x[:, None],
            y=curve(x) * np.exp(noise[number] + of_run * rng.standard_normal(len(x))),
            cluster=labels,
            pair=labels if paired else None,
            weight=None,
            held=np.zeros(len(x), dtype=np.bool_),
            row=np.arange(len(x)) + 1,
            notes=(),
        )
    return found


def simulate(curves: tuple[Law, Law], law: str, seeds: int, paired: bool, trials: int) -> str:
    """A row of the result: shares of the answers, coverage, and median width of a crossover's interval."""
    answers: Counter[str] = Counter()
    covered, widths = 0, []
    for trial in range(trials):
        runs = families(curves, law, seeds, paired, trial)
        at = compare(runs, law, bootstrap=400, seed=trial).pairs[0].crossover
        answers[at.answer] += 1
        if at.low is not None and at.high is not None and at.answer == "crossover":
            covered += at.low <= AT <= at.high
            widths.append(at.high / at.low)
    told = [f"{100 * answers[a] / trials:.1f}" for a in ("crossover", "none in range", "not identified")]
    crossing = curves[0](SIZES)[0] < curves[1](SIZES)[0] and curves[0](SIZES)[-1] > curves[1](SIZES)[-1]
    crossing |= curves[0](SIZES)[0] > curves[1](SIZES)[0] and curves[0](SIZES)[-1] < curves[1](SIZES)[-1]
    coverage = f"{100 * covered / len(widths):.1f}" if crossing and widths else "-"
    width = f"{np.median(widths):.2f}" if crossing and widths else "-"
    return " | ".join([*told, coverage, width])


def main() -> None:
    """Simulate, count, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    error = 100 * np.sqrt(0.95 * 0.05 / arguments.trials)
    lines = [
        heading(f"--trials {arguments.trials}"),
        "",
        f"Answers in per cent of {arguments.trials} trials; coverage of the 95 % intervals of the crossovers that were "
        f"found (standard error {error:.1f}); their median width as a factor.",
        "",
        "| truth | law | draws | clusters | crossover | none in range | not identified | coverage | width |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (law, truth), curves in TRUTHS.items():
        for paired in (True, False):
            for seeds in (5, 12):
                row = simulate(curves, law, seeds, paired, arguments.trials)
                draws = "paired" if paired else "independent"
                lines.append(f"| {truth} | {law} | {draws} | {seeds} | {row} |")
    publish(lines, arguments.out)


if __name__ == "__main__":
    main()
