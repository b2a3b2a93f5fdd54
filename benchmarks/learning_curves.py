"""Extrapolation of learning curves, law by law and chosen automatically, and how long the fits take.

    python -m benchmarks.learning_curves DATA [--out docs/benchmarks/learning-curves.md]

DATA is the folder with `revisiting_neural_scaling_laws/` (the curves of Alabdulmohsin et al. 2022, columns Domain,
Task, Model, Seen Examples, Loss, Training, and the errors of their own M1 to M4 beside them) and
`chinchilla_epoch/svg_extracted_data.csv`. Every fit sees the rows with Training 1 alone; the error is the root
mean squared logarithmic error on the others, averaged over the curves of a domain. Speed is measured beside a loop
over scipy's curve_fit, on the same points, from as many starting points.
"""

import argparse
import csv
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from benchmarks.machine import heading, publish

from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.points import Points, read_points
from transferscale.scaling.fits.table import Request, fit_points
from transferscale.scaling.laws import law
from transferscale.scaling.laws.chinchilla import FLOPS

DOMAINS = ("IC", "NMT", "LM", "BB")
FILES = ("benchmark.vision.csv", "benchmark.lang.csv")
LAWS = (
    ("m1", Request("m1", bootstrap=0)),
    ("m2", Request("m2", bootstrap=0)),
    ("m3", Request("m3", bootstrap=0)),
    ("m4", Request("m4", bootstrap=0)),
    ("broken, 1 break", Request("broken", breaks=1, bootstrap=0)),
    ("broken, 2 breaks", Request("broken", breaks=2, bootstrap=0)),
    ("broken, breaks chosen", Request("broken", breaks=None, bootstrap=0)),
    ("auto", Request("auto", bootstrap=0)),
)
STARTS, DRAWS = 20, 1000


def curves(folder: Path) -> list[Points]:
    """Points of every curve, the held-out ones marked."""
    found = []
    for name in FILES:
        points, refused = read_points(
            folder / "revisiting_neural_scaling_laws" / name,
            ["Seen Examples"],
            "Loss",
            group=["Domain", "Task", "Model"],
            holdout=("Training", "0"),
        )
        if refused:
            raise ValueError(refused)
        found += points
    return found


