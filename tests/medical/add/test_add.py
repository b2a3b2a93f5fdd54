"""A path becomes a dataset file that loads, with the right guesses; or one sentence says what is missing."""

import json
import subprocess
import sys

import nibabel
import numpy as np
import pytest

from transferscale.errors import UserError
from transferscale.medical.add.add import add
from transferscale.study.load import load_dataset

PEOPLE = 24


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Dataset files go under the current folder."""
    monkeypatch.chdir(tmp_path)


def series(volumes=40, columns=6, seed=0):
    return np.random.default_rng(seed).standard_normal((volumes, columns))


def write_people(folder, names, separator="\t", name="participants.tsv", column="participant_id"):
    rows = [separator.join([column, "age", "group", "site"])]
    for i, person in enumerate(names):
        rows.append(separator.join([person, f"{20 + i * 1.5:g}", "ab"[i % 2], f"s{i // 2 % 2}"]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(rows) + "\n")


@pytest.fixture
def matrices(tmp_path):
    """A folder of .npy series with a table."""
    names = [f"sub-{i:02d}" for i in range(PEOPLE)]
    folder = tmp_path / "cohort"
    write_people(folder, names)
    for i, person in enumerate(names):
        np.save(folder / f"{person}_rest.npy", series(seed=i))
    return folder


def write_volumes(folder, names, tr_s=2.0, shape=(8, 9, 7), volumes=24, mni=False):
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        data = np.random.default_rng(i).normal(1000, 10, (*shape, volumes)).astype(np.float32)
        image = nibabel.Nifti1Image(data, np.diag([20.0, 20.0, 20.0, 1.0]))
        image.header.set_zooms((20.0, 20.0, 20.0, tr_s))
        image.header.set_xyzt_units("mm", "sec")
        image.set_sform(image.affine, code="mni" if mni else "scanner")
        nibabel.save(image, folder / name)


def test_a_folder_of_series_with_a_table_is_added_and_usable(matrices):
    added = add(str(matrices), tr_s=2.0)
    dataset = load_dataset("config/datasets/cohort.yaml")
    assert dataset.root == "cohort"
    assert dataset.recordings.pattern == "{subject}_rest.npy"
    assert {name: task.kind for name, task in dataset.tasks.items()} == {
        "age": "regression",
        "group": "classification",
    }
    assert dataset.tasks["group"].metric == "auroc"
    assert dataset.site_column == "site"
    assert dataset.view.kind == "roi"
    assert added.problem == ""
    assert added.checked.tasks["group"].subjects == {"a": 12, "b": 12}


def test_every_choice_has_its_reason_beside_it(matrices):
    add(str(matrices), tr_s=2.0)
    text = (matrices.parent / "config/datasets/cohort.yaml").read_text()
    assert "tr_s: 2.0  # given with --tr" in text
    assert "volumes: 16  # 32 s; 2 windows in the shortest recording" in text
    assert "# site: {target: site" in text  # offered, not asked


def test_the_same_path_gives_the_same_bytes(matrices, tmp_path):
    files = [add(str(matrices), tr_s=2.0, out=tmp_path / f"{i}.yaml").file.read_bytes() for i in (1, 2)]
    assert files[0] == files[1]


def test_an_unknown_rate_is_asked_for_and_never_guessed(matrices):
    with pytest.raises(UserError, match="add --tr SECONDS"):
        add(str(matrices))


def test_a_json_beside_the_series_gives_the_rate(matrices):
    (matrices / "sub-00_rest.json").write_text(json.dumps({"SamplingFrequency": 0.5}))
    add(str(matrices))
    assert load_dataset("config/datasets/cohort.yaml").recordings.tr_s == 2.0


def test_an_existing_file_is_kept_unless_forced(matrices):
    file = add(str(matrices), tr_s=2.0).file
    file.write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        add(str(matrices), tr_s=2.0)
    assert file.read_text() == "mine"
    add(str(matrices), tr_s=2.0, force=True)
    assert load_dataset(file).dataset == "cohort"


def test_named_targets_alone_become_tasks(matrices):
    add(str(matrices), targets=["site"], tr_s=2.0)
    assert list(load_dataset("config/datasets/cohort.yaml").tasks) == ["site"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("agee", "did you mean 'age'"),
        ("participant_id", "differs for everybody"),
        ("trial_type", "have no events"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_one_sentence(matrices, target, message):
    with pytest.raises(UserError, match=message):
        add(str(matrices), targets=[target], tr_s=2.0)
    assert not (matrices.parent / "config").exists()


def test_cleaned_series_are_left_as_they_are_and_others_are_detrended(matrices):
    add(str(matrices), tr_s=2.0)
    assert load_dataset("config/datasets/cohort.yaml").clean.detrend
    for path in matrices.glob("*.npy"):
        data = np.load(path)
        np.save(path, (data - data.mean(axis=0)) / data.std(axis=0))
    add(str(matrices), tr_s=2.0, force=True)
    assert not load_dataset("config/datasets/cohort.yaml").clean.detrend


def test_two_layouts_in_a_folder_are_named_and_one_must_be_chosen(tmp_path):
    names = [f"sub-{i:02d}" for i in range(PEOPLE)]
    write_people(tmp_path / "two", names)
    for atlas, columns in (("aal", 5), ("basc", 4)):
        (tmp_path / "two" / atlas).mkdir()
        for i, person in enumerate(names):
            np.save(tmp_path / "two" / atlas / f"{person}_{atlas}.npy", series(columns=columns, seed=i))
    with pytest.raises(UserError, match=r"2 layouts; name one as PATH: .*two/aal \(24 files\), .*two/basc"):
        add("two", tr_s=2.0)
    add("two/basc", tr_s=2.0)
    dataset = load_dataset("config/datasets/two_basc.yaml")
    assert dataset.root == "two"
    assert dataset.recordings.pattern == "basc/{subject}_basc.npy"


def test_a_comma_separated_table_with_names_of_its_own_is_found(tmp_path):
    names = [f"P{i:03d}" for i in range(PEOPLE)]
    write_people(tmp_path / "lab", names, ",", "people.csv", "code")
    for i, person in enumerate(names):
        np.savetxt(tmp_path / "lab" / f"rest_{person}.csv", series(seed=i), delimiter=",")
    added = add("lab", tr_s=1.5)
    dataset = load_dataset(added.file)
    assert (dataset.participants, dataset.subject_column) == ("people.csv", "code")
    assert dataset.recordings.pattern == "rest_{subject}.csv"
    assert added.problem == ""


def test_a_table_whose_column_holds_paths_is_a_dataset(matrices):
    lines = (matrices / "participants.tsv").read_text().splitlines()
    lines = [lines[0] + "\tfile", *(f"{line}\t{line.split()[0]}_rest.npy" for line in lines[1:])]
    (matrices / "list.tsv").write_text("\n".join(lines) + "\n")
    added = add(str(matrices / "list.tsv"), tr_s=2.0)
    dataset = load_dataset(added.file)
    assert dataset.recordings.path_column == "file"
    assert added.checked.subjects == PEOPLE


def test_one_stack_of_everybody_is_added_when_the_table_has_its_order(tmp_path):
    names = [f"sub-{i:02d}" for i in range(PEOPLE)]
    write_people(tmp_path / "stack", names)
    data = np.stack([series(seed=i) for i in range(PEOPLE)])
    np.savez(tmp_path / "stack" / "all.npz", data=data, ids=np.array(names))
    added = add("stack", tr_s=2.0)
    dataset = load_dataset(added.file)
    assert (dataset.recordings.stack, dataset.recordings.array) == ("all.npz", "data")
    assert added.checked.subjects == PEOPLE
    np.savez(tmp_path / "stack" / "all.npz", data=data, ids=np.array(names[::-1]))
    with pytest.raises(UserError, match="another order"):
        add("stack", tr_s=2.0, force=True)
    write_people(tmp_path / "stack", names[1:])
    with pytest.raises(UserError, match="a row for each"):
        add("stack", tr_s=2.0, force=True)


def test_one_persons_runs_with_events_are_a_state_task_over_runs(tmp_path):
    folder = tmp_path / "one"
    names = [f"sub-1_task-see_run-{run:02d}" for run in range(1, 7)]
    write_volumes(folder, [f"{name}_bold.nii.gz" for name in names], volumes=60)
    for name in names:
        rows = [f"{10 + 20 * i}\t10\t{['face', 'house'][i % 2]}" for i in range(5)]
        (folder / f"{name}_events.tsv").write_text("onset\tduration\ttrial_type\n" + "\n".join(rows) + "\n")
    added = add("one")
    dataset = load_dataset(added.file)
    assert dataset.unit == "run"
    assert dataset.participants is None
    assert dataset.tasks["trial_type"].kind == "state"
    assert dataset.windows.volumes == 10  # 20 s from one type to the next
    assert dataset.windows.events is not None
    assert dataset.view.kind == "mosaic"
    assert added.problem == ""


def test_events_past_the_end_question_the_rate(tmp_path):
    write_volumes(tmp_path / "trap", ["sub-1_run-1_bold.nii.gz"], tr_s=1.0, volumes=30)
    (tmp_path / "trap" / "sub-1_run-1_events.tsv").write_text(
        "onset\tduration\ttrial_type\n2\t1\ta\n50\t1\tb\n"
    )
    added = add("trap")
    assert any("20.0 s after the end" in line and "--tr" in line for line in added.lines)
    assert "fewer than" in added.problem or "folds" in added.problem


def test_one_broken_file_hides_nobody_else(matrices):
    (matrices / "sub-00_rest.npy").write_text("<html>404</html>")
    added = add(str(matrices), tr_s=2.0)
    assert added.checked.recordings == PEOPLE - 1
    assert any("1 recording cannot be used" in line and "web page" in line for line in added.lines)


def test_events_that_cannot_be_read_are_said_and_stop_nothing(matrices):
    (matrices / "sub-00_events.tsv").write_text("begin\tword\n1\ta\n")
    lines = add(str(matrices), tr_s=2.0).lines
    assert any("no column 'onset'" in line for line in lines)


def test_volumes_in_mni_space_become_flat_maps(tmp_path):
    names = [f"sub-{i:02d}" for i in range(6)]
    write_people(tmp_path / "mni", names)
    write_volumes(tmp_path / "mni", [f"{name}_bold.nii.gz" for name in names], mni=True)
    added = add("mni")
    dataset = load_dataset(added.file)
    assert dataset.view.kind == "flatmap"
    assert dataset.clean.high_pass_hz == 0.01
    added = add("mni", view="mosaic", force=True)
    assert load_dataset(added.file).view.kind == "mosaic"


def test_people_without_a_file_are_counted_and_allowed_for(matrices):
    for path in sorted(matrices.glob("*.npy"))[:10]:
        path.unlink()
    added = add(str(matrices), tr_s=2.0)
    assert load_dataset(added.file).max_quarantined == pytest.approx(10 / 24, abs=0.06)
    assert added.checked.recordings == 14
    assert sum(added.checked.left_out.values()) == 10


def test_a_dataset_that_cannot_be_tested_is_written_and_says_why(tmp_path):
    write_people(tmp_path / "few", ["sub-1", "sub-2", "sub-3"])
    for i in (1, 2, 3):
        np.save(tmp_path / "few" / f"sub-{i}.npy", series(seed=i))
    done = subprocess.run(
        [sys.executable, "-m", "transferscale", "medical", "add", "few", "--tr", "2"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "written, but cannot be used yet" in done.stderr
    assert load_dataset("config/datasets/few.yaml").dataset == "few"


def test_the_verb_prints_what_it_found_as_text_or_json(matrices):
    command = [sys.executable, "-m", "transferscale", "medical", "add", "cohort", "--tr", "2", "--force"]
    text = subprocess.run(command, capture_output=True, text=True)
    assert text.returncode == 0, text.stderr
    assert "24 subjects, 24 usable recordings" in text.stdout
    assert "datasets: [config/datasets/cohort.yaml]" in text.stdout
    found = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True).stdout)
    assert found["subjects"] == 24
    assert found["checked"]["tasks"]["group"]["subjects"] == {"a": 12, "b": 12}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no recordings recognised"),
        ({"notes.txt": "hello\nworld\n"}, "no recordings recognised"),
        (
            {"dataset_description.json": '{"Name": "x"}', "sub-1/func/sub-1_task-x_bold.nii.gz": "x"},
            "run fMRIPrep",
        ),
    ],
)
def test_a_folder_that_holds_nothing_usable_says_what_would_be(tmp_path, content, message):
    (tmp_path / "odd").mkdir()
    for name, text in content.items():
        (tmp_path / "odd" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "odd" / name).write_text(text)
    with pytest.raises(UserError, match=message):
        add("odd")


def test_a_path_that_is_not_there_is_one_sentence():
    with pytest.raises(UserError, match="no such file or folder"):
        add("nowhere")


def test_names_that_fit_nobody_are_one_sentence(matrices):
    text = (matrices / "participants.tsv").read_text().replace("sub-", "person-")
    (matrices / "participants.tsv").write_text(text)
    with pytest.raises(UserError, match="make them agree"):
        add(str(matrices), tr_s=2.0)
