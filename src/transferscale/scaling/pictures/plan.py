"""Plans: the subjects that each level of pretraining compute needs, and the cheapest way; label curves beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import altair as alt
import numpy as np

from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.pictures import law_words, laws
from transferscale.scaling.pictures.canvas import Panel, Picture
from transferscale.scaling.pictures.files import write
from transferscale.scaling.pictures.laws import Reach
from transferscale.scaling.pictures.layout import beside, group_name, short, size
from transferscale.scaling.pictures.numbers import amount, around
from transferscale.scaling.pictures.palette import INK, series
from transferscale.scaling.pictures.plane import FAINT, MARGIN, Axis, Plane
from transferscale.scaling.plans.plan import Plan
from transferscale.scaling.plans.ways import FRONTIER, LEAST, REACHABLE, Amount, Option, Way

# Scales of a plan by their place in a law, and what they are called.
COMPUTE, SUBJECTS = 0, 1
TITLES = ("pretraining FLOPs", "labelled subjects")


def draw_plan(plans: Sequence[Plan], path: Path) -> None:
    """Draw plans into a .svg, .png or .html file.

    Raises
    ------
    UserError
        If the ending names no format of pictures.
    """
    write(picture(plans), path)


def picture(plans: Sequence[Plan]) -> Picture:
    """The picture of the plans of one table."""
    kinds = [_kinds(one) for one in plans]
    width, height, columns = size(sum(map(len, kinds)))
    panels = []
    for number, (one, own) in enumerate(zip(plans, kinds, strict=True), 1):
        colours = series(option.arm for option in one.options)
        if FRONTIER in own:
            panels.append(_frontier(one, colours, (width, height)))
        for of in (SUBJECTS, COMPUTE):
            if of in own:
                panels.append(_curves(one, of, colours, (width, height), f"plan{number}x{of}", own[0] == of))
    target = plans[0].question.target.words
    return Picture(f"What it takes to reach {target}", [_key(plans)], panels, columns)


def _kinds(one: Plan) -> list[str | int]:
    """Which panels a plan has: compute against subjects, and the score against the one scale that varies."""
    fixed = [option.surface.fixed for option in one.options if option.surface is not None]
    kinds: list[str | int] = [FRONTIER] if (None, None) in fixed else []
    return [*kinds, *(of for of in (SUBJECTS, COMPUTE) if any(own[1 - of] is not None for own in fixed))]


def _key(plans: Sequence[Plan]) -> str:
    """What the marks mean."""
    parts = ["● runs that reach it, ○ runs that do not", "shaded: 95 % intervals", "grey: beyond the data"]
    if any(FRONTIER in _kinds(one) for one in plans):
        parts.append("squares: the least subjects at a level of compute, hollow where extrapolated")
    if any(one.best is not None for one in plans):
        parts.append("diamond: the cheapest way, thin dashes: all that costs the same")
    return "; ".join(parts) + "."


def _notes(one: Plan) -> list[str]:
    """What must be said beside a plan."""
    fits = [option.surface.fit for option in one.options if option.surface is not None]
    refused = [f"{option.arm}: {option.refused}" for option in one.options if option.refused]
    return [*one.warnings, *refused, *dict.fromkeys(warning for fit in fits for warning in fit.warnings)]


def _told(option: Option) -> Way | None:
    """The frontier's only way of an arm that has no compute to choose, if it reaches the target."""
    found = option.frontier[0] if option.frontier else None
    return found if found is not None and found.subjects.value is not None else None


def _interval(found: Amount) -> tuple[float, float] | None:
    return None if found.low is None or found.high is None else (found.low, found.high)


# -- compute against subjects


