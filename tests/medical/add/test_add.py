"""A path becomes a dataset file that loads, with the right guesses; or one sentence says what is missing."""

import json
import re
import socket
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import yaml

from transferscale.errors import UserError
from transferscale.medical.add.add import add
from transferscale.medical.add.codes import missing_codes
from transferscale.study.load import load_dataset
from transferscale.study.verdict import Claim

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
    assert load_dataset(add("two/*/*_aal.npy", tr_s=2.0).file).dataset == "two_aal"


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


def write_run(folder, volumes, rows):
    write_volumes(folder, ["sub-1_task-see_run-1_bold.nii.gz"], volumes=volumes)
    rows = "".join(f"{onset}\t{duration}\t{kind}\n" for onset, duration, kind in rows)
    (folder / "sub-1_task-see_run-1_events.tsv").write_text("onset\tduration\ttrial_type\n" + rows)


def test_one_persons_only_run_is_cut_where_its_events_come_again(tmp_path):
    write_run(tmp_path / "one", 160, [(10 + 20 * i, 10, ["face", "house"][i % 2]) for i in range(14)])
    added = add("one")
    dataset = load_dataset(added.file)
    assert (dataset.unit, dataset.stretches) == ("stretch", 5)
    assert "other runs or people" in added.file.read_text()
    assert not dataset.windows.events.pauses
    assert added.problem == ""
    assert "  5 usable recordings of 5 stretches" in added.report()


def test_types_of_events_that_come_once_are_told_from_pauses_alone(tmp_path):
    blocks = [(10 + 32 * i + k, 1, "abcdefghij"[i]) for i in range(10) for k in range(0, 16, 2)]
    write_run(tmp_path / "one", 165, blocks)
    added = add("one")
    dataset = load_dataset(added.file)
    assert (dataset.unit, dataset.stretches) == ("stretch", 5)
    assert dataset.windows.events.pauses
    assert dataset.windows.volumes == 2  # half of the 15 s of a block, in whole tubelets
    assert "types of events come in too few stretches" in added.file.read_text()
    assert added.problem == ""


def test_events_of_one_type_in_the_only_run_are_told_from_pauses(tmp_path):
    write_run(tmp_path / "one", 160, [(10 + 30 * i, 14, "flicker") for i in range(10)])
    added = add("one")
    assert load_dataset(added.file).windows.events.pauses
    assert added.problem == ""


def test_an_only_run_that_no_cut_can_test_is_said_to_need_more_runs(tmp_path):
    write_run(tmp_path / "one", 160, [(10, 14, "face"), (40, 14, "house")])
    added = add("one")
    assert load_dataset(added.file).unit == "subject"
    assert any("more runs are needed" in line for line in added.lines)
    assert "fewer than the 5 folds" in added.problem


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


def rewrite(folder, column, cells):
    """The table with another column at its end."""
    lines = (folder / "participants.tsv").read_text().splitlines()
    added = [column, *cells]
    text = "\n".join(f"{line}\t{cell}" for line, cell in zip(lines, added, strict=True))
    (folder / "participants.tsv").write_text(text + "\n", encoding="utf-8")


