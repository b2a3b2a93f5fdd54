"""The box in millimetres that mosaic and volume show: one for all recordings, so that columns are comparable."""

import numpy as np
import numpy.typing as npt

from transferscale.medical.recording import Grid

Float64 = npt.NDArray[np.float64]
Box = tuple[tuple[float, float, float], tuple[float, float, float]]

# Around the brain of the MNI152 template: lower and upper corner, RAS millimetres.
MNI: Box = ((-76.0, -110.0, -72.0), (76.0, 78.0, 84.0))
# A grid that holds this share of the MNI box is taken for one of a whole brain in a standard place.
WHOLE = 0.5


def box_of(grid: Grid) -> tuple[Box, str]:
    """The box to show of a grid, and its name for ``view.json``.

    It is the MNI box, so that it does not depend on the recording, unless the grid holds less than half of that:
    single slices, or a native space far from MNI, are shown as far as the grid goes, rounded to millimetres.
    """
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in grid.shape], indexing="ij")).reshape(3, -1)
    millimetres = grid.affine[:3, :3] @ corners + grid.affine[:3, 3:]
    low, high = millimetres.min(axis=1), millimetres.max(axis=1)
    common = np.clip(np.minimum(high, MNI[1]) - np.maximum(low, MNI[0]), 0, None)
    if common.prod() >= WHOLE * sides(MNI).prod():
        return MNI, "brain of the MNI152 template"
    lower, upper = np.round(low), np.maximum(np.round(high), np.round(low) + 1)
    return (tuple(lower.tolist()), tuple(upper.tolist())), "the recordings' own grid"


def sides(box: Box) -> Float64:
    """Lengths along x, y, z in millimetres."""
    return np.subtract(box[1], box[0])
