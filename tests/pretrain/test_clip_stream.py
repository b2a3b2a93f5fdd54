"""Which clips, in which order, on which scale."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pretrain.moving_squares import row, rung_spec, write_corpus
from transferscale.clips.store import ClipStore, ClipWriter
from transferscale.errors import UserError
from transferscale.pretrain.counter import identify
from transferscale.pretrain.data import ClipStream, Corpus, Moments, batches, moments, open_corpus
from transferscale.pretrain.probe import probe_metric
from transferscale.tables import read_table, write_table


def part(name: str = "motion", **changes: Any) -> dict[str, Any]:
    return {"name": name, "source": None, "fraction": 1.0, "weight": None, "augment": True, **changes}


def opened(*folders: Path, heldout: Path | None = None, **changes: Any) -> Corpus:
    """The corpus whose parts lie in these folders."""
    spec = rung_spec(**{"parts": [part(folder.name) for folder in folders], **changes})
    stores, indexes = [f / "clips" for f in folders], [f / "clips.parquet" for f in folders]
    held = (heldout / "clips", heldout / "clips.parquet") if heldout else (None, None)
    return open_corpus(spec, stores, indexes, *held)


def relisted(corpus: Path, folder: Path, change: Any) -> Path:
    """The same clip store under a table changed row by row."""
    folder.mkdir(exist_ok=True)
    (folder / "clips").symlink_to(corpus / "clips")
    rows = [change(dict(r)) for r in read_table(corpus / "clips.parquet", "clips").to_pylist()]
    write_table(folder / "clips.parquet", "clips", rows)
    return folder


@pytest.fixture(scope="module")
def labelled(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus with the parity of its videos' numbers as labels."""

    def parity(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "label": ("even", "odd")[int(line["video_id"][1:]) % 2]}

    return relisted(corpus, tmp_path_factory.mktemp("labelled"), parity)


@pytest.fixture
def stream(corpus: Path) -> ClipStream:
    return ClipStream(opened(corpus), seed=0, batch=8, crop=1.0)


def seen(stream: ClipStream, first: int, last: int) -> list[str]:
    return [name for step in range(first, last) for name in stream.names(step)]


def test_held_out_and_dropped_clips_are_never_seen(corpus: Path, tmp_path: Path) -> None:
    def drop(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "dropped": line["offset"] == 4}

    found = opened(relisted(corpus, tmp_path / "dropped", drop))
    rows = read_table(corpus / "clips.parquet", "clips").to_pylist()
    allowed = {r["clip_id"] for r in rows if r["split"] == "train" and r["offset"] != 4}
    (group,) = found.train
    assert set(group.clips.names) == allowed
    assert found.clips == len(allowed) == 35
    assert not set(group.clips.videos) & set(found.heldout.videos)
    assert set(seen(ClipStream(found, 0, 8, 1.0), 0, 20)) == allowed


def test_every_pass_sees_every_clip_once_in_an_order_of_its_own(stream: ClipStream) -> None:
    (group,) = stream.groups
    count = len(group.clips)  # 36 clips: the fifth batch of 8 straddles two passes
    names = seen(stream, 0, 9)
    first, second = names[:count], names[count : 2 * count]
    assert sorted(first) == sorted(second) == sorted(group.clips.names)
    assert first != second


def test_names_are_those_of_the_batch(stream: ClipStream) -> None:
    for step in (0, 4, 11):
        assert np.array_equal(stream.at(step).draw.ids, identify(stream.names(step)))


def test_clips_seen_for_the_first_time_are_counted(stream: ClipStream) -> None:
    for step in range(12):
        assert stream.unique_until(step) == len(set(seen(stream, 0, step)))


def test_a_stream_that_starts_later_goes_on_as_if_it_had_run(corpus: Path, stream: ClipStream) -> None:
    later = ClipStream(opened(corpus), stream.seed, stream.batch, stream.crop)
    clip, draw, label = later.at(6)
    expected, names, labels = [stream.at(step) for step in range(7)][-1]
    assert np.array_equal(draw.ids, names.ids)
    assert np.array_equal(draw.visit, names.visit)
    assert bool((clip == expected).all())
    assert bool((label == labels).all())


