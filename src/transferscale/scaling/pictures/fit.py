"""Fits: points, law, its interval, what was held out, and where the law breaks; a panel a group."""

from collections.abc import Sequence
from pathlib import Path

from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.pictures import law_words, laws, slices
from transferscale.scaling.pictures.canvas import Panel, Picture
from transferscale.scaling.pictures.files import write
from transferscale.scaling.pictures.laws import Reach
from transferscale.scaling.pictures.layout import differing, group_name, shared, size
from transferscale.scaling.pictures.numbers import around
from transferscale.scaling.pictures.palette import INK, SERIES
from transferscale.scaling.pictures.plane import Axis, Plane

# So many points would hide the law.
MANY = 60
BLUE = SERIES[0][0]


def draw_fit(fits: Sequence[Fit], path: Path) -> None:
    """Draw fits into a .svg, .png or .html file, a panel a group.

    Raises
    ------
    UserError
        If the ending names no format of pictures.
    """
    write(picture(fits), path)


def picture(fits: Sequence[Fit]) -> Picture:
    """The picture of fits of one table."""
    first = fits[0]
    title = f"{first.y} against {', '.join(first.x)}"
    if len(first.x) > 1:
        width, height, columns = size(2 * len(fits))
        cut = [slices.panels(one, (width, height), f"fit{i}") for i, one in enumerate(fits, 1)]
        return Picture(title, [_key(fits)], [panel for own in cut for panel in own], min(columns, 2))
    width, height, columns = size(len(fits))
    ends = [laws.reach(one) for one in fits]
    xs = shared([laws.scale_axis(one, (own.start, own.end)) for one, own in zip(fits, ends, strict=True)])
    ys = shared([laws.value_axis([one], [(own.start, own.end)]) for one, own in zip(fits, ends, strict=True)])
    panels = [
        _curve(one, own, Plane(x, y, width, height), f"fit{i}")
        for i, (one, own, x, y) in enumerate(zip(fits, ends, xs, ys, strict=True), 1)
    ]
    return Picture(title, [_key(fits), *differing(xs, ys)], panels, columns)


def _key(fits: Sequence[Fit]) -> str:
    """What the marks mean, of those that are there."""
    parts = ["● fitted"]
    if any(len(one.held_points) for one in fits):
        parts.append("○ held out")
    parts.append("line: the law, dashed beyond the fitted points")
    if any(one.resampled is not None for one in fits):
        parts.append("shaded and in brackets: 95 % intervals (of the mean, not of a new run)")
    return "; ".join(parts) + "."


def _curve(one: Fit, ends: Reach, plane: Plane, name: str) -> Panel:
    breaks = _breaks(one, plane.x)
    layers = laws.band(plane, one, ends, BLUE)
    for at, interval, _ in breaks:
        layers += [plane.column(*interval)] if interval is not None else []
        layers.append(plane.upright(at))
    marks = [laws.curve(plane, one, ends, BLUE), laws.points(plane, one, INK[0])]
    many = len(one.values) + len(one.held_values) > MANY
    layers += [layer for own in (reversed(marks) if many else marks) for layer in own]
    layers += plane.above([(at, text) for at, _, text in breaks])
    grid = plane.x.grid(ends.start, ends.end)
    ruler = plane.ruler(grid, {one.y: law_words.readings(one, grid)}, name)
    return Panel(
        plane,
        layers,
        group_name(one.group),
        law_words.lines(one),
        law_words.description(one),
        ruler,
        one.warnings,
    )


def _breaks(one: Fit, axis: Axis) -> list[tuple[float, tuple[float, float] | None, str]]:
    """Place, interval and words of every break of a broken law that lies on the axis."""
    if one.form.name != "broken":
        return []
    found = []
    for name, value in one.params.items():
        if name[0] == "d" and axis.low < value < axis.high:
            known = one.identified[name]
            interval = one.intervals[name] if known else None
            found.append(
                (value, interval, f"break {around(value, interval)}{'' if known else ', not identified'}")
            )
    return found
