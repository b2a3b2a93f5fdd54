"""Confounds predict what they are related to, and nothing of a target is among them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.transfer.planted import Planted
from transferscale.errors import UserError
from transferscale.medical.reading import View
from transferscale.study.dataset import Dataset
from transferscale.study.grid import Grid
from transferscale.study.reader import Reader
from transferscale.transfer.baselines import extract
from transferscale.transfer.confounds import confound_features
from transferscale.transfer.grams import read_grams


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


def test_numbers_are_standardised_and_texts_become_one_column_a_value(planted: Planted) -> None:
    found = confound_features(View(planted.view), {"group": ["score", "three"]})["subject-confounds@group"]
    assert found.shape == (30, 4)
    assert found[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert found[:, 0].std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(found[:, 1:].sum(1), 1)


def test_the_features_file_keeps_a_block_for_each_task(planted: Planted, tmp_path: Path) -> None:
    study = planted.study.model_copy(update={"datasets": [dataset(planted, confounds=["three"])]})
    extract(Grid(study).features_spec("small", Reader("confounds")), planted.view, tmp_path / "f")
    grams = read_grams(tmp_path / "f")
    assert grams.layers == 1
    assert len(grams.subject_blocks(0, "group", 2)) == 1
    assert grams.subject_blocks(0, "film", 0) == []


def test_what_cannot_be_predicted_from_is_told(planted: Planted) -> None:
    view = View(planted.view)
    with pytest.raises(UserError, match="task 'group': baseline 'confounds' has nothing to predict from"):
        confound_features(view, {"group": []})
    with pytest.raises(UserError, match="none of its confounds \\(motion\\) differs between subjects"):
        confound_features(view, {"group": ["motion"]})
