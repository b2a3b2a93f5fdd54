"""Pictures of volumes and surfaces: the right side stays right, places stay places, nothing counts twice."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tests.medical.views.signals import Signal, grid, places, spec, turned
from transferscale.errors import UserError
from transferscale.medical.layout import lay_out
from transferscale.medical.recording import Grid, Parcels, Surface
from transferscale.medical.views import VIEWS, fsaverage
from transferscale.medical.views.projecting import columns_of

WHOLE = np.arange(fsaverage.VERTICES)


def picture(values: np.ndarray, geometry: Any, **view: Any) -> np.ndarray:
    """The values (features,) as one frame (size, size), NaN where nothing is shown."""
    size = view.pop("size", 64)
    projection = VIEWS[view["kind"]](geometry, spec(size, **view), "dataset 'x'")
    series, _ = columns_of(Signal(values[None].astype(np.float32), geometry), projection.weights)
    frame = lay_out(series.astype(np.float32), projection.layout)[0]
    return np.where(projection.layout < 0, np.nan, frame)


def left_map() -> np.ndarray:
    """Pixels of the left hemisphere's flat map."""
    return _hemisphere() == 0


def right_map() -> np.ndarray:
    """Pixels of the right hemisphere's flat map."""
    return _hemisphere() == 1


def _hemisphere() -> np.ndarray:
    surface = Surface("fsaverage5", fsaverage.VERTICES, WHOLE, WHOLE)
    return picture(np.repeat([0.0, 1.0], fsaverage.VERTICES), surface, kind="flatmap")


@pytest.mark.parametrize("stored", ["RAS", "LAS"])
@pytest.mark.parametrize("side", [-1, 1])
def test_one_hemisphere_shows_on_its_own_flat_map(stored: str, side: int) -> None:
    where = grid() if stored == "RAS" else turned(grid())
    values = (np.sign(places(where)[:, 0]) == side).astype(float)
    frame = picture(values, where, kind="flatmap")
    mine, other = (left_map, right_map) if side < 0 else (right_map, left_map)
    assert frame[mine()].mean() > 0.97
    assert frame[other()].mean() < 0.03
    # The left map stands above the right one.
    rows = [np.argwhere(shown())[:, 0].mean() for shown in (left_map, right_map)]
    assert rows[0] < 31 < rows[1]


@pytest.mark.parametrize("stored", ["RAS", "LAS"])
def test_left_is_on_the_left_of_axial_and_coronal_slices(stored: str) -> None:
    where = grid() if stored == "RAS" else turned(grid())
    values = (places(where)[:, 0] < 0).astype(float)
    for plane in ("axial", "coronal"):
        frame = picture(values, where, kind="mosaic", planes=[plane], slices=1)
        assert np.nanmean(frame[:, :31]) > 0.99
        assert np.nanmean(frame[:, 33:]) < 0.01


def test_slices_have_front_and_top_where_they_say() -> None:
    where = grid()
    _, y, z = places(where).T
    front = picture((y > -16).astype(float), where, kind="mosaic", planes=["axial"], slices=1)
    assert np.nanmean(front[:31]) > 0.99
    assert np.nanmean(front[33:]) < 0.01
    up = (z > 6).astype(float)
    for plane in ("coronal", "sagittal"):
        top = picture(up, where, kind="mosaic", planes=[plane], slices=1)
        assert np.nanmean(top[:31]) > 0.99
        assert np.nanmean(top[33:]) < 0.01
    nose = picture((y > -16).astype(float), where, kind="mosaic", planes=["sagittal"], slices=1)
    assert np.nanmean(nose[:, 33:]) > 0.99


def test_slices_go_from_bottom_to_top() -> None:
    where = grid()
    frame = picture(places(where)[:, 2], where, kind="mosaic", planes=["axial"], slices=4)
    tiles = [np.nanmean(tile) for row in np.split(frame, 2) for tile in np.split(row, 2, axis=1)]
    assert tiles == pytest.approx([-72 + 156 / 4 * (k + 0.5) for k in range(4)], abs=0.5)


