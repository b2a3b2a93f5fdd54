"""Sharp changes: the curve with its law, every break with its interval, the control beside it; a panel a curve."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import numpy as np

from transferscale.scaling.changes.change import Break, Change
from transferscale.scaling.changes.forecast import Forecast
from transferscale.scaling.changes.grokking import Grokking
from transferscale.scaling.changes.transitions import Transitions
from transferscale.scaling.changes.words import behind, sharp, short_sizes, tested
from transferscale.scaling.metrics import Reals
from transferscale.scaling.pictures.canvas import Panel, Picture
from transferscale.scaling.pictures.files import write
from transferscale.scaling.pictures.layout import beside, differing, ending, group_name, shared, size
from transferscale.scaling.pictures.numbers import amount, around
from transferscale.scaling.pictures.palette import INK, SERIES
from transferscale.scaling.pictures.plane import Axis, Plane

# So many points would hide the law.
MANY = 60
BLUE, ORANGE = SERIES[0][0], SERIES[1][0]


def draw_transitions(found: Sequence[Transitions], path: Path) -> None:
    """Draw curves into a .svg, .png or .html file, each with its control beside it.

    Raises
    ------
    UserError
        If the ending names no format of pictures.
    """
    write(picture(found), path)


def picture(found: Sequence[Transitions]) -> Picture:
    """The picture of the curves of one table."""
    first = found[0]
    drawn = [(one, role, own) for one in found for role, own in one.changes]
    width, height, columns = size(len(drawn))
    if first.control is not None:
        columns = 2
    xs = shared([_x_axis(one) for one, _, _ in drawn])
    roles = [role for _, role, _ in drawn]
    ys: list[Axis] = [_y_axis(one, role, own) for one, role, own in drawn]
    for role in ("metric", "control"):
        own_places = [i for i, other in enumerate(roles) if other == role]
        for i, axis in zip(own_places, shared([ys[i] for i in own_places]), strict=True):
            ys[i] = axis
    panels = [
        _panel(one, role, own, Plane(x, y, width, height), f"transitions{i}")
        for i, ((one, role, own), x, y) in enumerate(zip(drawn, xs, ys, strict=True), 1)
    ]
    names = [first.metric.course.name, *([first.control.course.name] if first.control else [])]
    alike = [axis for axis, role in zip(ys, roles, strict=True) if role == "metric"]
    return Picture(
        f"{' and '.join(names)} against {first.x}", [_key(found), *differing(xs, alike)], panels, columns
    )


def _key(found: Sequence[Transitions]) -> str:
    """What the marks mean, of those that are there."""
    changes = [own for one in found for _, own in one.changes]
    trained = any(one.trained for one in found)
    parts = ["● test" if trained else "● measured"]
    if trained:
        parts.append("○ training")
    each = any(own.runs is not None for own in changes)
    parts.append(f"line: the broken law{' (of every cluster where they differ)' if each else ''}")
    if any(own.drawn is not None for own in changes):
        parts.append("shaded: 95 % intervals")
    if any(own.breaks for own in changes):
        parts.append("dotted: break, with an orange bar as long as its transition")
    if any(one.forecast is not None for one in found):
        parts.append("dashed: beyond the points")
    return "; ".join(parts) + "."


def _end(one: Transitions) -> float:
    """Largest x of the picture."""
    last = float(one.metric.course.places[-1])
    return last if one.forecast is None else last * one.forecast.within


def _x_axis(one: Transitions) -> Axis:
    return Axis.around(one.x, np.array([one.metric.course.places[0], _end(one)]), log=True)


def _y_axis(one: Transitions, role: str, own: Change) -> Axis:
    log = not own.course.outcome.score
    values = [own.course.y]
    if role in one.trained:
        values.append(one.trained[role][1])
    middle, _, _ = own.curve(own.course.places)
    if role == "metric" and one.forecast is not None:
        # The law beyond the points, as far as it does not press them together.
        ahead = np.log(own.curve(np.array([_end(one)]))[0]) if log else own.curve(np.array([_end(one)]))[0]
        seen = np.log(own.course.error) if log else own.course.y
        ends = np.clip(ahead, seen.min() - np.ptp(seen), seen.max() + np.ptp(seen))
        values.append(np.exp(ends) if log else ends)
    everything = np.concatenate([*values, middle])
    if log:
        everything = everything[everything > 0]
    return Axis.around(own.course.name, everything, log)


def _panel(one: Transitions, role: str, own: Change, plane: Plane, name: str) -> Panel:
    course = own.course
    first, last, end = float(course.places[0]), float(course.places[-1]), _end(one)
    told = one.forecast if role == "metric" else None
    grid = plane.x.grid(first, last, 200)
    middle, low, high = own.curve(grid)
    layers = plane.beyond(first, last)
    if own.runs is not None:
        # Each run has its own place, so that the one law of all would be nobody's.
        value, law = course.outcome.value, own.problem.law
        curves = value(np.exp(law.log_value(own.runs, np.log(grid)[:, None])))
        lines = [plane.line(grid, curve, BLUE, width=1.5) for curve in curves]
        middle = curves.mean(0)
    else:
        lines = [plane.line(grid, middle, BLUE)]
        if low is not None and high is not None:
            layers.append(plane.band(grid, low, high, BLUE))
    named: list[tuple[float, str]] = []
    # A break that may lie beyond the points is what is foretold.
    shown = [found for found in own.breaks if found.identified or told is None or told.x is None]
    for found in shown:
        layers += _break(plane, own, found)
        known = "" if found.identified else ", not identified"
        named.append((found.x, f"break {around(found.x, found.interval)}{known}"))
    dots = _points(plane, course.x, course.y, course.name, one.x)
    layers += [dots, *lines] if len(course.x) > MANY else [*lines, dots]
    if role in one.trained:
        layers.append(_points(plane, *one.trained[role], "training", one.x, hollow=True))
    if told is not None:
        layers += _forecast(plane, own, told, end)
        if told.x is not None:
            named.append((told.x, f"{told.answer}: {around(told.x, told.interval)}"))
    delay = None if one.delays is None else one.delays[0 if role == "metric" else 1]
    if delay is not None:
        layers.append(plane.level(delay.threshold))
        layers += plane.ends([(delay.threshold, beside(f"threshold {amount(delay.threshold, 3)}"), INK[0])])
    layers += plane.above([place for place in named if plane.x.low < place[0] < plane.x.high])
    words = [f"{amount(float(v), 4)}" for v in middle]
    where = group_name(one.group)
    title = f"{where}: {course.name}" if where and one.control is not None else where or course.name
    return Panel(
        plane,
        layers,
        title + (" (control)" if role == "control" else ""),
        _lines(one, role, own, delay),
        f"{course.name} against {one.x}, {len(course.x)} points. {ending(sharp(own, None))}",
        plane.ruler(grid, {course.name: words}, name),
        one.warnings if role == "metric" else (),
    )


def _lines(one: Transitions, role: str, own: Change, delay: Grokking | None) -> list[str]:
    """The verdict, what it rests on, and the delay."""
    lines = []
    if role == "metric":
        lines.append(ending(sharp(own, one.control)))
    lines.append(ending(tested(own)))
    lines.append(ending(short_sizes(own)))
    if delay is not None:
        # Not with a capital, for it begins with a column's name.
        lines.append(f"{behind(delay)}.")
    if role == "metric" and one.forecast is not None:
        known = f"{one.forecast.p_coming:.2g}" if one.forecast.p_coming is not None else ""
        lines.append(
            ending(f"forecast: {one.forecast.answer}" + (f" (probability ahead {known})" if known else ""))
        )
    return lines


def _points(plane: Plane, x: Reals, y: Reals, name: str, scale: str, hollow: bool = False) -> alt.Chart:
    known = y > 0 if plane.y.log else np.isfinite(y)
    told = [
        f"{scale} {amount(float(a), 4)}: {name} {amount(float(b), 4)}"
        for a, b in zip(x[known], y[known], strict=True)
    ]
    return plane.points(x[known], y[known], told, ORANGE if hollow else INK[0], hollow=hollow)


def _break(plane: Plane, own: Change, found: Break) -> list[alt.Chart]:
    """Place with its interval, and how long the transition takes."""
    layers = [plane.column(*found.interval)] if found.identified else []
    if not plane.x.low < found.x < plane.x.high:
        return layers
    layers.append(plane.upright(found.x))
    if found.identified:
        half = float(np.sqrt(found.width))
        y = _height(own, found.x)
        layers.append(plane.span(found.x / half, found.x * half, y, ORANGE))
    return layers


def _height(own: Change, x: float) -> float:
    """The law at a place; of several runs, their mean."""
    theta = own.theta[None] if own.runs is None else own.runs
    error = np.exp(own.problem.law.log_value(theta, np.array([[np.log(x)]])))
    return float(own.course.outcome.value(error).mean())


def _forecast(plane: Plane, own: Change, told: Forecast, end: float) -> list[alt.Chart]:
    """The law beyond the points, and where a transition is foretold."""
    grid = plane.x.grid(told.last, end)
    middle, low, high = own.curve(grid)
    layers = [plane.line(grid, middle, BLUE, dashed=True)]
    if low is not None and high is not None:
        layers.insert(0, plane.band(grid, low, high, BLUE, 0.08))
    if told.interval is not None and told.x is not None:
        layers.insert(0, plane.column(*told.interval, ORANGE, 0.15))
        layers.append(plane.upright(told.x, ORANGE))
    return layers