def test_the_order_does_not_depend_on_the_order_of_the_index(
    corpus: Path, tmp_path: Path, stream: ClipStream
) -> None:
    table = read_table(corpus / "clips.parquet", "clips").to_pylist()
    (tmp_path / "clips").symlink_to(corpus / "clips")
    write_table(tmp_path / "clips.parquet", "clips", table[::-1])
    assert seen(ClipStream(opened(tmp_path), 0, 8, 1.0), 0, 9) == seen(stream, 0, 9)


def test_about_half_of_the_clips_are_mirrored_and_nothing_else_is_done_to_them(stream: ClipStream) -> None:
    flipped = plain = 0
    (group,) = stream.groups
    where = dict(zip(group.clips.names, group.clips.rows, strict=True))
    for step in range(20):
        for clip, name in zip(stream.at(step).clip.numpy(), stream.names(step), strict=True):
            stored = group.scale.scale(group.store.take(np.array([where[name]])))[0].numpy()
            straight, mirrored = np.array_equal(clip, stored), np.array_equal(clip, stored[..., ::-1])
            assert straight or mirrored
            plain, flipped = plain + straight, flipped + (mirrored and not straight)
    assert 50 < flipped < 110
    assert plain + flipped == 160


# -- parts ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 12 brighter clips, 9 of them to train on."""
    folder = write_corpus(tmp_path_factory.mktemp("other"), videos=12, clips=1)
    store = ClipStore(folder / "clips")
    brighter = np.asarray(store.shards[0]) // 2 + 120
    np.save(folder / "clips" / store.names[0], brighter)
    return relisted(
        folder, folder / "renamed", lambda line: {**line, "clip_id": f"w{line['clip_id']}", "label": "other"}
    )


def test_parts_without_weights_are_seen_by_their_number_of_clips(corpus: Path, other: Path) -> None:
    stream = ClipStream(opened(corpus, other), 0, 8, 1.0)
    names = seen(stream, 0, 45)  # 360 places for 36 + 9 clips: eight passes over both
    assert sum(name.startswith("w") for name in names) == 72
    assert stream.unique_until(45) == 45
    assert all(names.count(name) == 8 for name in set(names))


def test_clips_of_a_part_that_is_not_augmented_come_as_they_are(corpus: Path, other: Path) -> None:
    parts = [part(corpus.name), part(other.name, augment=False)]
    found, plain = opened(corpus, other, parts=parts), opened(corpus, other)
    changed = {"left": 0, "done": 0}
    for step in range(6):
        one, two = (ClipStream(c, 0, 8, crop=0.5).at(step) for c in (found, plain))
        for name, own, augmented in zip(
            ClipStream(found, 0, 8, 0.5).names(step), one.clip, two.clip, strict=True
        ):
            group = found.train[name not in found.train[0].clips.names]
            (number,) = np.flatnonzero(np.array(group.clips.names) == name)
            stored = group.scale.scale(group.store.take(group.clips.rows[[number]]))[0]
            if group.augment:
                assert np.array_equal(own, augmented)
                changed["done"] += not np.array_equal(own, stored)
            else:
                assert np.array_equal(own, stored)
                changed["left"] += not np.array_equal(own, augmented)
    assert min(changed.values()) > 5


def test_weights_say_how_often_a_part_is_seen(corpus: Path, other: Path) -> None:
    stream = ClipStream(
        opened(corpus, other, parts=[part("a", weight=0.25), part("b", weight=0.75)]), 0, 8, 1.0
    )
    for steps in (1, 3, 10):
        brighter = sum(name.startswith("w") for name in seen(stream, 0, steps))
        assert brighter == 6 * steps
        assert stream.unique_until(steps) == len(set(seen(stream, 0, steps)))
    # Each part keeps its own passes: the first nine of b are its nine clips.
    own = [name for name in seen(stream, 0, 2) if name.startswith("w")]
    assert len(set(own[:9])) == 9


