"""Recordings as a corpus: whoever a fold tests cannot be read through its table."""

from pathlib import Path

import numpy as np
import pytest

from tests.medical.conftest import Made, SmallSeries
from tests.pretrain.moving_squares import rung_spec
from transferscale.errors import UserError
from transferscale.medical.corpus import write_corpus
from transferscale.medical.reading import Splits, View
from transferscale.pretrain.data import ClipStream, Corpus, open_corpus
from transferscale.tables import read_table


@pytest.fixture
def small(small_series: SmallSeries) -> Made:
    return small_series(family_column="family").index().build().split(folds=3, repeats=2)


def table_of(small: Made, fold: int, repeat: int = 0, task: str = "group") -> Path:
    out = small.folder / f"small-k{fold}" / "clips.parquet"
    spec = {"verb": 1, "dataset": "small", "task": task, "repeat": repeat, "fold": fold}
    write_corpus(spec, small.view, small.splits, out)
    return out


def opened(small: Made, table: Path, video: Path, augment: bool = False) -> Corpus:
    """The corpus of a rung that is trained on the recordings alone and tested on video."""
    model = {**rung_spec()["model"], "frames": 16, "size": 32}
    part = {"name": table.parent.name, "source": None, "fraction": 1.0, "weight": None, "augment": augment}
    spec = rung_spec(model=model, parts=[part], batch=4)
    return open_corpus(spec, [small.view], [table], video / "clips", video / "clips.parquet")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.pretrain.moving_squares import write_corpus as write_video

    return write_video(tmp_path_factory.mktemp("video"), frames=16, size=32)


@pytest.mark.parametrize("repeat", [0, 1])
@pytest.mark.parametrize("fold", [0, 1, 2])
def test_a_trunk_of_a_fold_reads_training_subjects_alone(
    small: Made, video: Path, fold: int, repeat: int
) -> None:
    splits, view = Splits(small.splits), View(small.view)
    trained = set(splits.train("group", repeat, fold, 0, "all"))
    tested = set(splits.test("group", repeat, fold))
    rows = read_table(small.recordings, "recordings").to_pylist()
    family = {row["subject"]: row["family_group"] for row in rows}
    found = opened(small, table_of(small, fold, repeat), video)
    (group,) = found.train
    read = {view.subjects[view.window_subject[row]] for row in group.clips.rows}
    assert read == trained
    assert not read & tested
    assert not {family[s] for s in read} & {family[s] for s in tested}


def test_windows_come_as_they_are_in_the_view(small: Made, video: Path) -> None:
    found, view = opened(small, table_of(small, 0), video), View(small.view)
    (group,) = found.train
    stream = ClipStream(found, 0, 8, crop=0.25)
    for clip, name in zip(stream.at(0).clip.numpy(), stream.names(0), strict=True):
        stored = view.clips(group.clips.rows[[group.clips.names.index(name)]])[0]
        assert np.array_equal(clip, stored)
    assert (found.heldout.scale.mean, found.heldout.scale.sd) != (0.0, 1.0)


def test_recordings_are_never_mirrored(small: Made, video: Path) -> None:
    with pytest.raises(UserError, match=r"part 'small-k0' holds recordings, .* set its 'augment' to false"):
        opened(small, table_of(small, 0), video, augment=True)


def test_every_window_has_a_row_and_a_reason_if_it_is_left_out(small: Made) -> None:
    rows = read_table(table_of(small, 1), "clips").to_pylist()
    assert len(rows) == len(View(small.view))
    assert len({row["clip_id"] for row in rows}) == len(rows)
    out = [row for row in rows if row["dropped"]]
    assert {row["reason"] for row in out} == {"not a training subject of the fold"}
    assert all(row["shard"] is None for row in out)
    assert len(out) == 4 * len(rows) // 12


def test_subjects_that_the_task_leaves_out_are_left_out(small: Made) -> None:
    splits = Splits(small.splits)
    rows = read_table(table_of(small, 0, task="film"), "clips").to_pylist()
    kept = {Path(row["video_id"]).stem for row in rows if not row["dropped"]}
    assert kept == set(splits.train("film", 0, 0, 0, "all"))


def test_a_fold_that_the_splits_lack_is_told(small: Made) -> None:
    with pytest.raises(UserError, match=r"no task 'grup'; did you mean 'group'\?"):
        table_of(small, 0, task="grup")
    with pytest.raises(UserError, match="task 'group' has no repeat 0, fold 3"):
        table_of(small, 3)
