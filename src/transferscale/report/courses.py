"""The course of training: loss along the trunks of the ladder, and the finished models after each decay."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from transferscale.scaling.metrics import Reals
from transferscale.scaling.pictures.canvas import Panel, Picture
from transferscale.scaling.pictures.numbers import amount
from transferscale.scaling.pictures.palette import ramp
from transferscale.scaling.pictures.plane import Axis, Plane
from transferscale.scaling.rungs.ladder import plain

Row = Mapping[str, Any]
Rows = Sequence[Row]
# Points of a drawn curve, evenly in the logarithm, each the mean of the steps about it.
POINTS = 60


def picture(training: Rows, ladder: Rows) -> Picture | None:
    """A panel a family; None without any course.

    Parameters
    ----------
    training, ladder
        Rows of these tables.
    """
    rows = [row for row in training if plain(row) and row["phase"] == "trunk"]
    families = list(dict.fromkeys(row["family"] for row in rows))
    if not families:
        return None
    key = [
        "Lines: loss on training clips along the trunk of the first seed, one colour a depth (mean of neighbouring "
        "steps); ● held-out loss of the finished model of each rung, after its decay.",
    ]
    panels = [
        _panel(
            family,
            [row for row in rows if row["family"] == family],
            [row for row in ladder if row["family"] == family],
        )
        for family in families
    ]
    return Picture("The course of training", key, panels, columns=2)


def _panel(family: str, rows: Rows, finished: Rows) -> Panel:
    """One family."""
    depths = sorted({row["depth"] for row in rows})
    curves = {depth: _course([row for row in rows if row["depth"] == depth]) for depth in depths}
    ends = [row for row in finished if row["depth"] in depths]
    x = np.concatenate([curve[0] for curve in curves.values()])
    y = np.concatenate([curve[1] for curve in curves.values()] + [[row["heldout_loss"] for row in ends]])
    plane = Plane(Axis.around("clips seen", x, log=True), Axis.around("loss", y[y > 0], log=True), 330, 230)
    layers: list[alt.Chart] = []
    labels = []
    for depth, colour in zip(depths, ramp(len(depths)), strict=True):
        layers.append(plane.line(*curves[depth], colour, width=1.2))
        own = [row for row in ends if row["depth"] == depth]
        told = [
            f"depth {depth}, seed {row['seed']}, rung {row['rung']}: held-out loss {amount(row['heldout_loss'], 4)}"
            for row in own
        ]
        x, y = (
            np.array([row[key] for row in own], dtype=np.float64) for key in ("clips_seen", "heldout_loss")
        )
        if own:
            layers.append(plane.points(x, y, told, colour, size=20))
        labels.append((float(curves[depth][1][-1]), f"depth {depth}", colour))
    layers += plane.ends(labels)
    first, last = (", ".join(f"depth {d} {curves[d][1][i]:.3f}" for d in depths) for i in (0, -1))
    return Panel(
        plane,
        layers,
        f"{family}: loss along training",
        [],
        f"Training loss of {family} along the trunk, at first: {first}; at last: {last}.",
    )


def _course(rows: Rows) -> tuple[Reals, Reals]:
    """Training loss of the first seed against clips seen, thinned, each (points,)."""
    seed = min(row["seed"] for row in rows)
    own = sorted((row for row in rows if row["seed"] == seed), key=lambda row: row["clips_seen"])
    x = np.array([row["clips_seen"] for row in own], dtype=np.float64)
    y = np.array([row["loss"] for row in own], dtype=np.float64)
    known = np.isfinite(y) & (y > 0)
    x, y = x[known], y[known]
    edges = np.geomspace(x[0], x[-1] * (1 + 1e-9), POINTS + 1)
    place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, POINTS - 1)
    _, place, count = np.unique(place, return_inverse=True, return_counts=True)
    means = [np.exp(np.bincount(place, weights=np.log(values)) / count) for values in (x, y)]
    return means[0], means[1]
