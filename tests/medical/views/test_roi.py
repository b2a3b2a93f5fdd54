"""View roi: the parcels of nilearn's masker, the right way round, each a block or at its place."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tests.medical.conftest import Made
from tests.medical.views.signals import Signal, grid, places, spec, turned
from transferscale.errors import UserError
from transferscale.medical.layout import lay_out, table_order
from transferscale.medical.readers import found_of, open_reader
from transferscale.medical.recording import Grid, Parcels
from transferscale.medical.views import VIEWS
from transferscale.medical.views.flat_parcels import paint_flat
from transferscale.medical.views.parcels import read_atlas
from transferscale.medical.views.projecting import columns_of
from transferscale.tables import read_table

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = -18
SMALL = Grid((10, 10, 10), AFFINE, None)


def write_halves(path: Path, where: Grid = SMALL, name: str = "atlas.nii") -> None:
    """A label image of halves: 1 left, 2 right."""
    labels = np.where(places(where)[:, 0] < 0, 1, 2).astype(np.int16).reshape(where.shape, order="F")
    nibabel.Nifti1Image(labels, where.affine).to_filename(path / name)


def asked(folder: Path, **view: Any) -> dict[str, Any]:
    about = spec(kind="roi", **view)
    return about | {"root": str(folder), "recordings": {**about["recordings"], "atlas": "atlas.nii"}}


def parcels_of(values: np.ndarray, where: Grid, about: dict[str, Any]) -> np.ndarray:
    projection = VIEWS["roi"](where, about, "dataset 'x'")
    return columns_of(Signal(values.astype(np.float32), where), projection.weights)[0]


@pytest.mark.parametrize("image", [SMALL, turned(SMALL)])
@pytest.mark.parametrize("atlas", [SMALL, turned(SMALL)])
def test_the_right_side_stays_right_however_it_is_stored(tmp_path: Path, image: Grid, atlas: Grid) -> None:
    write_halves(tmp_path, atlas)
    course = np.sin(np.arange(30))[:, None]
    values = 100 + course * (places(image)[:, 0] > 0)
    series = parcels_of(values, image, asked(tmp_path))
    assert np.allclose(series[:, 0], 100)
    assert np.allclose(series[:, 1], 100 + course[:, 0], atol=1e-5)
    # And in the picture: left stands at the left.
    projection = VIEWS["roi"](image, asked(tmp_path), "x")
    assert lay_out(np.array([[1.0, 2.0]], dtype=np.float32), projection.layout)[0, 0, [0, 40]].tolist() == [
        1,
        2,
    ]


def test_parcels_are_those_of_nilearns_masker(demo: Made) -> None:
    from nilearn.maskers import NiftiLabelsMasker

    root = Path(demo.dataset.root)
    about = demo.grid.view_spec("demo")
    row = read_table(demo.recordings, "recordings").to_pylist()[7]
    signal = open_reader(about["recordings"], root, None).open(found_of(row))
    projection = VIEWS["roi"](signal.geometry, about, "x")
    masker = NiftiLabelsMasker(
        str(root / about["recordings"]["atlas"]), standardize=None, keep_masked_labels=False
    )
    expected = masker.fit_transform(str(root / row["path"]))
    assert np.allclose(columns_of(signal, projection.weights)[0], expected, rtol=1e-5)


def test_an_atlas_on_a_finer_grid_is_brought_to_the_images_grid(tmp_path: Path) -> None:
    fine = np.diag([2.0, 2.0, 2.0, 1.0])
    fine[:3, 3] = -19
    write_halves(tmp_path, Grid((20, 20, 20), fine, None))
    values = (places(SMALL)[:, 0] > 0)[None] * 3.0
    assert parcels_of(values, SMALL, asked(tmp_path)) == pytest.approx(np.array([[0.0, 3.0]]))


def test_voxels_outside_the_brain_mask_are_in_no_parcel(tmp_path: Path) -> None:
    write_halves(tmp_path)
    mask = places(SMALL)[:, 1] > 0
    masked = Grid(SMALL.shape, SMALL.affine, mask)
    assert parcels_of(np.where(mask, 2.0, 99.0)[None], masked, asked(tmp_path)) == pytest.approx(
        np.array([[2.0, 2.0]])
    )


def test_an_atlas_elsewhere_is_refused(tmp_path: Path) -> None:
    far = SMALL.affine.copy()
    far[:3, 3] += 500
    write_halves(tmp_path, Grid(SMALL.shape, far, None))
    with pytest.raises(UserError, match="in another space"):
        VIEWS["roi"](SMALL, asked(tmp_path), "x")


def test_a_probabilistic_atlas_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "atlas.nii.gz"
    nibabel.Nifti1Image(np.full((4, 4, 4), 0.3, dtype=np.float32), np.eye(4)).to_filename(path)
    with pytest.raises(UserError, match="whole numbers"):
        read_atlas(path)


def test_volumes_without_an_atlas_have_no_parcels() -> None:
    with pytest.raises(UserError, match=r"needs recordings\.atlas"):
        VIEWS["roi"](grid(), spec(kind="roi"), "dataset 'x'")


# -- order ---------------------------------------------

CENTRES = np.array([[-40.0, -60, 40], [-45, 20, 20], [40, -60, 40], [45, 20, 20], [-10, -90, 0]])


def test_parcels_without_places_stand_in_the_order_of_their_columns() -> None:
    projection = VIEWS["roi"](Parcels(9), spec(6, kind="roi"), "x")
    assert projection.layout[::2, ::2].tolist() == table_order(9)


def test_parcels_with_places_are_seen_from_above() -> None:
    layout = VIEWS["roi"](Parcels(4, CENTRES[:4]), spec(8, kind="roi"), "x").layout
    place = {p: np.argwhere(layout == p).mean(axis=0) for p in range(4)}
    assert max(place[0][1], place[1][1]) < min(place[2][1], place[3][1])
    assert max(place[1][0], place[3][0]) < min(place[0][0], place[2][0])


def test_the_table_can_be_kept_though_there_are_places() -> None:
    layout = VIEWS["roi"](Parcels(5, CENTRES), spec(9, kind="roi", order="table"), "x").layout
    assert layout[0, ::3].tolist() == [0, 1, 2]


@pytest.mark.parametrize("order", ["spatial", "flatmap"])
def test_an_order_by_place_needs_places(order: str) -> None:
    with pytest.raises(UserError, match=rf"view\.order '{order}' needs the parcels' places"):
        VIEWS["roi"](Parcels(5), spec(kind="roi", order=order), "x")


def test_parcels_are_painted_at_their_places_on_the_flat_maps() -> None:
    layout = paint_flat(CENTRES, 64, "x")
    place = {p: np.argwhere(layout == p).mean(axis=0) for p in range(5)}
    # The left map is above; on it the front is at the left, on the right one at the right.
    assert max(place[p][0] for p in (0, 1, 4)) < min(place[p][0] for p in (2, 3))
    assert place[1][1] < place[0][1] < place[4][1]
    assert place[2][1] < place[3][1]


def test_every_parcel_has_a_pixel_on_the_flat_maps() -> None:
    centres = np.random.default_rng(0).uniform([-60, -90, -30], [60, 60, 70], (300, 3))
    centres[:20] = [-30, 10, 50]  # twenty at one place
    layout = paint_flat(centres, 64, "x")
    assert np.array_equal(np.unique(layout), np.arange(-1, 300))


def test_more_parcels_than_pixels_are_refused() -> None:
    centres = np.random.default_rng(0).uniform([-60, -90, -30], [60, 60, 70], (300, 3))
    with pytest.raises(UserError, match=r"raise corpus\.clip\.size from 16"):
        paint_flat(centres, 16, "dataset 'x'")
