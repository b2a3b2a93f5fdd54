"""The simulated dataset's grid and label image: grey matter of the MNI152 template cut into compact
parcels."""

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.medical.layout import spatial_order

Float64 = npt.NDArray[np.float64]
Int16 = npt.NDArray[np.int16]

# Mean grey-matter probability from which a coarse voxel counts as grey matter.
GREY = 0.35
TEMPLATE = "datasets/data/mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz"


def grey_matter(voxel_mm: float) -> tuple[npt.NDArray[np.bool_], Float64]:
    """Grey-matter mask (x, y, z) of the MNI152 template on a coarse RAS grid, and the grid's affine.

    A coarse voxel holds the mean of the 1 mm voxels whose centres lie in it. The template (ICBM 2009a,
    symmetric) is the one inside nilearn's wheel; it is read from there without importing nilearn, which would
    take longer than the whole simulation of a subject.
    """
    import nibabel

    found = importlib.util.find_spec("nilearn")
    path = Path(found.origin).parent / TEMPLATE if found and found.origin else Path(TEMPLATE)
    if not path.is_file():
        raise UserError(f"nilearn: its MNI152 template {TEMPLATE} is missing; install nilearn >= 0.12")
    image = nibabel.as_closest_canonical(nibabel.load(path))
    probability = np.asarray(image.dataobj, dtype=np.float32) / 255.0
    affine = np.asarray(image.affine, dtype=np.float64)
    index, shape, origin = [], [], []
    for axis in range(3):
        millimetres = affine[axis, 3] + np.arange(probability.shape[axis]) * affine[axis, axis]
        # Voxel centres at multiples of voxel_mm, so that x = 0 is one and left and right are mirror images.
        cell = np.floor(millimetres / voxel_mm + 0.5).astype(np.int64)
        index.append(cell - cell[0])
        shape.append(int(cell[-1] - cell[0]) + 1)
        origin.append(float(cell[0]) * voxel_mm)
    flat = np.ravel_multi_index(np.ix_(*index), shape)
    sums = np.bincount(flat.ravel(), probability.ravel(), int(np.prod(shape)))
    counts = np.bincount(flat.ravel(), minlength=int(np.prod(shape)))
    grid = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    grid[:3, 3] = origin
    return (sums / counts > GREY).reshape(shape), grid


def cut_parcels(mask: npt.NDArray[np.bool_], affine: Float64, parcels: int) -> tuple[Int16, Float64]:
    """Label image (x, y, z) of compact parcels 1 ... ``parcels``, and their centroids in millimetres
    (parcels, 3).

    k-means on the coordinates of the mask's voxels, started from a farthest-point traversal, so that no
    random number is involved. Parcels are numbered row by row in the order of
    :func:`transferscale.medical.layout.spatial_order`.
    """
    from scipy.cluster.vq import ClusterError, kmeans2

    voxels = np.argwhere(mask)
    points = voxels @ affine[:3, :3].T + affine[:3, 3]
    if len(points) < 2 * parcels:
        raise UserError(
            f"simulate.parcels: {parcels} parcels need {2 * parcels} grey-matter voxels, but simulate."
            f"voxel_mm gives {len(points)}; lower either"
        )
    chosen = [int(np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1)))]
    distance = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < parcels:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    try:
        _, cluster = kmeans2(points, points[chosen], iter=20, minit="matrix", missing="raise")
    except ClusterError:
        raise UserError(f"simulate.parcels: {parcels} parcels leave one empty; lower it") from None
    centroids = np.stack([points[cluster == k].mean(axis=0) for k in range(parcels)])
    order = [k for row in spatial_order(centroids) for k in row]
    number = np.empty(parcels, dtype=np.int16)
    number[order] = np.arange(1, parcels + 1)
    labels = np.zeros(mask.shape, dtype=np.int16)
    labels[tuple(voxels.T)] = number[cluster]
    return labels, centroids[order]
