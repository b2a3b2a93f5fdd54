"""Which clips, in which order, on which scale."""

from pathlib import Path

import numpy as np
import pytest

from tests.pretrain.moving_squares import row, write_corpus
from transferscale.clips.store import ClipStore, ClipWriter
from transferscale.errors import UserError
from transferscale.pretrain.counter import identify
from transferscale.pretrain.data import ClipStream, Moments, Subset, moments, subset
from transferscale.tables import read_table, write_table


@pytest.fixture
def stream(corpus: Path) -> ClipStream:
    store = ClipStore(corpus / "clips")
    clips = subset(store, corpus / "clips.parquet", "train")
    return ClipStream(store, clips, Moments(0.0, 1.0), seed=0, batch=8)


def seen(stream: ClipStream, first: int, last: int) -> list[int]:
    return [int(i) for step in range(first, last) for i in stream.at(step)[1].ids]


def test_held_out_and_dropped_clips_are_never_seen(corpus: Path, tmp_path: Path) -> None:
    rows = read_table(corpus / "clips.parquet", "clips").to_pylist()
    rows[4].update(dropped=True, reason="still")
    write_table(tmp_path / "clips.parquet", "clips", rows)
    store = ClipStore(corpus / "clips")
    train = subset(store, tmp_path / "clips.parquet", "train")
    held = subset(store, tmp_path / "clips.parquet", "heldout")
    allowed = {r["clip_id"] for r in rows if r["split"] == "train" and not r["dropped"]}
    assert set(train.ids) == set(identify(sorted(allowed)))
    assert len(train) == len(allowed) == 35
    assert not set(train.videos) & set(held.videos)


def test_every_pass_sees_every_clip_once_in_an_order_of_its_own(stream: ClipStream) -> None:
    count = len(stream.clips)  # 36 clips: the fifth batch of 8 straddles two passes
    ids = seen(stream, 0, 9)
    first, second = ids[:count], ids[count : 2 * count]
    assert sorted(first) == sorted(second) == sorted(map(int, stream.clips.ids))
    assert first != second


def test_a_stream_that_starts_later_goes_on_as_if_it_had_run(stream: ClipStream) -> None:
    later = ClipStream(stream.store, stream.clips, stream.scale, stream.seed, stream.batch, start=6)
    clip, draw = next(iter(later))
    expected, names = stream.at(6)
    assert np.array_equal(draw.ids, names.ids)
    assert np.array_equal(draw.visit, names.visit)
    assert bool((clip == expected).all())


def test_the_order_does_not_depend_on_the_order_of_the_index(
    corpus: Path, tmp_path: Path, stream: ClipStream
) -> None:
    table = read_table(corpus / "clips.parquet", "clips").to_pylist()
    write_table(tmp_path / "clips.parquet", "clips", table[::-1])
    clips = subset(stream.store, tmp_path / "clips.parquet", "train")
    assert seen(ClipStream(stream.store, clips, stream.scale, 0, 8), 0, 9) == seen(stream, 0, 9)


def test_about_half_of_the_clips_are_mirrored_and_nothing_else_is_done_to_them(stream: ClipStream) -> None:
    flipped = plain = 0
    for step in range(20):
        clips, draw = stream.at(step)
        where = {int(i): int(r) for i, r in zip(stream.clips.ids, stream.clips.rows, strict=True)}
        for clip, name in zip(clips.numpy(), draw.ids, strict=True):
            stored = stream.store.take(np.array([where[int(name)]]))[0].astype(np.float32)
            straight, mirrored = np.array_equal(clip, stored), np.array_equal(clip, stored[..., ::-1])
            assert straight or mirrored
            plain, flipped = plain + straight, flipped + (mirrored and not straight)
    assert 50 < flipped < 110
    assert plain + flipped == 160


def test_clips_come_at_zero_mean_and_unit_sd(corpus: Path) -> None:
    store = ClipStore(corpus / "clips")
    clips = subset(store, corpus / "clips.parquet", "train")
    scaled = moments(store, clips).scale(store.take(clips.rows))
    assert abs(scaled.mean().item()) < 1e-4
    assert abs(scaled.std().item() - 1) < 1e-3


def test_recordings_are_left_on_their_scale(tmp_path: Path) -> None:
    with ClipWriter(tmp_path, (2, 4, 4), "float32") as writer:
        writer.add(np.full((2, 4, 4), 3.0, np.float32))
    store = ClipStore(tmp_path)
    assert moments(store, Subset(np.array([0]), identify(["a"]), ["a"])) == Moments(0.0, 1.0)


def test_clips_of_one_grey_are_refused(tmp_path: Path) -> None:
    with ClipWriter(tmp_path, (2, 4, 4), "uint8") as writer:
        writer.add(np.full((2, 4, 4), 3, np.uint8))
    with pytest.raises(UserError, match="all pixels of the training clips are the same"):
        moments(ClipStore(tmp_path), Subset(np.array([0]), identify(["a"]), ["a"]))


@pytest.mark.parametrize(
    "place", [("shard-00000.npy", 10_000), ("shard-00009.npy", 0), ("shard-00000.npy", -1)]
)
def test_an_index_of_another_store_is_refused(tmp_path: Path, place: tuple[str, int]) -> None:
    folder = write_corpus(tmp_path, videos=4)
    write_table(folder / "clips.parquet", "clips", [row("v001", 0, *place, "train")])
    with pytest.raises(UserError, match="clip 'v001-0' is at row"):
        subset(ClipStore(folder / "clips"), folder / "clips.parquet", "train")
