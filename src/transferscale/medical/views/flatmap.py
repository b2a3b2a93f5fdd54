"""View ``flatmap``: both hemispheres cut open and laid flat, the left above the right, in opposite corners.

A volume is sampled around the vertices of fsaverage5, half-way between white matter and pial surface: the mean over a
ball, as in :func:`nilearn.surface.vol_to_surf` with ``kind="ball"``. A surface enters at its vertices. A pixel is the
mean over its area of the vertices' values, interpolated linearly within the triangles of the flat mesh; that of
fsaverage5 is in nilearn's wheel.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import block_diag, csr_array

from transferscale.errors import UserError
from transferscale.medical.recording import Geometry, Grid, Surface
from transferscale.medical.views import fsaverage
from transferscale.medical.views.fsaverage import Mesh
from transferscale.medical.views.projection import Projection
from transferscale.medical.views.sampling import Weights, Where, ball, mean_over_points, normalised, within

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

# Points a side that the area of a pixel is sampled at, at least; more where pixels are coarse.
FINEST = 2
# Spacing of those points in flat millimetres: about half an edge of the mesh.
SPACING_MM = 1.5
# A pixel is shown where at least this share of its points lies on the sheet.
COVERED = 0.5
# Halvings of the interval in which the scale of the picture lies: to 0.2 %.
HALVINGS = 8


def flatmap(geometry: Geometry, spec: Mapping[str, Any], named: str) -> Projection:
    """Projection of a volume in MNI space, or of a surface, onto the flat maps (see ``projection.View``)."""
    options = spec["view"]
    if isinstance(geometry, Grid):
        sheet = fsaverage_sheet(spec["size"])
        weights = within(_from_volume(Where.of(geometry), options["radius_mm"], spec["size"]), geometry.mask)
        source = (
            f"volumes: mean over a ball of {options['radius_mm']:g} mm around each vertex of fsaverage5, "
            "half-way between white matter and pial surface, MNI coordinates"
        )
        return Projection(weights, sheet.layout, {**sheet.about, "sampling": source})
    if isinstance(geometry, Surface):
        sheet, vertices, source = _of_surface(geometry, spec, named)
        present = np.zeros(2 * vertices, dtype=bool)
        left, right = geometry.left[geometry.left < vertices], geometry.right[geometry.right < vertices]
        present[left], present[vertices + right] = True, True
        # From vertices of whole hemispheres to the features that the recording has.
        chosen = np.concatenate([left, vertices + right])
        features = np.concatenate(
            [
                np.flatnonzero(geometry.left < vertices),
                len(geometry.left) + np.flatnonzero(geometry.right < vertices),
            ]
        )
        count = len(geometry.left) + len(geometry.right)
        pick = csr_array((np.ones(len(chosen)), (chosen, features)), shape=(2 * vertices, count))
        weights = csr_array(within(sheet.weights, present) @ pick)
        return Projection(weights.astype(np.float32), sheet.layout, {**sheet.about, "sampling": source})
    raise UserError(f"{named}: view flatmap needs volumes or surfaces, not parcels; choose view roi")


class Sheet:
    """Both flat maps on the pixels of a clip, in opposite corners, as large as they go without overlapping.

    Attributes
    ----------
    weights
        (pixels shown, vertices of both hemispheres), rows summing to one; those of the left hemisphere first.
    layout
        (size, size) pixel's column, -1 outside.
    about
        For ``view.json``.
    """

    def __init__(self, left: Mesh, right: Mesh, size: int, named: str) -> None:
        corners, mm = arrange(left, right, size, named)
        parts = [
            on_pixels(mesh, _centre(mesh, corner, size * mm, named), mm, size)
            for mesh, corner in zip((left, right), corners, strict=True)
        ]
        self.weights: Weights = csr_array(block_diag([weights for weights, _ in parts], format="csr"))
        self.layout: Int32 = np.full((size, size), -1, dtype=np.int32)
        shown = 0
        for weights, covered in parts:
            self.layout[covered] = shown + np.arange(weights.shape[0])
            shown += weights.shape[0]
        if not shown:
            raise UserError(
                f"{named}: {size} x {size} pixels show nothing of the flat maps; raise corpus.clip.size"
            )
        self.about: dict[str, Any] = {
            "rule": f"left hemisphere in the {corners[0]} corner, right in the {corners[1]} one, as large as they go",
            "pixel": "mean over the pixel of the vertices' values, linear within a triangle of the flat mesh",
            "flat_mm_a_pixel": round(float(mm), 4),
            "pixels_shown": shown,
        }


def arrange(left: Mesh, right: Mesh, size: int, named: str) -> tuple[tuple[str, str], float]:
    """Corners of the left and of the right flat map, and the millimetres of a pixel.

    Maps that are wider than high stand above one another, the left above, moved into opposite corners: the maps of
    fsaverage5 so show 42 % more pixels than straight above one another. Others stand side by side.
    """
    extents = [flat_extent(mesh, named) for mesh in (left, right)]
    wide, high = (max(upper[axis] - lower[axis] for lower, upper in extents) for axis in (0, 1))
    above, beside = max(wide / size, high / (size // 2)), max(wide / (size // 2), high / size)
    choices = [("upper left", "lower right")]
    if above <= beside:
        choices.append(("upper right", "lower left"))
    best = choices[0], min(above, beside) * (1 + 1e-6)
    for corners in choices:
        # Between the finest pixels at which each map fits alone and the coarsest at which their boxes stay apart.
        apart, overlap = min(above, beside) * (1 + 1e-6), max(wide, high) / size
        for _ in range(HALVINGS):
            mm = (apart + overlap) / 2
            shown = [
                on_pixels(mesh, _centre(mesh, corner, size * mm, named), mm, size)[1]
                for mesh, corner in zip((left, right), corners, strict=True)
            ]
            if (shown[0] & shown[1]).any():
                overlap = mm
            else:
                apart = mm
        if apart < best[1]:
            best = corners, apart
    return best


def _centre(mesh: Mesh, corner: str, side: float, named: str) -> Float64:
    """Place on the mesh of the middle of a square picture of ``side`` mm in whose corner the mesh lies."""
    low, high = flat_extent(mesh, named)
    x = low[0] + side / 2 if corner.endswith("left") else high[0] - side / 2
    y = high[1] - side / 2 if corner.startswith("upper") else low[1] + side / 2
    return np.array([x, y])


def flat_extent(mesh: Mesh, named: str) -> tuple[Float64, Float64]:
    """Lower and upper corner (x, y) of the vertices that have a face.

    Raises
    ------
    UserError
        If the mesh is not flat.
    """
    used = mesh.coordinates[np.unique(mesh.faces)]
    low, high = used.min(axis=0), used.max(axis=0)
    if high[2] - low[2] > 0.01 * max(high[0] - low[0], high[1] - low[1]):
        raise UserError(f"{named}: the mesh is not flat (its z goes from {low[2]:.3g} to {high[2]:.3g} mm)")
    return low[:2], high[:2]


def on_pixels(mesh: Mesh, centre: Float64, mm: float, size: int) -> tuple[Weights, npt.NDArray[np.bool_]]:
    """Weights (pixels shown, vertices) of a flat mesh on a square of pixels around ``centre``, and which pixels are
    shown (size, size).

    The first row of pixels is at the top (largest y).
    """
    points = max(FINEST, int(np.ceil(mm / SPACING_MM)))
    fine, rows, columns = mm / points, size * points, size * points
    # Places of the vertices in units of fine points, from the upper left corner; a point k lies at k.
    x = (mesh.coordinates[:, 0] - centre[0]) / fine + columns / 2 - 0.5
    y = (centre[1] - mesh.coordinates[:, 1]) / fine + rows / 2 - 0.5
    point, vertices, shares = _barycentric(x, y, mesh.faces, rows, columns)
    row, column = np.divmod(point, columns)
    pixel = row // points * size + column // points
    counts = np.bincount(pixel, minlength=size**2)
    shown = counts >= COVERED * points**2
    number = np.cumsum(shown) - 1
    used = shown[pixel]
    entries = np.repeat(number[pixel[used]], 3)
    shape = (int(np.count_nonzero(shown)), len(mesh.coordinates))
    weights = csr_array((shares[used].ravel(), (entries, vertices[used].ravel())), shape=shape)
    return normalised(weights), shown.reshape(size, size)


def _barycentric(
    x: Float64, y: Float64, faces: npt.NDArray[np.int64], rows: int, columns: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Float64]:
    """Points of a grid that lie in a triangle: number of the point, its triangle's vertices, their shares."""
    fx, fy = x[faces], y[faces]
    left = np.clip(np.ceil(fx.min(axis=1)), 0, columns).astype(np.int64)
    right = np.clip(np.floor(fx.max(axis=1)) + 1, left, columns).astype(np.int64)
    top = np.clip(np.ceil(fy.min(axis=1)), 0, rows).astype(np.int64)
    bottom = np.clip(np.floor(fy.max(axis=1)) + 1, top, rows).astype(np.int64)
    count = (right - left) * (bottom - top)
    # All points of all triangles' bounding boxes, one below the other.
    face = np.repeat(np.arange(len(faces)), count)
    within_box = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    down, aside = np.divmod(within_box, (right - left)[face])
    px, py = left[face] + aside, top[face] + down
    ax, ay = fx[face, 0], fy[face, 0]
    bx, by = fx[face, 1] - ax, fy[face, 1] - ay
    cx, cy = fx[face, 2] - ax, fy[face, 2] - ay
    twice = bx * cy - by * cx
    whole = np.where(twice == 0, 1.0, twice)
    second = ((px - ax) * cy - (py - ay) * cx) / whole
    third = (bx * (py - ay) - by * (px - ax)) / whole
    shares = np.stack([1 - second - third, second, third], axis=1)
    inside = (twice != 0) & (shares >= -1e-9).all(axis=1)
    # A point on an edge lies in two triangles; the first has it.
    point, first = np.unique((py * columns + px)[inside], return_index=True)
    return point, faces[face[inside][first]], np.clip(shares[inside][first], 0, 1)


