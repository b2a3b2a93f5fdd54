"""fMRIPrep's derivatives: all files of a run are found, and what is ambiguous is asked for by its key."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.medical.fmriprep import SIZE, Planted, write_fmriprep
from transferscale.errors import UserError
from transferscale.medical.readers import found_of, open_reader
from transferscale.medical.readers.bids import index_tree
from transferscale.medical.recording import Grid, Reader, Surface, UnreadableError
from transferscale.study.recordings import BidsRecordings

SPACE = "space-MNI152NLin2009cAsym"
VOLUMES = 12


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    # A dot in the folder's name, as fMRIPrep's versions have.
    root = tmp_path_factory.mktemp("bids") / "fmriprep-23.2.0"
    return write_fmriprep(root, 2, ("a", "b"), ("01",), volumes=VOLUMES, voxel_mm=8.0)


@pytest.fixture
def tree(planted: Planted, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(planted.root, tmp_path / "fmriprep"))


def reader(root: Path, files: str = "volume", **keys: Any) -> Reader:
    return open_reader(BidsRecordings(kind="bids", files=files, **keys).model_dump(mode="json"), root, None)


def func(root: Path, subject: str = "sub-01", session: str = "ses-a") -> Path:
    return root / subject / session / "func"


def test_all_files_of_a_run_are_found(planted: Planted) -> None:
    found = reader(planted.root).find(["sub-01", "sub-02"])
    assert [(f.subject, f.session, f.task, f.run) for f in found] == [
        (subject, session, "film", "01") for subject in ("sub-01", "sub-02") for session in "ab"
    ]
    name = "sub-01/ses-b/func/sub-01_ses-b_task-film_run-01"
    assert found[1].files == {
        "image": f"{name}_{SPACE}_desc-preproc_bold.nii.gz",
        "mask": f"{name}_{SPACE}_desc-brain_mask.nii.gz",
        "confounds": f"{name}_desc-confounds_timeseries.tsv",
        "events": f"{name}_events.tsv",
    }


@pytest.mark.parametrize(("kind", "space"), [("surface", "fsaverage5"), ("cifti", "fsaverage5")])
def test_the_planted_signal_is_on_the_surface(kind: str, space: str, planted: Planted) -> None:
    it = reader(planted.root, kind)
    for found in it.find(None):
        name = f"{found.subject}_ses-{found.session}_task-film_run-01"
        facts, signal = it.describe(found), it.open(found)
        assert (facts.n_volumes, facts.tr_s, facts.space) == (VOLUMES, 2.0, space)
        geometry = signal.geometry
        assert isinstance(geometry, Surface)
        vertices = np.concatenate([geometry.left, SIZE + geometry.right])
        values = np.concatenate(list(signal.blocks()))
        truth = planted.signals[name][:, vertices]
        assert np.corrcoef(values.ravel(), truth.ravel())[0, 1] > 0.99


def test_the_planted_signal_is_in_the_volumes_around_the_cortex(planted: Planted) -> None:
    it = reader(planted.root)
    found = it.find(None)[0]
    facts, signal = it.describe(found), it.open(found)
    assert (facts.space, facts.orientation, facts.tr_s) == (SPACE.removeprefix("space-"), "RAS", 2.0)
    geometry = signal.geometry
    assert isinstance(geometry, Grid)
    assert geometry.mask is not None
    values = np.concatenate(list(signal.blocks(np.flatnonzero(geometry.mask))))
    truth = planted.signals["sub-01_ses-a_task-film_run-01"]
    course = values.mean(axis=1)
    assert values.std(axis=0).min() > 0
    assert np.corrcoef(course, truth.mean(axis=1))[0, 1] > 0.8


def test_a_row_of_the_table_opens_the_same_recording(planted: Planted) -> None:
    it = reader(planted.root, "surface")
    found = it.find(None)[2]
    row = {
        "subject": found.subject,
        "session": found.session,
        "task": found.task,
        "run": found.run,
        "files": json.dumps(dict(found.files)),
        "part": None,
        "stretch": None,
    }
    assert found_of(row) == found


def test_the_index_lists_every_file_but_json(planted: Planted) -> None:
    listed = {file.path for file in index_tree(planted.root)}
    there = {
        p.relative_to(planted.root).as_posix() for p in planted.root.rglob("sub-*_*") if p.suffix != ".json"
    }
    assert listed == there


def test_runs_keep_their_zeros_and_sessions_can_be_chosen(planted: Planted) -> None:
    found = reader(planted.root, sessions=["ses-b"], runs=["01"], task="film").find(None)
    assert {(f.session, f.run) for f in found} == {("b", "01")}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"task": "flim"}, r"key 'recordings.task': no volume file .* has task 'flim'; did you mean 'film'"),
        ({"space": "MNI"}, r"key 'recordings.space': .* space 'MNI'; valid are: 'MNI152NLin2009cAsym'"),
        ({"sessions": ["a", "c"]}, r"key 'recordings.sessions': .* has ses 'c'"),
        ({"entities": {"res": "2"}}, r"key 'recordings.entities': .* has res '2'"),
        ({"raw": "../raw"}, r"key 'recordings.raw': no folder"),
    ],
)
def test_a_choice_that_no_file_has_is_told(keys: dict[str, Any], message: str, planted: Planted) -> None:
    with pytest.raises(UserError, match=message):
        reader(planted.root, **keys).find(None)


@pytest.mark.parametrize(
    ("old", "new", "message", "keys"),
    [
        (
            SPACE,
            "space-T1w",
            r"key 'recordings.space': .* differ in space \('MNI152NLin2009cAsym', 'T1w'\); set it, as in space: MNI",
            {"space": "MNI152NLin2009cAsym"},
        ),
        (
            SPACE,
            f"{SPACE}_res-2",
            r"key 'recordings.entities': .* differ in res \(none, '2'\); choose, as in \{res: '2'\}",
            {"entities": {"res": "2"}},
        ),
        (
            "task-film",
            "task-rest",
            r"key 'recordings.task': .* differ in task \('film', 'rest'\); set it, as in task: film",
            {"task": "rest"},
        ),
    ],
)
def test_what_is_ambiguous_names_the_key_to_set(
    old: str, new: str, message: str, keys: dict[str, Any], tree: Path
) -> None:
    folder = func(tree)
    for file in [*folder.glob("*bold.nii.gz"), *folder.glob("*mask.nii.gz"), *folder.glob("*timeseries.tsv")]:
        if old in file.name:
            shutil.copy(file, folder / file.name.replace(old, new))
    with pytest.raises(UserError, match=message):
        reader(tree).find(None)
    assert reader(tree, **keys).find(None)


def twice(folder: Path) -> None:
    for file in folder.glob("*bold.nii.gz"):
        shutil.copy(file, folder / file.name.replace("run-01", "echo-1_run-01"))


def test_one_run_that_was_exported_twice_is_a_problem_of_its_own(tree: Path) -> None:
    twice(func(tree))
    first, *others = reader(tree).find(None)
    assert "2 files of one run: " in first.problem
    assert not any(each.problem for each in others)


def test_runs_that_were_all_exported_twice_name_the_key_to_set(tree: Path) -> None:
    for folder in tree.glob("sub-*/ses-*/func"):
        twice(folder)
    message = r"key 'recordings.entities': .* differ in echo \(none, '1'\); choose, as in \{echo: '1'\}"
    with pytest.raises(UserError, match=message):
        reader(tree).find(None)
    assert len(reader(tree, entities={"echo": "1"}).find(None)) == 4


def test_a_mask_is_told_by_its_ending(tree: Path) -> None:
    (mask,) = func(tree).glob(f"*{SPACE}*mask.nii.gz")
    mask.rename(mask.with_name(mask.name.replace(".nii.gz", ".off")))
    first, *others = reader(tree).find(None)
    assert "mask" not in first.files
    assert all("mask" in each.files for each in others)


def test_other_tools_series_do_not_compete_with_fmripreps(tree: Path) -> None:
    (image,) = func(tree).glob("*preproc_bold.nii.gz")
    shutil.copy(image, image.with_name(image.name.replace("preproc", "denoised")))
    assert len(reader(tree).find(None)) == 4
    (found,) = reader(tree, entities={"desc": "denoised"}).find(None)
    assert "desc-denoised" in found.files["image"]


def test_a_hemisphere_that_is_missing_is_a_problem_of_its_run(tree: Path) -> None:
    next(func(tree).glob("*hemi-R*.func.gii")).unlink()
    found = reader(tree, "surface").find(None)
    assert [f.problem for f in found] == ["no file of the right hemisphere", "", "", ""]


def test_a_subject_of_the_table_without_files_is_listed(planted: Planted) -> None:
    found = reader(planted.root).find(["sub-01", "sub-02", "sub-03"])
    assert [f.subject for f in found if f.problem] == ["sub-03"]


def test_a_table_may_leave_out_the_prefix(planted: Planted) -> None:
    assert {f.subject for f in reader(planted.root).find(["01", "02"])} == {"01", "02"}
    with pytest.raises(
        UserError, match=r"none of the 2 subjects .*'sub-01', stands in the participants table"
    ):
        reader(planted.root).find(["P1"])


def test_the_kind_of_files_that_is_there_is_offered(tree: Path) -> None:
    for file in tree.rglob("*bold.nii.gz"):
        file.unlink()
    with pytest.raises(
        UserError, match=r"no volume files .* but there are surface and cifti files; set it to surface"
    ):
        reader(tree).find(None)


def test_raw_images_are_no_derivatives(tmp_path: Path) -> None:
    folder = tmp_path / "sub-1" / "func"
    folder.mkdir(parents=True)
    (folder / "sub-1_task-x_bold.nii.gz").write_text("")
    with pytest.raises(UserError, match=r"holds raw images and no derivatives; run fMRIPrep first"):
        reader(tmp_path).find(None)


def test_a_folder_that_is_no_bids_dataset_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_text("")
    with pytest.raises(UserError, match=r"no bold files under .* correct key 'root'"):
        reader(tmp_path).find(None)


def test_events_and_repetition_times_come_from_the_raw_dataset_where_the_derivatives_have_none(
    tree: Path,
) -> None:
    for pattern in ("*events.tsv", "*preproc_bold.json"):
        for file in tree.rglob(pattern):
            file.unlink()
    raw = tree.parent / "raw"
    (raw / "sub-01" / "ses-a" / "func").mkdir(parents=True)
    (raw / "task-film_events.tsv").write_text("onset\tduration\n0\t1\n")
    (raw / "sub-01" / "ses-a" / "func" / "sub-01_ses-a_task-film_run-01_events.tsv").write_text(
        "onset\tduration\n"
    )
    (raw / "task-film_bold.json").write_text('{"RepetitionTime": 1.8}')
    it = reader(tree, raw="../raw")
    found = it.find(None)
    assert found[0].files["events"] == "../raw/sub-01/ses-a/func/sub-01_ses-a_task-film_run-01_events.tsv"
    assert found[1].files["events"] == "../raw/task-film_events.tsv"
    facts = it.describe(found[0])
    assert facts.tr_s == 1.8
    assert facts.note == "TR 1.8 s from the JSON, though the header says 2 s"


def test_confounds_of_another_length_are_told(tree: Path) -> None:
    table = next(func(tree).glob("*timeseries.tsv"))
    table.write_text("\n".join(table.read_text().splitlines()[:-2]) + "\n")
    it = reader(tree)
    with pytest.raises(UnreadableError, match=rf"{table.name} has 10 rows, the image 12 volumes"):
        it.describe(it.find(None)[0])


def test_a_link_to_nowhere_is_told_as_such(tree: Path) -> None:
    image = next(func(tree).glob("*preproc_bold.nii.gz"))
    image.unlink()
    image.symlink_to("../.git/annex/objects/nowhere")
    it = reader(tree)
    with pytest.raises(UnreadableError, match="datalad get"):
        it.describe(it.find(None)[0])
