"""Axes and the marks drawn on them, each a layer of Vega-Lite."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import numpy as np

from transferscale.scaling.gains.effective_data import isotonic
from transferscale.scaling.metrics import Reals
from transferscale.scaling.pictures.numbers import amount, linear_ticks, log_ticks, tick_labels
from transferscale.scaling.pictures.palette import INK, MUTED, PAPER

# Space that is left beside the outermost point, as a share of the axis.
MARGIN = 0.05
# Height of a line of text in pixels.
LINE = 14
DASHES = (5, 4)
# What is not in the foreground.
FAINT = 0.1

Align = Literal["left", "center", "right"]


@dataclass(frozen=True)
class Axis:
    """An axis: its words, its ends, whether it is logarithmic, and its ticks where they are not round numbers."""

    title: str
    low: float
    high: float
    log: bool
    ticks: tuple[tuple[float, str], ...] = ()

    @classmethod
    def around(cls, title: str, values: Reals, log: bool, ticks: Sequence[tuple[float, str]] = ()) -> "Axis":
        """An axis with room for ``values`` and a little more."""
        at = np.log(values) if log else np.asarray(values, dtype=np.float64)
        low, high = float(at.min()), float(at.max())
        room = MARGIN * (high - low)
        if high - low <= 1e-9 * max(1.0, abs(high)):
            room = 0.1 if log else 0.1 * max(abs(high), 1e-6)
        low, high = low - room, high + room
        ends = (math.exp(low), math.exp(high)) if log else (low, high)
        return cls(title, *ends, log, tuple(ticks))

    def share(self, value: float) -> float:
        """Place of a value, from 0 at the left or bottom to 1."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        return ((math.log(value) if self.log else value) - low) / (high - low)

    def value(self, share: float) -> float:
        """The value at a place."""
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + (self.high - self.low) * share

    def grid(self, low: float, high: float, points: int = 100) -> Reals:
        """Values from ``low`` to ``high``, evenly spaced on the axis."""
        return np.geomspace(low, high, points) if self.log else np.linspace(low, high, points)

    def scale(self) -> alt.Scale:
        """The scale of Vega-Lite."""
        return alt.Scale(
            type="log" if self.log else "linear",
            domain=[rounded(self.low), rounded(self.high)],
            nice=False,
            zero=alt.Undefined if self.log else False,
        )

    def marks(self, at_most: int) -> alt.Axis:
        """Ticks, and what stands at them."""
        if self.ticks and len(self.ticks) <= at_most:
            ticks, labels = [at for at, _ in self.ticks], [label for _, label in self.ticks]
        else:
            ticks = (log_ticks if self.log else linear_ticks)(self.low, self.high, at_most)
            labels = tick_labels(ticks)
        # Numbers of the axis in Vega's own words, found by their place.
        words, places = (", ".join(map(repr, side)) for side in (labels, ticks))
        return alt.Axis(values=ticks, labelExpr=f"[{words}][indexof([{places}], datum.value)]")


def rounded(value: float) -> float:
    """A number short enough to write a hundred times."""
    return float(f"{value:.9g}")


def _rows(**columns: Sequence[Any] | Reals) -> Any:
    """Rows of a layer."""
    plain = {
        name: [rounded(float(v)) if isinstance(v, float | int | np.number) else v for v in values]
        for name, values in columns.items()
    }
    # A plain object: Altair would hold every row of its own class against the schema, which takes seconds. And a
    # tuple: a list is copied row by row whenever layers are put together.
    return {"values": tuple(dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True))}


def apart(wanted: Reals, sizes: Reals, height: float) -> Reals:
    """Heights of words, moved apart as little as needed so that they do not overlap, and none over the top.

    Parameters
    ----------
    wanted, sizes
        Heights of their middles, rising, and how high each is, (words,).
    """
    if not len(wanted):
        return wanted
    rank = np.concatenate([[0.0], np.cumsum((sizes[1:] + sizes[:-1]) / 2)])
    # Heights that keep the distances and lie nearest to the wanted ones: isotonic in what they leave.
    places: Reals = isotonic(wanted - rank) + rank
    return places - max(0.0, float(places[-1]) - height)


