"""View ``mosaic``: slices of the volume side by side.

Every pixel is the mean over its cell, as wide and high as the pixel and as deep as the distance of two slices, so that
between them the slices hold the whole brain. Axial slices are seen from above (left at the left, front at the top) from
the lowest to the highest; coronal ones from behind (left at the left, top at the top) from back to front; sagittal ones
from the right (front at the right, top at the top) from left to right.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.medical.recording import Geometry, Grid
from transferscale.medical.views.box import MNI, Box, box_of, sides
from transferscale.medical.views.projection import Projection
from transferscale.medical.views.sampling import Weights, Where, cell, mean_over_points, within

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

# Plane -> axis across the slices, axis and sense of the columns of pixels, axis and sense of the rows from the top.
PLANES = {"axial": (2, 0, 1, 1, -1), "coronal": (1, 0, 1, 2, -1), "sagittal": (0, 1, 1, 2, -1)}


def mosaic(geometry: Geometry, spec: Mapping[str, Any], named: str) -> Projection:
    """Projection of a volume onto slices side by side (see ``projection.View``)."""
    if not isinstance(geometry, Grid):
        raise UserError(
            f"{named}: view mosaic needs volumes; choose view roi for parcels, flatmap for surfaces"
        )
    box, place = box_of(geometry)
    planes = tuple(spec["view"]["planes"])
    slices = tuple(_slices(geometry, box, plane, spec["view"]["slices"]) for plane in planes)
    across = math.ceil(math.sqrt(sum(slices)))
    tile = spec["size"] // across
    if tile < 2:
        raise UserError(
            f"{named}: {sum(slices)} slices in {across} x {across} tiles leave {tile} pixels each; lower "
            f"view.slices or raise corpus.clip.size from {spec['size']}"
        )
    mm = mm_a_pixel(box, planes, tile)
    layout = arrange(box, planes, slices, tile, spec["size"])[0]
    weights = within(_weights(Where.of(geometry), box, planes, slices, spec["size"]), geometry.mask)
    return Projection(
        weights,
        layout,
        {
            "rule": f"slices ({', '.join(planes)}), row by row in {across} x {across} tiles; axial "
            "from above (left at the left), coronal from behind, sagittal from the right",
            "pixel": "mean over its cell, linear between voxels",
            "mm_a_pixel": round(mm, 4),
            "slices": dict(zip(planes, slices, strict=True)),
            "slice_mm": [
                round(float(sides(box)[PLANES[plane][0]] / count), 4)
                for plane, count in zip(planes, slices, strict=True)
            ],
            "box_mm": [list(box[0]), list(box[1])],
            "box": place,
        },
    )


def _slices(grid: Grid, box: Box, plane: str, wanted: int) -> int:
    """Slices of a plane: as many as wanted, but of a box that is the recordings' own no more than it has voxels."""
    if box == MNI:
        return wanted
    axis = PLANES[plane][0]
    return min(wanted, max(1, round(float(sides(box)[axis] / np.abs(grid.affine[axis, :3]).max()))))


def mm_a_pixel(box: Box, planes: tuple[str, ...], tile: int) -> float:
    """Side of a pixel: every slice fits into its tile, and all have one scale."""
    extents = [sides(box)[axis] for plane in planes for axis in (PLANES[plane][1], PLANES[plane][3])]
    return float(max(extents)) / tile


def arrange(
    box: Box, planes: tuple[str, ...], slices: tuple[int, ...], tile: int, size: int
) -> tuple[Int32, list[Float64]]:
    """Layout (size, size), and the places of each plane's pixels in RAS millimetres (pixels, 3), in the order of
    columns."""
    across = math.ceil(math.sqrt(sum(slices)))
    mm, low, centre = mm_a_pixel(box, planes, tile), np.array(box[0]), np.add(box[0], box[1]) / 2
    layout: Int32 = np.full((size, size), -1, dtype=np.int32)
    places: list[Float64] = []
    shown = used = 0
    steps = (np.arange(tile) - (tile - 1) / 2) * mm
    for plane, count in zip(planes, slices, strict=True):
        through, aside, right, downward, down = PLANES[plane]
        columns = np.flatnonzero(np.abs(steps) < sides(box)[aside] / 2)
        rows = np.flatnonzero(np.abs(steps) < sides(box)[downward] / 2)
        depth = sides(box)[through] / count
        mine = np.empty((count, len(rows), len(columns), 3))
        mine[..., aside] = centre[aside] + right * steps[columns]
        mine[..., downward] = (centre[downward] + down * steps[rows])[:, None]
        mine[..., through] = (low[through] + (np.arange(count) + 0.5) * depth)[:, None, None]
        numbers = shown + np.arange(mine[..., 0].size, dtype=np.int32).reshape(mine.shape[:3])
        for s in range(count):
            y, x = divmod(used + s, across)
            layout[np.ix_(y * tile + rows, x * tile + columns)] = numbers[s]
        places.append(mine.reshape(-1, 3))
        shown += numbers.size
        used += count
    return layout, places


@lru_cache(maxsize=4)
def _weights(where: Where, box: Box, planes: tuple[str, ...], slices: tuple[int, ...], size: int) -> Weights:
    """Weights (pixels, voxels), float32; voxels of the whole grid."""
    from scipy.sparse import csr_array, vstack

    tile = size // math.ceil(math.sqrt(sum(slices)))
    mm = mm_a_pixel(box, planes, tile)
    affine = np.frombuffer(where.affine).reshape(4, 4)
    voxel_mm = float(np.linalg.norm(affine[:3, :3], axis=0).min())
    parts = []
    for plane, count, places in zip(planes, slices, arrange(box, planes, slices, tile, size)[1], strict=True):
        lengths = [mm, mm, mm]
        lengths[PLANES[plane][0]] = float(sides(box)[PLANES[plane][0]] / count)
        parts.append(mean_over_points(places, cell((lengths[0], lengths[1], lengths[2]), voxel_mm), where))
    return csr_array(vstack(parts, format="csr")).astype(np.float32)
