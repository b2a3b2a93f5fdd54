"""The view: lossless, the right way round, the same numbers as nilearn's own masker and cleaning."""

import itertools
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.medical.conftest import Made, SmallSeries, made
from transferscale.errors import UserError
from transferscale.medical import layout as roi
from transferscale.medical import nifti
from transferscale.medical.cleaning import clean_run
from transferscale.medical.reading import View
from transferscale.medical.windows import window_starts
from transferscale.tables import read_table

PLAIN = {"detrend": False, "high_pass_hz": None, "standardize": False}

# -- layout ---------------------------------------------


@given(st.integers(1, 200), st.integers(1, 40))
def test_every_parcel_gets_a_block_of_its_own_or_the_size_is_refused(parcels: int, size: int) -> None:
    g = int(np.ceil(np.sqrt(parcels)))
    if size < g:
        with pytest.raises(UserError, match=r"raise corpus.clip.size"):
            roi.paint(roi.table_order(parcels), size, "dataset 'x'")
        return
    layout = roi.paint(roi.table_order(parcels), size, "dataset 'x'")
    assert layout.shape == (size, size)
    assert np.array_equal(np.unique(layout[layout >= 0]), np.arange(parcels))
    assert set(np.bincount(layout[layout >= 0])) == {(size // g) ** 2}


@given(hnp.arrays(np.float32, (5, 23), elements=st.floats(-9, 9, width=32)))
def test_painting_loses_nothing(series: np.ndarray) -> None:
    layout = roi.paint(roi.table_order(23), 32, "dataset 'x'")
    clip = roi.lay_out(series, layout)
    for parcel in range(23):
        block = clip[:, layout == parcel]
        assert np.array_equal(block, np.repeat(series[:, [parcel]], block.shape[1], axis=1))
    assert np.all(clip[:, layout == -1] == 0)


@given(st.integers(1, 150), st.integers(0, 99))
def test_the_spatial_order_holds_every_parcel_once_left_to_right(parcels: int, seed: int) -> None:
    centroids = np.random.default_rng(seed).uniform(-70, 70, (parcels, 3))
    order = roi.spatial_order(centroids)
    assert sorted(p for row in order for p in row) == list(range(parcels))
    for row in order:
        assert list(centroids[row, 0]) == sorted(centroids[row, 0])
    for above, below in itertools.pairwise(order):
        assert np.all(centroids[above[: len(below)], 1] >= centroids[below, 1])


# -- windows ---------------------------------------------


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 20), st.integers(1, 50), st.integers(1, 9))
def test_windows_lie_inside_the_recording(
    total: int, volumes: int, start: int, step: int, count: int
) -> None:
    starts = window_starts(total, {"volumes": volumes, "start": start, "step": step, "count": count})
    assert starts == [start + k * step for k in range(len(starts))]
    assert len(starts) <= count
    assert all(s + volumes <= total for s in starts)
    assert len(starts) == count or start + len(starts) * step + volumes > total


def test_windows_do_not_overlap_by_default() -> None:
    assert window_starts(52, {"volumes": 16, "start": 4, "step": None, "count": None}) == [4, 20, 36]


# -- cleaning ---------------------------------------------


def test_cleaning_without_a_filter_is_nilearns_z_score() -> None:
    from nilearn.signal import clean

    series = np.random.default_rng(0).normal(5, 3, (60, 7))
    expected = clean(series, detrend=False, filter=False, standardize="zscore_sample")
    assert np.allclose(clean_run(series, {**PLAIN, "standardize": True}, 2.0), expected, atol=1e-6)