def _frontier(one: Plan, colours: Mapping[str, str], pixels: tuple[int, int]) -> Panel:
    """Subjects needed at each level of compute, and without any."""
    wide = {o.arm: o for o in one.options if o.surface is not None and o.surface.fixed == (None, None)}
    plain = {
        option.arm: way
        for option in one.options
        if option.surface is not None and option.surface.fixed[COMPUTE] is not None
        if (way := _told(option)) is not None
    }
    fits = {arm: option.surface.fit for arm, option in wide.items() if option.surface is not None}
    points = np.concatenate([fit.points for fit in fits.values()])
    ways = {arm: _reached(option) for arm, option in wide.items()}
    shown = [way for own in ways.values() for way in own]
    shown += [way for option in wide.values() if (way := option.way(LEAST)) and way.status == REACHABLE]
    compute = np.array([*points[:, COMPUTE], *(way.flops.value or np.nan for way in shown)])
    subjects = np.array([*points[:, SUBJECTS], *(way.subjects.value for way in [*shown, *plain.values()])])
    plane = Plane(
        Axis.around(TITLES[COMPUTE], compute[np.isfinite(compute)], True),
        Axis.around(TITLES[SUBJECTS], subjects.astype(np.float64), True),
        *pixels,
    )
    layers = plane.beyond(float(points[:, COMPUTE].min()), float(points[:, COMPUTE].max()))
    most = float(points[:, SUBJECTS].max())
    if plane.y.share(most) < 1 - 1.5 * MARGIN:
        layers.append(plane.row(most, plane.y.high, opacity=FAINT))
    for arm, fit in fits.items():
        layers += _runs(one, fit, arm, plane, colours[arm])
    labels = []
    for arm, way in plain.items():
        many = way.subjects.value or 0.0
        layers.append(plane.row(*_within(way.subjects, plane.y), colours[arm], FAINT))
        layers.append(plane.level(many, colours[arm]))
        labels.append((many, beside(arm), colours[arm]))
    for arm, own in ways.items():
        if own:
            layers += _line(arm, own, plane, colours[arm])
            labels.append((own[-1].subjects.value or 0.0, beside(arm), colours[arm]))
    layers += [*_cheapest(one, plane), *plane.ends(labels)]
    description = f"Labelled subjects that each level of pretraining compute needs. {one.words}."
    return Panel(plane, layers, group_name(one.group), [f"{one.words}."], description, None, _notes(one))


def _reached(option: Option) -> list[Way]:
    """Points of a frontier that reach the target."""
    return [way for way in option.frontier if way.status == REACHABLE and way.subjects.value is not None]


def _within(found: Amount, axis: Axis) -> tuple[float, float]:
    """An interval, cut at the ends of the axis; the value itself where there is none."""
    value = found.value or axis.low
    low, high = _interval(found) or (value, value)
    return min(max(low, axis.low), axis.high), min(max(high, axis.low), axis.high)


def _line(arm: str, ways: Sequence[Way], plane: Plane, colour: str) -> list[alt.Chart]:
    """A frontier, dashed where it is extrapolated."""
    x = np.array([way.flops.value or 0.0 for way in ways])
    y = np.array([way.subjects.value or 0.0 for way in ways])
    low, high = np.array([_within(way.subjects, plane.y) for way in ways]).T
    layers = [plane.band(x, low, high, colour, 0.12)]
    beyond = np.array([way.extrapolated > 1 for way in ways])
    for i in range(len(ways) - 1):
        pair = slice(i, i + 2)
        layers.append(plane.line(x[pair], y[pair], colour, dashed=bool(beyond[pair].any())))
    told = [
        f"{arm}: {amount(float(at), 3)} FLOPs, {around(float(many), _interval(way.subjects))} subjects"
        + (f", extrapolated {way.extrapolated:.2g} x" if way.extrapolated > 1 else "")
        for at, many, way in zip(x, y, ways, strict=True)
    ]
    for flag in (False, True):
        own = np.flatnonzero(beyond == flag)
        if len(own):
            layers.append(plane.points(x[own], y[own], [told[i] for i in own], colour, flag, "square"))
    return layers


def _runs(one: Plan, fit: Fit, arm: str, plane: Plane, colour: str) -> list[alt.Chart]:
    """Where runs were made; hollow those that miss the target."""
    reached = one.question.target.reached(fit.values)
    layers = []
    for flag in (True, False):
        at = reached == flag
        if at.any():
            compute, subjects = fit.points[at].T
            told = [
                f"{arm}: {fit.y} {amount(float(value), 3)} with {amount(float(c), 3)} FLOPs "
                f"and {amount(float(n), 3)} subjects"
                for c, n, value in zip(compute, subjects, fit.values[at], strict=True)
            ]
            layers.append(plane.points(compute, subjects, told, colour, not flag, size=20))
    return layers