def test_every_part_is_brought_to_zero_mean_and_unit_sd_by_itself(labelled: Path, other: Path) -> None:
    stream = ClipStream(opened(labelled, other, batch=45), 0, 90, 1.0)
    clip, draw, label = stream.at(0)
    assert set(label.tolist()) == {0, 1, 2}  # even, odd, other
    brighter = clip[label == 2]
    assert abs(brighter.mean().item()) < 0.05
    assert abs(brighter.std().item() - 1) < 0.05
    assert len(np.unique(draw.ids)) == 45


def test_clips_of_a_mixture_stand_where_their_names_do(corpus: Path, other: Path) -> None:
    found = opened(corpus, other)
    stream = ClipStream(found, 0, 16, 1.0)
    for clip, name in zip(stream.at(2).clip.numpy(), stream.names(2), strict=True):
        group = found.train[name.startswith("w")]
        row = group.clips.rows[group.clips.names.index(name)]
        stored = group.scale.scale(group.store.take(np.array([row])))[0].numpy()
        assert np.array_equal(clip, stored) or np.array_equal(clip, stored[..., ::-1])


def test_a_smaller_fraction_lies_in_a_larger_one_on_the_same_scale(corpus: Path) -> None:
    quarter, half, whole = (
        opened(corpus, parts=[part(fraction=fraction)], batch=4).train[0] for fraction in (0.25, 0.5, 1.0)
    )
    assert set(quarter.clips.names) < set(half.clips.names) < set(whole.clips.names)
    assert quarter.scale == half.scale == whole.scale
    assert 5 < len(quarter.clips) < 14


def test_a_source_of_a_corpus_is_a_part(corpus: Path, tmp_path: Path) -> None:
    def sourced(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "source": "1:synthetic" if line["video_id"] < "v012" else "0:folder"}

    folder = relisted(corpus, tmp_path / "sources", sourced)
    parts = [part("a", source="0:folder", weight=1.0), part("b", source="1:synthetic", weight=3.0)]
    found = opened(folder, folder, parts=parts)
    names = seen(ClipStream(found, 0, 8, 1.0), 0, 10)
    assert sum(name < "v012" for name in names) == 60
    assert found.train[0].scale == found.train[1].scale == found.heldout.scale


def test_held_out_clips_may_lie_elsewhere_and_keep_the_scale_of_their_own_corpus(
    corpus: Path, other: Path
) -> None:
    found = opened(other, heldout=corpus)
    assert found.heldout.clips.names == opened(corpus).heldout.clips.names
    assert found.heldout.scale == opened(corpus).scale != found.scale


def test_few_held_out_clips_come_from_many_videos(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path, videos=80, clips=4)
    ranked = relisted(
        folder, tmp_path / "ranked", lambda line: {**line, "fraction_rank": int(line["video_id"][1:]) / 99}
    )
    assert len(set(opened(ranked).heldout.videos)) > 6  # the first 10 in nested order are of 3


def test_held_out_batches_hold_every_clip_once_and_draw_alike_whatever_their_size(corpus: Path) -> None:
    heldout = opened(corpus).heldout
    assert len(heldout) == 10
    drawn = {}
    for size in (3, 10):
        parts = list(batches(heldout, size))
        assert [len(b.clip) for b in parts][:-1] == [size] * (len(parts) - 1)
        drawn[size] = np.concatenate([b.draw.bits("mask", 4) for b in parts])
        assert np.array_equal(np.concatenate([b.draw.ids for b in parts]), heldout.clips.ids)
    assert np.array_equal(drawn[3], drawn[10])


def test_labels_are_numbered_in_the_order_of_their_names(labelled: Path) -> None:
    found = opened(labelled)
    assert found.classes == ["even", "odd"]
    stream = ClipStream(found, 0, 8, 1.0)
    for label, name in zip(stream.at(3).label.tolist(), stream.names(3), strict=True):
        assert label == int(name[1:4]) % 2
    assert found.heldout.labels.tolist() == [int(video[1:]) % 2 for video in found.heldout.videos]


def test_training_clips_without_labels_do_not_change_what_is_probed(other: Path, tmp_path: Path) -> None:
    silent = relisted(other, tmp_path / "silent", lambda line: {**line, "label": None})
    sized = write_corpus(tmp_path / "sized", labels=True)
    found = opened(silent, heldout=sized)
    assert found.classes == ["size-0", "size-1", "size-2"]
    assert probe_metric(found.heldout.labels) == "balanced_accuracy"
    assert np.array_equal(found.heldout.labels, opened(sized).heldout.labels)


