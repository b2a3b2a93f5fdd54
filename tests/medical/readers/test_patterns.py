"""Patterns: what is found is what was meant, whatever subjects are called."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferscale.errors import UserError
from transferscale.medical.participants import read_participants
from transferscale.medical.readers.patterns import Pattern, find
from transferscale.medical.recording import Found

SECTION: dict[str, Any] = {
    "pattern": None,
    "path_column": None,
    "events": None,
    "mask": None,
    "confounds": None,
}
NAME = st.text("abcXYZ0189[]()+.$^ -", min_size=1, max_size=8).filter(lambda text: text.strip(" .") == text)


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")


def found(root: Path, subjects: list[str] | None, **section: Any) -> list[Found]:
    return find(
        {**SECTION, **section},
        root,
        None,
        subjects,
        [k for k in ("mask", "confounds", "events") if k in section],
    )


@given(subject=NAME, session=NAME, run=NAME)
def test_what_fills_a_pattern_is_read_back(subject: str, session: str, run: str) -> None:
    pattern = Pattern(
        "{subject}/ses-{session}/{subject}_ses-{session}_run-{run}_bold.nii.gz", "recordings.pattern"
    )
    path = f"{subject}/ses-{session}/{subject}_ses-{session}_run-{run}_bold.nii.gz"
    assert pattern.values(path, {}) == {"subject": subject, "session": session, "run": run}
    assert pattern.fits(path, {"subject": subject})
    assert not pattern.fits(path, {"subject": subject + "x"})


@given(subjects=st.sets(NAME, min_size=1, max_size=6))
def test_every_subject_finds_its_own_file(
    subjects: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("files")
    put(root, *(f"{subject}_bold.npy" for subject in subjects))
    each = found(root, sorted(subjects), pattern="{subject}_bold.npy")
    assert {f.subject: f.files["image"] for f in each} == {s: f"{s}_bold.npy" for s in subjects}
    assert found(root, None, pattern="{subject}_bold.npy") == each


def test_the_longer_of_two_names_that_fit_is_meant(tmp_path: Path) -> None:
    put(tmp_path, "sub-1_rest.npy", "sub-10_rest.npy")
    one, ten = found(tmp_path, ["sub-1", "sub-10"], pattern="{subject}*.npy")
    assert (one.files["image"], ten.files["image"]) == ("sub-1_rest.npy", "sub-10_rest.npy")


def test_session_run_and_task_come_from_the_pattern_or_else_from_the_path(tmp_path: Path) -> None:
    put(tmp_path, "p1/visit2/p1_task-rest_run-03.npy", "p1/ses-b/p1_task-rest_run-01.npy")
    one, two = found(tmp_path, ["p1"], pattern="{subject}/{session}/*.npy")
    assert (one.session, one.task, one.run) == ("b", "rest", "01")
    assert (two.session, two.task, two.run) == ("visit2", "rest", "03")


def test_companions_are_found_by_the_same_placeholders(tmp_path: Path) -> None:
    put(
        tmp_path,
        "sub-1/run-01.nii",
        "sub-1/run-02.nii",
        "events/sub-1_01.tsv",
        "events/sub-1_02.tsv",
        "mask.nii",
    )
    each = found(
        tmp_path,
        None,
        pattern="{subject}/run-{run}.nii",
        events="events/{subject}_{run}.tsv",
        mask="mask.nii",
    )
    assert [f.files["events"] for f in each] == ["events/sub-1_01.tsv", "events/sub-1_02.tsv"]
    assert {f.files["mask"] for f in each} == {"mask.nii"}


def test_a_companion_that_is_missing_or_double_is_a_problem_of_its_recording(tmp_path: Path) -> None:
    put(
        tmp_path,
        "sub-1.nii",
        "sub-2.nii",
        "sub-3.nii",
        "m/1_mask.nii",
        "m/3_mask.nii",
        "m/3_b_mask.nii",
    )
    one, two, three = found(tmp_path, None, pattern="sub-{subject}.nii", mask="m/{subject}*_mask.nii")
    assert not one.problem
    assert two.problem == "no file fits recordings.mask 'm/{subject}*_mask.nii'"
    assert three.problem.startswith("2 files fit recordings.mask")


def test_a_companions_placeholder_without_a_value_is_told(tmp_path: Path) -> None:
    put(tmp_path, "sub-1.nii")
    with pytest.raises(UserError, match=r"key 'recordings.events': .*\{run\} has no value for sub-1.nii"):
        found(tmp_path, None, pattern="{subject}.nii", events="{run}.tsv")


def test_an_unknown_placeholder_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown placeholder '\{sesion\}'; did you mean 'session'"):
        found(tmp_path, None, pattern="{subject}/{sesion}.nii")


def test_subjects_without_a_file_and_files_without_a_subject_are_both_listed(tmp_path: Path) -> None:
    put(tmp_path, "a.npy", "c.npy")
    each = {f.subject: f.problem for f in found(tmp_path, ["a", "b"], pattern="{subject}.npy")}
    assert each == {"a": "", "b": "no file fits recordings.pattern", "c": ""}


def test_paths_may_stand_in_a_column_and_stay_under_root(tmp_path: Path) -> None:
    put(tmp_path, "x/1.npy")
    (tmp_path / "t.tsv").write_text("participant_id\tfile\na\tx/1.npy\nb\tn/a\nc\t../1.npy\n")
    table = read_participants(tmp_path / "t.tsv", "participant_id")
    each = find({**SECTION, "path_column": "file"}, tmp_path, table, list(table.rows), ())
    assert [(f.files["image"], f.problem) for f in each] == [
        ("x/1.npy", ""),
        ("", "no path in column 'file'"),
        ("../1.npy", "the path leaves the dataset's root"),
    ]
    with pytest.raises(UserError, match=r"no column 'fiel', which key 'recordings.path_column'.*'file'"):
        find({**SECTION, "path_column": "fiel"}, tmp_path, table, list(table.rows), ())