def test_a_slow_wave_is_removed_and_a_fast_one_is_kept() -> None:
    t = 2.0 * np.arange(150)
    slow, fast = np.cos(2 * np.pi * t / 200), np.cos(2 * np.pi * t / 30)
    cleaned = clean_run(
        np.stack([slow + fast + 0.01 * t, fast], axis=1),
        {**PLAIN, "detrend": True, "high_pass_hz": 0.01},
        2.0,
    )
    assert np.corrcoef(cleaned[:, 0], fast)[0, 1] > 0.98
    assert np.corrcoef(cleaned[:, 1], fast)[0, 1] > 0.99
    assert abs(cleaned.mean()) < 1e-3


@pytest.mark.parametrize(
    "clean",
    [PLAIN, {**PLAIN, "standardize": True}, {"detrend": True, "high_pass_hz": 0.01, "standardize": True}],
)
def test_a_constant_parcel_becomes_zero(clean: dict[str, Any]) -> None:
    series = np.random.default_rng(0).standard_normal((80, 3))
    series[:, 1] = 1000.1
    cleaned = clean_run(series, clean, 2.0)
    assert np.all(cleaned[:, 1] == 0)
    assert cleaned[:, [0, 2]].std() > 0.5


# -- images ---------------------------------------------


def flipped(image: nibabel.Nifti1Image) -> nibabel.Nifti1Image:
    """The same image stored from right to left (LAS instead of RAS)."""
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = image.shape[0] - 1
    return nibabel.Nifti1Image(np.asarray(image.dataobj)[::-1].copy(), image.affine @ mirror)


@pytest.fixture
def phantom(tmp_path: Path) -> dict[str, Any]:
    """A head whose right half alone moves, and a label image of halves: 1 left, 2 right."""
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = [-18, -18, -18]
    labels = np.ones((10, 10, 10), dtype=np.int16)
    labels[5:] = 2  # x > 0: right
    volumes = np.full((10, 10, 10, 30), 100.0, dtype=np.float32)
    volumes[5:] += np.sin(np.arange(30))
    return {
        "image": nibabel.Nifti1Image(volumes, affine),
        "atlas": nibabel.Nifti1Image(labels, affine),
        "folder": tmp_path,
    }


@pytest.mark.parametrize("image_flipped", [False, True])
@pytest.mark.parametrize("atlas_flipped", [False, True])
def test_the_right_side_stays_right_however_it_is_stored(
    phantom: dict[str, Any], image_flipped: bool, atlas_flipped: bool
) -> None:
    image = flipped(phantom["image"]) if image_flipped else phantom["image"]
    atlas = flipped(phantom["atlas"]) if atlas_flipped else phantom["atlas"]
    image.to_filename(phantom["folder"] / "image.nii.gz")
    atlas.to_filename(phantom["folder"] / "atlas.nii.gz")
    assert nifti.read_header(phantom["folder"] / "image.nii.gz").orientation == (
        "LAS" if image_flipped else "RAS"
    )
    read = nifti.read_atlas(phantom["folder"] / "atlas.nii.gz")
    series, _ = nifti.read_parcels(phantom["folder"] / "image.nii.gz", read)
    assert np.allclose(series[:, 0], 100)
    assert np.allclose(series[:, 1], 100 + np.sin(np.arange(30)), atol=1e-5)
    assert read.centroids[0, 0] < 0 < read.centroids[1, 0]
    # And in the picture: left stands at the left.
    assert roi.spatial_order(read.centroids) == [[0, 1]]


def test_parcels_are_those_of_nilearns_masker(demo: Made) -> None:
    from nilearn.maskers import NiftiLabelsMasker

    root = Path(demo.dataset.root)
    atlas = nifti.read_atlas(root / "atlas-blocks_dseg.nii.gz")
    path = root / "sub-07/func/sub-07_task-blocks_space-MNI152_desc-preproc_bold.nii.gz"
    expected = NiftiLabelsMasker(atlas.path, standardize=None, keep_masked_labels=False).fit_transform(
        str(path)
    )
    series, left_out = nifti.read_parcels(path, atlas)
    assert left_out == 0
    assert np.allclose(series, expected, rtol=1e-5)


