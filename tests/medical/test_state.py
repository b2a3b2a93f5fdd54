"""The state of a dataset's folder changes with every file that is read, and with no other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.medical.conftest import Made, SmallSeries, made
from transferscale.medical.state import state_of


def state(it: Made) -> str:
    """State of the dataset's folder now."""
    name = it.dataset.dataset
    return state_of(it.grid.recordings_spec(name), it.dataset.view.spec())


def written(root: Path, *names: str) -> Path:
    """The first of some files, all written."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("as it was")
    return root / names[0]


def bids(root: Path, **keys: Any) -> Made:
    """A dataset of derivatives."""
    content = {
        "dataset": "tree",
        "root": str(root),
        "recordings": {"kind": "bids", **keys},
        "windows": {"volumes": 8},
        "tasks": {"age": {"target": "age", "kind": "regression", "metric": "r"}},
    }
    return made(content, root)


def test_a_label_a_recording_and_another_subject_change_the_state(small_series: SmallSeries) -> None:
    it = small_series()
    root = Path(it.dataset.root)
    seen = {state(it)}
    assert state(it) in seen
    with (root / "participants.tsv").open("a") as table:
        table.write("sub-99\ta\t50\ts0\tf99\n")
    assert state(it) not in seen
    seen.add(state(it))
    np.save(root / "series" / "sub-00.npy", np.zeros((40, 9)))
    assert state(it) not in seen
    seen.add(state(it))
    np.save(root / "series" / "sub-99.npy", np.zeros((40, 9)))
    assert state(it) not in seen
    seen.add(state(it))
    (root / "series" / "sub-99.npy").unlink()
    (root / "series" / "sub-98.npy").symlink_to(root / "nowhere")
    assert state(it) not in seen


def test_what_nobody_reads_does_not_change_it(small_series: SmallSeries, tmp_path: Path) -> None:
    it = small_series()
    before = state(it)
    written(Path(it.dataset.root), "notes.txt", "series/plot.png", "results/a.json")
    assert state(it) == before
    tree = tmp_path / "tree"
    written(tree, "sub-1/func/sub-1_task-x_desc-preproc_bold.nii.gz")
    before = state(bids(tree))
    written(tree, "sub-1.html", "sub-1/figures/carpet.svg", "logs/run.json", "results/sub.tsv")
    assert state(bids(tree)) == before


@pytest.mark.parametrize(
    "name",
    [
        "sub-1/func/sub-1_task-x_desc-preproc_bold.nii.gz",
        "sub-1/ses-a/func/sub-1_ses-a_task-x_desc-confounds_timeseries.json",
        "sub-2/func/sub-2_task-x_events.tsv",
        "task-x_bold.json",
        "participants.tsv",
        "atlas.nii.gz",
        "../raw/sub-1/func/sub-1_task-x_events.tsv",
        "../raw/task-x_bold.json",
    ],
)
def test_every_file_of_a_tree_counts(tmp_path: Path, name: str) -> None:
    root = tmp_path / "derivatives"
    written(root, "sub-1/func/sub-1_task-x_desc-preproc_bold.nii.gz")
    it = bids(root, raw="../raw", atlas="atlas.nii.gz")
    without = state(it)
    path = written(root, name)
    path.write_text("as it is now")
    assert state(it) != without


def test_companions_and_json_files_beside_and_above_count(tmp_path: Path) -> None:
    recordings = {
        "kind": "nifti",
        "pattern": "deep/{subject}/[a]_bold.nii.gz",
        "mask": "deep/{subject}/mask.nii.gz",
        "confounds": "deep/{subject}/confounds.tsv",
        "events": "events.tsv",
        "atlas": "atlas.nii.gz",
    }
    written(tmp_path, "deep/s1/[a]_bold.nii.gz", "participants.tsv")
    it = made({**bids(tmp_path).dataset.model_dump(), "recordings": recordings}, tmp_path)
    seen = {state(it)}
    for name in (
        "deep/s1/mask.nii.gz",
        "deep/s1/confounds.tsv",
        "deep/s1/bold.json",
        "deep/bold.json",
        "bold.json",
        "events.tsv",
        "atlas.nii.gz",
    ):
        written(tmp_path, name)
        assert state(it) not in seen, name
        seen.add(state(it))


def test_paths_of_a_column_count(small_series: SmallSeries) -> None:
    it = small_series(recordings={"kind": "series", "path_column": "file", "tr_s": 2.0})
    root = Path(it.dataset.root)
    (root / "participants.tsv").write_text(
        "participant_id\tgroup\tfile\ns1\ta\tseries/sub-03.npy\ns2\tb\tn/a\n"
    )
    before = state(it)
    np.save(root / "series" / "sub-04.npy", np.zeros((40, 9)))
    assert state(it) == before
    np.save(root / "series" / "sub-03.npy", np.zeros((41, 9)))
    assert state(it) != before


def test_a_folder_that_is_not_there_has_a_state(tmp_path: Path) -> None:
    assert state(bids(tmp_path / "none")) == state(bids(tmp_path / "neither"))
