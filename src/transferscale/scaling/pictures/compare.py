"""Comparisons: the curve of every family with its interval, and where one overtakes another; a panel a group."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import numpy as np

from transferscale.scaling.comparisons.compare import Comparison, FamilyPair
from transferscale.scaling.pictures import law_words, laws
from transferscale.scaling.pictures.canvas import Panel, Picture
from transferscale.scaling.pictures.files import write
from transferscale.scaling.pictures.laws import Reach
from transferscale.scaling.pictures.layout import beside, differing, ending, group_name, shared, short, size
from transferscale.scaling.pictures.numbers import amount, around
from transferscale.scaling.pictures.palette import INK, series
from transferscale.scaling.pictures.plane import Plane

# A crossover farther beyond the points and the range than this factor is told and not drawn.
FARTHEST = 30.0
# Crossovers that are named over the plot; the others are told in the lines.
MOST_NAMED = 4


def draw_compare(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw comparisons into a .svg, .png or .html file.

    Raises
    ------
    UserError
        If the ending names no format of pictures.
    """
    write(picture(comparisons), path)


def picture(comparisons: Sequence[Comparison]) -> Picture:
    """The picture of the comparisons of one table."""
    width, height, columns = size(len(comparisons))
    reaches = [_reaches(one) for one in comparisons]
    ends = [(min(r.start for r in own.values()), max(r.end for r in own.values())) for own in reaches]
    xs = shared(
        [
            laws.scale_axis(next(iter(one.fits.values())), own)
            for one, own in zip(comparisons, ends, strict=True)
        ]
    )
    ys = shared(
        [
            laws.value_axis([*one.fits.values()], [(r.start, r.end) for r in own.values()])
            for one, own in zip(comparisons, reaches, strict=True)
        ]
    )
    panels = [
        _panel(one, own, Plane(x, y, width, height), f"compare{number}")
        for number, (one, own, x, y) in enumerate(zip(comparisons, reaches, xs, ys, strict=True), 1)
    ]
    first = comparisons[0]
    title = f"{first.y} against {first.x}, {len(first.fits)} families"
    return Picture(title, [_key(comparisons), *differing(xs, ys)], panels, columns)


def panel(one: Comparison, pixels: tuple[int, int], name: str) -> Panel:
    """One comparison as a panel of another picture; ``name`` is unique there."""
    reaches = _reaches(one)
    ends = (min(r.start for r in reaches.values()), max(r.end for r in reaches.values()))
    x = laws.scale_axis(next(iter(one.fits.values())), ends)
    y = laws.value_axis([*one.fits.values()], [(r.start, r.end) for r in reaches.values()])
    return _panel(one, reaches, Plane(x, y, *pixels), name)


def _key(comparisons: Sequence[Comparison]) -> str:
    """What the marks mean, of those that are there."""
    fits = [one for comparison in comparisons for one in comparison.fits.values()]
    parts = ["● runs"]
    if any(len(one.held_points) for one in fits):
        parts.append("○ held out")
    parts.append("lines: the laws, dashed outside of a family's points")
    if any(one.resampled is not None for one in fits):
        parts.append("shaded: 95 % intervals")
    parts.append("grey: beyond all points")
    if any(_drawn(comparison, _reaches(comparison)) for comparison in comparisons):
        parts.append("diamond: crossover with its interval")
    return "; ".join(parts) + "."


def _reaches(one: Comparison) -> dict[str, Reach]:
    """Every family from the least to the largest scale that the picture shows."""
    own = {name: laws.reach(found) for name, found in one.fits.items()}
    start = min([one.window.low, *(r.start for r in own.values())])
    end = max([one.window.high, one.target, *(r.last for r in own.values())])
    end = max(end, min(laws.BEYOND * max(r.last for r in own.values()), max(r.end for r in own.values())))
    for pair in _told(one):
        x = pair.crossover.x
        if x is not None and start / FARTHEST <= x <= end * FARTHEST:
            start, end = min(start, 0.8 * x), max(end, 1.25 * x)
    return {name: Reach(start, r.first, r.last, end) for name, r in own.items()}


