"""`medical check` and `medical show`: a dataset's counts, its faults in one sentence, and its picture."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from transferscale.errors import UserError
from transferscale.medical.check import check, find, load
from transferscale.medical.show import displacement, show


@pytest.fixture
def written(small_series, tmp_path, monkeypatch):
    """A dataset of series with its file in config/datasets."""
    made = small_series(subjects=20)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/datasets").mkdir(parents=True)
    (tmp_path / "config/datasets/small.yaml").write_text(json.dumps(made.dataset.spec()))
    return made


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "transferscale", "medical", *arguments], capture_output=True, text=True
    )


def test_a_sound_dataset_is_counted(written):
    found = check(load("small"))
    assert (found.subjects, found.recordings) == (20, 20)
    assert found.tasks["group"].subjects == {"a": 10, "b": 10}
    assert found.tasks["group"].smallest_training == 16


def test_what_is_left_out_is_counted_with_its_reason(written, tmp_path):
    (tmp_path / "small/series/sub-03.npy").write_bytes(b"not an array")
    found = check(load("small"))
    assert found.recordings == 19
    (reason,) = found.left_out
    assert "not a readable series" in reason


def test_a_dataset_is_found_by_its_name_or_the_nearest_is_offered(written):
    assert find("small").name == "small.yaml"
    with pytest.raises(UserError, match="did you mean 'small'"):
        find("smal")


def test_data_root_is_filled_in(written, tmp_path):
    content = {**written.dataset.spec(), "root": "{data_root}/small"}
    (tmp_path / "elsewhere.yaml").write_text(json.dumps(content))
    assert check(load("elsewhere.yaml", data_root=str(tmp_path))).subjects == 20


def test_a_root_in_the_results_needs_the_study(written, tmp_path):
    content = {**written.dataset.spec(), "root": "{results}/small"}
    (tmp_path / "later.yaml").write_text(json.dumps(content))
    with pytest.raises(UserError, match="--study FILE"):
        load("later.yaml")


def test_the_verb_prints_the_counts_and_fails_with_the_first_fault(written, tmp_path):
    done = run("check", "small")
    assert done.returncode == 0, done.stderr
    assert "task group (classification): a 10, b 10; 5 folds, at least 16 to learn from" in done.stdout
    table = tmp_path / "small/participants.tsv"
    table.write_text(table.read_text().replace("\ta\t", "\tb\t"))
    done = run("check", "small")
    assert done.returncode == 1
    assert "group" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_picture_of_a_recording_is_drawn_and_is_the_same_twice(written, tmp_path):
    (first,) = show(load("small"), None, [], 32, tmp_path / "a")
    (again,) = show(load("small"), None, [], 32, tmp_path / "b")
    assert first.name == "small_roi_sub-00.png"
    assert first.read_bytes() == again.read_bytes()
    pixels = np.asarray(Image.open(first).convert("L"))
    assert min(pixels.shape) > 500
    assert pixels.std() > 10


def test_somebody_who_is_not_there_is_one_sentence(written, tmp_path):
    with pytest.raises(UserError, match="no usable recording of 'sub-99'; did you mean"):
        show(load("small"), "sub-99", [], 32, tmp_path)


def test_somebody_who_was_left_out_is_told_why(written, tmp_path):
    (tmp_path / "small/series/sub-03.npy").write_bytes(b"not an array")
    with pytest.raises(UserError, match=r"no recording of 'sub-03' .* is usable; .*not a readable series"):
        show(load("small"), "sub-03", [], 32, tmp_path)


def test_a_dataset_is_laid_out_and_what_cannot_be_is_a_fault(written, tmp_path):
    content = {**written.dataset.spec(), "view": {"kind": "mosaic"}}
    (tmp_path / "cut.yaml").write_text(json.dumps(content))
    with pytest.raises(UserError, match="mosaic"):
        check(load("cut.yaml"))


def test_a_root_that_is_not_there_says_from_where_it_counts(written, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    content = {**written.dataset.spec(), "root": "small"}
    (tmp_path / "near.yaml").write_text(json.dumps(content))
    assert check(load("near.yaml")).subjects == 20
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"counts from the folder that you are in, .*elsewhere"):
        check(load("../near.yaml"))


def test_copies_are_told_by_the_dataset_and_not_by_a_passing_file(written, tmp_path):
    series = tmp_path / "small/series"
    (series / "sub-04.npy").write_bytes((series / "sub-03.npy").read_bytes())
    with pytest.raises(UserError, match=r"^dataset 'small': .*are the same file byte for byte"):
        check(load("small"))


def test_motion_is_read_from_the_confounds_with_its_first_volume_unknown(tmp_path):
    (tmp_path / "c.tsv").write_text("csf\tframewise_displacement\n1\tn/a\n1\t0.25\n1\t0.75\n")
    row = {"files": json.dumps({"image": "x", "confounds": "c.tsv"}), "stretch": None}
    np.testing.assert_array_equal(displacement(tmp_path, row), [np.nan, 0.25, 0.75])
    stretch = json.dumps({"number": 2, "first": 1, "volumes": 1, "of": 3})
    np.testing.assert_array_equal(displacement(tmp_path, {**row, "stretch": stretch}), [0.25])
    assert displacement(tmp_path, {"files": json.dumps({"image": "x"}), "stretch": None}) is None


def test_a_picture_stays_in_its_folder_whatever_a_subject_is_called(tmp_path):
    root = tmp_path / "stack"
    root.mkdir()
    names = [f"../../{name}" for name in "abcdefgh"]
    (root / "participants.tsv").write_text(
        "participant_id\tgroup\n" + "".join(f"{name}\t{'ab'[i % 2]}\n" for i, name in enumerate(names))
    )
    np.save(root / "all.npy", np.random.default_rng(0).standard_normal((8, 40, 4)))
    file = tmp_path / "stack.yaml"
    file.write_text(
        f"dataset: stack\nroot: {root}\nrecordings: {{kind: series, stack: all.npy, tr_s: 2}}\n"
        "windows: {volumes: 8}\ntasks: {group: {target: group, kind: classification, metric: auroc}}\n"
    )
    (picture,) = show(load(str(file)), names[0], [], 32, tmp_path / "out" / "in")
    assert picture == tmp_path / "out" / "in" / "stack_roi__a.png"
    assert picture.is_file()
