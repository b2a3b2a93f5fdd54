"""How well a law would have predicted the largest scales."""

import numpy as np
import pytest

from tests.scaling.laws.planted import LINE, PLANE, PLANTED
from transferscale.scaling.fits.backtest import baselines, enough, largest, predicted, rmsle, rolling
from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.objectives import LogLsq
from transferscale.scaling.fits.solve import Problem
from transferscale.scaling.laws import law

X = np.geomspace(1e3, 1e6, 8)
LOG_X = np.log(X)[:, None]


def test_rmsle_is_the_root_of_the_mean_squared_log_ratio() -> None:
    assert rmsle(np.log([2.0, 1.0]), np.log([1.0, 1.0])) == pytest.approx(np.log(2) / np.sqrt(2))


def test_the_baselines_are_the_best_small_model_and_the_largest() -> None:
    log_y = np.array([3.0, 1.0, 2.0])
    found = baselines(law("power"), np.log([[1.0], [2.0], [4.0]]), log_y, np.array([0.5]))
    assert found == pytest.approx({"best_small": 0.5, "last": 1.5})


def test_replicates_of_the_largest_scale_are_averaged() -> None:
    log_x = np.log([[1.0], [4.0], [4.0]])
    found = baselines(law("chinchilla", 2), log_x, np.array([3.0, 1.0, 2.0]), np.array([1.5]))
    assert found["last"] == pytest.approx(0)


def test_the_largest_scales_are_scales_not_points() -> None:
    log_x = np.log([[1.0], [2.0], [4.0], [4.0], [8.0], [8.0]])
    assert list(largest(law("power"), log_x, 1)) == [False] * 4 + [True] * 2
    assert list(largest(law("power"), log_x, 2)) == [False] * 2 + [True] * 4
    assert largest(law("power"), log_x, 99).all()


def test_with_two_variables_the_largest_scale_is_that_of_their_product() -> None:
    held = largest(law("chinchilla", 2), np.log(PLANE), 1)
    assert PLANE[held].tolist() == [[1e10, 1e12]]


def test_a_law_needs_as_many_scales_as_parameters_and_more_than_one_of_every_variable() -> None:
    assert enough(law("power-floor"), LOG_X[:3])
    assert not enough(law("power-floor"), LOG_X[:2])
    assert not enough(law("power-floor"), np.repeat(LOG_X[:2], 5, axis=0))
    assert enough(law("chinchilla", 2), np.log(PLANE))
    assert not enough(law("chinchilla", 2), np.log(PLANE[:6]))


def test_the_law_predicts_what_it_was_not_fitted_to() -> None:
    one = PLANTED["power-floor"]
    problem = Problem.of(one.form, one.log_x, one.log_y, LogLsq())
    small = LINE[:, 0] < 1e6
    ahead = predicted(problem, one.log_y, small, one.log_x[~small], 10)
    np.testing.assert_allclose(ahead, one.log_y[~small], atol=1e-6)
    # What is predicted has no part in the fit.
    spoiled = np.where(small, one.log_y, 9.0)
    np.testing.assert_allclose(predicted(problem, spoiled, small, one.log_x[~small], 10), ahead, atol=1e-6)


def test_a_rolling_backtest_of_the_true_law_finds_no_error_and_of_a_wrong_one_some() -> None:
    one = PLANTED["power-floor"]
    errors = {}
    for name in ("power", "power-floor"):
        problem = Problem.of(law(name), one.log_x, one.log_y, LogLsq())
        errors[name] = rolling(problem, one.log_y, 8)
    assert errors["power-floor"] is not None
    assert errors["power"] is not None
    assert errors["power-floor"] < 1e-6 < 0.02 < errors["power"]


@pytest.mark.parametrize(
    ("scales", "law_name", "tested"),
    [(3, "power", False), (4, "power", True), (4, "power-floor", False), (5, "power-floor", True)],
)
def test_a_rolling_backtest_needs_a_scale_more_than_parameters_in_the_smaller_part(
    scales: int, law_name: str, tested: bool
) -> None:
    log_x, log_y = LOG_X[:scales], 1 - 0.1 * LOG_X[:scales, 0]
    error = rolling(Problem.of(law(law_name), log_x, log_y, LogLsq()), log_y, 3)
    assert (error is not None) == tested


def test_the_held_out_scale_is_predicted_better_than_by_the_best_small_model() -> None:
    found = fit(X, 3 * X**-0.1, "power", held=X[-1] == X, bootstrap=0)
    assert found.rmsle_holdout == pytest.approx(0, abs=1e-9)
    assert found.rmsle_backtest is None
    assert found.tested == found.rmsle_holdout
    # The baseline is off by one step of the ladder.
    assert found.baselines["best_small"] == pytest.approx(0.1 * np.log(X[1] / X[0]))
    assert not any("held out" in warning or "held-out" in warning for warning in found.warnings)


def test_without_held_out_points_the_largest_scale_is_predicted_from_the_others() -> None:
    y = 3 * X**-0.1
    y[-1] *= 1.1
    found = fit(X, y, "power", bootstrap=0)
    assert found.rmsle_holdout is None
    assert found.rmsle_backtest == pytest.approx(np.log(1.1))
    assert found.tested == found.rmsle_backtest
    assert found.n == 8


def test_a_law_without_a_future_is_told_so() -> None:
    y = 3 * X**-0.1
    y[-1] = y[-2]
    for held, where in ((X[-1] == X, "held-out points"), (None, "largest scale, held out,")):
        found = fit(X, y, "power", held=held, bootstrap=0)
        assert any(f"on the {where} the law" in warning for warning in found.warnings)
        assert any("no better than" in warning for warning in found.warnings)


def test_held_out_points_have_no_part_in_the_fit() -> None:
    y = 3 * X**-0.1
    y[-2:] *= 5
    found = fit(X, y, "power", held=X[-2] <= X, bootstrap=0)
    assert found.params == pytest.approx({"b": 3.0, "c": 0.1})
    assert found.rmsle_holdout == pytest.approx(np.log(5))
    np.testing.assert_allclose(found.held_points[:, 0], X[-2:])
    np.testing.assert_allclose(found.held_values, y[-2:])
