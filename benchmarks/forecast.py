"""Forecasts of a coming faster fall, on curves cut off before it: misses, false alarms, lead.

    python -m benchmarks.forecast DATA [--curves 20] [--out docs/benchmarks/forecast.md]

Planted curves have 25 places over four decades, and a break at 70 % of them after which the error falls with
x^-0.8 instead of x^-0.05; its transition takes the factor in x that is given. DATA is the folder with
`revisiting_neural_scaling_laws/` (learning curves of Alabdulmohsin et al. 2022) and `bnsl/` (four-digit addition,
Caballero et al. 2022); their breaks are those that are identified in the whole curve.
"""

import argparse
import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from benchmarks.learning_curves import DOMAINS, FILES
from benchmarks.machine import heading, publish

from transferscale.scaling.changes.change import change
from transferscale.scaling.changes.course import Course, course
from transferscale.scaling.changes.forecast import AHEAD, WITHIN, Backtest, backtest
from transferscale.scaling.changes.table import BACKTEST_DRAWS
from transferscale.scaling.fits.points import read_points
from transferscale.scaling.laws.broken import TRANSITION, Broken

PLACES, NOISES = np.geomspace(1e6, 1e10, 25), (0.005, 0.02)
BREAK = 1e6 * 10 ** (4 * 0.7)
# Factor in x that the transition takes.
WIDTHS = (1.3, 4.0, 30.0)


def planted(width: float | None, noise: float, trial: int) -> Course:
    """A curve with a break of a width, or without one."""
    constants = {"a": 0.0, "b": 2.0, "c0": 0.05}
    if width is not None:
        constants |= {"c1": 0.75, "d1": BREAK, "f1": float(np.log(width) / TRANSITION)}
    else:
        constants |= {"a": 0.3, "b": 2.0 * 1e6**0.2, "c0": 0.2}
    law = Broken(int(width is not None))
    log_y = law.log_value(law.coordinates(constants), np.log(PLACES)[:, None])
    rng = np.random.default_rng([trial, int(1e4 * noise)])
    return course(PLACES, np.exp(log_y + noise * rng.standard_normal(len(PLACES))), "loss")


def real(folder: Path) -> Iterable[tuple[str, Course]]:
    """Learning curves with their domain."""
    for name in FILES:
        points, _ = read_points(
            folder / "revisiting_neural_scaling_laws" / name,
            ["Seen Examples"],
            "Loss",
            group=["Domain", "Task", "Model"],
        )
        for one in points:
            yield one.group["Domain"], course(one.x[:, 0], one.y, "Loss")
    with (folder / "bnsl" / "four_digit_addition.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    x, y = (np.array([float(row[name]) for row in rows]) for name in ("train_size", "test_ce"))
    yield "addition", course(x, y, "loss", better="lower")


def row(name: str, curves: int, found: Backtest) -> str:
    """A row of the table."""
    leads = [lead for lead in found.leads if lead is not None]
    held, told = found.inside
    return (
        f"| {name} | {curves} | {len(found.leads)} | {found.misses} | "
        f"{f'{np.median(leads):.2f}' if leads else ''} | {f'{held} / {told}' if told else ''} | "
        f"{found.false_alarms} / {len(found.quiet)} |"
    )


def main() -> None:
    """Cut off, forecast, count, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--curves", type=int, default=20)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines = [
        heading("DATA", f"--curves {arguments.curves}"),
        "",
        f"Curves are cut off at {', '.join(f'{factor:g}' for factor in AHEAD)} times before each break after which "
        f"the error falls faster, and where none follows within a factor of {WITHIN:g}. A break is missed if no "
        "truncation before it raises an alarm; the lead is the factor from the first alarm that stays to the break "
        "(median).",
        "",
        "| curves | number | breaks | missed | lead | interval of the place held | false alarms |",
        "|---|---|---|---|---|---|---|",
    ]
    for noise in NOISES:
        for width in (*WIDTHS, None):
            courses = [planted(width, noise, trial) for trial in range(arguments.curves)]
            known = [[BREAK] if width else [] for _ in courses]
            name = f"transition over a factor of {width:g}" if width else "floor, no break"
            found = backtest(courses, known, BACKTEST_DRAWS, 0)
            lines.append(row(f"planted, {name}, noise {100 * noise:g} %", len(courses), found))
    groups: dict[str, list[Course]] = {}
    for domain, one in real(arguments.data):
        groups.setdefault(domain, []).append(one)
    for domain in (*DOMAINS, "addition"):
        courses = groups[domain]
        changes = [change(one, 2, BACKTEST_DRAWS, 0) for one in courses]
        known = [[own.x for own in one.breaks if own.identified and own.faster] for one in changes]
        lines.append(
            row(f"real, {domain}", len(courses), backtest(courses, known, BACKTEST_DRAWS, 0, most=2))
        )
    publish(lines, arguments.out)


if __name__ == "__main__":
    main()
