"""How a figure is set up, labelled and written: SVG for the page, and PNG."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from transferscale.artefacts import atomic
from transferscale.report.arms import variables_by_colour
from transferscale.scaling.gains.effective_data import isotonic
from transferscale.scaling.pictures.palette import GRID, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A curve's label: where it ends, its text and colour.
Label = tuple[float, float, str, str]

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED[0],
    "axes.labelcolor": INK[0],
    "text.color": INK[0],
    "xtick.color": MUTED[0],
    "ytick.color": MUTED[0],
    "axes.grid": True,
    "grid.color": GRID[0],
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
}


@dataclass(frozen=True)
class Drawing:
    """A figure as the page takes it: SVG that follows the page's theme, caption and alternative text."""

    name: str
    svg: str
    caption: str
    alt: str


# -----------------------------------------------------------------------------------------


def drawing(
    name: str, title: str, paint: "Callable[[Axes], list[Label]]", caption: str, alt: str, folder: Path
) -> Drawing:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 3.3))
    axes = figure.add_axes((0.155, 0.175, 0.625, 0.72))
    labels = paint(axes)
    axes.set_title(title)
    if axes.get_yscale() == "linear":
        axes.margins(y=0.08)
    # A transform knows the limits only once they have been asked for.
    axes.get_xlim(), axes.get_ylim()
    label_ends(axes, labels)
    return Drawing(name, write(figure, folder / name), caption, alt)


def label_ends(axes: "Axes", labels: Iterable[Label], gap: float = 0.068) -> None:
    """Name curves at the right edge, in their order, moved apart as little as needed where they would
    overlap.
    """
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = sorted((float(to_axes.transform((x, y))[1]), x, y, text, colour) for x, y, text, colour in labels)
    if not ends:
        return
    rank = gap * np.arange(len(ends))
    # Heights that keep the gap and lie nearest to the wanted ones: an isotonic fit of what the gaps leave.
    places = isotonic(np.array([end[0] for end in ends]) - rank) + rank
    places = np.minimum(places, 1.0 - rank[::-1])
    for (_, x, y, text, colour), place in zip(ends, places, strict=True):
        axes.annotate(
            text,
            (x, y),
            (1.045, float(place)),
            xycoords="data",
            textcoords="axes fraction",
            color=colour,
            va="center",
            fontsize=8,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "alpha": 0.7,
                "shrinkA": 1,
                "shrinkB": 3,
                "relpos": (0.0, 0.5),
            },
            annotation_clip=False,
        )


def log_ticks(low: float, high: float, at_most: int = 5) -> list[float]:
    """Ticks of a logarithmic axis: three or more where there is room for them, never over ``at_most``."""
    from matplotlib.ticker import MaxNLocator

    found: list[float] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(found) <= at_most:
            break
    if len(found) < 3:
        linear = MaxNLocator(at_most - 1).tick_values(low, high)
        return [float(value) for value in linear if low <= value <= high]
    return found[:: math.ceil(len(found) / at_most)]


def amount(value: float) -> str:
    """A number as a tick says it: 500, 20k, 3M, 2 x 10^10."""
    if value < 1e4:
        return f"{value:g}"
    for unit, name in ((1e3, "k"), (1e6, "M")):
        if value < 1e3 * unit:
            return f"{value / unit:g}{name}"
    power = math.floor(math.log10(value) + 1e-9)
    factor = f"{value / 10.0**power:g}"
    return f"$10^{{{power}}}$" if factor == "1" else f"${factor}{{\\times}}10^{{{power}}}$"


def log_x(axes: "Axes") -> None:
    """A logarithmic x axis with few labels, which cannot overlap; set its limits first."""
    axes.set_xscale("log")
    limits = axes.get_xlim()
    ticks = log_ticks(*limits)
    axes.set_xticks(ticks, [amount(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(limits)


def write(figure: "Figure", path: Path) -> str:
    """Write ``path``.svg and ``path``.png; return the SVG as it goes into the page."""
    import matplotlib as mpl

    svg = BytesIO()
    # A fixed salt makes the ids of clip paths, and so the file, the same on every run.
    with mpl.rc_context({"svg.hashsalt": path.name}):
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    with atomic(path.with_suffix(".svg")) as temporary:
        temporary.write_bytes(svg.getvalue())
    with atomic(path.with_suffix(".png")) as temporary:
        figure.savefig(temporary, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return inline(svg.getvalue().decode(), path.name)


def inline(svg: str, name: str) -> str:
    """SVG for the inside of a page: no prolog, ids of its own, and colours that follow the page's theme."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    for colour, variable in variables_by_colour().items():
        svg = svg.replace(colour, f"var({variable})")
    return svg.replace("<svg", '<svg aria-hidden="true"', 1)
