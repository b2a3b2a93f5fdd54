"""A fitted law of one variable as marks: curve, interval, points; and the axes that these need."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np

from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.metrics import Reals
from transferscale.scaling.pictures.law_words import point_words
from transferscale.scaling.pictures.plane import Axis, Plane

# How far beyond the points a law is drawn (factor), and at most as far as the points reach.
BEYOND = 3.0
# Part of the curve's range that the band may add to the axis on each side.
BAND_ROOM = 0.4


@dataclass(frozen=True)
class Reach:
    """Ends of a curve, and between them those of the fitted points."""

    start: float
    first: float
    last: float
    end: float

    @property
    def beyond(self) -> list[tuple[float, float]]:
        """The parts outside of the fitted points."""
        parts = ((self.start, self.first), (self.last, self.end))
        # Ends that differ by rounding are the same.
        return [part for part in parts if part[1] > part[0] * (1 + 1e-9)]


def is_link(one: Fit) -> bool:
    """Whether the law goes from a loss to an error: larger scale is smaller loss, and neither spans decades."""
    return one.form.rises is True


def reach(one: Fit) -> Reach:
    """The fitted and held-out points, and a factor beyond the largest scale."""
    fitted, held = one.points[:, 0], one.held_points[:, 0]
    first, last = float(fitted.min()), float(fitted.max())
    start, end = float(min([first, *held])), float(max([last, *held]))
    if is_link(one):
        start = min(start, max(first - 0.3 * (last - first), 0.5 * first))
    else:
        end = max(end, last * min(BEYOND, last / first))
    return Reach(start, first, last, end)


def scale_axis(one: Fit, ends: Sequence[float]) -> Axis:
    """The x axis of a law."""
    return Axis.around(one.x[0], np.array(ends), log=not is_link(one))


def value_axis(fits: Sequence[Fit], ends: Sequence[tuple[float, float]]) -> Axis:
    """The y axis for laws drawn between their ends, their points, and as much of the bands as there is room for."""
    log = not fits[0].outcome.score and not is_link(fits[0])
    values, bands = [], []
    for one, (low, high) in zip(fits, ends, strict=True):
        middle, *band = one.curve(scale_axis(one, (low, high)).grid(low, high))
        values += [one.values, one.held_values, middle]
        bands += [side for side in band if side is not None]
    everything = np.concatenate(values)
    if bands:
        everything = np.concatenate([everything, _room(everything, np.concatenate(bands), log)])
    return Axis.around(fits[0].y, everything, log)


def _room(values: Reals, band: Reals, log: bool) -> Reals:
    """Ends of the band, as far as the axis goes."""
    at, sides = (np.log(values), np.log(np.maximum(band, 1e-300))) if log else (values, band)
    room = BAND_ROOM * float(np.ptp(at))
    ends = np.clip([sides.min(), sides.max()], at.min() - room, at.max() + room)
    found: Reals = np.exp(ends) if log else ends
    return found


def band(plane: Plane, one: Fit, reach: Reach, colour: str, opacity: float = 0.15) -> list[alt.Chart]:
    """The interval of the law, if it has one."""
    grid = plane.x.grid(reach.start, reach.end)
    _, low, high = one.curve(grid)
    return [] if low is None or high is None else [plane.band(grid, low, high, colour, opacity)]


def curve(plane: Plane, one: Fit, reach: Reach, colour: str) -> list[alt.Chart]:
    """The law, dashed where there are no fitted points."""
    parts = [(part, True) for part in reach.beyond] + [((reach.first, reach.last), False)]
    grids = [(plane.x.grid(*part), dashed) for part, dashed in parts]
    return [plane.line(grid, one.predict(grid), colour, dashed) for grid, dashed in grids]


def points(plane: Plane, one: Fit, colour: str) -> list[alt.Chart]:
    """Fitted points, and hollow those held out."""
    layers = []
    for x, y, held in ((one.points, one.values, False), (one.held_points, one.held_values, True)):
        if len(x):
            told = point_words(one, x, y, np.full(len(x), held))
            layers.append(plane.points(x[:, 0], y, told, colour, hollow=held))
    return layers
