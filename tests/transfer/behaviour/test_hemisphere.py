"""The left hemisphere's columns are told from how a view is laid out."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from transferscale.medical import layout as blocks
from transferscale.medical.views.flatmap import fsaverage_sheet
from transferscale.medical.views.mosaic import arrange as slices_of
from transferscale.medical.views.volume import arrange as cubes_of
from transferscale.transfer.behaviour.hemisphere import left_columns

BOX = ((-72.0, -108.0, -60.0), (72.0, 72.0, 84.0))


def view(kind: str, layout: np.ndarray, columns: int, **about: Any) -> Any:
    """What is read of a view."""
    return SimpleNamespace(
        contract={"view": kind, **about}, layout=layout, series=np.empty((0, columns), np.float32)
    )


@pytest.mark.parametrize("parcels", [4, 16, 25, 60])
def test_parcels_in_spatial_order_are_told_by_their_x(parcels: int) -> None:
    x = np.linspace(-50, 50, parcels)[np.random.default_rng(0).permutation(parcels)]
    centres = np.stack([x, np.zeros(parcels), np.arange(parcels)], axis=1)
    layout = blocks.paint(blocks.spatial_order(centres), 32, "here")
    left = left_columns(view("roi", layout, parcels, layout_rule=blocks.SPATIAL_RULE))
    assert left is not None
    # Nearly: columns of blocks are not all equally high.
    assert np.count_nonzero(x[left] > 0) <= parcels // 20
    assert left.sum() >= parcels * 0.3


def test_parcels_in_the_order_of_a_table_tell_nothing() -> None:
    layout = blocks.paint(blocks.table_order(9), 12, "here")
    assert left_columns(view("roi", layout, 9, layout_rule=blocks.TABLE_RULE)) is None


@pytest.mark.parametrize("size", [24, 64])
def test_the_left_flat_map_is_told_from_the_right_one(size: int) -> None:
    sheet = fsaverage_sheet(size)
    vertices = sheet.weights.shape[1] // 2
    truly = np.asarray(sheet.weights[:, [*range(vertices)]].sum(axis=1)).ravel() > 0.5
    found = left_columns(view("flatmap", sheet.layout, len(truly), layout_rule=sheet.about["rule"]))
    np.testing.assert_array_equal(found, truly)


def test_the_left_halves_of_slices_are_told_but_not_of_sagittal_ones() -> None:
    layout, places = slices_of(BOX, ("axial", "coronal"), (2, 2), 16, 32)
    x = np.concatenate(places)[:, 0]
    about = {"slices": {"axial": 2, "coronal": 2}}
    left = left_columns(view("mosaic", layout, len(x), layout_rule="slices", **about))
    np.testing.assert_array_equal(left, x < -1e-6)
    assert left_columns(view("mosaic", layout, len(x), layout_rule="", slices={"sagittal": 4})) is None


def test_voxels_of_the_left_half_of_the_box_are_told() -> None:
    patch, counts = (4, 4, 4), (4, 2, 2)
    layout = cubes_of(patch, counts, 8, 32)
    columns = 16 * 64
    left = left_columns(
        view("volume", layout, columns, layout_rule="tokens", patch_voxels=list(patch), patches=list(counts))
    )
    assert left is not None
    along_x = left.reshape(2, 2, 4, 4, 4, 4)  # tokens along z, y, x, then voxels along z, y, x
    assert along_x[:, :, :2].all()
    assert not along_x[:, :, 2:].any()
