"""Label images: which parcel a voxel belongs to, on the grid of any recording in the same space."""

import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from transferscale.errors import UserError
from transferscale.medical.recording import Grid

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Atlas:
    """A label image.

    Attributes
    ----------
    path
        The file, for messages.
    labels
        Label of every voxel (i, j, k), 0 outside.
    affine
        Voxel indices to RAS millimetres.
    numbers
        The labels, rising; parcel ``p`` is label ``numbers[p]``.
    """

    path: Path
    labels: Int32
    affine: Float64
    numbers: Int32

    @property
    def centroids(self) -> Float64:
        """Centre of every parcel in RAS millimetres (parcels, 3)."""
        where = np.argwhere(self.labels > 0)
        rows = np.searchsorted(self.numbers, self.labels[tuple(where.T)])
        sums = np.stack([np.bincount(rows, where[:, axis], len(self.numbers)) for axis in range(3)], axis=1)
        voxels = sums / np.bincount(rows, minlength=len(self.numbers))[:, None]
        millimetres: Float64 = voxels @ self.affine[:3, :3].T + self.affine[:3, 3]
        return millimetres

    def on_grid(self, grid: Grid) -> Int32:
        """Label of every voxel of a grid, in its order (voxels,): that of the nearest voxel of the label image.

        Raises
        ------
        UserError
            If no parcel lies inside that grid.
        """
        indices = np.stack(
            np.unravel_index(np.arange(int(np.prod(grid.shape))), grid.shape, order="F"), axis=1
        )
        to_atlas = np.linalg.inv(self.affine) @ grid.affine
        # Rounded before the nearest is taken, so that a tie falls alike however the grid is stored.
        at = np.floor(np.round(indices @ to_atlas[:3, :3].T + to_atlas[:3, 3], 4) + 0.5).astype(np.int64)
        inside = ((at >= 0) & (at < self.labels.shape)).all(axis=1)
        labels: Int32 = np.zeros(len(indices), dtype=np.int32)
        labels[inside] = self.labels[tuple(at[inside].T)]
        if not labels.any():
            raise UserError(
                f"{self.path}: no parcel lies inside the recordings' grid; is it in another space?"
            )
        return labels

    def means(self, grid: Grid) -> csr_array:
        """Weights (parcels, voxels) of the mean over each parcel's voxels, those of the grid's mask where it has one.

        A parcel without voxels has an empty row.
        """
        labels = self.on_grid(grid)
        if grid.mask is not None:
            labels = np.where(grid.mask, labels, 0)
        voxels = np.flatnonzero(labels)
        parcel = np.searchsorted(self.numbers, labels[voxels])
        counts = np.bincount(parcel, minlength=len(self.numbers))
        shape = (len(self.numbers), len(labels))
        return csr_array((1.0 / counts[parcel], (parcel, voxels)), shape=shape)


@lru_cache(maxsize=2)
def read_atlas(path: Path) -> Atlas:
    """Read a label image.

    Raises
    ------
    UserError
        If the file is missing, is no 3D NIfTI of whole numbers, or has no label above 0.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))
        values = np.asarray(image.dataobj)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; key 'recordings.atlas' must name a label image under root"
        ) from None
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{path}: key 'recordings.atlas': not a readable label image ({error})") from None
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim != 3:
        raise UserError(f"{path}: key 'recordings.atlas': {values.ndim} dimensions; a label image has 3")
    labels = np.rint(values).astype(np.int32)
    if not np.all(np.isfinite(values)) or np.any(np.abs(values - labels) > 1e-3) or labels.min() < 0:
        raise UserError(f"{path}: key 'recordings.atlas': values must be whole numbers from 0")
    numbers = np.unique(labels[labels > 0]).astype(np.int32)
    if not len(numbers):
        raise UserError(f"{path}: key 'recordings.atlas': no label above 0")
    return Atlas(path, labels, np.asarray(image.affine, dtype=np.float64), numbers)
