"""The frozen read-out chooses inside the training subjects and scores on a scale that folds share."""

import numpy as np
import pytest
from benchmarks.readout_speed import Curve, loop, ours
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transfer.planted import auroc
from transferscale.transfer.choice import CHOICE_FROM, inner_folds
from transferscale.transfer.readout import Problem, fit_problems, targets

OPTIONS = {"penalties": [0.01, 0.1, 1.0, 10.0], "fixed_penalty": 1.0}


def layers(seed: int = 0, rows: int = 48) -> tuple[list[list[np.ndarray]], np.ndarray]:
    """Two layers: noise, and a layer that tells the classes apart; one class is rare."""
    random = np.random.default_rng(seed)
    y = (np.arange(rows) % 3 == 0).astype(float)
    noise, good = random.standard_normal((2, rows, 20))
    good[:, 0] += 3 * y
    return [[(x @ x.T).astype(np.float32)] for x in (noise, good)], y


def problems(y: np.ndarray, folds: int = 4, choose: bool = True) -> list[Problem]:
    order = np.argsort(y, kind="stable")
    tests = [np.sort(order[fold::folds]) for fold in range(folds)]
    trains = [np.setdiff1d(np.arange(len(y)), test) for test in tests]
    return [
        Problem(train, test, [train[held] for held in inner_folds(y[train], 3)] if choose else ())
        for train, test in zip(trains, tests, strict=True)
    ]


def test_the_informative_layer_is_chosen() -> None:
    blocks, y = layers()
    fitted = fit_problems(blocks, "classification", targets("classification", y, 2), problems(y), OPTIONS)
    assert [fit.layer for fit in fitted] == [1] * 4
    assert all(fit.choice["chosen"] == "inner folds" for fit in fitted)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_on_noise_large_penalties_are_chosen_because_held_out_rows_are_not_trained_on(kind: str) -> None:
    chosen = []
    for seed in range(12):
        blocks, y = layers(seed)
        fitted = fit_problems(blocks[:1], kind, targets(kind, y, 2), problems(y), OPTIONS)
        chosen += [fit.penalty for fit in fitted]
    assert np.mean(np.array(chosen) >= 1) > 0.75


def test_without_inner_folds_nothing_is_chosen() -> None:
    blocks, y = layers()
    target = targets("classification", y, 2)
    fitted = fit_problems(blocks, "classification", target, problems(y, choose=False), OPTIONS)
    assert {(fit.layer, fit.penalty, fit.chosen) for fit in fitted} == {(0, 1.0, False)}


@pytest.mark.parametrize("kind", ["classification", "regression", "state"])
def test_labels_and_features_of_test_rows_reach_neither_choice_nor_fit(kind: str) -> None:
    blocks, y = layers()
    one = problems(y)[:1]
    before = fit_problems(blocks, kind, targets(kind, y, 2), one, OPTIONS)[0]
    changed = y.copy()
    changed[one[0].test] = 1 - changed[one[0].test]
    after = fit_problems(blocks, kind, targets(kind, changed, 2), one, OPTIONS)[0]
    np.testing.assert_array_equal(before.scores, after.scores)
    assert before.choice == after.choice


def test_folds_with_different_penalties_can_be_pooled() -> None:
    blocks, y = layers()
    target, scores = targets("classification", y, 2), np.empty(len(y))
    for problem, penalty in zip(problems(y, choose=False), (0.001, 10.0, 0.001, 10.0), strict=True):
        options = {**OPTIONS, "fixed_penalty": penalty}
        scores[problem.test] = fit_problems(blocks[1:], "classification", target, [problem], options)[
            0
        ].scores[:, 0]
    within = [auroc(scores[p.test], y[p.test] > 0) for p in problems(y)]
    assert auroc(scores, y > 0) > np.mean(within) - 0.03


def test_three_classes_are_told_apart() -> None:
    random = np.random.default_rng(1)
    y = np.arange(60) % 3
    x = np.eye(3)[y] * 3 + random.standard_normal((60, 3))
    blocks = [[(x @ x.T).astype(np.float32)]]
    fitted = fit_problems(blocks, "classification", targets("classification", y, 3), problems(y), OPTIONS)
    hits = [fit.scores.argmax(1) == y[p.test] for fit, p in zip(fitted, problems(y), strict=True)]
    assert np.concatenate(hits).mean() > 0.8


def test_rows_without_a_label_do_not_spoil_the_rest() -> None:
    blocks, y = layers()
    value = y + np.linspace(0, 1, len(y))
    some = [Problem(np.arange(1, 30), np.arange(30, 40)), Problem(np.arange(1, 20), np.arange(30, 40))]
    value[0] = np.nan
    for fit in fit_problems(blocks, "regression", targets("regression", value, 0), some, OPTIONS):
        assert np.isfinite(fit.scores).all()


@settings(max_examples=50, deadline=None)
@given(y=st.lists(st.integers(0, 2), min_size=CHOICE_FROM, max_size=60), folds=st.integers(2, 6))
def test_inner_folds_are_a_stratified_partition(y: list[int], folds: int) -> None:
    held = inner_folds(np.array(y), folds)
    assert sorted(np.concatenate(held).tolist()) == list(range(len(y)))
    for label in set(y):
        counts = [int((np.array(y)[rows] == label).sum()) for rows in held]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("kind", ["classification", "state", "regression"])
def test_a_label_count_curve_is_that_of_a_loop_over_scikit_learn(kind: str) -> None:
    random = np.random.default_rng(3)
    y = random.permutation(np.arange(60) % (4 if kind == "state" else 2)).astype(float)
    layers = [[random.standard_normal((60, 90)).astype(np.float32) for _ in range(2)] for _ in range(2)]
    layers[1][0][:, 0] += 4 * y
    every = [
        Problem(train, np.setdiff1d(np.arange(60), train), [train[held] for held in inner_folds(y[train], 3)])
        for train in (np.sort(random.permutation(60)[:n]) for n in (16, 20, 40))
    ]
    curve = Curve("x", kind, layers, targets(kind, y, 4 if kind == "state" else 2), every)
    for fit, (layer, penalty, scores) in zip(ours(curve), loop(curve), strict=True):
        assert (fit.layer, fit.penalty) == (layer, penalty)
        np.testing.assert_allclose(fit.scores, scores, atol=1e-3)