def test_clips_without_a_label_have_class_minus_one(corpus: Path) -> None:
    found = opened(corpus)
    assert found.classes == []
    assert set(ClipStream(found, 0, 8, 1.0).at(0).label.tolist()) == {-1}


# -- scale ---------------------------------------------------------------------------------------------------


def test_clips_come_at_zero_mean_and_unit_sd(corpus: Path) -> None:
    (group,) = opened(corpus).train
    scaled = group.scale.scale(group.store.take(group.clips.rows))
    assert abs(scaled.mean().item()) < 1e-4
    assert abs(scaled.std().item() - 1) < 1e-3


def test_recordings_are_left_on_their_scale(tmp_path: Path) -> None:
    with ClipWriter(tmp_path, (2, 4, 4), "float32") as writer:
        writer.add(np.full((2, 4, 4), 3.0, np.float32))
    store = ClipStore(tmp_path)
    assert moments(store, np.array([0])) == Moments(0.0, 1.0)
    assert (Moments(0.0, 1.0).scale(store.take(np.array([0]))) == 3).all()


def test_clips_of_one_grey_are_refused(tmp_path: Path) -> None:
    with ClipWriter(tmp_path, (2, 4, 4), "uint8") as writer:
        writer.add(np.full((2, 4, 4), 3, np.uint8))
    with pytest.raises(UserError, match="all pixels of the training clips are the same"):
        moments(ClipStore(tmp_path), np.array([0]))


# -- what a person can get wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place", [("shard-00000.npy", 10_000), ("shard-00009.npy", 0), ("shard-00000.npy", -1)]
)
def test_an_index_of_another_store_is_refused(tmp_path: Path, place: tuple[str, int]) -> None:
    folder = write_corpus(tmp_path, videos=4)
    write_table(folder / "clips.parquet", "clips", [row("v001", 0, *place, "train")])
    with pytest.raises(UserError, match="clip 'v001-0' is at row"):
        opened(folder)


def test_one_pair_of_store_and_table_a_part_is_asked_for(corpus: Path) -> None:
    with pytest.raises(
        UserError, match=r"1 --store and 1 --index are given for 2 parts of the corpus \(a, b\)"
    ):
        opened(corpus, parts=[part("a"), part("b")])


def test_a_fraction_without_a_clip_and_one_smaller_than_a_batch_are_told(corpus: Path) -> None:
    with pytest.raises(
        UserError, match="part 'motion' has no training clip; add videos or raise its fraction"
    ):
        opened(corpus, parts=[part(fraction=0.001)])
    with pytest.raises(UserError, match="training clips are fewer than a batch of 8"):
        opened(corpus, parts=[part(fraction=0.1)])


def test_weights_of_some_parts_only_are_refused(corpus: Path, other: Path) -> None:
    with pytest.raises(UserError, match="give every part a weight, or none"):
        opened(corpus, other, parts=[part("a", weight=0.5), part("b")])


def test_labels_that_are_needed_and_missing_are_told(labelled: Path, tmp_path: Path) -> None:
    def some(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "label": None if line["video_id"] in ("v001", "v002") else line["label"]}

    with pytest.raises(
        UserError, match="4 of 36 training clips have no label, which the objective 'supervised'"
    ):
        opened(relisted(labelled, tmp_path / "some", some), objective={"name": "supervised"})
    with pytest.raises(UserError, match="all training clips have the label 'one'"):
        opened(
            relisted(labelled, tmp_path / "one", lambda line: {**line, "label": "one"}),
            objective={"name": "supervised"},
        )


def test_supervised_is_tested_on_classes_that_were_trained(labelled: Path, tmp_path: Path) -> None:
    def unseen(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "label": "new" if line["video_id"] == "v000" else line["label"]}

    folder = relisted(labelled, tmp_path / "unseen", unseen)
    found = opened(folder, objective={"name": "supervised"})
    assert "v000" in opened(folder).heldout.videos
    assert "v000" not in found.heldout.videos
    assert (found.heldout.labels >= 0).all()
