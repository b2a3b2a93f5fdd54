"""Clips: where they lie, which side they are on, and that nothing goes missing."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.clips.store import ClipStore
from transferscale.corpus.clipping import cut, place_clips, split, uniform
from transferscale.corpus.manifest import index
from transferscale.corpus.motion import film
from transferscale.corpus.photographs import photograph
from transferscale.corpus.reading import square
from transferscale.corpus.synth import encode
from transferscale.errors import UserError
from transferscale.tables import read_table, write_table

SPEC: dict[str, Any] = {
    "clip": {"frames": 4, "size": 16, "stride": 3},
    "clips_per_video": 3,
    "heldout": 0.3,
    "min_motion": 0.0,
    "seed": 0,
}

shots = st.lists(st.integers(1, 60), min_size=1, max_size=6).map(
    lambda lengths: [(int(sum(lengths[:i])), int(sum(lengths[: i + 1]))) for i in range(len(lengths))]
)


@settings(max_examples=200, deadline=None)
@given(shots=shots, frames=st.integers(1, 16), stride=st.integers(1, 4), most=st.integers(1, 6))
def test_clips_lie_inside_one_shot_in_order_and_no_more_than_asked_for(
    shots: list[tuple[int, int]], frames: int, stride: int, most: int
) -> None:
    places = place_clips(shots, frames, stride, most)
    span = (frames - 1) * stride + 1
    assert len(places) <= most
    for shot, start in places:
        assert shots[shot][0] <= start <= start + span <= shots[shot][1]
    starts = [start for _, start in places]
    assert all(b > a for a, b in pairwise(starts))
    assert bool(places) == any(end - first >= span for first, end in shots)


def test_clips_are_spread_from_the_first_place_to_the_last() -> None:
    assert place_clips([(0, 48)], frames=16, stride=2, most=4) == [(0, 0), (0, 8), (0, 17)]
    assert place_clips([(0, 131)], frames=16, stride=2, most=3) == [(0, 0), (0, 50), (0, 100)]
    assert place_clips([(0, 10), (10, 41), (41, 60)], frames=16, stride=2, most=3) == [(1, 10)]


videos = st.sets(st.integers(0, 10**6).map(str), min_size=2, max_size=40)


@settings(max_examples=100, deadline=None)
@given(videos=videos, heldout=st.floats(0.01, 0.99), seed=st.integers(0, 5))
def test_both_sides_have_a_video(videos: set[str], heldout: float, seed: int) -> None:
    assert set(split(videos, heldout, seed, {}).values()) == {"train", "heldout"}


@settings(max_examples=50, deadline=None)
@given(videos=videos, more=videos)
def test_adding_videos_moves_none(videos: set[str], more: set[str]) -> None:
    # Two anchors, one on each side by their hash, so that no video had to be moved.
    low = next(str(i) for i in range(1000) if uniform(f"0:{i}") < 0.3)
    high = next(str(i) for i in range(1000) if uniform(f"0:{i}") > 0.7)
    before, after = (split(names | {low, high}, 0.5, 0, {}) for names in (videos, videos | more))
    assert before.items() <= after.items()


def test_the_share_held_out_is_near_what_was_asked_for() -> None:
    sides = list(split({str(i) for i in range(5000)}, 0.1, 7, {}).values())
    assert sides.count("heldout") / 5000 == pytest.approx(0.1, abs=0.02)


@settings(max_examples=50, deadline=None)
@given(videos=videos, heldout=st.floats(0.01, 0.99), which=st.integers(1, 3))
def test_a_side_that_the_source_fixes_holds(videos: set[str], heldout: float, which: int) -> None:
    fixed = {video: ("train", "heldout")[int(video) % 2] for video in sorted(videos)[::which]}
    sides = split(videos, heldout, 0, fixed)
    assert fixed.items() <= sides.items()
    assert sides.keys() == videos
    assert len(fixed) == len(videos) or set(sides.values()) == {"train", "heldout"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three films, one of two scenes, one too short, one that does not move; and their manifest."""
    root = tmp_path_factory.mktemp("corpus")
    (root / "v").mkdir()
    (root / "v" / "films").mkdir()
    for number in range(3):
        encode(film(4, number, 30, 8, 32), 8, root / "v" / "films" / f"film{number}.mp4")
    one, two = (np.repeat(photograph(which)[None, 40:104, 40:104], 14, axis=0) for which in (1, 3))
    encode(np.concatenate([255 - one, two // 4]), 8, root / "v" / "scenes.mp4")
    encode(film(4, 9, 6, 8, 32), 8, root / "v" / "short.mp4")
    index(
        {
            "sources": [{"kind": "folder", "path": str(root / "v"), "labels": "folder"}],
            "max_quarantined": 0.0,
        },
        None,
        root / "manifest.parquet",
        2,
    )
    cut(SPEC, root / "manifest.parquet", root / "clips", root / "clips.parquet", 2)
    return root


def test_every_good_video_has_a_row(corpus: Path) -> None:
    manifest = {
        r["video_id"]: Path(r["uri"]).stem
        for r in read_table(corpus / "manifest.parquet", "manifest").to_pylist()
    }
    rows = read_table(corpus / "clips.parquet", "clips").to_pylist()
    assert {manifest[row["video_id"]] for row in rows} == set(manifest.values())
    (short,) = [row for row in rows if manifest[row["video_id"]] == "short"]
    assert short["dropped"]
    assert short["reason"] == "longest shot has 6 frames, a clip needs 10 (4 at stride 3)"
    assert short["shard"] is None


def test_a_clip_has_the_source_and_the_label_of_its_video(corpus: Path) -> None:
    manifest = {r["video_id"]: r for r in read_table(corpus / "manifest.parquet", "manifest").to_pylist()}
    for row in read_table(corpus / "clips.parquet", "clips").to_pylist():
        video = manifest[row["video_id"]]
        assert (row["source"], row["label"]) == ("0:folder", video["label"])
        assert video["label"] == ("films" if "film" in Path(video["uri"]).stem else None)


def test_the_store_holds_what_the_index_says(corpus: Path) -> None:
    manifest = {r["video_id"]: r for r in read_table(corpus / "manifest.parquet", "manifest").to_pylist()}
    kept = [r for r in read_table(corpus / "clips.parquet", "clips").to_pylist() if not r["dropped"]]
    store = ClipStore(corpus / "clips")
    assert len(store) == len(kept)
    assert store.shape == (4, 16, 16)
    clips = store.take(store.rows([r["shard"] for r in kept], [r["offset"] for r in kept]))
    for row, clip in zip(kept, clips, strict=True):
        video = manifest[row["video_id"]]
        start = round(row["start_s"] * video["fps"])
        assert row["clip_id"] == f"{row['video_id']}-{start:06d}"
        reader = square(video["uri"], video["backend"], video["width"], video["height"], video["frames"], 16)
        assert np.array_equal(clip, reader.take(start + 3 * np.arange(4)))
        assert 0 <= row["fraction_rank"] < 1
        assert row["seconds"] == pytest.approx(10 / 8)


def test_no_clip_spans_the_cut(corpus: Path) -> None:
    manifest = {r["video_id"]: r for r in read_table(corpus / "manifest.parquet", "manifest").to_pylist()}
    rows = read_table(corpus / "clips.parquet", "clips").to_pylist()
    scenes = [r for r in rows if Path(manifest[r["video_id"]]["uri"]).stem == "scenes"]
    assert {r["shot"] for r in scenes} == {0, 1}
    assert all(r["motion"] < 0.2 for r in scenes)


def test_no_video_is_on_both_sides(corpus: Path) -> None:
    rows = [r for r in read_table(corpus / "clips.parquet", "clips").to_pylist() if not r["dropped"]]
    sides = {(r["video_id"], r["split"]) for r in rows}
    assert len(sides) == len({video for video, _ in sides})
    assert {side for _, side in sides} == {"train", "heldout"}


def test_a_fraction_keeps_whole_videos(corpus: Path) -> None:
    rows = [r for r in read_table(corpus / "clips.parquet", "clips").to_pylist() if not r["dropped"]]
    ranks = {(r["video_id"], r["fraction_rank"]) for r in rows}
    assert len(ranks) == len({video for video, _ in ranks}) == len({rank for _, rank in ranks}) < len(rows)


def test_synthetic_videos_of_one_side_alone_are_told(corpus: Path, tmp_path: Path) -> None:
    rows = read_table(corpus / "manifest.parquet", "manifest").to_pylist()
    write_table(tmp_path / "m.parquet", "manifest", [{**row, "split": "train"} for row in rows])
    with pytest.raises(
        UserError, match=r"all 4 videos .* of the side 'train'; add videos, or choose another"
    ):
        cut(SPEC, tmp_path / "m.parquet", tmp_path / "clips", tmp_path / "clips.parquet", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["m.parquet"]


def test_bytes_do_not_depend_on_threads(corpus: Path, tmp_path: Path) -> None:
    cut(SPEC, corpus / "manifest.parquet", tmp_path / "clips", tmp_path / "clips.parquet", 1)
    assert (tmp_path / "clips.parquet").read_bytes() == (corpus / "clips.parquet").read_bytes()
    for path in (corpus / "clips").iterdir():
        assert (tmp_path / "clips" / path.name).read_bytes() == path.read_bytes()


def test_still_clips_are_dropped_with_a_reason_when_motion_is_asked_for(corpus: Path, tmp_path: Path) -> None:
    before = read_table(corpus / "clips.parquet", "clips").to_pylist()
    least = float(np.median([r["motion"] for r in before if not r["dropped"]]))
    spec = {**SPEC, "min_motion": least}
    cut(spec, corpus / "manifest.parquet", tmp_path / "clips", tmp_path / "clips.parquet", 1)
    after = read_table(tmp_path / "clips.parquet", "clips").to_pylist()
    assert len(after) == len(before)
    for row in after:
        if row["motion"] is not None:
            assert row["dropped"] == (row["motion"] < least)
            assert ("less than min_motion" in row["reason"]) == row["dropped"]
    assert len(ClipStore(tmp_path / "clips")) == sum(not r["dropped"] for r in after)


def test_too_few_videos_are_told_with_the_reason_and_leave_nothing(corpus: Path, tmp_path: Path) -> None:
    spec = {**SPEC, "clip": {"frames": 16, "size": 16, "stride": 4}}
    with pytest.raises(
        UserError, match=r"0 of 5 videos give a clip of 16 frames at stride 4 \(dropped: longest"
    ):
        cut(spec, corpus / "manifest.parquet", tmp_path / "clips", tmp_path / "clips.parquet", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_has_gone_is_named(corpus: Path, tmp_path: Path) -> None:
    gone = corpus / "v" / "films" / "film1.mp4"
    moved = gone.rename(tmp_path / "film1.mp4")
    try:
        with pytest.raises(UserError, match=r"film1.mp4' is no longer there; run `corpus index` again"):
            cut(SPEC, corpus / "manifest.parquet", tmp_path / "clips", tmp_path / "clips.parquet", 1)
    finally:
        moved.rename(gone)


def test_a_video_that_was_spoiled_after_the_audit_is_dropped_with_a_reason(
    corpus: Path, tmp_path: Path
) -> None:
    spoiled = corpus / "v" / "films" / "film2.mp4"
    content = spoiled.read_bytes()
    spoiled.write_bytes(b"no longer a video")
    try:
        cut(SPEC, corpus / "manifest.parquet", tmp_path / "clips", tmp_path / "clips.parquet", 1)
    finally:
        spoiled.write_bytes(content)
    rows = read_table(tmp_path / "clips.parquet", "clips").to_pylist()
    assert [r["dropped"] for r in rows if r["reason"].startswith("cutting failed")] == [True]
