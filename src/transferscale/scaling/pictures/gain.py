"""Gains: the label curves of an arm and its references, the gain, and what it is worth in data; a row a group."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np

from transferscale.scaling.gains.table import Gains, to_draw
from transferscale.scaling.pictures.canvas import Panel, Picture
from transferscale.scaling.pictures.files import write
from transferscale.scaling.pictures.layout import beside, ending, group_name, shared
from transferscale.scaling.pictures.numbers import amount, around
from transferscale.scaling.pictures.palette import MUTED, series
from transferscale.scaling.pictures.plane import Axis, Plane

Row = Mapping[str, Any]
WORDS = {"score": "{metric}", "gain": "gain in {metric}", "multiplier": "data multiplier"}
# A value that is only bounded points to where the true one lies.
SHAPES = {"": "circle", "flat": "circle", ">=": "triangle-up", "<=": "triangle-down"}
# Distance of neighbouring arms at one label count, as a share of the axis.
APART = 0.018


def draw_gain(found: Gains, path: Path) -> None:
    """Draw gains into a .svg, .png or .html file.

    Raises
    ------
    UserError
        If the ending names no format of pictures.
    """
    write(picture(found), path)


def picture(found: Gains) -> Picture:
    """The picture of the gains of one table."""
    rows = to_draw(found)
    kinds = [kind for kind in WORDS if any(row["panel"] == kind for row in rows)]
    groups = {tuple(row["group"].items()): row["group"] for row in rows}
    cells = [
        (group, kind, [row for row in rows if row["group"] == group and row["panel"] == kind])
        for group in groups.values()
        for kind in kinds
    ]
    cells = [cell for cell in cells if cell[2]]
    colours = series([found.arm, *(row["name"] for row in rows)])
    axes = {
        kind: iter(shared([_y(found, kind, own) for _, other, own in cells if other == kind]))
        for kind in kinds
    }
    width, height = (330, 230) if len(kinds) < 3 else (260, 210)
    panels = []
    for group, kind, own in cells:
        plane = Plane(_x(own), next(axes[kind]), width, height)
        panels.append(_panel(found, group, kind, own, plane, colours))
    panels[0] = replace(panels[0], notes=[*panels[0].notes, *found.failures])
    references = ", ".join(dict.fromkeys(row["reference"] for row in found.rows))
    return Picture(f"Gain of {found.arm} over {references}", [_key(found, kinds)], panels, len(kinds))


def _key(found: Gains, kinds: Sequence[str]) -> str:
    """What the marks mean, of those that are there."""
    parts = ["bars: 95 % intervals for new subjects, draws and seeds"]
    if any(row["sesoi"] is not None for row in found.rows):
        parts.append("grey: within the smallest effect of interest")
    if _detectable(found, found.rows[0]["group"]):
        parts.append("dashed: smallest detectable gain, told by the reference alone")
    if "multiplier" in kinds:
        parts.append(
            "data multiplier: labelled subjects that the reference needs for the arm's score, over its own"
        )
        if any(row["bound"] in (">=", "<=") for row in found.rows):
            parts.append("triangles: at least (up) or at most (down)")
    return "; ".join(parts) + "."


def _place(row: Row) -> float:
    """Labelled subjects of a row; NaN where their number is not known."""
    if row["n_train"] is not None:
        return float(row["n_train"])
    return float(row["n_labels"]) if row["n_labels"].replace(".", "", 1).isdigit() else float("nan")


def _x(rows: Sequence[Row]) -> Axis:
    """Labelled subjects, with a tick a label count."""
    known = {_place(row): row["n_labels"] for row in rows if np.isfinite(_place(row))}
    ticks = [
        (at, f"all ({amount(at, 3)})" if known[at] == "all" else amount(float(known[at])))
        for at in sorted(known)
    ]
    places = np.array([at for at, _ in ticks] or [1.0])
    # Room for arms that stand beside each other.
    ends = np.array([places.min() / 1.08, places.max() * 1.08])
    return Axis.around("labelled subjects", ends, True, ticks)


def _y(found: Gains, kind: str, rows: Sequence[Row]) -> Axis:
    values = np.array([row[end] for row in rows for end in ("value", "low", "high")], dtype=np.float64)
    title = WORDS[kind].format(metric=found.metric)
    if kind == "multiplier":
        return Axis.around(title, np.concatenate([values[values > 0], [0.9, 1.1]]), bool((values > 0).all()))
    if kind == "gain":
        sesoi = [row["sesoi"] for row in found.rows if row["sesoi"] is not None]
        values = np.concatenate([values, [0.0], sesoi, np.negative(sesoi)])
    return Axis.around(title, values, False)


def _panel(
    found: Gains,
    group: Mapping[str, str],
    kind: str,
    rows: Sequence[Row],
    plane: Plane,
    colours: Mapping[str, str],
) -> Panel:
    layers = _ground(found, group, kind, plane)
    names = list(dict.fromkeys(row["name"] for row in rows))
    ends, lost = [], []
    for rank, curve in enumerate(names):
        own = sorted((row for row in rows if row["name"] == curve), key=_place)
        lost += [f"{curve} at n = {row['n_labels']} is not drawn: its number of subjects is not known"
                 for row in own if not np.isfinite(_place(row))]  # fmt: skip
        own = [row for row in own if np.isfinite(_place(row))]
        if not own:
            continue
        step = APART * (rank - (len(names) - 1) / 2)
        x = np.array([plane.x.value(plane.x.share(_place(row)) + step) for row in own])
        value, low, high = (
            np.array([row[end] for row in own], dtype=np.float64) for end in ("value", "low", "high")
        )
        # Bounds on a multiplier are no curve.
        if kind != "multiplier":
            layers.append(plane.line(x, value, colours[curve], width=1.4))
        layers.append(plane.bars(x, low, high, colours[curve]))
        for bound in dict.fromkeys(row["bound"] for row in own):
            at = [i for i, row in enumerate(own) if row["bound"] == bound]
            told = [_told(own[i], kind, found) for i in at]
            hollow = bound != ""
            layers.append(plane.points(x[at], value[at], told, colours[curve], hollow, SHAPES[bound]))
        label = curve if kind == "score" else f"over {curve}"
        ends.append((float(value[-1]), beside(label), colours[curve]))
    layers += plane.ends(ends)
    lines = {
        "score": f"{found.metric} of each arm",
        "gain": "",
        "multiplier": "what it is worth in labelled subjects",
    }
    own_rows = [row for row in found.rows if row["group"] == group]
    told = _verdicts(own_rows) if kind == "gain" else [lines[kind]]
    warnings = [] if kind != "gain" else dict.fromkeys(w for row in own_rows for w in row["warnings"])
    description = f"{plane.y.title} against labelled subjects. " + " ".join(
        f"{row['name']} at {row['n_labels']}: {around(row['value'], (row['low'], row['high']))}."
        for row in rows
    )
    return Panel(plane, layers, group_name(group), told, description, None, [*warnings, *lost])


def _ground(found: Gains, group: Mapping[str, str], kind: str, plane: Plane) -> list[alt.Chart]:
    """What values are judged by: no gain, the smallest effect of interest, what could be detected."""
    if kind == "score":
        return []
    if kind == "multiplier":
        return [plane.level(1.0)]
    layers = []
    sesoi = next((row["sesoi"] for row in found.rows if row["sesoi"] is not None), None)
    if sesoi is not None:
        layers.append(plane.row(-sesoi, sesoi))
    layers.append(plane.level(0.0))
    seen = _detectable(found, group)
    if seen:
        x, y = (np.array(side) for side in zip(*seen, strict=True))
        layers.append(plane.line(x, y, MUTED[0], True, 1))
    return layers


def _detectable(found: Gains, group: Mapping[str, str]) -> list[tuple[float, float]]:
    """Label counts and smallest detectable gains over the first reference, if they make a line."""
    first = found.rows[0]["reference"]
    own = [row for row in found.rows if row["group"] == group and row["reference"] == first]
    seen = sorted(
        (_place(row), row["detectable_before"]) for row in own if row["detectable_before"] is not None
    )
    seen = [(x, y) for x, y in seen if np.isfinite(x)]
    return seen if len(seen) > 1 else []


def _told(row: Row, kind: str, found: Gains) -> str:
    """What a point says."""
    what = row["name"] if kind == "score" else f"{found.arm} over {row['name']}"
    bound = {"": "", "flat": "flat curve, "}.get(row["bound"], f"{row['bound']} ")
    return f"{what}, n = {row['n_labels']}: {bound}{around(row['value'], (row['low'], row['high']))}"


def _verdicts(rows: Sequence[Row]) -> list[str]:
    """The verdict at the largest label count over each reference."""
    last = {row["reference"]: row for row in sorted(rows, key=_place)}
    return [ending(f"over {name} at n = {row['n_labels']}: {row['words']}") for name, row in last.items()]