@lru_cache(maxsize=2)
def fsaverage_sheet(size: int) -> Sheet:
    """The flat maps of fsaverage5 on a clip of ``size`` pixels."""
    sheet = Sheet(fsaverage.mesh("flat", "left"), fsaverage.mesh("flat", "right"), size, "fsaverage5")
    sheet.about["mesh"] = "fsaverage5, flat, from nilearn's wheel"
    return sheet


@lru_cache(maxsize=4)
def _from_volume(where: Where, radius_mm: float, size: int) -> Weights:
    """Weights (pixels shown, voxels), float32; voxels of the whole grid."""
    places = np.concatenate([fsaverage.middle("left"), fsaverage.middle("right")])
    onto_vertices = mean_over_points(places, ball(radius_mm), where)
    return normalised(csr_array(fsaverage_sheet(size).weights @ onto_vertices)).astype(np.float32)


@lru_cache(maxsize=2)
def _given(left: Path, right: Path, size: int, named: str) -> tuple[Sheet, int]:
    meshes = [fsaverage.read_mesh(path, named) for path in (left, right)]
    if len(meshes[0].coordinates) != len(meshes[1].coordinates):
        raise UserError(f"{named}: view.left and view.right have different numbers of vertices; give a pair")
    sheet = Sheet(meshes[0], meshes[1], size, named)
    sheet.about["mesh"] = f"{left.name} and {right.name}"
    return sheet, len(meshes[0].coordinates)


