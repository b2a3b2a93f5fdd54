"""Which columns of a view lie in the left hemisphere, from how the view is laid out."""

import math

import numpy as np
import numpy.typing as npt

from transferscale.medical.layout import SPATIAL_RULE
from transferscale.medical.reading import View

Bool = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]


def left_columns(view: View) -> Bool | None:
    """Whether each column lies in the left hemisphere (columns,); None where the view does not tell.

    - roi in spatial order: blocks stand from left to right by the x of their parcels; those in the left half, that in
      the middle not;
    - flatmap: columns are numbered through the left map, then through the right one;
    - mosaic of axial and coronal slices: the left half of each slice's tile;
    - volume: the left half of the voxels along x.
    """
    about, layout, columns = view.contract, view.layout, view.series.shape[1]
    kind = about["view"]
    left: Bool
    if kind == "roi" and about["layout_rule"] != SPATIAL_RULE:
        return None
    if kind == "volume":
        side, along = about["patch_voxels"][0], about["patches"][0]
        token, voxel = np.divmod(np.arange(columns), math.prod(about["patch_voxels"]))
        left = (token % along) * side + voxel % side < along * side / 2
        return left
    rows, across = _places(layout, columns)
    if kind == "roi":
        shown = np.flatnonzero((layout >= 0).any(axis=0))
        left = across < (shown[0] + shown[-1]) / 2 - 0.25
        return left
    if kind == "mosaic":
        if "sagittal" in about["slices"]:
            return None
        tile = layout.shape[0] // math.ceil(math.sqrt(sum(about["slices"].values())))
        left = across % tile < (tile - 1) / 2
        return left
    # Within a map columns are numbered row by row, so the right one begins where the number rises and the place falls.
    place = rows * layout.shape[1] + across
    falls = np.flatnonzero(np.diff(place) < 0)
    left = np.arange(columns) <= falls[0] if len(falls) == 1 else rows < layout.shape[0] / 2
    return left


def _places(
    layout: npt.NDArray[np.int32], columns: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean row and mean column of pixels of each of the view's columns, (columns,) each."""
    down, right = np.nonzero(layout >= 0)
    of = layout[down, right]
    count = np.maximum(np.bincount(of, minlength=columns), 1)
    return np.bincount(of, down, columns) / count, np.bincount(of, right, columns) / count
