"""How a figure is set up, labelled and written: SVG for the page, and PNG."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from transferscale.artefacts import atomic
from transferscale.report.arms import GRID, INK, MUTED, variables_by_colour
from transferscale.scaling.effective_data import isotonic

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
    axes = figure.add_axes((0.125, 0.15, 0.655, 0.745))
    labels = paint(axes)
    axes.set_title(title)
    if axes.get_yscale() == "linear":
        axes.margins(y=0.08)
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


def plain_ticks(axes: "Axes") -> None:
    """Numbers, not powers, on a short logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)) if high / low > 8 else MaxNLocator(5))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


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