@pytest.mark.parametrize("kind", ["mosaic", "volume", "flatmap"])
def test_columns_are_defined_in_millimetres_not_by_the_file(kind: str) -> None:
    """Another grid, another voxel size: the same head gives the same columns."""
    fine = np.diag([-2.0, 2.0, 2.0, 1.0])
    fine[:3, 3] = [97.0, -133.0, -79.0]
    other = Grid((98, 116, 98), fine, None)
    wave = [
        np.sin(places(where) @ [0.05, 0.03, 0.0]) + np.cos(places(where) @ [0.0, 0.04, 0.06])
        for where in (grid(), other)
    ]
    one, two = picture(wave[0], grid(), kind=kind), picture(wave[1], other, kind=kind)
    assert np.array_equal(np.isnan(one), np.isnan(two))
    shown = ~np.isnan(one)
    assert np.corrcoef(one[shown], two[shown])[0, 1] > 0.999


def test_the_volume_keeps_patches_together() -> None:
    where = grid()
    fields = np.stack([picture(axis, where, kind="volume") for axis in places(where).T])
    about = VIEWS["volume"](where, spec(64, kind="volume"), "x").about
    tokens = fields.reshape(3, 8, 8, 8, 8).swapaxes(2, 3).reshape(3, 64, 64)
    used = tokens[:, ~np.isnan(tokens).any(axis=(0, 2))]
    side = about["voxel_mm"]
    for axis in range(3):
        inside = (used[axis] > -70) & (used[axis] < 70)  # where the grid reaches a voxel whole
        spread = np.where(inside.all(axis=1), np.ptp(used[axis], axis=1), 3 * side)
        assert spread == pytest.approx(np.full(len(spread), 3 * side), abs=1e-3)
    # The first voxels go from left to right, the next line lies in front of it, the next plane above.
    first = used[:, 0].reshape(3, 4, 4, 4)
    assert np.all(np.diff(first[0], axis=2) > 0)
    assert np.all(np.diff(first[1], axis=1) > 0)
    assert np.all(np.diff(first[2], axis=0) > 0)
    assert about["patches"][0] * about["patches"][1] * about["patches"][2] == used.shape[1]


def test_a_patch_that_does_not_fit_a_token_is_refused() -> None:
    with pytest.raises(UserError, match=r"5 x 4 x 4 voxels has 80, but a token has 8 x 8 = 64 pixels"):
        VIEWS["volume"](grid(), spec(kind="volume", patch=[5, 4, 4]), "dataset 'x'")


def test_slices_without_room_are_refused() -> None:
    with pytest.raises(UserError, match=r"lower view\.slices"):
        VIEWS["mosaic"](grid(), spec(16, kind="mosaic", slices=100), "dataset 'x'")


def test_a_single_slice_is_shown_as_far_as_it_goes() -> None:
    affine = np.diag([3.0, 3.75, 3.75, 1.0])
    slab = Grid((40, 20, 1), affine, None)
    projection = VIEWS["mosaic"](slab, spec(32, kind="mosaic"), "x")
    assert projection.about["slices"] == {"axial": 1}
    assert projection.about["box"] == "the recordings' own grid"
    assert np.asarray(projection.weights.sum(axis=1)).ravel() == pytest.approx(
        np.ones(projection.weights.shape[0])
    )


# -- surfaces ---------------------------------------------


def test_a_surface_and_a_volume_show_the_same_brain() -> None:
    wave = [0.05, 0.03, 0.04]
    from_volume = picture(np.sin(places(grid()) @ wave), grid(), kind="flatmap")
    vertices = np.concatenate([fsaverage.middle("left"), fsaverage.middle("right")])
    surface = Surface("fsaverage5", fsaverage.VERTICES, WHOLE, WHOLE)
    from_surface = picture(np.sin(vertices @ wave), surface, kind="flatmap")
    assert np.array_equal(np.isnan(from_volume), np.isnan(from_surface))
    shown = ~np.isnan(from_surface)
    assert np.corrcoef(from_volume[shown], from_surface[shown])[0, 1] > 0.99


def test_the_flat_map_has_the_back_of_the_left_brain_on_the_right_and_the_crown_on_top() -> None:
    surface = Surface("fsaverage5", fsaverage.VERTICES, WHOLE, WHOLE)
    vertices = np.concatenate([fsaverage.middle("left"), fsaverage.middle("right")])
    y, z = (picture(vertices[:, axis], surface, kind="flatmap") for axis in (1, 2))
    rows, columns = np.indices(y.shape)
    for part, front in ((left_map(), -1), (right_map(), 1)):
        assert front * np.corrcoef(y[part], columns[part])[0, 1] > 0.8
        assert np.corrcoef(z[part], rows[part])[0, 1] < -0.7


