"""The roi layout: every parcel a square block of pixels, so that a window of parcel series becomes a clip."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError

Int32 = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]

# What the pixels outside every block hold: the mean of a z-scored series.
EMPTY = np.float32(0)

TABLE_RULE = "parcels row by row in the order of the series' columns"
SPATIAL_RULE = (
    "columns from left to right by the x of the parcels' centroids, within a column from front to back by y, "
    "as an axial slice seen from above"
)


def table_order(parcels: int) -> list[list[int]]:
    """Rows of parcels, in the order of the series' columns; the last row may be short."""
    g = math.ceil(math.sqrt(parcels))
    return [list(range(start, min(start + g, parcels))) for start in range(0, parcels, g)]


def spatial_order(centroids: npt.NDArray[np.float64]) -> list[list[int]]:
    """Rows of parcels such that neighbours in the brain tend to be neighbours in the grid.

    Parcels are sorted by x and cut into ceil(sqrt(parcels)) columns of equal number (the first ones get one
    more where that is not possible); within a column they are sorted by y, the front first. Ties go by z,
    then by number.

    Parameters
    ----------
    centroids
        (parcels, 3) in RAS millimetres.
    """
    parcels = len(centroids)
    g = math.ceil(math.sqrt(parcels))
    x, y, z = np.round(centroids, 3).T
    by_x = np.lexsort((np.arange(parcels), z, y, x))
    columns = [sorted(part, key=lambda p: (-y[p], z[p], p)) for part in np.array_split(by_x, g)]
    height = max(len(column) for column in columns)
    return [[int(column[row]) for column in columns if row < len(column)] for row in range(height)]


def paint(order: Sequence[Sequence[int]], size: int, named: str) -> Int32:
    """Parcel painted at every pixel, -1 where none: (size, size).

    With P parcels the grid has g = ceil(sqrt(P)) rows and columns of blocks of floor(size / g) pixels; it
    starts in the upper left corner, what remains at right and below is empty.

    Raises
    ------
    UserError
        If ``size`` is too small for one pixel a parcel.
    """
    parcels = sum(len(row) for row in order)
    g = math.ceil(math.sqrt(parcels))
    block = size // g
    if block == 0:
        raise UserError(
            f"{named}: {parcels} parcels need {g} x {g} pixels; raise corpus.clip.size from {size}"
        )
    layout = np.full((size, size), -1, dtype=np.int32)
    for down, row in enumerate(order):
        for right, parcel in enumerate(row):
            layout[down * block : (down + 1) * block, right * block : (right + 1) * block] = parcel
    return layout


def lay_out(series: Float32, layout: Int32) -> Float32:
    """A window of series (time, columns) as a clip (time, size, size), whatever the view."""
    # Pixel -1 reads the last column, which is the empty one.
    empty = np.full((len(series), 1), EMPTY, dtype=np.float32)
    clip: Float32 = np.concatenate([series, empty], axis=1)[:, layout]
    return clip
