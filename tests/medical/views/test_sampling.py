"""Sampling of volumes: the mean over points, in millimetres, whichever way round a file is stored."""

import numpy as np
import pytest

from tests.medical.views.signals import grid, places, turned
from transferscale.medical.recording import Grid
from transferscale.medical.views import fsaverage
from transferscale.medical.views.sampling import Where, ball, cell, mean_over_points, within


def noise(where: Grid, millimetres: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    volume = np.random.default_rng(0).standard_normal(where.shape)
    return gaussian_filter(volume, millimetres / 3.0) if millimetres else volume


@pytest.mark.parametrize(("smooth_mm", "at_least"), [(0.0, 0.98), (3.0, 0.995)])
def test_vertices_take_what_nilearns_vol_to_surf_takes(smooth_mm: float, at_least: float) -> None:
    import nibabel
    from nilearn.surface import InMemoryMesh, vol_to_surf

    where, volume = grid(), noise(grid(), smooth_mm)
    middle, faces = fsaverage.middle("left"), fsaverage.mesh("pial", "left").faces
    image = nibabel.Nifti1Image(volume.astype(np.float32), where.affine)
    theirs = vol_to_surf(image, InMemoryMesh(middle, faces), kind="ball", radius=3.0, interpolation="linear")
    ours = mean_over_points(middle, ball(3.0), Where.of(where)) @ volume.ravel(order="F")
    assert np.corrcoef(ours, theirs)[0, 1] > at_least


def test_a_linear_field_is_read_exactly() -> None:
    where = grid()
    field = places(where) @ [1.0, 2.0, -0.5] + 7
    at = np.random.default_rng(0).uniform(-60, 60, (200, 3))
    weights = mean_over_points(at, cell((4.0, 4.0, 8.0), 2.0), Where.of(where))
    assert np.allclose(weights @ field, at @ [1.0, 2.0, -0.5] + 7, atol=1e-6)


def test_the_way_a_file_is_stored_does_not_matter() -> None:
    where = grid()
    volume = noise(where, 0.0)
    at = np.random.default_rng(1).uniform(-60, 60, (50, 3))
    one = mean_over_points(at, ball(3.0), Where.of(where)) @ volume.ravel(order="F")
    other = mean_over_points(at, ball(3.0), Where.of(turned(where))) @ volume[::-1].ravel(order="F")
    assert np.allclose(one, other, atol=1e-10)


def test_rows_sum_to_one_or_are_empty() -> None:
    far = np.array([[0.0, 0, 0], [500.0, 0, 0], [-97.0, 0, 0]])
    weights = mean_over_points(far, ball(3.0), Where.of(grid()))
    assert weights.sum(axis=1) == pytest.approx([1, 0, 1])


def test_voxels_outside_the_mask_have_no_part() -> None:
    where = grid()
    mask = places(where)[:, 0] > 0
    weights = within(
        mean_over_points(np.array([[1.0, 0, 0], [-30.0, 0, 0]]), ball(3.0), Where.of(where)), mask
    )
    assert weights.sum(axis=1) == pytest.approx([1, 0])
    assert weights @ np.where(mask, 5.0, 1e6) == pytest.approx([5, 0])


def test_a_single_slice_is_sampled_within_its_thickness() -> None:
    slab = Grid((20, 20, 1), np.diag([3.0, 3.0, 4.0, 1.0]), None)
    weights = mean_over_points(np.array([[30.0, 30, 1.9], [30.0, 30, 2.1]]), np.zeros((1, 3)), Where.of(slab))
    assert weights.sum(axis=1) == pytest.approx([1, 0])


def test_a_ball_is_even() -> None:
    points = ball(3.0)
    assert np.linalg.norm(points, axis=1).max() <= 3.3
    assert points.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    # The second moments of a full ball: r^2 / 5 along every axis.
    assert np.allclose(points.T @ points / len(points), 9 / 5 * np.eye(3), atol=0.25)
