"""View ``volume``: the volume in cubes of voxels, each cube in the pixels of one token.

The box is resampled to cubic voxels as small as the clip can hold. Tokens go through the box from left to right, then
from back to front, then from bottom to top; within a token the voxels go the same way, row by row.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.medical.recording import Geometry, Grid
from transferscale.medical.views.box import Box, box_of, sides
from transferscale.medical.views.projection import Projection
from transferscale.medical.views.sampling import Weights, Where, cell, mean_over_points, within

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Patch = tuple[int, int, int]

# Sides of a voxel are multiples of this, in millimetres.
STEP_MM = 0.25


def volume(geometry: Geometry, spec: Mapping[str, Any], named: str) -> Projection:
    """Projection of a volume onto 3-D patches (see ``projection.View``)."""
    if not isinstance(geometry, Grid):
        raise UserError(
            f"{named}: view volume needs volumes; choose view roi for parcels, flatmap for surfaces"
        )
    i, j, k = spec["view"]["patch"]
    side = spec["tubelet"]["size"]
    if i * j * k != side**2:
        raise UserError(
            f"{named}: a patch of {i} x {j} x {k} voxels has {i * j * k}, but a token has {side} x {side} = {side**2} "
            "pixels; change view.patch or pretrain.tubelet.size so that they agree"
        )
    box, place = box_of(geometry)
    tokens = (spec["size"] // side) ** 2
    voxel_mm, counts = finest(box, (i, j, k), tokens)
    weights = within(_weights(Where.of(geometry), box, (i, j, k), voxel_mm, counts), geometry.mask)
    return Projection(
        weights,
        arrange((i, j, k), counts, side, spec["size"]),
        {
            "rule": "tokens left to right, back to front, bottom to top; voxels within a token alike, row by row",
            "pixel": "mean over its voxel, linear between voxels of the recording",
            "voxel_mm": voxel_mm,
            "patch_voxels": [i, j, k],
            "patches": list(counts),
            "box_mm": [list(box[0]), list(box[1])],
            "box": place,
        },
    )


def finest(box: Box, patch: Patch, tokens: int) -> tuple[float, Patch]:
    """Side of the smallest cubic voxels whose patches fill the box with no more than ``tokens``, and patches along
    x, y, z."""
    step = 1
    while True:
        voxel_mm = step * STEP_MM
        along = [
            max(1, math.ceil(side / (voxel_mm * n) - 1e-9)) for side, n in zip(sides(box), patch, strict=True)
        ]
        if math.prod(along) <= tokens:
            return voxel_mm, (along[0], along[1], along[2])
        step += 1


def arrange(patch: Patch, counts: Patch, side: int, size: int) -> Int32:
    """Layout (size, size); columns are the voxels token by token."""
    layout: Int32 = np.full((size, size), -1, dtype=np.int32)
    voxels = side**2
    for token in range(math.prod(counts)):
        y, x = divmod(token, size // side)
        numbers = token * voxels + np.arange(voxels, dtype=np.int32).reshape(side, side)
        layout[y * side : (y + 1) * side, x * side : (x + 1) * side] = numbers
    return layout


@lru_cache(maxsize=4)
def _weights(where: Where, box: Box, patch: Patch, voxel_mm: float, counts: Patch) -> Weights:
    """Weights (voxels of the patches, voxels of the recording), float32."""
    size = np.multiply(patch, counts) * voxel_mm
    low = np.add(box[0], box[1]) / 2 - size / 2
    # Axes: tokens along z, y, x, then voxels along z, y, x; x fastest, so the order of the file of a token.
    axes = [
        low[axis]
        + (np.arange(counts[axis] * patch[axis]) + 0.5).reshape(counts[axis], patch[axis]) * voxel_mm
        for axis in range(3)
    ]
    shape = (counts[2], counts[1], counts[0], patch[2], patch[1], patch[0])
    places = np.empty((*shape, 3))
    places[..., 0] = axes[0][None, None, :, None, None, :]
    places[..., 1] = axes[1][None, :, None, None, :, None]
    places[..., 2] = axes[2][:, None, None, :, None, None]
    affine = np.frombuffer(where.affine).reshape(4, 4)
    spacing = float(np.linalg.norm(affine[:3, :3], axis=0).min())
    points = cell((voxel_mm, voxel_mm, voxel_mm), spacing)
    return mean_over_points(places.reshape(-1, 3), points, where).astype(np.float32)