def _cheapest(one: Plan, plane: Plane) -> list[alt.Chart]:
    """The cheapest way of all, with the line of equal cost through it."""
    best = next((option for option in one.options if option.arm == one.best), None)
    way = best.way(LEAST) if best is not None else None
    prices = one.question.prices
    if best is None or way is None or prices is None or way.subjects.value is None or way.cost.value is None:
        return []
    layers = []
    grid = plane.x.grid(plane.x.low, plane.x.high)
    if prices.subject > 0:
        same = (way.cost.value - prices.cost(grid, np.zeros(len(grid)))) / prices.subject
        there = same >= plane.y.low
        if there.sum() > 1:
            layers.append(plane.line(grid[there], same[there], INK[0], True, 1))
    at = (way.flops.value or plane.x.low) if best.pretrained else plane.x.low
    words = f"cheapest: {around(way.cost.value, _interval(way.cost))}"
    told = [f"{words} by {best.arm} with {amount(way.subjects.value, 3)} subjects"]
    layers.append(
        plane.points(np.array([at]), np.array([way.subjects.value]), told, INK[0], True, "diamond", 60)
    )
    return [*layers, *plane.above([(at, words)])]


# -- score against the one scale that varies


def _curves(
    one: Plan, of: int, colours: Mapping[str, str], pixels: tuple[int, int], name: str, first: bool
) -> Panel:
    """Curves of the arms whose other scale is the same in all runs, and where they reach the target."""
    own = [o for o in one.options if o.surface is not None and o.surface.fixed[1 - of] is not None]
    target = one.question.target.value
    ways = {option.arm: way for option in own if of == SUBJECTS and (way := _told(option)) is not None}
    fits = {option.arm: option.surface.fit for option in own if option.surface is not None}
    reaches = {arm: laws.reach(fit) for arm, fit in fits.items()}
    start = min(found.start for found in reaches.values())
    end = max(
        [*(found.end for found in reaches.values()), *(way.subjects.value or 0.0 for way in ways.values())]
    )
    reaches = {arm: Reach(start, found.first, found.last, end) for arm, found in reaches.items()}
    values = laws.value_axis([*fits.values()], [(start, end)] * len(fits))
    y = Axis.around(values.title, np.array([values.low, values.high, target]), values.log)
    plane = Plane(Axis.around(TITLES[of], np.array([start, end]), True), y, *pixels)
    layers = plane.beyond(start, max(found.last for found in reaches.values()))
    layers.append(plane.level(target, INK[0], dashed=True))
    for arm, fit in fits.items():
        layers += laws.band(plane, fit, reaches[arm], colours[arm], 0.12)
    for arm, fit in fits.items():
        layers += [
            *laws.curve(plane, fit, reaches[arm], colours[arm]),
            *_points(one, fit, plane, colours[arm]),
        ]
    for arm, way in ways.items():
        layers.append(plane.span(*_within(way.subjects, plane.x), target, colours[arm]))
        many = way.subjects.value or 0.0
        told = [f"{arm}: {around(many, _interval(way.subjects))} subjects"]
        layers.append(
            plane.points(np.array([many]), np.array([target]), told, colours[arm], True, "diamond", 60)
        )
    layers += plane.ends(
        [(float(fit.predict(np.array([end]))[0]), beside(arm), colours[arm]) for arm, fit in fits.items()]
    )
    grid = plane.x.grid(start, end)
    ruler = plane.ruler(grid, {short(arm): law_words.readings(fit, grid) for arm, fit in fits.items()}, name)
    lines = (
        [f"{one.words}."] if first else [f"{y.title} without pretraining; diamonds: the target is reached"]
    )
    description = f"{y.title} against {plane.x.title}; the target is {target:g}. {one.words}."
    return Panel(
        plane, layers, group_name(one.group), lines, description, ruler, _notes(one) if first else []
    )


def _points(one: Plan, fit: Fit, plane: Plane, colour: str) -> list[alt.Chart]:
    """Runs of an arm; hollow those that miss the target."""
    told = law_words.point_words(fit, fit.points, fit.values, np.zeros(len(fit.values), dtype=np.bool_))
    reached = one.question.target.reached(fit.values)
    layers = []
    for flag in (True, False):
        at = np.flatnonzero(reached == flag)
        if len(at):
            said = [told[i] for i in at]
            layers.append(plane.points(fit.points[at, 0], fit.values[at], said, colour, not flag))
    return layers
