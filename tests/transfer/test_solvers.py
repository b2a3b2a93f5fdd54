"""The dual solvers are scikit-learn's, problem by problem."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from transferscale.transfer.kernels import kernels, stack
from transferscale.transfer.solvers import balanced, logistic, ridge


def problem(seed: int, rows: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, features)) * 3 + random.standard_normal(features)
    y = x[:, 0] + 0.5 * random.standard_normal(rows) > np.quantile(x[:, 0], 0.7)
    return x, y


@pytest.mark.parametrize("penalty", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("features", [3, 200])
def test_logistic_agrees_with_scikit_learn(penalty: float, features: int) -> None:
    x, y = problem(1, 40, features)
    centred = x - x.mean(0)
    kernel = centred @ centred.T
    unit = np.trace(kernel) / len(kernel)
    weight = balanced(y[None], np.ones((1, 40)))
    dual, intercept = logistic(kernel[None] / unit, y[None], weight, np.array([penalty]))
    ours = kernel / unit @ dual[0] + intercept[0]
    theirs = LogisticRegression(C=1 / penalty, class_weight="balanced", tol=1e-10, max_iter=10_000)
    theirs.fit(centred / np.sqrt(unit), y)
    np.testing.assert_allclose(ours, theirs.decision_function(centred / np.sqrt(unit)), atol=1e-3)


@pytest.mark.parametrize("penalty", [0.01, 10.0])
def test_ridge_agrees_with_scikit_learn(penalty: float) -> None:
    x, _ = problem(2, 30, 50)
    target = x[:, :2] + 7
    gram = (x @ x.T).astype(np.float32)
    rows = np.arange(30)
    inner, cross = kernels([gram], stack([rows[:20]], [rows[20:]]))
    dual, intercept = ridge(inner, target[None, :20], np.ones((1, 20)), np.array([penalty]))
    centred = x[:20] - x[:20].mean(0)
    theirs = Ridge(alpha=penalty * (centred**2).sum(1).mean()).fit(x[:20], target[:20])
    np.testing.assert_allclose((cross @ dual + intercept[:, None])[0], theirs.predict(x[20:]), atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), short=st.integers(6, 19), penalty=st.sampled_from([0.01, 0.1, 1.0, 10.0]))
def test_padding_and_stacking_change_nothing(seed: int, short: int, penalty: float) -> None:
    x, y = problem(seed, 30, 12)
    y[:2] = [True, False]
    gram = (x @ x.T).astype(np.float32)
    train, test = [np.arange(20), np.arange(short)], [np.arange(20, 30), np.arange(short, 30)]

    def scores(which: list[int]) -> list[np.ndarray]:
        problems = stack([train[i] for i in which], [test[i] for i in which])
        inner, cross = kernels([gram], problems)
        positive = y[problems.train]
        penalties = np.full(len(which), penalty)
        dual, intercept = logistic(inner, positive, balanced(positive, problems.real), penalties)
        found = np.einsum("gij,gj->gi", cross, dual) + intercept[:, None]
        return [row[:size] for row, size in zip(found, problems.sizes, strict=True)]

    together = scores([0, 1])
    for i in (0, 1):
        np.testing.assert_allclose(together[i], scores([i])[0], atol=1e-7)


def test_a_problem_with_one_class_learns_nothing() -> None:
    kernel = np.eye(4)[None] - 0.25
    positive = np.ones((1, 4), dtype=bool)
    dual, intercept = logistic(kernel, positive, balanced(positive, np.ones((1, 4))), np.array([1.0]))
    assert not dual.any()
    assert not intercept.any()


def test_no_features_give_equal_scores_whatever_the_class_shares() -> None:
    positive = np.array([[True, False, False], [True, True, False]])
    weight = balanced(positive, np.ones((2, 3)))
    _, intercept = logistic(np.zeros((2, 3, 3)), positive, weight, np.ones(2))
    assert intercept.tolist() == [0.0, 0.0]


def test_separable_classes_do_not_make_the_steps_diverge() -> None:
    x = np.concatenate([np.full(10, -1e3), np.full(10, 1e3)])
    kernel = np.outer(x, x)[None]
    positive = (x > 0)[None]
    dual, intercept = logistic(kernel, positive, balanced(positive, np.ones((1, 20))), np.array([1e-6]))
    score = kernel[0] @ dual[0] + intercept[0]
    assert np.isfinite(score).all()
    assert ((score > 0) == (x > 0)).all()