def _told(one: Comparison) -> list[FamilyPair]:
    """Pairs with a crossover; of more than two families only in the range, or there would be too many."""
    return [
        pair
        for pair in one.pairs
        if pair.crossover.x is not None and (len(one.fits) == 2 or pair.crossover.answer == "crossover")
    ]


def _drawn(one: Comparison, reaches: dict[str, Reach]) -> list[FamilyPair]:
    """Pairs whose crossover lies within the picture."""
    ends = next(iter(reaches.values()))
    return [pair for pair in _told(one) if ends.start <= (pair.crossover.x or 0.0) <= ends.end]


def _panel(one: Comparison, reaches: dict[str, Reach], plane: Plane, name: str) -> Panel:
    colours = series(one.fits)
    ends = next(iter(reaches.values()))
    layers = plane.beyond(min(r.first for r in reaches.values()), max(r.last for r in reaches.values()))
    crossed = _drawn(one, reaches)
    for family, found in one.fits.items():
        layers += laws.band(plane, found, reaches[family], colours[family])
    for family, found in one.fits.items():
        layers += laws.curve(plane, found, reaches[family], colours[family])
    for family, found in one.fits.items():
        layers += laws.points(plane, found, colours[family])
    for pair in crossed:
        layers += _crossing(one, pair, plane)
    layers.append(plane.upright(one.target))
    named = [(pair.crossover.x or 0.0, _crossing_words(pair)) for pair in crossed[:MOST_NAMED]]
    layers += plane.above([*named, (one.target, f"target {amount(one.target, 3)}")])
    at_end = [
        (float(found.predict(np.array([ends.end]))[0]), beside(family), colours[family])
        for family, found in one.fits.items()
    ]
    layers += plane.ends(at_end)
    grid = plane.x.grid(ends.start, ends.end)
    ruler = plane.ruler(
        grid, {family: law_words.readings(found, grid) for family, found in one.fits.items()}, name
    )
    warnings = dict.fromkeys(warning for pair in one.pairs for warning in pair.warnings)
    return Panel(
        plane,
        layers,
        group_name(one.group),
        _lines(one),
        f"{one.y} against {one.x} of {', '.join(one.fits)}. {one.verdict}",
        ruler,
        [*one.left_out, *warnings],
    )


def _lines(one: Comparison) -> list[str]:
    """The verdict; of many pairs only what is best and how many cross."""
    if len(one.fits) == 2:
        return [ending(one.verdict)]
    shares = {name: share for name, share in one.p_better_at_target.items() if share is not None}
    lines = []
    if shares:
        first = sorted(shares, key=lambda name: -shares[name])[:3]
        told = ", ".join(f"{name} {shares[name]:.2f}" for name in first)
        lines.append(f"Probability of being best at {amount(one.target, 3)}: {told}.")
    crossed = sum(pair.crossover.answer == "crossover" for pair in one.pairs)
    unknown = sum(pair.crossover.answer == "not identified" for pair in one.pairs)
    return [*lines, f"{len(one.pairs)} pairs: {crossed} cross in the range, {unknown} not identified."]


def _crossing(one: Comparison, pair: FamilyPair, plane: Plane) -> list[alt.Chart]:
    """A crossover: its interval as a bar on the curve, and its place."""
    found = pair.crossover
    if found.x is None:
        return []
    at = np.array([found.x])
    y = one.fits[pair.families[0]].predict(at)
    layers = [plane.upright(found.x, INK[0])]
    if found.low is not None and found.high is not None:
        if len(one.pairs) == 1:
            layers.append(plane.column(found.low, found.high, INK[0], 0.08))
        layers.append(plane.span(found.low, found.high, float(y[0]), INK[0]))
    told = [f"{_crossing_words(pair)}: {pair.verdict}"]
    layers.append(plane.points(at, y, told, INK[0], hollow=True, shape="diamond"))
    return layers


def _crossing_words(pair: FamilyPair) -> str:
    found = pair.crossover
    interval = None if found.low is None or found.high is None else (found.low, found.high)
    return f"{short(pair.overtakes or '')} leads from {around(found.x or 0.0, interval)}"
