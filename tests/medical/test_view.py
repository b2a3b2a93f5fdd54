"""The folder of a view: lossless, the same whatever the threads and chunks, each recording prepared once."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.medical.conftest import SERIES, Made, SmallSeries, made
from transferscale.errors import UserError
from transferscale.medical import layout as roi
from transferscale.medical.chunks import chunk_of
from transferscale.medical.leaks import audit_view
from transferscale.medical.prepared import Preparer
from transferscale.medical.reading import Splits, View
from transferscale.medical.split import split
from transferscale.medical.view import build, build_part
from transferscale.tables import read_table, write_table
from transferscale.transfer.task import cells, load_task

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
        "moments.npy",
        "windows.parquet",
        "shard-00000.npy",
        "shard-00047.npy",
    ):
        assert (again.view / name).read_bytes() == (demo.view / name).read_bytes(), name


def test_the_contract_is_written_down(demo: Made) -> None:
    contract = json.loads((demo.view / "view.json").read_text())
    assert contract["shape"] == [16, 32, 32]
    assert contract["parcels"] == 64
    assert contract["tr_s"] == [2.0]
    assert contract["orientation"].startswith("RAS")
    assert contract["stored_orientation"] == ["RAS"]
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


# -- recordings that break after the index ---------------------------------------------------


def freeze(it: Made, *names: str) -> None:
    """Make recordings constant that the index read when they were not."""
    for name in names:
        path = Path(it.dataset.root) / "series" / f"{name}.npy"
        np.save(path, np.ones_like(np.load(path)))


def test_a_recording_that_breaks_after_the_index_is_quarantined(demo: Made, tmp_path: Path) -> None:
    root = tmp_path / "bids"
    name = "sub-01/func/sub-01_task-blocks_space-MNI152_desc-preproc_bold.nii.gz"
    for source in sorted(Path(demo.dataset.root).rglob("*")):
        if source.is_file():
            (root / source.relative_to(demo.dataset.root)).parent.mkdir(parents=True, exist_ok=True)
            (root / source.relative_to(demo.dataset.root)).symlink_to(source)
    it = made({**demo.dataset.model_dump(), "root": str(root)}, tmp_path).index()
    content = bytearray((root / name).read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    (root / name).unlink()
    (root / name).write_bytes(bytes(content))
    it.build()
    (bad,) = read_table(it.view / "quarantine.parquet", "recordings").to_pylist()
    assert (bad["path"], bad["status"]) == (name, "quarantined")
    assert "cannot be read to its end" in bad["reason"]
    assert "sub-01" not in View(it.view).subjects


def test_splits_and_labels_are_of_the_recordings_in_the_view(small_series: SmallSeries, capsys) -> None:
    it = small_series().index()
    freeze(it, "sub-00")
    it.build()
    assert "left out of the view" in capsys.readouterr().err
    view = View(it.view)
    kept = it.view / "recordings.parquet"
    split(it.grid.split_spec("small"), kept, it.splits)
    audit_view(it.splits, kept, it.view, it.folder / "audit.json")
    for task in Splits(it.splits).tasks:
        assert (
            Splits(it.splits).task_subjects(task) == view.subjects == [f"sub-{i:02d}" for i in range(1, 12)]
        )
        spec = it.dataset.tasks[task].spec()
        loaded = load_task(task, spec, kept, view)
        assert (
            len(list(cells(loaded, {"n_labels": "all", "draws": 1, "fold": -1}, Splits(it.splits), view))) > 0
        )


def test_the_index_and_the_view_together_are_held_to_the_share(small_series: SmallSeries) -> None:
    it = small_series(max_quarantined=0.2)
    (Path(it.dataset.root) / "series" / "sub-00.npy").write_bytes(b"no array")
    it.index()
    spec = it.grid.view_spec("small")
    freeze(it, "sub-01")
    build(spec, it.recordings, it.view, 1, it.quarantine)  # 2 of 12
    freeze(it, "sub-02")
    with pytest.raises(
        UserError,
        match=r"3 of 12 recordings.*max_quarantined 0.2.*2 only when read.*sub-01.npy: every parcel is",
    ):
        build(spec, it.recordings, it.view, 1, it.quarantine)
    # The folder stays as it was.
    assert "sub-02" in View(it.view).subjects
    freeze(it, *(f"sub-{i:02d}" for i in range(1, 12)))
    with pytest.raises(UserError, match=r"no recording can be read to its end; the first, .*sub-01.npy"):
        build(spec, it.recordings, it.view, 1, it.quarantine)


# -- prepared once ---------------------------------------------


def inodes(it: Made) -> dict[str, int]:
    """Shard -> its file on the disk."""
    return {path.name: path.stat().st_ino for path in it.view.glob("shard-*.npy")}


def test_clips_lie_on_the_disk_once(small_series: SmallSeries) -> None:
    it = small_series().index().build()
    kept = {path.stat().st_ino for path in (it.folder / ".prepared").rglob("clips.npy")}
    assert set(inodes(it).values()) == kept
    assert len(kept) == 12


def test_adding_a_subject_prepares_it_alone(small_series: SmallSeries) -> None:
    it = small_series().index().build()
    before = inodes(it)
    root = Path(it.dataset.root)
    np.save(root / "series" / "sub-00a.npy", np.random.default_rng(9).standard_normal((40, 9)))
    with (root / "participants.tsv").open("a") as table:
        table.write("sub-00a\ta\t50\ts0\tf99\n")
    it.index().build()
    after = inodes(it)
    assert len(after) == 13
    assert after["shard-00000.npy"] == before["shard-00000.npy"]
    assert [after[f"shard-{k + 1:05d}.npy"] for k in range(1, 12)] == [
        before[f"shard-{k:05d}.npy"] for k in range(1, 12)
    ]


def test_a_file_that_changed_is_prepared_again_and_the_old_one_is_forgotten(
    small_series: SmallSeries,
) -> None:
    it = small_series().index().build()
    before, old = inodes(it), View(it.view).clips()
    path = Path(it.dataset.root) / "series" / "sub-05.npy"
    np.save(path, -np.load(path))
    it.index().build()
    after, new = inodes(it), View(it.view).clips()
    assert [name for name in before if before[name] != after[name]] == ["shard-00005.npy"]
    assert np.array_equal(new[10:12], -old[10:12])
    assert len(list((it.folder / ".prepared" / "roi").iterdir())) == 12


def test_two_names_of_one_file_are_prepared_once(small_series: SmallSeries) -> None:
    it = small_series(
        subjects=40, recordings={"kind": "series", "path_column": "file", "tr_s": 2.0}, max_quarantined=0
    )
    table = Path(it.dataset.root) / "participants.tsv"
    header, *lines = table.read_text().splitlines()
    # The first alone, then all others at once.
    files = ["series/sub-01.npy", *["series/sub-00.npy"] * 39]
    own = [f"{line}\t{file}" for line, file in zip(lines, files, strict=True)]
    table.write_text("\n".join([f"{header}\tfile", *own]) + "\n")
    it.index().build(threads=8)
    assert len(set(inodes(it).values())) == 2
    assert len(View(it.view).subjects) == 40


def test_an_entry_of_the_store_that_is_damaged_is_prepared_again(small_series: SmallSeries) -> None:
    it = small_series().index().build()
    old = View(it.view).clips()
    for entry in (it.folder / ".prepared" / "roi").iterdir():
        os.truncate(entry / "series.npy", 200)
        break
    it.build()
    assert np.array_equal(View(it.view).clips(), old)
    assert len(View(it.view).series) == 12 * 40


def test_leftovers_of_killed_jobs_are_removed(small_series: SmallSeries) -> None:
    it = small_series().index().build()
    left = it.folder / ".prepared" / "roi" / ".0123.4.tmp"
    left.mkdir()
    os.utime(left, (0, 0))
    it.build()
    assert not left.exists()


def test_the_store_knows_every_file_that_a_recording_is_made_from(tmp_path: Path) -> None:
    recordings = {"kind": "nifti", "pattern": "{subject}_bold.nii.gz", "atlas": "atlas.nii.gz", "tr_s": 2.0}
    files = {"image": "a_bold.nii.gz", "mask": "a_mask.nii.gz", "confounds": "a_confounds.tsv"}
    for name in (*files.values(), recordings["atlas"]):
        (tmp_path / str(name)).touch()
    it = made({**SERIES, "recordings": recordings, "root": str(tmp_path)}, tmp_path)
    row = {"path": "a_bold.nii.gz", "part": None, "stretch": None, "n_volumes": 9, "tr_s": 2.0, "space": ""}
    row["files"] = json.dumps(files)

    def place() -> Path:
        return Preparer(it.grid.view_spec("small"), tmp_path / "store").folder(row)

    seen = {place()}
    assert place() in seen
    for name in (*files.values(), recordings["atlas"], "a_confounds.json"):
        (tmp_path / str(name)).write_text("changed")
        assert place() not in seen, name
        seen.add(place())


def test_another_option_prepares_all_again(small_series: SmallSeries) -> None:
    it = small_series().index().build()
    spec = it.grid.view_spec("small")
    build({**spec, "clean": {**spec["clean"], "standardize": False}}, it.recordings, it.view, 1)
    assert View(it.view).contract["units"] == "as recorded"
    assert np.std(View(it.view).runs()[0][1], ddof=1) != pytest.approx(1, abs=1e-6)


def test_chunks_prepare_everything_and_change_nothing(small_series: SmallSeries, tmp_path: Path) -> None:
    it = small_series(chunks=3).index()
    names = it.grid.view_parts("small")
    assert names == [f"medical/small/.prepared/roi-{chunk}.json" for chunk in range(3)]
    whole, scattered = tmp_path / "whole" / "roi", tmp_path / "scattered" / "roi"
    build(it.grid.view_spec("small"), it.recordings, whole, 1)
    share = []
    for chunk in range(3):
        part = scattered.parent / ".prepared" / f"roi-{chunk}.json"
        build_part(it.grid.part_spec("small", chunk), it.recordings, part, 1)
        share.append(set(json.loads(part.read_text())))
    assert sum(map(len, share)) == len(set.union(*share)) == 12
    prepared = {path: path.stat().st_mtime_ns for path in (scattered.parent / ".prepared").rglob("clips.npy")}
    build(it.grid.view_spec("small"), it.recordings, scattered, 1)
    assert all(path.stat().st_mtime_ns == when for path, when in prepared.items())
    files = sorted(path.name for path in whole.iterdir())
    assert files == sorted(path.name for path in scattered.iterdir())
    for name in files:
        assert (whole / name).read_bytes() == (scattered / name).read_bytes(), name


def test_a_subject_keeps_its_chunk_when_others_come() -> None:
    chunks = {f"sub-{k:03d}": chunk_of(f"sub-{k:03d}", 8) for k in range(400)}
    sizes = np.bincount(list(chunks.values()), minlength=8)
    assert sizes.min() > 25
    assert chunk_of("sub-007", 8) == chunks["sub-007"]


def test_moments_are_the_means_as_recorded_and_the_deviations(small_series: SmallSeries) -> None:
    it = small_series().index().build()
    view = View(it.view)
    recorded = np.load(Path(it.dataset.root) / "series" / "sub-02.npy")
    mean, deviation = view.moments[2]
    assert mean == pytest.approx(recorded.mean(axis=0), abs=1e-5)
    assert np.allclose(view.runs()[2][1] * deviation + mean, recorded, atol=1e-5)


# -- pictures ---------------------------------------------


@pytest.fixture(scope="module", params=["mosaic", "flatmap", "volume"])
def pictures(demo: Made, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Made:
    """The first people of the demo as pictures."""
    folder = tmp_path_factory.mktemp(request.param)
    table = read_table(demo.recordings, "recordings").slice(0, 6)
    it = made({**demo.dataset.model_dump(), "view": request.param}, folder)
    write_table(it.recordings, "recordings", table.to_pylist())
    return it.build()


def test_pictures_are_the_cleaned_columns_on_their_pixels(pictures: Made) -> None:
    view = View(pictures.view)
    clips, windows = view.clips(), view.series_windows()
    assert clips.shape == (30, 16, 32, 32)
    shown = view.layout >= 0
    assert np.array_equal(clips[:, :, shown], windows[:, :, view.layout[shown]])
    assert np.all(clips[:, :, ~shown] == 0)
    assert clips[:, :, shown].std() > 0.3


def test_what_was_planted_is_seen_in_every_picture(demo: Made, pictures: Made) -> None:
    """Pixels and parcels follow the same course: the mean over the brain, subject by subject."""
    view, parcels = View(pictures.view), View(demo.view)
    for (_, picture), (_, series) in zip(view.runs(), parcels.runs()[:6], strict=True):
        assert np.corrcoef(picture.mean(axis=1), series.mean(axis=1))[0, 1] > 0.6


def test_regions_are_means_over_tokens(pictures: Made) -> None:
    view = View(pictures.view)
    side = view.contract["token"]
    regions = view.regions(view.series_windows())
    clips = view.clips()
    blocks = clips.reshape(30, 16, 32 // side, side, 32 // side, side).swapaxes(3, 4)
    shown = (view.layout >= 0).reshape(32 // side, side, 32 // side, side).swapaxes(1, 2)
    wanted = [
        blocks[:, :, r, c][:, :, shown[r, c]].mean(axis=2)
        for r in range(32 // side)
        for c in range(32 // side)
        if shown[r, c].any()
    ]
    assert np.allclose(regions, np.stack(wanted, axis=2), atol=1e-5)


def test_parcels_are_their_own_regions(demo: Made) -> None:
    windows = View(demo.view).series_windows()
    assert np.array_equal(View(demo.view).regions(windows), windows)