def _encoded(mark: Any, *channels: Any, **named: Any) -> alt.Chart:
    """A mark with its channels, whose type Altair does not tell."""
    found: alt.Chart = mark.encode(*channels, **named)
    return found


@dataclass(frozen=True)
class Plane:
    """Two axes and a size in pixels; its methods draw on it."""

    x: Axis
    y: Axis
    width: int
    height: int

    def _x(self, field: str = "x") -> alt.X:
        return alt.X(
            f"{field}:Q",
            scale=self.x.scale(),
            axis=self.x.marks(min(6, self.width // 55)),
            title=self.x.title,
        )

    def _y(self, field: str = "y") -> alt.Y:
        return alt.Y(
            f"{field}:Q",
            scale=self.y.scale(),
            axis=self.y.marks(min(6, self.height // 42)),
            title=self.y.title,
        )

    def line(
        self, x: Reals, y: Reals, colour: str = INK[0], dashed: bool = False, width: float = 2
    ) -> alt.Chart:
        """A curve."""
        mark = alt.Chart(_rows(x=x, y=y)).mark_line(
            color=colour, strokeWidth=width, clip=True, strokeDash=list(DASHES) if dashed else alt.Undefined
        )
        return _encoded(mark, self._x(), self._y())

    def band(
        self, x: Reals, low: Reals, high: Reals, colour: str = INK[0], opacity: float = 0.15
    ) -> alt.Chart:
        """What lies between two curves; what lies outside of the axes is cut off."""
        low, high = (np.clip(side, self.y.low, self.y.high) for side in (low, high))
        mark = alt.Chart(_rows(x=x, low=low, high=high)).mark_area(color=colour, opacity=opacity, clip=True)
        return _encoded(mark, self._x(), self._y("low"), alt.Y2("high:Q"))

    def points(
        self,
        x: Reals,
        y: Reals,
        told: Sequence[str],
        colour: str = INK[0],
        hollow: bool = False,
        shape: str = "circle",
        size: float | None = None,
    ) -> alt.Chart:
        """Points; ``told`` is what each says when it is pointed at. The more there are, the smaller."""
        size = size or (42 if len(x) <= 20 else 24 if len(x) <= 60 else 12)
        mark = alt.Chart(_rows(x=x, y=y, told=told)).mark_point(
            shape=shape,
            size=size,
            stroke=colour,
            strokeWidth=1.5 if size > 12 else 1,
            fill=PAPER[0] if hollow else colour,
            opacity=1,
        )
        return _encoded(mark, self._x(), self._y(), tooltip=alt.Tooltip("told:N", title="point"))

    def bars(self, x: Reals, low: Reals, high: Reals, colour: str) -> alt.Chart:
        """Intervals of single values, as vertical bars."""
        mark = alt.Chart(_rows(x=x, low=low, high=high)).mark_rule(color=colour, strokeWidth=1.5, clip=True)
        return _encoded(mark, self._x(), self._y("low"), alt.Y2("high:Q"))

    def span(self, low: float, high: float, y: float, colour: str) -> alt.Chart:
        """An interval of x, as a horizontal bar."""
        low, high = max(low, self.x.low), min(high, self.x.high)
        mark = alt.Chart(_rows(x=[low], x2=[high], y=[y])).mark_rule(color=colour, strokeWidth=3, clip=True)
        return _encoded(mark, self._x(), alt.X2("x2:Q"), self._y())

    def upright(self, x: float, colour: str = MUTED[0], dashed: bool = True) -> alt.Chart:
        """A line over the whole height."""
        mark = alt.Chart(_rows(x=[x])).mark_rule(
            color=colour, strokeWidth=1, strokeDash=[2, 3] if dashed else alt.Undefined
        )
        return _encoded(mark, self._x())

    def level(self, y: float, colour: str = MUTED[0], dashed: bool = False) -> alt.Chart:
        """A line over the whole width."""
        mark = alt.Chart(_rows(y=[y])).mark_rule(
            color=colour, strokeWidth=1, strokeDash=[2, 3] if dashed else alt.Undefined
        )
        return _encoded(mark, self._y())

    def column(self, low: float, high: float, colour: str = MUTED[0], opacity: float = 0.12) -> alt.Chart:
        """A range of x, over the whole height."""
        low, high = max(low, self.x.low), min(high, self.x.high)
        mark = alt.Chart(_rows(x=[low], x2=[high])).mark_rect(color=colour, opacity=opacity)
        return _encoded(mark, self._x(), alt.X2("x2:Q"))

    def beyond(self, first: float, last: float) -> list[alt.Chart]:
        """The parts of the x axis that lie outside of the data, where they are more than its margin."""
        parts = []
        if self.x.share(first) > 1.5 * MARGIN:
            parts.append(self.column(self.x.low, first, opacity=FAINT))
        if self.x.share(last) < 1 - 1.5 * MARGIN:
            parts.append(self.column(last, self.x.high, opacity=FAINT))
        return parts

    def row(self, low: float, high: float, colour: str = MUTED[0], opacity: float = 0.12) -> alt.Chart:
        """A range of y, over the whole width."""
        low, high = max(low, self.y.low), min(high, self.y.high)
        mark = alt.Chart(_rows(y=[low], y2=[high])).mark_rect(color=colour, opacity=opacity)
        return _encoded(mark, self._y(), alt.Y2("y2:Q"))

    def above(self, places: Sequence[tuple[float, str]], colour: str = INK[0]) -> list[alt.Chart]:
        """Labels of places on the x axis, over the plot, the leftmost highest."""
        out = []
        for rank, (x, text) in enumerate(sorted(places, reverse=True)):
            share = self.x.share(x)
            align: Align = "left" if share < 0.3 else "right" if share > 0.7 else "center"
            mark = alt.Chart(_rows(x=[x], text=[text])).mark_text(
                align=align, baseline="bottom", color=colour, fontSize=12
            )
            out.append(_encoded(mark, self._x(), alt.Text("text:N"), y=alt.value(-4 - LINE * rank)))
        return out

    def ends(self, labels: Sequence[tuple[float, str, str]]) -> list[alt.Chart]:
        """Names of curves at the right edge, at the height (y, text, colour) of their ends.

        They are moved apart as little as needed where they would overlap.
        """
        inside = sorted(
            ((min(max(self.y.share(y), 0.0), 1.0), text, colour) for y, text, colour in labels),
            key=lambda end: end[0],
        )
        sizes = np.array([LINE * (1 + text.count("\n")) for _, text, _ in inside], dtype=np.float64)
        places = apart(np.array([self.height * share for share, _, _ in inside]), sizes, self.height)
        out = []
        for (_, text, colour), place in zip(inside, places, strict=True):
            y = self.y.value(float(place) / self.height)
            mark = alt.Chart(_rows(y=[y], text=[text])).mark_text(
                align="left", baseline="middle", dx=6, color=colour, fontSize=12, lineBreak="\n", limit=150
            )
            out.append(_encoded(mark, self._y(), alt.Text("text:N"), x=alt.value("width")))
        return out

    def ruler(self, x: Reals, told: Mapping[str, Sequence[str]], name: str) -> alt.Chart:
        """A strip under the pointer that tells what the curves are at its place.

        Parameters
        ----------
        x
            Places, in rising order, shape (places,).
        told
            What each curve is at every place.
        name
            Name of the layer, unique in the picture.
        """
        places = np.log(x) if self.x.log else x
        middles = (places[1:] + places[:-1]) / 2
        edges = np.concatenate([places[:1], middles, places[-1:]])
        edges = np.exp(edges) if self.x.log else edges
        columns = {f"v{i}": list(values) for i, values in enumerate(told.values())}
        rows = _rows(x=edges[:-1], x2=edges[1:], at=[amount(float(v), 4) for v in x], **columns)
        here = alt.selection_point(
            name=name, on="pointerover", clear="pointerout", fields=["at"], empty=False
        )
        tips = [alt.Tooltip("at:N", title=self.x.title)]
        tips += [alt.Tooltip(f"v{i}:N", title=title) for i, title in enumerate(told)]
        mark = alt.Chart(rows, name=f"{name}-ruler").mark_rect(color=MUTED[0]).add_params(here)
        opacity = alt.when(here).then(alt.value(0.35)).otherwise(alt.value(0))
        return _encoded(mark, self._x(), alt.X2("x2:Q"), opacity=opacity, tooltip=tips)
