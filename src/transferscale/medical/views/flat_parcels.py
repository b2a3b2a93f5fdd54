"""Parcels painted at their places on the flat map."""

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from transferscale.errors import UserError
from transferscale.medical.views import fsaverage
from transferscale.medical.views.flatmap import fsaverage_sheet

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

RULE = (
    "each parcel at the place of the fsaverage5 vertex nearest to its centre, on both flat maps, the left above; a "
    "pixel shows the parcel nearest on its map"
)


def paint_flat(centres: Float64, size: int, named: str) -> Int32:
    """Parcel painted at every pixel of the flat maps, -1 outside: (size, size).

    A pixel shows the parcel of its hemisphere whose place is nearest on the flat map; a parcel that has no pixel by
    that gets the nearest one of a parcel that has others.

    Parameters
    ----------
    centres
        (parcels, 3) in MNI millimetres.

    Raises
    ------
    UserError
        If a hemisphere's flat map has fewer pixels than parcels.
    """
    sheet = fsaverage_sheet(size)
    middle = np.concatenate([fsaverage.middle("left"), fsaverage.middle("right")])
    # Vertices that the flat maps show, and the place of each in pixels, from the pixels that show them.
    transposed = sheet.weights.T.tocsr()
    shown = np.flatnonzero(np.diff(transposed.indptr))
    places = np.argwhere(sheet.layout >= 0)
    places = places[np.argsort(sheet.layout[tuple(places.T)])]
    sums = np.asarray(transposed.sum(axis=1)).ravel()[shown]
    spots = (transposed[shown] @ places) / sums[:, None]
    vertex = np.asarray(KDTree(middle[shown]).query(centres)[1], dtype=np.int64)
    right = shown[vertex] >= fsaverage.VERTICES
    # A pixel's first vertex tells its hemisphere: none mixes both.
    on_right = sheet.weights.indices[sheet.weights.indptr[:-1]] >= fsaverage.VERTICES
    layout: Int32 = np.full((size, size), -1, dtype=np.int32)
    for side in (False, True):
        parcels, pixels = np.flatnonzero(right == side), np.flatnonzero(on_right == side)
        if len(parcels) > len(pixels):
            raise UserError(
                f"{named}: a flat map of {len(pixels)} pixels is too small for {len(parcels)} parcels; raise "
                f"corpus.clip.size from {size}"
            )
        if len(parcels):
            layout[tuple(places[pixels].T)] = parcels[_shares(places[pixels], spots[vertex[parcels]])]
    return layout


def _shares(pixels: npt.NDArray[np.int64], spots: Float64) -> npt.NDArray[np.int64]:
    """Number of the nearest spot of every pixel, each spot having at least one."""
    nearest = np.asarray(KDTree(spots).query(pixels)[1], dtype=np.int64)
    for spot in np.setdiff1d(np.arange(len(spots)), nearest):
        spare = np.bincount(nearest, minlength=len(spots))[nearest] > 1
        candidates = np.flatnonzero(spare)
        distance = ((pixels[candidates] - spots[spot]) ** 2).sum(axis=1)
        nearest[candidates[np.argmin(distance)]] = spot
    return nearest
