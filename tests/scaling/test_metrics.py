"""The weighted metrics agree with scikit-learn, and a weight of two is a row that is there twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    r2_score,
    roc_auc_score,
)

from transferscale.scaling import metrics


def _classes(rng: np.random.Generator, rows: int, classes: int) -> np.ndarray:
    return rng.permutation(np.arange(rows) % classes)


def test_a_perfect_a_reversed_and_a_constant_ranking_have_auroc_one_zero_and_one_half() -> None:
    truth = np.array([0, 0, 1, 1])
    score = np.array([[0.1, 0.9, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0], [0.4, 0.6, 0.0]])
    both = np.stack([-score, score], 1)
    assert metrics.auroc(truth, both).tolist() == [[1.0, 0.0, 0.5]]


def test_one_pair_of_four_in_the_wrong_order_is_an_auroc_of_three_quarters() -> None:
    score = np.array([0.1, 0.4, 0.35, 0.8])[:, None]
    assert metrics.auroc(np.array([0, 0, 1, 1]), np.stack([-score, score], 1)).item() == 0.75


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.integers(2, 4), ties=st.booleans())
def test_weighted_auroc_is_scikit_learns(seed: int, classes: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    truth = _classes(rng, 24, classes)
    score = rng.random((24, classes, 1))
    score = score.round(1) if ties else score
    weights = rng.integers(1, 4, 24).astype(float)
    ours = metrics.auroc(truth, score, weights[None]).item()
    if classes == 2:
        theirs = roc_auc_score(truth, score[:, 1, 0] - score[:, 0, 0], sample_weight=weights)
    else:
        theirs = np.mean(
            [roc_auc_score(truth == c, score[:, c, 0], sample_weight=weights) for c in range(classes)]
        )
    assert ours == pytest.approx(theirs, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.integers(2, 5))
def test_weighted_accuracies_are_scikit_learns(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    truth, weights = _classes(rng, 30, classes), rng.random(30) + 0.1
    predicted = rng.integers(0, classes, (30, 2))
    accuracy = metrics.accuracy(truth, predicted, weights[None])[0]
    balanced = metrics.balanced_accuracy(truth, predicted, weights[None])[0]
    for j in range(2):
        assert accuracy[j] == pytest.approx(accuracy_score(truth, predicted[:, j], sample_weight=weights))
        assert balanced[j] == pytest.approx(
            balanced_accuracy_score(truth, predicted[:, j], sample_weight=weights)
        )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), shift=st.floats(-1e4, 1e4))
def test_weighted_r_and_r2_are_numpys_and_scikit_learns_wherever_the_target_lies(
    seed: int, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(25) + shift
    predicted = (0.5 * (truth - shift) + rng.standard_normal(25) + shift)[:, None]
    weights = rng.integers(1, 4, 25)
    twice = np.repeat(np.arange(25), weights)
    r = metrics.r(truth, predicted, weights[None].astype(float)).item()
    r2 = metrics.r2(truth, predicted, weights[None].astype(float)).item()
    assert r == pytest.approx(np.corrcoef(truth[twice], predicted[twice, 0])[0, 1], abs=1e-7)
    assert r2 == pytest.approx(r2_score(truth[twice], predicted[twice, 0]), abs=1e-6)


def test_a_constant_prediction_correlates_with_nothing() -> None:
    assert metrics.r(np.arange(5.0), np.full((5, 1), 3.0)).item() == 0.0


def test_many_resamples_and_columns_are_the_single_ones_stacked() -> None:
    rng = np.random.default_rng(0)
    truth, score, weights = _classes(rng, 20, 2), rng.random((20, 2, 3)), rng.random((4, 20))
    stacked = metrics.auroc(truth, score, weights)
    assert stacked.shape == (4, 3)
    assert stacked[2, 1] == pytest.approx(metrics.auroc(truth, score[..., 1:2], weights[2:3]).item())


def _calibrated(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes drawn with the probabilities (rows, 2, 1) that are told."""
    second = rng.uniform(0, 1, (rows, 1))
    return (rng.uniform(size=rows) < second[:, 0]).astype(int), np.stack([1 - second, second], 1)


def test_brier_is_scikit_learns_where_classes_are_balanced() -> None:
    rng = np.random.default_rng(0)
    truth, probability = np.arange(40) % 2, rng.dirichlet([1, 1], (40, 1)).transpose(0, 2, 1)
    theirs = brier_score_loss(truth, probability[:, 1, 0])
    assert metrics.brier(truth, probability).item() == pytest.approx(theirs)


def test_a_guess_has_brier_a_quarter_and_no_calibration_error_whatever_the_numbers_of_the_classes() -> None:
    truth, guess = (np.arange(2000) % 5 == 0).astype(int), np.full((2000, 2, 1), 0.5)
    assert metrics.brier(truth, guess).item() == pytest.approx(0.25)
    assert metrics.ece(truth, guess).item() == pytest.approx(0, abs=0.1)


def test_a_read_out_that_is_always_sure_is_off_by_how_often_it_is_wrong() -> None:
    truth = np.arange(1000) % 2
    sure = np.tile(np.array([0.1, 0.9])[:, None], (1000, 1, 1))
    # It says the second class with .9 and is right every second time.
    assert metrics.ece(truth, sure).item() == pytest.approx(0.4, abs=0.02)


def test_on_77_calibrated_subjects_the_binned_error_of_guo_is_a_tenth_and_ours_about_nothing() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = [], []
    for _ in range(40):
        truth, probability = _calibrated(rng, 77)
        sure, right = probability.max(1)[:, 0], probability.argmax(1)[:, 0] == truth
        in_bin = np.minimum((sure * 15).astype(int), 14)
        theirs.append(sum(abs((sure - right)[in_bin == b].sum()) for b in range(15)) / 77)
        ours.append(metrics.ece(truth, probability).item())
    assert np.mean(theirs) == pytest.approx(0.11, abs=0.01)
    assert np.mean(ours) == pytest.approx(0, abs=0.03)


def test_a_bootstrap_does_not_make_the_calibration_error_larger_on_the_whole() -> None:
    rng = np.random.default_rng(1)
    points, resampled = [], []
    for _ in range(20):
        truth, probability = _calibrated(rng, 77)
        weights = rng.multinomial(77, np.full(77, 1 / 77), 200).astype(float)
        points.append(metrics.ece(truth, probability).item())
        resampled.append(metrics.ece(truth, probability, weights).mean())
    assert np.mean(resampled) == pytest.approx(np.mean(points), abs=0.02)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.integers(2, 4))
def test_calibration_lies_between_zero_and_one_and_ignores_the_order_of_rows(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    truth = _classes(rng, 24, classes)
    probability = rng.dirichlet(np.ones(classes), (24, 3)).transpose(0, 2, 1)
    weights = rng.integers(0, 3, (2, 24)).astype(float) + np.eye(24)[:2]
    order = rng.permutation(24)
    for metric in (metrics.brier, metrics.ece):
        value = metric(truth, probability, weights)
        assert value.shape == (2, 3)
        assert (value >= (0 if metric is metrics.brier else -1)).all()
        assert (value <= 1).all()
        np.testing.assert_allclose(metric(truth[order], probability[order], weights[:, order]), value)
