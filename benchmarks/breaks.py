"""How often a break is claimed where there is none, found where there is one, and held by its interval.

    python -m benchmarks.breaks [--trials 200] [--out docs/benchmarks/breaks.md]

Curves span four decades. Without a break they fall to a floor; with one, the error falls with x^-0.6 instead of
x^-0.05 from the middle on. Noise is that of a point, shared by a cluster, or follows its neighbour (AR(1)).
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.machine import heading, publish

from transferscale.scaling.changes.breaks import LEVEL
from transferscale.scaling.changes.change import change
from transferscale.scaling.changes.course import Course, course
from transferscale.scaling.laws.broken import TRANSITION, Broken

BREAK = 1e8
FLOOR = {"a": 0.3, "b": 2.0 * 1e6**0.2, "c0": 0.2}
DRAWS = 200


@dataclass(frozen=True)
class Design:
    """Places along x, clusters at each, the noise of a point and of a cluster, and what neighbours share."""

    places: int
    clusters: int = 1
    own: float = 0.02
    shared: float = 0.0
    correlation: float = 0.0

    @property
    def words(self) -> str:
        """As the table calls it."""
        parts = [f"{self.places} places", f"noise {100 * self.own:g} %"]
        if self.clusters > 1:
            parts.insert(1, f"{self.clusters} clusters")
        if self.shared:
            parts.append(f"{100 * self.shared:g} % of a cluster")
        if self.correlation:
            parts.append(f"correlation {self.correlation:g}")
        return ", ".join(parts)


DESIGNS = (
    Design(10),
    Design(20),
    Design(20, own=0.1),
    Design(40),
    Design(8, 5),
    Design(12, 5, 0.01, 0.03),
    Design(40, correlation=0.7),
    Design(40, correlation=0.9),
)


def simulate(design: Design, width: float | None, trial: int) -> Course:
    """A curve with a break of a width, or without one."""
    constants = dict(FLOOR)
    if width is not None:
        constants = {"a": 0.0, "b": 2.0, "c0": 0.05}
        constants |= {"c1": 0.55, "d1": BREAK, "f1": float(np.log(width) / TRANSITION)}
    law = Broken(int(width is not None))
    rng = np.random.default_rng([trial, design.places, design.clusters])
    x = np.tile(np.geomspace(1e6, 1e10, design.places), (design.clusters, 1))
    noise = rng.standard_normal(x.shape)
    for i in range(1, design.places):
        fresh = np.sqrt(1 - design.correlation**2)
        noise[:, i] = design.correlation * noise[:, i - 1] + fresh * noise[:, i]
    noise = design.own * noise + design.shared * rng.standard_normal((design.clusters, 1))
    log_y = law.log_value(law.coordinates(constants), np.log(x.ravel())[:, None])
    label = np.repeat(np.arange(design.clusters), design.places).tolist()
    return course(
        x.ravel(), np.exp(log_y + noise.ravel()), "loss", cluster=label if design.clusters > 1 else None
    )


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
        f"Per cent of {trials} curves (standard error of 5 %: {100 * np.sqrt(0.05 * 0.95 / trials):.1f}) in which a "
        f"break counts at p < {LEVEL:g} where there is none, and where there is one whose transition takes a factor of "
        "2; of the latter, those whose 95 % intervals hold the place and the width.",
        "",
        "| curves | claimed without | found | place held | width held |",
        "|---|---|---|---|---|",
    ]
    for design in DESIGNS:
        without = [change(simulate(design, None, t), 1, DRAWS, t).counted.breaks for t in range(trials)]
        changes = [change(simulate(design, 2.0, t), 1, DRAWS, t) for t in range(trials)]
        found = [own for one in changes for own in one.breaks]
        place = [own.interval[0] <= BREAK <= own.interval[1] for own in found]
        width = [own.width_interval[0] <= 2.0 <= own.width_interval[1] for own in found]
        shares = [np.mean(without), len(found) / trials, np.mean(place), np.mean(width)]
        lines.append(f"| {design.words} | {' | '.join(f'{100 * share:.1f}' for share in shares)} |")
    publish(lines, arguments.out)


if __name__ == "__main__":
    main()
