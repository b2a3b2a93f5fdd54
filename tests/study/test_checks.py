"""Folders, tables and columns that a study names are checked before anything long runs."""

import pytest

from transferscale.errors import UserError
from transferscale.medical.participants import read_participants
from transferscale.study.checks import check_dataset, check_inputs, participant_rows
from transferscale.study.dataset import Dataset
from transferscale.study.load import load_study

TABLE = "participant_id\tAge\tgroup\nsub-1\t7\ta\nsub-2\t9\tb\n"


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    (tmp_path / "participants.tsv").write_text(TABLE)
    (tmp_path / "sub-1.npy").touch()
    return Dataset.model_validate(
        {
            "dataset": "mine",
            "root": str(tmp_path),
            "recordings": {"kind": "series", "pattern": "{subject}.npy", "tr_s": 2},
            "windows": {"volumes": 16},
            "tasks": {"age": {"target": "Age", "kind": "regression", "metric": "r"}},
        }
    )


def test_a_complete_dataset_passes_also_with_a_byte_order_mark(dataset, tmp_path):
    check_dataset(dataset)
    (tmp_path / "participants.tsv").write_text("\ufeff" + TABLE.replace("\n", "\r\n"), encoding="utf-8")
    check_dataset(dataset)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            TABLE.replace("Age", "Ages"),
            r"no column 'Age' \(key 'tasks.age.target' of dataset 'mine'\); did you mean 'Ages'",
        ),
        (TABLE.replace("participant_id", "subject"), "no column 'participant_id'"),
        (TABLE.split("\n")[0] + "\n", "no subjects below the header; .*key 'participants' of dataset 'mine'"),
        (TABLE.replace("sub-", "person-"), "no such file, nor for any other subject"),
    ],
)
def test_a_wrong_table_is_told_in_one_sentence(dataset, tmp_path, table, sentence):
    (tmp_path / "participants.tsv").write_text(table)
    with pytest.raises(UserError, match=sentence):
        check_dataset(dataset)


def test_missing_folders_are_named_with_their_key(dataset, tmp_path, root, monkeypatch):
    with pytest.raises(UserError, match=r"nowhere: no such folder \(key 'root' of dataset 'mine'\)"):
        check_dataset(dataset.model_copy(update={"root": str(tmp_path / "nowhere")}))
    monkeypatch.chdir(root)
    study = load_study("config/studies/pixar.yaml").spec()
    study["corpus"]["sources"][0]["path"] = str(tmp_path / "empty")
    with pytest.raises(UserError, match=r"empty: no such folder \(key 'corpus.sources.0.path'"):
        check_inputs(load_study(study))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: the folder holds no file"):
        check_inputs(load_study(study))
    (tmp_path / "empty" / "a.mp4").touch()
    study["corpus"]["sources"][0]["labels"] = str(tmp_path / "labels.csv")
    with pytest.raises(UserError, match=r"labels\.csv: no such file \(key 'corpus.sources.0.labels'"):
        check_inputs(load_study(study))


def test_the_table_is_read_as_the_index_reads_it(dataset, tmp_path):
    # Tabs in a .csv, and blanks round a header, are no obstacle to either.
    (tmp_path / "people.csv").write_text(TABLE.replace("\tAge", "\t Age "))
    there = dataset.model_copy(update={"participants": "people.csv", "missing": [9]})
    check_dataset(there)
    read = read_participants(tmp_path / "people.csv", "participant_id", [9])
    assert participant_rows(there) == [
        {name: text or "" for name, text in row.items()} for row in read.rows.values()
    ]
    assert participant_rows(there)[1]["Age"] == ""


@pytest.mark.parametrize("pattern", ["/data/{subject}.npy", "../{subject}.npy"])
def test_a_pattern_that_leaves_the_root_is_told(dataset, pattern):
    recordings = dataset.recordings.model_copy(update={"pattern": pattern})
    with pytest.raises(UserError, match=r"'recordings.pattern' leaves the dataset's root"):
        check_dataset(dataset.model_copy(update={"recordings": recordings}))