def test_an_atlas_on_a_finer_grid_is_brought_to_the_images_grid(phantom: dict[str, Any]) -> None:
    fine = np.asarray(phantom["atlas"].dataobj).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = [-19, -19, -19]
    nibabel.Nifti1Image(fine, affine).to_filename(phantom["folder"] / "atlas.nii.gz")
    phantom["image"].to_filename(phantom["folder"] / "image.nii.gz")
    atlas = nifti.read_atlas(phantom["folder"] / "atlas.nii.gz")
    series, _ = nifti.read_parcels(phantom["folder"] / "image.nii.gz", atlas)
    assert np.allclose(series[:, 1], 100 + np.sin(np.arange(30)), atol=1e-5)


def test_an_atlas_elsewhere_is_refused(phantom: dict[str, Any]) -> None:
    far = phantom["atlas"].affine.copy()
    far[:3, 3] += 500
    nibabel.Nifti1Image(np.asarray(phantom["atlas"].dataobj), far).to_filename(
        phantom["folder"] / "atlas.nii.gz"
    )
    phantom["image"].to_filename(phantom["folder"] / "image.nii.gz")
    atlas = nifti.read_atlas(phantom["folder"] / "atlas.nii.gz")
    with pytest.raises(UserError, match="in another space"):
        nifti.read_parcels(phantom["folder"] / "image.nii.gz", atlas)


def test_a_probabilistic_atlas_is_refused(phantom: dict[str, Any]) -> None:
    path = phantom["folder"] / "atlas.nii.gz"
    nibabel.Nifti1Image(np.full((4, 4, 4), 0.3, dtype=np.float32), np.eye(4)).to_filename(path)
    with pytest.raises(UserError, match="whole numbers"):
        nifti.read_atlas(path)


def test_a_voxel_that_is_not_finite_is_left_out_and_counted() -> None:
    volumes = np.ones((2, 2, 1, 5))
    volumes[0, 0, 0, 3] = np.nan
    volumes[0, 1, 0] = 3.0
    labels = np.array([[[1], [1]], [[2], [0]]], dtype=np.int32)
    series, left_out = nifti.parcel_means(volumes, labels, np.array([1, 2, 9], dtype=np.int32))
    assert left_out == 1
    assert np.array_equal(series, np.tile([3.0, 1.0, 0.0], (5, 1)))


# -- the folder ---------------------------------------------


def test_the_demo_is_laid_out_losslessly(demo: Made) -> None:
    view = View(demo.view)
    assert len(view.subjects) == 48
    assert len(view) == 48 * 5
    clips, windows = view.clips(), view.series_windows()
    assert clips.shape == (240, 16, 32, 32)
    assert windows.shape == (240, 16, 64)
    assert np.array_equal(view.layout, view.layout[::4, ::4].repeat(4, 0).repeat(4, 1))
    cells = clips[:, :, ::4, ::4].reshape(240, 16, 64)
    assert np.array_equal(cells[:, :, np.argsort(view.layout[::4, ::4].ravel())], windows)
    # The label image is numbered in the order of the layout, so the grid reads 0, 1, 2 ...
    assert np.array_equal(view.layout[::4, ::4].ravel(), np.arange(64))


def test_windows_are_in_order_and_point_to_their_clips(demo: Made) -> None:
    view = View(demo.view)
    table = read_table(demo.view / "windows.parquet", "windows").to_pylist()
    assert [row["window_id"] for row in table] == list(range(len(view)))
    assert [(row["subject"], row["window"]) for row in table] == sorted(
        (row["subject"], row["window"]) for row in table
    )
    assert np.array_equal(
        view.store.rows(view.windows["shard"], view.windows["offset"]), np.arange(len(view))
    )
    assert [view.subjects[i] for i in view.window_subject] == view.windows["subject"]
    assert list(view.window_number[:5]) == list(range(5))


