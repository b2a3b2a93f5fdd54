"""Confounds predict what they are related to, and nothing of a target is among them."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.transfer.planted import Planted
from transferscale.errors import UserError
from transferscale.medical.labels import PREFIX
from transferscale.medical.reading import View
from transferscale.study.dataset import Dataset
from transferscale.study.grid import Grid
from transferscale.study.reader import Reader
from transferscale.transfer.baselines import extract, grams_of
from transferscale.transfer.confounds import confound_features
from transferscale.transfer.grams import read_grams
from transferscale.transfer.kernels import kernels, stack


def dataset(planted: Planted, **changes: Any) -> Dataset:
    return Dataset.model_validate({**planted.study.datasets[0].spec(), **changes})


def test_a_target_is_never_among_its_own_confounds(planted: Planted) -> None:
    given = dataset(planted, confounds=["score", "three"])
    assert given.confounds_of_tasks["score"] == ["three"]
    assert given.confounds_of_tasks["group"] == ["score", "three"]
    assert "film" not in given.confounds_of_tasks
    assert "three" not in dataset(planted, confounds=["three"]).confounds_of_tasks
    assert given.confound_columns == ["score", "three"]
    tasks = {"score": {"target": "score", "kind": "regression", "metric": "r", "confounds": ["score"]}}
    with pytest.raises(ValueError, match="its target 'score' is among its own confounds"):
        dataset(planted, tasks=tasks)


def changed(planted: Planted, folder: Path, column: str, values: Mapping[int, str | None]) -> View:
    """The view with other values of a column for some subjects, by their number."""
    shutil.copytree(planted.view, folder)
    path = folder / "recordings.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    for row in rows:
        number = int(row["subject"].removeprefix("sub-"))
        row[PREFIX + column] = values.get(number, row[PREFIX + column])
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    return View(folder)


def test_numbers_are_as_they_are_and_texts_become_one_column_a_value(planted: Planted) -> None:
    view = View(planted.view)
    found = confound_features(view, {"group": ["score", "three"]})
    assert {name: block.shape for name, block in found.items()} == {
        "subject-confounds-00@group": (30, 1),
        "subject-confounds-01@group": (30, 3),
    }
    rows = {row["subject"]: row for row in pq.read_table(planted.view / "recordings.parquet").to_pylist()}
    scores = np.array([float(rows[subject][PREFIX + "score"]) for subject in view.subjects])
    np.testing.assert_allclose(np.diff(found["subject-confounds-00@group"][:, 0]), np.diff(scores), atol=1e-6)
    np.testing.assert_array_equal(found["subject-confounds-01@group"].sum(1), 1)


def test_a_missing_number_is_0_and_a_block_of_its_own_says_so(planted: Planted, tmp_path: Path) -> None:
    view = changed(planted, tmp_path / "view", "score", {3: "", 4: "0"})
    value, flag = confound_features(view, {"group": ["score"]}).values()
    assert value[3] == value[4]
    np.testing.assert_array_equal(np.flatnonzero(flag), [3])


@pytest.mark.parametrize(
    ("column", "values"), [("score", {28: "40"}), ("score", {29: ""}), ("three", {28: "new", 29: ""})]
)
def test_what_is_known_of_a_test_subject_does_not_move_the_kernel_of_the_training_subjects(
    planted: Planted, tmp_path: Path, column: str, values: dict[int, str]
) -> None:
    problems = stack([np.arange(20)], [np.arange(20, 30)])
    found = []
    for view in (View(planted.view), changed(planted, tmp_path / "view", column, values)):
        blocks = grams_of(confound_features(view, {"group": ["score", "three"]}))
        found.append(kernels(list(blocks.values()), problems))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-4)
    assert not np.allclose(found[0][1], found[1][1], atol=1e-2)


def test_the_features_file_keeps_a_block_for_each_task(planted: Planted, tmp_path: Path) -> None:
    study = planted.study.model_copy(update={"datasets": [dataset(planted, confounds=["score", "three"])]})
    extract(Grid(study).features_spec("small", Reader("confounds")), planted.view, tmp_path / "f")
    grams = read_grams(tmp_path / "f")
    assert grams.layers == 1
    assert len(grams.subject_blocks(0, "group", 2)) == 2
    assert len(grams.subject_blocks(0, "score", 2)) == 1
    assert grams.subject_blocks(0, "film", 0) == []


def test_what_cannot_be_predicted_from_is_told(planted: Planted) -> None:
    view = View(planted.view)
    with pytest.raises(UserError, match="task 'group': baseline 'confounds' has nothing to predict from"):
        confound_features(view, {"group": []})
    with pytest.raises(UserError, match="none of its confounds \\(motion\\) differs between subjects"):
        confound_features(view, {"group": ["motion"]})
