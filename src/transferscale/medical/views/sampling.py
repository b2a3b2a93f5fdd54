"""Sampling a volume in millimetres: every place a mean over the points of a cell, each point interpolated."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from transferscale.medical.recording import Grid

Float64 = npt.NDArray[np.float64]
Weights: TypeAlias = csr_array[Any, Any]

# Points that the ball around a vertex is sampled at.
BALL_POINTS = 24


@dataclass(frozen=True)
class Where:
    """Where voxels lie, apart from any mask; it can be a key, because the recordings of a dataset share few grids.

    Attributes
    ----------
    shape
        (i, j, k) as stored.
    affine
        Bytes of the (4, 4) float64 from voxel indices to RAS millimetres.
    """

    shape: tuple[int, int, int]
    affine: bytes

    @classmethod
    def of(cls, grid: Grid) -> "Where":
        """Of a recording's grid."""
        i, j, k = (int(n) for n in grid.shape)
        return cls((i, j, k), np.ascontiguousarray(grid.affine, dtype=np.float64).tobytes())


def ball(radius: float, points: int = BALL_POINTS) -> Float64:
    """Points spread evenly through a ball: (points, 3), in the unit of ``radius``.

    The sunflower spiral on nested spheres of equal volume between them; no random number is involved.
    """
    k = np.arange(points) + 0.5
    z, angle = 1 - 2 * k / points, np.pi * (3 - np.sqrt(5)) * k
    ring = np.sqrt(1 - z**2)
    directions = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)
    # The order of the radii is scrambled by a stride, so that they do not go with z.
    stride = next(s for s in range(int(points * 0.382), points + 1) if np.gcd(s, points) == 1)
    radii = np.cbrt(((np.arange(points) * stride) % points + 0.5) / points)
    spread: Float64 = radius * radii[:, None] * directions
    centred: Float64 = spread - spread.mean(axis=0)
    return centred


def cell(sides: tuple[float, float, float], spacing: float) -> Float64:
    """Points of a box around the origin, no farther apart than ``spacing``: (points, 3)."""
    axes = []
    for side in sides:
        count = max(1, int(np.ceil(side / spacing)))
        axes.append((np.arange(count) + 0.5) / count * side - side / 2)
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def mean_over_points(places: Float64, offsets: Float64, where: Where) -> Weights:
    """Weights (places, voxels): the mean over the points of a place of the volume interpolated linearly.

    Points outside the grid are left out and the rest weighs the more; a place without any has an empty row.

    Parameters
    ----------
    places
        (places, 3) in RAS millimetres.
    offsets
        (points, 3) of a place's points from it.
    where
        Of the recording; columns follow its order of voxels.
    """
    inverse = np.linalg.inv(np.frombuffer(where.affine).reshape(4, 4))
    at = (places @ inverse[:3, :3].T + inverse[:3, 3])[:, None] + offsets @ inverse[:3, :3].T
    size = np.array(where.shape)
    # A voxel reaches half a voxel beyond its centre; there is nothing to interpolate with outside of that.
    inside = ((at >= -0.5) & (at <= size - 0.5)).all(axis=2)
    at = np.clip(at, 0, size - 1)
    low = np.minimum(np.floor(at), np.maximum(size - 2, 0)).astype(np.int32)
    share = at - low
    strides = np.array([1, size[0], size[0] * size[1]], dtype=np.int32)
    first = low @ strides
    voxels = np.empty((*inside.shape, 8), dtype=np.int32)
    values = np.empty(voxels.shape)
    for corner in range(8):
        up = np.array([corner & 1, corner >> 1 & 1, corner >> 2 & 1], dtype=np.int32)
        # An axis of one voxel has no upper neighbour; its share is zero.
        voxels[..., corner] = first + (up * (size > 1)).astype(np.int32) @ strides
        values[..., corner] = np.where(up, share, 1 - share).prod(axis=2)
    values *= inside[..., None]
    rows = len(places)
    starts = np.arange(rows + 1, dtype=np.int32) * (voxels.size // rows if rows else 0)
    weights = csr_array((values.ravel(), voxels.ravel(), starts), shape=(rows, int(size.prod())))
    weights.sum_duplicates()
    weights.eliminate_zeros()
    return normalised(weights)


def within(weights: Weights, mask: npt.NDArray[np.bool_] | None) -> Weights:
    """Weights of the features in the mask alone, rows summing to one again; the weights themselves without a mask."""
    if mask is None:
        return weights
    kept = weights.copy()
    kept.data *= mask[kept.indices]
    kept.eliminate_zeros()
    return normalised(kept)


def normalised(weights: Weights) -> Weights:
    """Rows that sum to one; empty rows stay empty."""
    out = weights.copy()
    sums = np.asarray(out.sum(axis=1)).ravel()
    out.data /= np.repeat(np.where(sums == 0, 1.0, sums), np.diff(out.indptr))
    return out