def test_runs_are_whole_and_windows_are_cut_from_them(demo: Made) -> None:
    view = View(demo.view)
    runs = view.runs()
    assert [subject for subject, _ in runs] == list(range(48))
    windows = view.series_windows()
    for k, (subject, start) in enumerate(zip(view.window_subject, view.windows["start"], strict=True)):
        assert np.array_equal(windows[k], runs[subject][1][start : start + 16])
    series = np.concatenate([run for _, run in runs])
    assert series.shape == (48 * 84, 64)
    assert runs[0][1].mean(axis=0) == pytest.approx(np.zeros(64), abs=1e-5)
    assert runs[0][1].std(axis=0, ddof=1) == pytest.approx(np.ones(64), abs=1e-3)


def test_rows_can_be_read_in_any_order(demo: Made) -> None:
    view = View(demo.view)
    rows = np.array([200, 2, 2, 17])
    assert np.array_equal(view.clips(rows), view.clips()[rows])


def test_the_result_does_not_depend_on_threads(demo: Made, tmp_path: Path) -> None:
    again = Made(demo.dataset, demo.grid, tmp_path)
    again.index().build(threads=1)
    for name in (
        "series.npy",
        "layout.npy",
        "store.json",
        "series.json",
        "view.json",
        "windows.parquet",
        "shard-00000.npy",
    ):
        assert (again.view / name).read_bytes() == (demo.view / name).read_bytes(), name


def test_the_contract_is_written_down(demo: Made) -> None:
    contract = json.loads((demo.view / "view.json").read_text())
    assert contract["shape"] == [16, 32, 32]
    assert contract["parcels"] == 64
    assert contract["tr_s"] == [2.0]
    assert contract["orientation"] == ["RAS"]
    assert "standard deviations" in contract["units"]


def test_constant_parcels_are_zero_and_listed(small_series: SmallSeries) -> None:
    it = small_series()
    path = Path(it.dataset.root) / "series" / "sub-03.npy"
    data = np.load(path)
    data[:, 4] = 0
    np.save(path, data)
    view = View(it.index().build().view)
    assert [entry["constant_parcels"] for entry in view.recordings] == [
        [4] if i == 3 else [] for i in range(12)
    ]
    assert np.all(view.runs()[3][1][:, 4] == 0)
    assert view.clips(np.array([6])).std() > 0


def test_a_clip_too_small_for_the_parcels_is_refused(small_series: SmallSeries) -> None:
    with pytest.raises(
        UserError, match=r"dataset 'small': 30 parcels need 6 x 6 pixels; raise corpus.clip.size from 5"
    ):
        small_series(parcels=30, size=5).index().build()


def test_a_recording_that_breaks_after_the_index_stops_the_view(demo: Made, tmp_path: Path) -> None:
    root = tmp_path / "bids"
    name = "sub-01/func/sub-01_task-blocks_space-MNI152_desc-preproc_bold.nii.gz"
    for source in sorted(Path(demo.dataset.root).rglob("*")):
        if source.is_file():
            (root / source.relative_to(demo.dataset.root)).parent.mkdir(parents=True, exist_ok=True)
            (root / source.relative_to(demo.dataset.root)).symlink_to(source)
    content = bytearray((root / name).read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    (root / name).unlink()
    (root / name).write_bytes(bytes(content))
    it = made({**demo.dataset.model_dump(), "root": str(root)}, tmp_path)
    it.index()  # the end of the file says that it is whole
    with pytest.raises(UserError, match=r"sub-01_task.*cannot be read to its end.*quarantined"):
        it.build()
    assert not it.view.exists()


def test_a_cut_off_that_would_leave_nothing_is_refused() -> None:
    series = np.random.default_rng(0).normal(size=(60, 3))
    clean = {"detrend": False, "high_pass_hz": 0.2, "standardize": True}
    with pytest.raises(UserError, match=r"key 'clean\.high_pass_hz' is 0\.2 Hz"):
        clean_run(series, clean, tr_s=2.0)