def by_domain(errors: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Mean error of each domain."""
    kept = defaultdict(list)
    for domain, error in errors:
        kept[domain].append(error)
    return {domain: float(np.mean(kept[domain])) for domain in DOMAINS}


def official(folder: Path) -> dict[str, dict[str, float]]:
    """Mean errors of the authors' own fits."""
    with (folder / "revisiting_neural_scaling_laws" / "official_M1-M4_recomputed.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    return {
        f"official {name}": by_domain((row["domain"], float(row[name])) for row in rows)
        for name in ("M1", "M2", "M3", "M4")
    }


def table(folder: Path) -> list[str]:
    """The table of errors, with the seconds that the fits of all curves took."""
    points = curves(folder)
    count = by_domain((one.group["Domain"], 0.0) for one in points)
    lines = [
        f"| law | {' | '.join(DOMAINS)} | s |",
        f"|---|{'---|' * len(count)}---|",
    ]
    lines += [
        f"| {name} | {' | '.join(f'{means[d]:.4f}' for d in DOMAINS)} | |"
        for name, means in official(folder).items()
    ]
    for name, request in LAWS:
        start = time.perf_counter()
        errors = []
        for one in points:
            found = fit_points(one, ["Seen Examples"], "Loss", request)
            if found.rmsle_holdout is None:
                raise ValueError(f"{one.group}: nothing held out")
            errors.append((one.group["Domain"], found.rmsle_holdout))
        seconds = time.perf_counter() - start
        means = by_domain(errors)
        lines.append(f"| {name} | {' | '.join(f'{means[d]:.4f}' for d in DOMAINS)} | {seconds:.1f} |")
    return lines


def broken_by_scipy(points: list[Points]) -> float:
    """Seconds of a loop over curve_fit: the one-break law in log y, from 20 random starts a curve."""
    from scipy.optimize import curve_fit

    def curve(x: np.ndarray, b: float, c0: float, a: float, c1: float, d1: float, f1: float) -> np.ndarray:
        return law("broken", 1, 1).log_value(np.array([b, c0, a, c1, d1, f1]), x[:, None])

    start = time.perf_counter()
    for one in points:
        own = ~one.held
        log_x, log_y = np.log(one.x[own, 0]), np.log(one.y[own])
        form = law("broken", 1, 1)
        starts = form.starts(log_x[:, None], log_y)
        chosen = np.random.default_rng(0).permutation(len(starts))[:STARTS]
        for theta in starts[chosen]:
            try:
                curve_fit(curve, log_x, log_y, theta, maxfev=5000)
            except RuntimeError:
                continue
    return time.perf_counter() - start


def chinchilla(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """N and D, (points, 2), and loss of 240 runs: the five highest losses are left out, as published."""
    with (folder / "chinchilla_epoch" / "svg_extracted_data.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    n, c, loss = (np.array([float(r[k]) for r in rows]) for k in ("Model Size", "Training FLOP", "loss"))
    kept = np.argsort(loss)[:-5]
    return np.stack([n, c / (FLOPS * n)], 1)[kept], loss[kept]


def chinchilla_by_scipy(x: np.ndarray, loss: np.ndarray, draws: int) -> float:
    """Seconds of a loop over curve_fit on resampled points, from the optimum, scaled to 1,000 draws."""
    from scipy.optimize import curve_fit

    form = law("chinchilla", 2)
    theta = fit(x, loss, "chinchilla", bootstrap=0).theta

    def curve(log_x: np.ndarray, *theta: float) -> np.ndarray:
        return form.log_value(np.array(theta), log_x)

    rng, start = np.random.default_rng(0), time.perf_counter()
    for _ in range(draws):
        chosen = rng.integers(0, len(loss), len(loss))
        curve_fit(curve, np.log(x[chosen]), np.log(loss[chosen]), theta, maxfev=5000)
    return (time.perf_counter() - start) * DRAWS / draws


def main() -> None:
    """Fit, time, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # scipy's remarks on its own covariance
    points = curves(arguments.data)
    errors = table(arguments.data)

    start = time.perf_counter()
    for one in points:
        fit_points(one, ["Seen Examples"], "Loss", Request("broken", breaks=1, starts=STARTS, bootstrap=0))
    ours = time.perf_counter() - start
    theirs = broken_by_scipy(points)
    x, loss = chinchilla(arguments.data)
    rows = [
        f"| one-break broken law, {len(points)} curves, {STARTS} starts | {ours:.1f} | {theirs:.1f} |",
    ]
    scipy_draws = chinchilla_by_scipy(x, loss, 100)
    for objective in ("log-lsq", "huber", "likelihood"):
        one = Points(
            {}, x, loss, None, None, None, np.zeros(len(loss), dtype=np.bool_), np.arange(len(loss)), ()
        )
        start = time.perf_counter()
        fit_points(one, ["N", "D"], "loss", Request("chinchilla", objective=objective, bootstrap=DRAWS))
        seconds = time.perf_counter() - start
        beside = f"{scipy_draws:.1f}" if objective == "log-lsq" else ""
        rows.append(
            f"| Chinchilla, {len(loss)} points, {DRAWS} draws, {objective} | {seconds:.1f} | {beside} |"
        )
    publish(
        [
            heading("DATA"),
            "",
            f"Mean RMSLE on the held-out points of {len(points)} curves, and the seconds that all fits took.",
            "",
            *errors,
            "",
            "| fit | s | s by a loop over scipy's curve_fit |",
            "|---|---|---|",
            *rows,
        ],
        arguments.out,
    )


if __name__ == "__main__":
    main()
