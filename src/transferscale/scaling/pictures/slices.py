"""A fitted law of several variables: cut along one of them, and what was observed against what it says."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import numpy.typing as npt

from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.metrics import Ints, Reals
from transferscale.scaling.pictures import law_words
from transferscale.scaling.pictures.canvas import Panel
from transferscale.scaling.pictures.laws import BEYOND
from transferscale.scaling.pictures.layout import group_name
from transferscale.scaling.pictures.numbers import amount
from transferscale.scaling.pictures.palette import MUTED, ramp
from transferscale.scaling.pictures.plane import Axis, Plane

# Curves in one plot at most.
MOST = 6
# Letters of a name that fit beside a curve.
LONG = 14


@dataclass(frozen=True)
class Slices:
    """A law of several variables, cut at values of one of them.

    ``along`` is the variable of the x axis, ``across`` the one that is held; ``value`` holds its value for each
    curve and ``place`` the curve of each point, fitted points first. Further variables are held at ``others``.
    """

    along: int
    across: int
    value: Reals
    place: Ints
    others: Reals

    def cut(self, curve: int, x: Reals) -> Reals:
        """Points (points, variables) of a curve at ``x``."""
        out = np.tile(self.others, (len(x), 1))
        out[:, self.across] = self.value[curve]
        out[:, self.along] = x
        return out


def slices_of(points: Reals) -> Slices:
    """Cut at each value of the variable with fewer values, or at the middles of bins where they are many."""
    counts = [len(np.unique(column)) for column in points.T]
    along, across = (1, 0) if counts[0] <= MOST < counts[1] else (0, 1)
    held = np.log(points[:, across])
    values, place = np.unique(held, return_inverse=True)
    if len(values) > MOST:
        edges = np.quantile(held, np.linspace(0, 1, MOST + 1)[1:-1])
        _, place = np.unique(np.searchsorted(edges, held), return_inverse=True)
        values = np.array([held[place == curve].mean() for curve in range(place.max() + 1)])
    others = np.exp(np.log(points).mean(0))
    return Slices(along, across, np.exp(values), place.astype(np.int64), others)


def panels(one: Fit, pixels: tuple[int, int], name: str) -> list[Panel]:
    """The law cut along one variable, and what was observed against what it says."""
    points = np.concatenate([one.points, one.held_points])
    values = np.concatenate([one.values, one.held_values])
    held = np.arange(len(points)) >= len(one.points)
    cuts = slices_of(points)
    colours = ramp(len(cuts.value))
    predicted = one.predict(points)
    return [
        _cut(one, cuts, points, values, held, colours, pixels, name),
        _observed(one, predicted, values, held, [colours[i] for i in cuts.place], pixels),
    ]


def _cut(
    one: Fit,
    cuts: Slices,
    points: Reals,
    values: Reals,
    held: npt.NDArray[np.bool_],
    colours: Sequence[str],
    pixels: tuple[int, int],
    name: str,
) -> Panel:
    along = points[:, cuts.along]
    fitted = along[~held]
    # A column with a long name goes by the law's symbol.
    long = len(one.x[cuts.across]) > LONG
    across = one.form.variables[cuts.across] if long else one.x[cuts.across]
    low = float(along.min())
    high = max(float(along.max()), float(fitted.max()) * min(BEYOND, float(fitted.max() / fitted.min())))
    x = Axis.around(one.x[cuts.along], np.array([low, high]), log=True)
    curves = range(len(cuts.value))
    moved = np.empty(len(values))
    for curve in curves:
        own = cuts.place == curve
        # The residual stays: only the law's own part of the way to the curve is taken.
        ratio = one.outcome.error(one.predict(cuts.cut(curve, along[own]))) / one.outcome.error(
            one.predict(points[own])
        )
        moved[own] = one.outcome.value(one.outcome.error(values[own]) * ratio)
    drawn = []
    for curve in curves:
        own = fitted[cuts.place[~held] == curve]
        start = float(along[cuts.place == curve].min())
        inside = float(own.max()) if len(own) else start
        drawn.append((start, inside))
    everything = [moved, *(one.predict(cuts.cut(c, np.array([drawn[c][0], high]))) for c in curves)]
    log = not one.outcome.score
    plane = Plane(x, Axis.around(one.y, np.concatenate(everything), log), *pixels)
    layers: list[alt.Chart] = []
    for curve in curves:
        grid = x.grid(drawn[curve][0], high)
        _, below, above = one.curve(cuts.cut(curve, grid))
        if below is not None and above is not None:
            layers.append(plane.band(grid, below, above, colours[curve], 0.12))
    ends = []
    for curve in curves:
        start, inside = drawn[curve]
        for left, right, dashed in ((start, inside, False), (inside, high, True)):
            if right > left:
                grid = x.grid(left, right)
                layers.append(
                    plane.line(grid, one.predict(cuts.cut(curve, grid)), colours[curve], dashed, 1.6)
                )
        end = float(one.predict(cuts.cut(curve, np.array([high])))[0])
        ends.append((end, f"{across} {amount(float(cuts.value[curve]), 3)}", colours[curve]))
    told = law_words.point_words(one, points, values, held)
    for curve in curves:
        for flag in (False, True):
            own = np.flatnonzero((cuts.place == curve) & (held == flag))
            if len(own):
                layers.append(
                    plane.points(along[own], moved[own], [told[i] for i in own], colours[curve], hollow=flag)
                )
    layers += plane.ends(ends)
    grid = x.grid(low, high)
    readings = {
        end[1]: [amount(float(v), 4) for v in one.predict(cuts.cut(curve, grid))]
        for curve, end in zip(curves, ends, strict=True)
    }
    lines = law_words.lines(one)
    binned = len(np.unique(points[:, cuts.across])) > len(cuts.value)
    moved_to = [f"the {across} of their curve"] if binned else []
    further = [i for i in range(points.shape[1]) if i not in (cuts.along, cuts.across)]
    moved_to += [f"{one.x[i]} {amount(float(cuts.others[i]), 3)}" for i in further]
    if moved_to:
        lines.append(f"points are moved along the law to {' and '.join(moved_to)}")
    if long:
        lines.append(f"{across}: {one.x[cuts.across]}")
    return Panel(
        plane,
        layers,
        group_name(one.group),
        lines,
        law_words.description(one),
        plane.ruler(grid, readings, name),
        one.warnings,
    )


def _observed(
    one: Fit,
    predicted: Reals,
    values: Reals,
    held: npt.NDArray[np.bool_],
    colours: Sequence[str],
    pixels: tuple[int, int],
) -> Panel:
    both = np.concatenate([predicted, values])
    log = not one.outcome.score
    plane = Plane(
        Axis.around(f"{one.y} by the law", both, log), Axis.around(f"{one.y} observed", both, log), *pixels
    )
    ends = np.array([plane.x.low, plane.x.high])
    layers = [plane.line(ends, ends, MUTED[0], width=1)]
    points = np.concatenate([one.points, one.held_points])
    told = law_words.point_words(one, points, values, held)
    for colour in dict.fromkeys(colours):
        for flag in (False, True):
            own = [i for i in range(len(values)) if colours[i] == colour and held[i] == flag]
            if own:
                layers.append(
                    plane.points(predicted[own], values[own], [told[i] for i in own], colour, hollow=flag)
                )
    worst = float(np.abs(np.log(one.outcome.error(values) / one.outcome.error(predicted))).max())
    return Panel(
        plane,
        layers,
        group_name(one.group),
        [
            "observed against the law",
            f"the farthest point is off by a factor of {amount(float(np.exp(worst)), 3)}",
        ],
        f"{one.y} observed against what the law says; the points lie along the diagonal, the farthest off by a "
        f"factor of {amount(float(np.exp(worst)), 3)}.",
    )
