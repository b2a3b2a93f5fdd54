"""How often the 95 % intervals of a law hold the truth, in a simulation with clustered noise.

    python -m benchmarks.coverage [--trials 600] [--robust-trials 200] [--out docs/benchmarks/coverage.md]

Trunks of different sizes carry three rungs each; the noise of a trunk (2 %) is shared by its rungs, which have
0.5 % of their own. Judged are the exponent and the law's value at four times the largest scale, by least squares
of log y and by a robust objective (Huber's, delta 1e-3: nearly absolute residuals), whose intervals come from
another bootstrap; a trial of it takes longer, so there are fewer.
"""

import argparse
from pathlib import Path

import numpy as np
from benchmarks.machine import heading, publish

from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.objectives import Huber, LogLsq, Objective
from transferscale.scaling.fits.resample import RELIABLE
from transferscale.scaling.laws import law

DESIGNS = {
    "power": {"b": 5.0, "c": 0.1},
    "power-floor": {"e": 1.0, "b": 800.0, "c": 0.4},
    "chinchilla": {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37},
}
CLUSTERS = (4, 6, 8, 10, 15, 30)
RUNGS = np.array([1.0, 4.0, 16.0])


def coverage(name: str, clusters: int, trials: int, objective: Objective) -> tuple[float, float]:
    """Share of trials in which the interval of the exponent, and of the prediction, holds the truth."""
    sizes = np.geomspace(1e7, 1e10, clusters)
    trunk = np.repeat(np.arange(clusters), len(RUNGS))
    if name == "chinchilla":
        x = np.stack([np.repeat(sizes, len(RUNGS)), np.outer(sizes, 5 * RUNGS).ravel()], 1)
    else:
        x = np.outer(sizes, RUNGS).ravel()[:, None]
    form = law(name, x.shape[1])
    theta = form.coordinates(DESIGNS[name])
    curve, far = form.log_value(theta, np.log(x)), 4 * x.max(0, keepdims=True)
    beyond = float(np.exp(form.log_value(theta, np.log(far))[0]))
    truth = float(form.derived(theta, np.log(x))["a"]) if name == "chinchilla" else DESIGNS[name]["c"]
    rng, held = np.random.default_rng(clusters), np.zeros((trials, 2))
    for trial in range(trials):
        noise = 0.02 * rng.standard_normal(clusters)[trunk] + 0.005 * rng.standard_normal(len(trunk))
        y = np.exp(curve + noise)
        found = fit(x, y, name, cluster=trunk, objective=objective, bootstrap=400, seed=trial)
        ends = found.derived_intervals["a"] if name == "chinchilla" else found.intervals["c"]
        _, low, high = found.curve(far)
        if ends is None or low is None or high is None:
            raise ValueError(f"{clusters} clusters give no interval")
        held[trial] = ends[0] <= truth <= ends[1], low[0] <= beyond <= high[0]
    return float(held[:, 0].mean()), float(held[:, 1].mean())


def main() -> None:
    """Simulate, count, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--robust-trials", type=int, default=200)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    objectives: list[tuple[str, Objective, int]] = [
        ("log-lsq", LogLsq(), arguments.trials),
        ("huber", Huber(1e-3), arguments.robust_trials),
    ]
    counted = ", ".join(
        f"{name} {trials} trials: standard error {100 * np.sqrt(0.95 * 0.05 / trials):.1f}"
        for name, _, trials in objectives
    )
    lines = [
        heading(f"--trials {arguments.trials} --robust-trials {arguments.robust_trials}"),
        "",
        f"Coverage of 95 % intervals in per cent ({counted}), exponent / prediction. With fewer than {RELIABLE} "
        "clusters every fit says that its intervals are unreliable.",
        "",
        f"| law | objective | {' | '.join(f'{c} clusters' for c in CLUSTERS)} |",
        f"|---|---|{'---|' * len(CLUSTERS)}",
    ]
    for objective_name, objective, trials in objectives:
        for name in DESIGNS:
            cells = []
            for clusters in CLUSTERS:
                exponent, prediction = coverage(name, clusters, trials, objective)
                cells.append(f"{100 * exponent:.1f} / {100 * prediction:.1f}")
            lines.append(f"| {name} | {objective_name} | {' | '.join(cells)} |")
    publish(lines, arguments.out)


if __name__ == "__main__":
    main()