def test_a_surface_without_its_medial_wall_gives_the_same_pixels() -> None:
    values = np.random.default_rng(0).standard_normal(2 * fsaverage.VERTICES)
    used = [np.unique(fsaverage.mesh("flat", side).faces) for side in ("left", "right")]
    whole = Surface("fsaverage5", fsaverage.VERTICES, WHOLE, WHOLE)
    part = Surface("fsaverage5", fsaverage.VERTICES, *used)
    chosen = np.concatenate([used[0], fsaverage.VERTICES + used[1]])
    one, two = picture(values, whole, kind="flatmap"), picture(values[chosen], part, kind="flatmap")
    assert np.allclose(one, two, atol=1e-5, equal_nan=True)


def test_finer_versions_of_fsaverage_hold_its_vertices_first() -> None:
    values = np.random.default_rng(0).standard_normal((2, 40962))
    whole = Surface("fsaverage5", fsaverage.VERTICES, WHOLE, WHOLE)
    finer = Surface("fsaverage6", 40962, np.arange(40962), np.arange(40962))
    coarse = values[:, : fsaverage.VERTICES].ravel()
    one, two = picture(coarse, whole, kind="flatmap"), picture(values.ravel(), finer, kind="flatmap")
    assert np.allclose(one, two, atol=1e-5, equal_nan=True)


def test_another_surface_needs_its_flat_mesh() -> None:
    fs_lr = Surface("fsLR", 32492, np.arange(32492), np.arange(32492))
    with pytest.raises(
        UserError, match=r"no flat mesh of fsLR \(32492 vertices.*set view\.left and view\.right"
    ):
        VIEWS["flatmap"](fs_lr, spec(kind="flatmap"), "dataset 'x'")


def write_gifti(path: Path, coordinates: np.ndarray, faces: np.ndarray) -> None:
    arrays = [
        nibabel.gifti.GiftiDataArray(coordinates.astype(np.float32), "NIFTI_INTENT_POINTSET"),
        nibabel.gifti.GiftiDataArray(faces.astype(np.int32), "NIFTI_INTENT_TRIANGLE"),
    ]
    nibabel.GiftiImage(darrays=arrays).to_filename(path)


def test_a_given_flat_mesh_is_used(tmp_path: Path) -> None:
    x, y = (axis.ravel().astype(float) for axis in np.meshgrid(np.arange(41), np.arange(21)))
    corner = (np.arange(20)[:, None] * 41 + np.arange(40)).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 41], 1), np.stack([corner + 1, corner + 42, corner + 41], 1)]
    )
    for side in ("left", "right"):
        write_gifti(tmp_path / f"{side}.surf.gii", np.stack([x, y, 0 * x], 1), faces)
    surface = Surface("fsLR", len(x), np.arange(len(x)), np.arange(len(x)))
    about = spec(40, kind="flatmap", left="left.surf.gii", right="right.surf.gii") | {"root": str(tmp_path)}
    projection = VIEWS["flatmap"](surface, about, "dataset 'x'")
    values = np.concatenate([x, 100 + x])[None].astype(np.float32)
    series, _ = columns_of(Signal(values, surface), projection.weights)
    frame = lay_out(series, projection.layout)[0]
    assert np.allclose(frame[:20], np.arange(40)[None] + 0.5, atol=1e-3)
    assert np.allclose(frame[20:], np.arange(40)[None] + 100.5, atol=1e-3)
    wrong = Surface("fsLR", 32492, np.arange(32492), np.arange(32492))
    with pytest.raises(UserError, match="861 vertices, but the recordings' surface"):
        VIEWS["flatmap"](wrong, about, "dataset 'x'")


def test_a_mesh_that_is_not_flat_is_refused(tmp_path: Path) -> None:
    mesh = fsaverage.mesh("pial", "left")
    write_gifti(tmp_path / "pial.gii", mesh.coordinates, mesh.faces)
    about = spec(kind="flatmap", left="pial.gii", right="pial.gii") | {"root": str(tmp_path)}
    surface = Surface("fsLR", fsaverage.VERTICES, WHOLE, WHOLE)
    with pytest.raises(UserError, match="not flat"):
        VIEWS["flatmap"](surface, about, "dataset 'x'")


@pytest.mark.parametrize("kind", ["flatmap", "mosaic", "volume"])
def test_parcels_have_no_picture(kind: str) -> None:
    with pytest.raises(UserError, match="view roi"):
        VIEWS[kind](Parcels(9), spec(kind=kind), "dataset 'x'")
