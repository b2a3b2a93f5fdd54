"""Probabilities are those of the fitted logistic loss, and there are none where none was fitted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from tests.transfer.planted import Planted
from transferscale.tables import read_table
from transferscale.transfer.grams import gram
from transferscale.transfer.predictions import probabilities
from transferscale.transfer.readout import Problem, fit_problems, targets


def test_two_classes_have_the_probabilities_of_a_class_balanced_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(40) % 4 == 0).astype(float)
    x = (rng.standard_normal((40, 6)) + y[:, None]).astype(np.float32)
    train, test = np.arange(30), np.arange(30, 40)
    options = {"penalties": [1.0], "fixed_penalty": 1.0}
    (ours,) = fit_problems(
        [[gram(x)]], "classification", targets("classification", y, 2), [Problem(train, test)], options
    )
    scaled = (x - x[train].mean(0)) / np.sqrt(((x[train] - x[train].mean(0)) ** 2).sum(1).mean())
    theirs = LogisticRegression(C=1.0, class_weight="balanced", tol=1e-10, max_iter=10000).fit(
        scaled[train], y[train]
    )
    np.testing.assert_allclose(
        probabilities("classification", ours.log_odds), theirs.predict_proba(scaled[test]), atol=1e-4
    )


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.integers(2, 5), size=st.floats(0, 1e3))
def test_probabilities_sum_to_one_and_the_likeliest_class_is_the_predicted_one(
    seed: int, classes: int, size: float
) -> None:
    odds = size * np.random.default_rng(seed).standard_normal((7, 1 if classes == 2 else classes))
    given_ = probabilities("classification", odds)
    np.testing.assert_allclose(given_.sum(1), 1)
    top = (odds[:, 0] > 0) if classes == 2 else odds.argmax(1)
    np.testing.assert_array_equal(given_[np.arange(7), top.astype(int)], given_.max(1))


@pytest.mark.parametrize("kind", ["regression", "state"])
def test_squared_error_knows_no_probabilities(kind: str) -> None:
    assert probabilities(kind, np.ones((3, 4))).shape == (3, 0)


def test_the_table_has_them_for_classes_of_subjects_alone(planted: Planted, tmp_path) -> None:
    from transferscale.study.reader import Reader
    from transferscale.transfer.baselines import extract
    from transferscale.transfer.fit import fit

    extract(planted.features_spec("raw-linear"), planted.view, tmp_path / "f.safetensors")
    spec = planted.spec("ridge", Reader("raw:linear"), 16)
    out = tmp_path / "p.parquet"
    fit(spec, tmp_path / "f.safetensors", planted.view, planted.recordings, planted.splits, out)
    lengths = {(row["task"], len(row["y_prob"])) for row in read_table(out, "predictions").to_pylist()}
    assert lengths == {("group", 2), ("three", 3), ("score", 0), ("film", 0)}
