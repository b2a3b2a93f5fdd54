"""IsoFLOP curves with their minima, the best size against compute, and the frontiers; two or three panels a group."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import numpy as np

from transferscale.scaling.minima.isoflop import Budget, Isoflop
from transferscale.scaling.minima.table import Isoflops
from transferscale.scaling.pictures.canvas import Panel, Picture
from transferscale.scaling.pictures.compare import panel as frontiers
from transferscale.scaling.pictures.files import write
from transferscale.scaling.pictures.layout import group_name
from transferscale.scaling.pictures.numbers import amount, around
from transferscale.scaling.pictures.palette import INK, MUTED, ramp
from transferscale.scaling.pictures.plane import Axis, Plane

SIZE = (330, 230)
# Budgets that are drawn, those between are left away.
MOST = 6
SHAPES = {"": "diamond", "smaller": "triangle-left", "larger": "triangle-right"}


def draw_isoflop(found: Isoflops, path: Path) -> None:
    """Draw minima into a .svg, .png or .html file.

    Raises
    ------
    UserError
        If the ending names no format of pictures.
    """
    write(picture(found), path)


def picture(found: Isoflops) -> Picture:
    """The picture of the minima of one table."""
    panels = [panel for one in found.groups for panel in (_curves(one), _best(one))]
    if found.comparison is not None:
        panels.append(frontiers(found.comparison, SIZE, "frontiers"))
    first = found.groups[0]
    return Picture(f"Least {first.y_name} at equal {first.c_name}", [_key(found)], panels, columns=2)


def _key(found: Isoflops) -> str:
    """What the marks mean, of those that are there."""
    budgets = [one for group in found.groups for one in group.budgets]
    parts = ["● loss of a size at a budget, between its runs", "diamond: minimum with its 95 % interval"]
    if any(one.side for one in budgets):
        parts.append("triangle: not bracketed, the optimum lies at this size or beyond it")
    parts.append("grey: best size by the fitted surface")
    return "; ".join(parts) + "."


def _shown(budgets: Sequence[Budget]) -> list[Budget]:
    """At most six budgets, evenly among all."""
    at = np.unique(np.linspace(0, len(budgets) - 1, min(MOST, len(budgets))).round().astype(int))
    return [budgets[i] for i in at]


def _curves(one: Isoflop) -> Panel:
    """Loss against size, a curve a budget."""
    shown = _shown(one.budgets)
    colours = ramp(len(shown))
    sizes = np.concatenate([budget.sizes for budget in shown])
    losses = np.concatenate([[*budget.losses, budget.loss] for budget in shown])
    plane = Plane(
        Axis.around(one.n_name, sizes, log=True),
        Axis.around(one.y_name, losses, log=not one.outcome.score),
        *SIZE,
    )
    layers: list[alt.Chart] = []
    ends = []
    for budget, colour in zip(shown, colours, strict=True):
        x, y = np.array(budget.sizes), np.array(budget.losses)
        layers.append(plane.line(x, y, colour, width=1))
        told = [
            f"{one.c_name} {amount(budget.compute, 3)}, {one.n_name} {amount(size, 3)}: {one.y_name} "
            f"{amount(loss, 4)} ({trunks} run{'s' * (trunks != 1)})"
            for size, loss, trunks in zip(budget.sizes, budget.losses, budget.trunks, strict=True)
        ]
        layers.append(plane.points(x, y, told, colour, size=30))
        if budget.n_low is not None and budget.n_high is not None:
            layers.append(plane.span(budget.n_low, budget.n_high, budget.loss, colour))
        place = np.array([budget.n]), np.array([budget.loss])
        layers.append(plane.points(*place, [_words(one, budget)], colour, True, SHAPES[budget.side], 60))
        ends.append((budget.losses[-1], amount(budget.compute, 2), colour))
    layers += plane.ends(ends)
    inside = sum(not budget.side for budget in one.budgets)
    many = f"{inside} of {len(one.budgets)} minima bracketed"
    return Panel(
        plane,
        layers,
        f"{group_name(one.group) + ': ' if one.group else ''}loss and size at equal compute",
        [f"{many}; at the right the compute of each curve."],
        f"{one.y_name} against {one.n_name} at equal {one.c_name}: "
        + "; ".join(_words(one, budget) for budget in one.budgets)
        + ".",
        None,
        one.warnings,
    )


def _words(one: Isoflop, budget: Budget) -> str:
    """A minimum for who points at it."""
    interval = None if budget.n_low is None or budget.n_high is None else (budget.n_low, budget.n_high)
    best = budget.words if budget.side else f"best {one.n_name} {around(budget.n, interval)}"
    return f"{one.c_name} {amount(budget.compute, 3)}: {best}, {one.y_name} {amount(budget.loss, 4)}"


def _best(one: Isoflop) -> Panel:
    """Best size against compute: minima, and the surface's."""
    c = np.array([budget.compute for budget in one.budgets])
    surface = np.array([budget.surface_n for budget in one.budgets])
    ends = [
        end for b in one.budgets for end in (b.n, b.n_low, b.n_high, b.surface_low, b.surface_high) if end
    ]
    plane = Plane(
        Axis.around(one.c_name, c, log=True),
        Axis.around(f"best {one.n_name}", np.array([*ends, *surface]), log=True),
        *SIZE,
    )
    layers = []
    low = [budget.surface_low for budget in one.budgets if budget.surface_low is not None]
    high = [budget.surface_high for budget in one.budgets if budget.surface_high is not None]
    if len(low) == len(c) > 1:
        layers.append(plane.band(c, np.array(low), np.array(high), MUTED[0]))
    layers.append(plane.line(c, surface, MUTED[0]))
    for budget in one.budgets:
        at = np.array([budget.compute])
        if budget.n_low is not None and budget.n_high is not None:
            layers.append(plane.bars(at, np.array([budget.n_low]), np.array([budget.n_high]), INK[0]))
        shape = {"": "diamond", "smaller": "triangle-down", "larger": "triangle-up"}[budget.side]
        layers.append(plane.points(at, np.array([budget.n]), [_words(one, budget)], INK[0], True, shape, 60))
    lines = []
    grows = one.allocation
    if grows is not None:
        own = None if grows.low is None or grows.high is None else (grows.low, grows.high)
        other = (
            None
            if grows.surface_low is None or grows.surface_high is None
            else (grows.surface_low, grows.surface_high)
        )
        lines.append(
            f"The best size grows as compute^a: a {around(grows.a, own)} by {grows.budgets} bracketed minima, "
            f"{around(grows.surface_a, other)} by the surface."
        )
    else:
        lines.append("Fewer than three bracketed minima tell no exponent.")
    return Panel(
        plane,
        layers,
        f"{group_name(one.group) + ': ' if one.group else ''}best size and compute",
        lines,
        f"Best {one.n_name} against {one.c_name}. {lines[0]}",
    )