def _of_surface(surface: Surface, spec: Mapping[str, Any], named: str) -> tuple[Sheet, int, str]:
    """The sheet for a surface's space, the vertices of a hemisphere that it takes, and its rule in words."""
    options = spec["view"]
    if options["left"] and options["right"]:
        root = Path(spec["root"])
        sheet, vertices = _given(root / options["left"], root / options["right"], spec["size"], named)
        if vertices != surface.size:
            raise UserError(
                f"{named}: the flat meshes have {vertices} vertices, but the recordings' surface ({surface.space}) "
                f"has {surface.size}; give the meshes of that surface"
            )
        return sheet, vertices, f"vertices of {surface.space} as given"
    if options["left"] or options["right"]:
        raise UserError(f"{named}: view.left and view.right go together; give both")
    if fsaverage.NESTED.get(surface.space) == surface.size:
        whole = surface.size == fsaverage.VERTICES
        kind = "as given" if whole else "the first 10,242 a hemisphere, which are those of fsaverage5"
        return fsaverage_sheet(spec["size"]), fsaverage.VERTICES, f"vertices of {surface.space}: {kind}"
    raise UserError(
        f"{named}: no flat mesh of {surface.space or 'this surface'} ({surface.size} vertices a hemisphere) comes with "
        "this package; set view.left and view.right to its flat GIFTI meshes, or use outputs in fsaverage5"
    )