def test_columns_whose_names_say_nothing_or_the_same_are_tasks_of_their_own(matrices):
    rewrite(matrices, "Age", [f"{i * 7 % 24 + 0.5}" for i in range(PEOPLE)])
    rewrite(matrices, "διάγνωση", ["ab"[i // 12] for i in range(PEOPLE)])
    rewrite(matrices, "ηλικία", [f"{i * 5 % 24 + 0.25}" for i in range(PEOPLE)])
    added = add(str(matrices), ["age", "Age", "διάγνωση", "ηλικία"], tr_s=2.0)
    tasks = load_dataset(added.file).tasks
    assert {name: task.target for name, task in tasks.items()} == {
        "age": "age",
        "age_2": "Age",
        "target": "διάγνωση",
        "target_2": "ηλικία",
    }
    assert list(added.checked.tasks) == list(tasks)


def test_codes_of_missing_values_are_found_written_and_said(matrices):
    rewrite(matrices, "iq", ["-9999" if i % 6 == 0 else f"{85 + i * 7 % 24}" for i in range(PEOPLE)])
    added = add(str(matrices), ["iq"], tr_s=2.0)
    assert load_dataset(added.file).missing == [-9999]
    assert "-9999 in iq is taken for a missing value" in "\n".join(added.lines)
    assert added.checked.tasks["iq"].subjects == {"": PEOPLE - 4}


def test_a_number_that_people_may_have_is_no_code():
    cells = {
        "of the old": ["99", "99", "60", "75", "88"],
        "once": ["-9999", "1", "2", "3", "4"],
        "words": ["-9999", "-9999", "a", "b", "c"],
    }
    assert missing_codes(cells) == {}


def test_a_view_that_cannot_be_made_is_found_before_a_study(matrices):
    added = add(str(matrices), tr_s=2.0, view="flatmap")
    assert "needs volumes or surfaces, not parcels" in added.problem
    assert added.checked is None


def test_volumes_of_no_stated_space_say_how_much_of_the_flat_map_they_fill(tmp_path):
    write_volumes(tmp_path / "own", [f"sub-{i}_bold.nii.gz" for i in range(6)])
    (note,) = add("own", view="flatmap").checked.notes
    assert re.search(r"taken to be in MNI space.* of its pixels [1-9]\d? % lie", note)


@pytest.mark.parametrize(
    ("tr_s", "kind"), [(2000, "volumes"), (0.01, "volumes"), (1e-4, "series"), (61, "series")]
)
def test_a_rate_in_the_wrong_unit_is_refused(matrices, tmp_path, tr_s, kind):
    write_volumes(tmp_path / "volumes", [f"sub-{i}_bold.nii.gz" for i in range(6)])
    path = str(matrices) if kind == "series" else "volumes"
    with pytest.raises(UserError, match=r"^--tr: .* cannot be .*in seconds"):
        add(path, tr_s=tr_s)
    assert not (tmp_path / "config").exists()


def test_a_table_with_semicolons_and_decimal_commas_is_read(tmp_path):
    names = [f"P{i:03d}" for i in range(PEOPLE)]
    write_people(tmp_path / "lab", names, ";", "participants.csv", "Subject")
    table = tmp_path / "lab/participants.csv"
    table.write_text("\ufeff" + table.read_text().replace(".", ","), encoding="utf-8")
    for i, person in enumerate(names):
        np.save(tmp_path / "lab" / f"{person}.npy", series(seed=i))
    added = add("lab", tr_s=2.0)
    assert added.checked.tasks["age"].kind == "regression"
    assert any("20 to 54.5, median 37.25" in line for line in added.lines)


def test_a_table_that_is_not_utf8_says_what_to_do(matrices):
    table = matrices / "participants.tsv"
    table.write_bytes(table.read_text().replace("group", "größe").encode("cp1252"))
    with pytest.raises(UserError, match="save it as UTF-8"):
        add(str(matrices), tr_s=2.0)


def test_the_proposed_claims_are_claims_on_the_datasets_tasks(matrices):
    added = add(str(matrices), tr_s=2.0)
    lines = added.report()
    pasted = yaml.safe_load("\n".join(line for line in lines if line.startswith("  - {")))
    claims = [Claim.model_validate(claim) for claim in pasted]
    tasks = load_dataset(added.file).tasks
    assert [(claim.dataset, claim.task, claim.metric) for claim in claims] == [
        ("cohort", name, task.metric) for name, task in tasks.items()
    ]
    assert {claim.read_out for claim in claims} == {"ridge"}


def test_file_numbers_are_no_target_unless_asked_for(matrices):
    rewrite(matrices, "mrn", [str(4170 + i * 37 % 1000) for i in range(PEOPLE)])
    added = add(str(matrices), tr_s=2.0)
    assert list(added.checked.tasks) == ["age", "group"]
    assert any("'mrn' are different for everybody" in line and "--target mrn" in line for line in added.lines)
    asked = add(str(matrices), ["mrn"], tr_s=2.0, force=True)
    assert list(asked.checked.tasks) == ["mrn"]
    assert any("take the task out" in line for line in asked.lines)


def test_a_volume_of_nothing_but_nan_is_not_usable(tmp_path):
    write_volumes(tmp_path / "hole", [f"sub-{i}_bold.nii.gz" for i in range(6)])
    image = nibabel.load(tmp_path / "hole/sub-3_bold.nii.gz")
    data = image.get_fdata(dtype=np.float32)
    data[..., 17] = np.nan
    nibabel.save(nibabel.Nifti1Image(data, image.affine, image.header), tmp_path / "hole/sub-3_bold.nii.gz")
    added = add("hole")
    assert added.checked.recordings == 5
    assert "volume 17 has no finite value (the first is 0)" in added.checked.left_out
    assert any("5 usable recordings, 1 not usable" in line for line in added.lines)


def test_one_run_broken_off_does_not_shorten_everybodys_windows(matrices):
    np.save(matrices / "sub-04_rest.npy", series(volumes=6))
    added = add(str(matrices), tr_s=2.0)
    assert load_dataset(added.file).windows.volumes == 16
    assert any("6 volumes, fewer than a window of 16 (as sub-04_rest.npy)" in line for line in added.lines)
    assert added.facts["recordings"] == added.checked.recordings == PEOPLE - 1


def test_what_has_another_shape_than_most_is_counted_out_of_the_table_too(tmp_path):
    names = [f"sub-{i:02d}" for i in range(12)]
    write_people(tmp_path / "odd", names)
    write_volumes(tmp_path / "odd", [f"{name}_bold.nii.gz" for name in names])
    write_volumes(tmp_path / "odd", ["sub-03_bold.nii.gz"], shape=(6, 6, 6))
    added = add("odd")
    assert added.facts["recordings"] == added.checked.recordings == 11
    assert added.checked.tasks["group"].subjects == {"a": 6, "b": 5}


def test_families_are_not_how_people_were_measured(matrices):
    rewrite(matrices, "family_id", [f"F{i // 3}" for i in range(PEOPLE)])
    added = add(str(matrices), ["age"], tr_s=2.0)
    assert load_dataset(added.file).family_column == "family_id"
    assert not any("how people were measured" in line for line in added.lines)


def test_nothing_recognised_says_why_the_files_there_are_none(tmp_path):
    (tmp_path / "flat").mkdir()
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.float32), np.eye(4))
    nibabel.save(image, tmp_path / "flat/sub-1_T1w.nii.gz")
    (tmp_path / "flat/sub-2_bold.nii").write_text("<html>log in</html>")
    with pytest.raises(UserError, match=r"T1w.nii.gz: 4 x 5 x 6, not 4-D; sub-2_bold.nii: a web page"):
        add("flat")


def test_a_rate_that_no_header_has_is_asked_for_with_the_option(tmp_path):
    write_volumes(tmp_path / "untimed", [f"sub-{i}_bold.nii.gz" for i in range(6)], tr_s=0.0)
    with pytest.raises(UserError, match="give it with --tr SECONDS"):
        add("untimed")
    assert load_dataset(add("untimed", tr_s=2.0).file).recordings.tr_s == 2.0


def test_a_file_that_the_disk_refuses_hides_nobody_else(matrices):
    (matrices / "sub-05_rest.npy").unlink()
    with socket.socket(socket.AF_UNIX) as refused:
        # No open() succeeds on it, whoever asks; a lock by permissions would not hold the administrator.
        refused.bind("cohort/sub-05_rest.npy")
        added = add(str(matrices), tr_s=2.0)
    assert added.checked.recordings == PEOPLE - 1
    assert any("cannot be read" in reason for reason in added.checked.left_out)


def test_one_recording_alone_says_what_is_needed(tmp_path):
    write_volumes(tmp_path / "one", ["sub-1_bold.nii.gz"])
    assert any("more runs or people are needed" in line for line in add("one").lines)
