"""A picture: panels beside each other, with one specification for a file and for a page."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from transferscale.scaling.pictures.palette import GRID, INK, MUTED
from transferscale.scaling.pictures.plane import Plane

# The first is part of vl-convert, so that a machine without fonts draws the same; a browser may take the next.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
# Width of a letter in pixels, a little too wide.
LETTER = 6.0
CONFIG: dict[str, Any] = {
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "gridColor": GRID[0],
        "gridWidth": 0.7,
        "domainColor": MUTED[0],
        "tickColor": MUTED[0],
        "labelColor": MUTED[0],
        "labelFontSize": 12,
        "labelFlush": False,
        "titleColor": INK[0],
        "titleFontSize": 13,
        "titleFontWeight": "normal",
    },
    "title": {
        "anchor": "start",
        "frame": "bounds",
        "color": INK[0],
        "fontSize": 14,
        "subtitleColor": MUTED[0],
        "subtitleFontSize": 12,
        "subtitlePadding": 3,
    },
}


def _with(chart: Any, **properties: Any) -> alt.LayerChart:
    """A chart with properties, whose type Altair does not tell."""
    found: alt.LayerChart = chart.properties(**properties)
    return found


@dataclass(frozen=True)
class Panel:
    """One plot: layers from back to front, its words, and what it says to who cannot see it.

    ``ruler`` is the layer that only the interactive version has, and lies behind the others; ``notes`` are
    sentences that stand below the plot on a page, ``name`` that of a file of its own.
    """

    plane: Plane
    layers: Sequence[alt.Chart]
    title: str
    lines: Sequence[str]
    description: str
    ruler: alt.Chart | None = None
    notes: Sequence[str] = ()
    name: str | None = None

    def still(self, titled: bool = True) -> alt.LayerChart:
        """The plot for a file; with its title unless a page writes that."""
        chart = _with(alt.layer(*self.layers), width=self.plane.width, height=self.plane.height)
        if not titled:
            return chart
        # Room for the labels of the axis and of the ends is room for the title, too.
        letters = int((self.plane.width + 60) / LETTER)
        text = textwrap.wrap(self.title, letters, max_lines=2, placeholder=" …")
        lines = [part for line in self.lines for part in textwrap.wrap(line, letters)]
        if text:
            title = alt.TitleParams(text=text, subtitle=lines, offset=8)
        else:
            # Without a name the first of the lines stands in its place.
            title = alt.TitleParams(
                text=lines[:1], subtitle=lines[1:], offset=8, fontSize=12, fontWeight="normal", color=MUTED[0]
            )
        return _with(chart, title=title)

    def live(self) -> alt.LayerChart:
        """The plot for a page: as wide as there is room, and it answers to the pointer."""
        layers = self.layers if self.ruler is None else [self.ruler, *self.layers]
        # The ruler's nearest place covers the plot, so that points must lie above it to be pointed at.
        return _with(
            alt.layer(*layers),
            width="container",
            height=self.plane.height,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )


@dataclass(frozen=True)
class Picture:
    """Panels in rows of ``columns``, under a title and lines that explain the marks."""

    title: str
    lines: Sequence[str]
    panels: Sequence[Panel]
    columns: int = 1

    def still(self) -> alt.ConcatChart:
        """The whole picture for a file."""
        widest = sum(panel.plane.width + 60 for panel in self.panels[: self.columns])
        letters = max(60, int(widest / LETTER))
        title = alt.TitleParams(
            text=textwrap.wrap(self.title, int(letters * 0.8)),
            subtitle=[part for line in self.lines for part in textwrap.wrap(line, letters)],
            fontSize=16,
            offset=14,
        )
        charts = [panel.still() for panel in self.panels]
        found: alt.ConcatChart = alt.concat(*charts, columns=self.columns, spacing=28, title=title)
        return found


def specification(chart: alt.ConcatChart | alt.LayerChart) -> dict[str, Any]:
    """Vega-Lite of a chart, with the look of all pictures."""
    with alt.data_transformers.enable("default", max_rows=None):
        found: dict[str, Any] = chart.to_dict(validate=False)
    # Altair's own reads a version from the net's address; the converter knows which it is.
    return {**found, "config": CONFIG}
