"""The tangent space is that of each fold's training subjects."""

from pathlib import Path

import numpy as np
import pytest
from nilearn.connectome import ConnectivityMeasure

from tests.transfer.planted import Planted, auroc
from tests.transfer.test_fit import of, positive_score
from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.study.reader import Reader
from transferscale.tables import read_table
from transferscale.transfer.baselines import extract
from transferscale.transfer.fit import fit
from transferscale.transfer.grams import read_grams
from transferscale.transfer.tangent import tangent_features


def test_a_fold_s_features_are_those_of_nilearn_on_its_training_subjects(planted: Planted) -> None:
    view, splits = View(planted.view), Splits(planted.splits)
    found = tangent_features(view, splits, ["group"])
    assert sorted(found) == [f"subject-tangent@group@{fold}" for fold in range(3)]
    series = [np.asarray(run, dtype=np.float64) for _, run in view.runs()]
    place = {subject: i for i, subject in enumerate(view.subjects)}
    measure = ConnectivityMeasure(kind="tangent", vectorize=True, standardize=False)
    measure.fit([series[place[subject]] for subject in splits.train("group", 0, 1, 0, "all")])
    expected = measure.transform(series)
    np.testing.assert_allclose(found["subject-tangent@group@1"], expected, rtol=1e-3, atol=1e-5)
    assert np.abs(found["subject-tangent@group@0"] - expected).max() > 1e-3


def test_planted_coupling_is_found_through_the_features_of_each_fold(
    planted: Planted, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="--splits is missing"):
        extract(planted.features_spec("tangent"), planted.view, tmp_path / "f")
    extract(planted.features_spec("tangent"), planted.view, tmp_path / "f", planted.splits)
    grams = read_grams(tmp_path / "f")
    assert grams.of_folds("group")
    assert not grams.of_folds("film")
    spec = planted.spec("ridge", Reader("tangent"), "all")
    assert "film" not in spec["tasks"]
    fit(spec, tmp_path / "f", planted.view, planted.recordings, planted.splits, tmp_path / "p.parquet")
    table = read_table(tmp_path / "p.parquet", "predictions").to_pydict()
    columns = {name: np.array(values, dtype=object) for name, values in table.items()}
    group = of(columns, "group")
    assert auroc(positive_score(group), group["y_true"] == 1) > 0.85
