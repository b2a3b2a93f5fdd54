"""Whether the points determine a parameter, and whether they say anything beyond themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scaling.laws.planted import CHINCHILLA, NAMES, PLANTED
from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.identification import (
    BEYOND,
    FUTURE_FACTOR,
    PRECISION,
    future_factor,
    identified,
    normal_draws,
    spread,
)
from transferscale.scaling.fits.objectives import LogLsq
from transferscale.scaling.fits.solve import Problem, optima
from transferscale.scaling.laws.chinchilla import Chinchilla
from transferscale.scaling.metrics import Reals

X = np.geomspace(1e3, 1e6, 12)


def _settled(law: str, noise: float, weight: Reals | None = None) -> tuple[Problem, Reals, Reals]:
    one = PLANTED[law]
    log_y = one.log_y + noise * np.random.default_rng(0).standard_normal(len(one.x))
    problem = Problem.of(one.form, one.log_x, log_y, LogLsq(), weight)
    return problem, optima(problem, log_y, 10)[0][0], log_y


def _covariance(root: Reals) -> Reals:
    return root @ root.T


@pytest.mark.parametrize("weighted", [False, True])
def test_the_covariance_a_power_law_is_that_of_linear_regression(weighted: bool) -> None:
    points = len(PLANTED["power"].x)
    weight = np.linspace(0.5, 2, points) if weighted else np.ones(points)
    problem, theta, log_y = _settled("power", 0.05, weight)
    columns = problem.law.jacobian(theta, problem.log_x)
    residual = log_y - problem.law.log_value(theta, problem.log_x)
    variance = (weight * residual**2).sum() / (points - 2)
    wanted = variance * np.linalg.inv(columns.T @ (weight[:, None] * columns))
    np.testing.assert_allclose(_covariance(spread(problem, theta, log_y)), wanted, rtol=1e-6)


def test_a_coordinate_at_its_bound_has_no_variance() -> None:
    rng = np.random.default_rng(0)
    log_x, log_y = np.log(X)[:, None], 1 - 0.3 * np.log(X) + 0.01 * rng.standard_normal(12)
    problem = Problem.of(PLANTED["power-floor"].form, log_x, log_y, LogLsq())
    theta = optima(problem, log_y, 5)[0][0]
    theta = np.array([theta[0], theta[1], problem.lowest[2]])
    covariance = _covariance(spread(problem, theta, log_y))
    assert (covariance[2] == 0).all()
    assert covariance[1, 1] > 0


@pytest.mark.parametrize("name", NAMES)
def test_draws_have_the_spread_and_stay_within_the_bounds(name: str) -> None:
    problem, theta, log_y = _settled(name, 1e-5)
    root = spread(problem, theta, log_y)
    drawn = normal_draws(problem, theta, root, 0)
    assert ((drawn >= problem.lowest) & (drawn <= problem.highest)).all()
    np.testing.assert_allclose(drawn.std(0), np.sqrt(np.diag(_covariance(root))), rtol=0.15)


def test_outcomes_are_not_taken_to_be_known_better_than_nine_digits() -> None:
    problem, theta, log_y = _settled("power", 0.0)
    columns = problem.law.jacobian(theta, problem.log_x)
    wanted = PRECISION**2 * np.linalg.inv(columns.T @ columns)
    np.testing.assert_allclose(_covariance(spread(problem, theta, log_y)), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.0, 2.0, True),
        (-2.0, -1.0, True),
        (1.0, 9.9, True),
        (1.0, 10.1, False),
        (-10.1, -1.0, False),
        (-1.0, 2.0, False),
        (0.0, 1.0, False),
        (-1e-9, 1e-9, False),
    ],
)
def test_a_parameter_is_identified_if_its_interval_excludes_0_and_spans_less_than_a_factor_of_10(
    low: float, high: float, verdict: bool
) -> None:
    assert identified(low, high) == verdict


@settings(max_examples=20, deadline=None)
@given(noise=st.floats(1e-4, 0.5))
def test_the_future_of_a_power_law_is_as_wide_as_regression_says(noise: float) -> None:
    problem, theta, log_y = _settled("power", noise)
    root = spread(problem, theta, log_y)
    ahead = np.array([1.0, -(problem.log_x.max() + np.log(BEYOND))])
    wanted = np.exp(2 * 1.959964 * np.sqrt(ahead @ _covariance(root) @ ahead))
    assert future_factor(problem, theta, root, None) == pytest.approx(wanted, rel=1e-9)


def test_draws_that_part_beyond_the_points_make_the_future_wider() -> None:
    problem, theta, log_y = _settled("power", 0.001)
    root = spread(problem, theta, log_y)
    middle = problem.log_x.mean()
    drawn = np.array([[theta[0] + c * middle, theta[1] + c] for c in np.linspace(-0.05, 0.05, 101)])
    ahead = problem.log_x.max() + np.log(BEYOND) - middle
    wanted = np.exp(0.95 * 0.1 * ahead)
    assert future_factor(problem, theta, root, drawn) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(("end", "said"), [(1e7, False), (5e4, True)])
def test_a_break_whose_onset_is_barely_seen_has_no_future_however_well_it_fits(
    end: float, said: bool
) -> None:
    one = PLANTED["broken-1"]
    theta = one.form.coordinates({**one.natural, "c1": 2.0, "f1": 0.06})
    x = np.geomspace(1e3, 1e7, 100)
    y = np.exp(one.form.log_value(theta, np.log(x)[:, None]))
    found = fit(x[x < end], y[x < end], "broken", bootstrap=0)
    assert found.rmsle_fit < 1e-12
    assert any("extrapolation is not identified" in warning for warning in found.warnings) == said


def test_a_floor_that_the_data_do_not_show_is_not_identified_and_said() -> None:
    rng = np.random.default_rng(0)
    found = fit(X, 3 * X**-0.1 * np.exp(0.01 * rng.standard_normal(12)), "power-floor", bootstrap=200)
    assert not found.identified["e"]
    assert any(warning.startswith("not identified: e") for warning in found.warnings)


def test_a_floor_that_the_data_show_is_identified() -> None:
    rng = np.random.default_rng(0)
    found = fit(X, (1 + 50 * X**-0.5) * np.exp(0.01 * rng.standard_normal(12)), "power-floor", bootstrap=200)
    assert found.identified == {"e": True, "b": True, "c": True}
    assert found.derived["reducible_share_at_largest"] < 0.1


def test_a_noisy_curve_says_nothing_of_its_future() -> None:
    rng = np.random.default_rng(0)
    found = fit(X, 3 * X**-0.1 * np.exp(0.4 * rng.standard_normal(12)), "power", bootstrap=200)
    assert any("extrapolation is not identified" in warning for warning in found.warnings)
    assert pytest.approx(1.25) == FUTURE_FACTOR


def test_a_direction_that_leaves_the_curve_as_it_is_has_no_finite_variance() -> None:
    form, n = Chinchilla(), np.geomspace(1e7, 1e10, 12)
    theta = form.coordinates({**CHINCHILLA, "alpha": 0.3, "beta": 0.3})
    log_x = np.log(np.c_[n, 20 * n])
    log_y = form.log_value(theta, log_x)
    covariance = _covariance(spread(Problem.of(form, log_x, log_y, LogLsq()), theta, log_y))
    assert np.sqrt(covariance[1, 1]) > 1
    assert np.sqrt(covariance[0, 0]) < 1e-3


def test_sizes_and_data_that_grow_together_leave_their_factors_open() -> None:
    n = np.geomspace(1e7, 1e10, 12)
    form = Chinchilla()
    x = np.c_[n, 20 * n]
    y = np.exp(form.log_value(form.coordinates({**CHINCHILLA, "alpha": 0.3, "beta": 0.3}), np.log(x)))
    found = fit(x, y, "chinchilla", bootstrap=50)
    assert found.rmsle_fit < 1e-9
    assert not found.identified["A"]
    assert not found.identified["B"]
