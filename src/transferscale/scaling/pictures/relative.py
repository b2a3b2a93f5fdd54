"""Requirements against difficulty: measured with their intervals or only bounded, and their law; a panel a resource."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import numpy as np

from transferscale.scaling.pictures.canvas import Panel, Picture
from transferscale.scaling.pictures.files import write
from transferscale.scaling.pictures.layout import group_name, short, size
from transferscale.scaling.pictures.numbers import amount, around
from transferscale.scaling.pictures.palette import INK, MUTED, SERIES
from transferscale.scaling.pictures.plane import Axis, Plane
from transferscale.scaling.requirements.need import AT_LEAST, AT_MOST, UNKNOWN, Need
from transferscale.scaling.requirements.need_law import NeedLaw
from transferscale.scaling.requirements.relative import Relative

TITLES = {
    "compute": "pretraining compute needed",
    "params": "parameters needed",
    "labels": "labelled subjects needed",
}
# A requirement that is only bounded points to where the true one lies.
SHAPES = {"": "circle", AT_LEAST: "triangle-up", AT_MOST: "triangle-down"}
BLUE, ORANGE = SERIES[0][0], SERIES[1][0]


def draw_relative(found: Sequence[Relative], path: Path) -> None:
    """Draw requirements into a .svg, .png or .html file.

    Raises
    ------
    UserError
        If the ending names no format of pictures.
    """
    write(picture(found), path)


def picture(found: Sequence[Relative]) -> Picture:
    """The picture of the requirements of one table."""
    columns = max(len(one.laws) for one in found)
    # A row a group: as many panels beside each other as there are resources.
    width, height, _ = size(1 if columns == len(found) == 1 else 5 if columns > 2 else 4)
    panels = [_panel(one, law, (width, height)) for one in found for law in one.laws]
    title = f"What it takes to reach {found[0].target.words}, against {found[0].difficulty}"
    return Picture(title, [_key(found)], panels, columns)


def _key(found: Sequence[Relative]) -> str:
    """What the marks mean, of those that are there."""
    needs = [need for one in found for need in one.needs]
    parts = ["● requirement with its 95 % interval"]
    if any(need.bound in (AT_LEAST, AT_MOST) for need in needs):
        parts.append("triangles: only a bound, at least (up) or at most (down)")
    if any(need.open for need in needs):
        parts.append("an interval that ends in a small triangle goes on beyond the measured scales")
    if any(need.bound == UNKNOWN for need in needs):
        parts.append("grey: not identified")
    if any(law.exponent is not None for one in found for law in one.laws):
        parts.append("line: the law, dashed where it is not identified")
    parts.append(f"diamonds: the least of the runs within {found[0].tolerance:g} of the best score")
    return "; ".join(parts) + "."


def _panel(one: Relative, law: NeedLaw, pixels: tuple[int, int]) -> Panel:
    needs = [need for need in one.needs if need.resource == law.resource]
    least = {
        name: cell.cell for name, own in one.enough.items() for cell in own if cell.resource == law.resource
    }
    places = {need.difficulty: need.place for need in needs}
    values = [end for need in needs for end in (need.value, need.low, need.high) if end is not None]
    values += [cell.scales[law.resource] for name, cell in least.items() if name in places]
    ticks = [(place, short(name, 12)) for name, place in sorted(places.items(), key=lambda item: item[1])]
    x = Axis.around(one.difficulty, np.array([*places.values()]), not one.ranked, ticks)
    plane = Plane(x, Axis.around(TITLES[law.resource], np.array(values), True), *pixels)
    layers = _law(law, one.ranked, plane)
    for name, cell in least.items():
        if name in places:
            told = [
                f"{name}: {amount(cell.scales[law.resource], 3)} is enough for {amount(cell.score, 3)}, "
                f"the best being {amount(one.best[name].score, 3)}"
            ]
            at = np.array([places[name]]), np.array([cell.scales[law.resource]])
            layers.append(plane.points(*at, told, ORANGE, True, "diamond", 60))
    for need in needs:
        layers += _need(need, plane)
    lines = [_law_words(law, one)]
    warnings = dict.fromkeys(warning for need in needs for warning in need.warnings)
    description = f"{TITLES[law.resource]} against {one.difficulty}. " + " ".join(
        f"{need.difficulty}: {_need_words(need)}." for need in needs
    )
    return Panel(plane, layers, group_name(one.group), lines, description, None, [*one.left_out, *warnings])


def _need(need: Need, plane: Plane) -> list[alt.Chart]:
    """A requirement, its interval, and which of its ends are open."""
    colour = MUTED[0] if need.bound == UNKNOWN else INK[0]
    at = np.array([need.place])
    layers = []
    if need.low is not None and need.high is not None:
        layers.append(plane.bars(at, np.array([need.low]), np.array([need.high]), colour))
        for side, end, shape in (("low", need.low, "triangle-down"), ("high", need.high, "triangle-up")):
            if need.open in (side, "both"):
                told = [f"{need.difficulty}: beyond the measured scales"]
                layers.append(plane.points(at, np.array([end]), told, colour, False, shape, 24))
    if need.bound in SHAPES:
        told = [f"{need.difficulty}: {_need_words(need)}"]
        shape = SHAPES[need.bound]
        layers.append(plane.points(at, np.array([need.value]), told, colour, bool(need.bound), shape, 60))
    return layers


def _need_words(need: Need) -> str:
    if need.bound == UNKNOWN:
        return UNKNOWN
    interval = None if need.low is None or need.high is None else (need.low, need.high)
    return f"{need.bound + ' ' if need.bound else ''}{around(need.value, interval)}"


def _law(law: NeedLaw, ranked: bool, plane: Plane) -> list[alt.Chart]:
    """The law over the whole axis, if there is one."""
    if law.exponent is None or law.factor is None:
        return []
    grid = plane.x.grid(plane.x.low, plane.x.high)
    place = grid if ranked else np.log(grid)
    return [plane.line(grid, law.factor * np.exp(law.exponent * place), BLUE, dashed=not law.identified)]


def _law_words(law: NeedLaw, one: Relative) -> str:
    if law.growth is None:
        return f"No law: {law.refused}."
    step = "A step up takes" if one.ranked else "Twice as difficult takes"
    doubt = "" if law.identified else "; not identified"
    ends = (law.growth_low, law.growth_high)
    interval = None if ends[0] is None or ends[1] is None else (ends[0], ends[1])
    grows = around(law.growth, interval)
    return f"{step} {grows} times as much{doubt}."
