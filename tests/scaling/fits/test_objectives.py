"""What a fit minimises: the densities and losses of the papers, and the minima that scipy finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize, minimize_scalar
from scipy.special import huber as scipy_huber

from tests.scaling.laws.planted import LINE, PLANE, PLANTED
from transferscale.errors import UserError
from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.objectives import (
    OBJECTIVES,
    Huber,
    Likelihood,
    Log1pLsq,
    LogLsq,
    Objective,
    objective,
)
from transferscale.scaling.fits.solve import Problem, optima
from transferscale.scaling.metrics import Reals

EVERY = pytest.mark.parametrize("own", [LogLsq(), Log1pLsq(), Huber(0.05), Likelihood(0.5)], ids=str)
RESIDUALS = st.lists(st.floats(-2, 2).filter(lambda r: r == 0 or abs(r) > 1e-6), min_size=4, max_size=12)


@settings(max_examples=30, deadline=None)
@given(residual=RESIDUALS, delta=st.floats(1e-3, 2))
def test_huber_s_sum_is_scipy_s(residual: list[float], delta: float) -> None:
    found = Huber(delta).value(np.array([residual]), np.ones(len(residual)))
    assert found == pytest.approx(scipy_huber(delta, np.array(residual)).sum())


def test_least_squares_are_summed_not_averaged() -> None:
    residual = np.array([[1.0, -2.0]])
    assert LogLsq().value(residual, np.ones(2)) == 5
    assert LogLsq().value(residual, np.array([1.0, 3.0])) == 13


def test_residuals_of_log1p_are_those_of_scikit_learn_s_squared_log_error() -> None:
    y, predicted = np.array([0.2, 1.0, 5.0]), np.array([0.3, 0.9, 6.0])
    problem = Problem.of(PLANTED["power"].form, LINE[:3], np.log(y), Log1pLsq())
    own, scale = problem.objective.scale_of(np.log(predicted))
    np.testing.assert_allclose(own, np.log1p(predicted))
    np.testing.assert_allclose(scale, predicted / (1 + predicted))


@pytest.mark.parametrize("delta", [1e-3, 0.3, 1.345])
def test_the_likelihood_is_that_of_a_density(delta: float) -> None:
    scale = 0.07

    def density(r: float) -> float:
        rho = float(scipy_huber(delta, r / scale))
        log_z = np.log(np.sqrt(2 * np.pi) * (1 - 2 * _tail(delta)) + 2 * np.exp(-(delta**2) / 2) / delta)
        return float(np.exp(-rho - log_z) / scale)

    reach = scale * (delta + 40 / delta)
    total = 2 * (quad(density, 0, delta * scale)[0] + quad(density, delta * scale, reach, limit=200)[0])
    assert total == pytest.approx(1, abs=1e-6)
    residual = np.array([[scale * delta * 3, -scale * delta / 2, 0.4 * scale]])
    own = Likelihood(delta)
    s = float(own.scale(residual, np.ones(3))[0, 0])
    scale = s
    assert own.value(residual, np.ones(3)) == pytest.approx(-np.log([density(r) for r in residual[0]]).sum())


def _tail(z: float) -> float:
    from scipy.stats import norm

    return float(norm.sf(z))


@settings(max_examples=40, deadline=None)
@given(residual=RESIDUALS, delta=st.sampled_from([1e-3, 0.1, 1.0, 3.0]))
def test_the_fitted_scale_is_the_likeliest(residual: list[float], delta: float) -> None:
    r = np.array(residual)
    if np.abs(r).max() < 1e-3:
        r = r + 0.01
    weight = np.linspace(0.5, 2, len(r))

    def cost(log_s: float) -> float:
        return float((weight * (scipy_huber(delta, r / np.exp(log_s)) + log_s)).sum())

    found = float(np.log(Likelihood(delta).scale(r[None], weight)[0, 0]))
    best = minimize_scalar(cost, bracket=(found - 2, found + 0.5), tol=1e-12)
    assert cost(found) <= best.fun + 1e-7


def test_a_perfect_fit_has_a_finite_likelihood() -> None:
    assert np.isfinite(Likelihood(1e-3).value(np.zeros((2, 5)), np.ones(5))).all()


@EVERY
def test_a_weight_of_two_is_a_point_seen_twice(own: Objective) -> None:
    residual = np.array([[0.1, -0.4, 0.03, 0.2]])
    twice = np.array([[0.1, -0.4, -0.4, 0.03, 0.2]])
    weighted = own.value(residual, np.array([1.0, 2.0, 1.0, 1.0]))
    assert weighted == pytest.approx(own.value(twice, np.ones(5)))


@EVERY
def test_the_influence_gives_the_gradient(own: Objective) -> None:
    rng = np.random.default_rng(0)
    residual, weight = 0.3 * rng.standard_normal((1, 9)), rng.uniform(0.5, 2, 9)
    pull, curve = own.influence(residual, weight)
    assert (curve <= pull * (1 + 1e-12)).all()
    numeric = np.empty(9)
    for i in range(9):
        step = np.zeros((1, 9))
        step[0, i] = 1e-6
        numeric[i] = (own.value(residual + step, weight) - own.value(residual - step, weight))[0] / 2e-6
    constant = 2.0 if isinstance(own, LogLsq) else 1.0
    np.testing.assert_allclose(constant * (pull * residual)[0], numeric, rtol=1e-5)


def _problem(law: str, seed: int, own: Objective) -> tuple[Problem, Reals]:
    """A law's own points with outliers."""
    rng = np.random.default_rng(seed)
    one = PLANTED[law]
    noise = 0.01 * rng.standard_t(2, len(one.x))
    log_y = one.log_y + noise
    return Problem.of(one.form, one.log_x, log_y, own), log_y


def _scipy(problem: Problem, log_y: Reals, first: Reals, free_scale: bool) -> float:
    """The least objective that L-BFGS-B finds, with the likelihood's scale as one more parameter."""
    delta = getattr(problem.objective, "delta", 0.0)

    def cost(theta: Reals) -> float:
        if not free_scale:
            return float(problem.values(theta[None], log_y[None])[0])
        residual = log_y - problem.law.log_value(theta[:-1], problem.log_x)
        z = np.sqrt(2 * np.pi) * (1 - 2 * _tail(delta)) + 2 * np.exp(-(delta**2) / 2) / delta
        return float((scipy_huber(delta, residual / np.exp(theta[-1])) + theta[-1] + np.log(z)).sum())

    start = np.append(first, -4.0) if free_scale else first
    bounds = list(zip(problem.lowest, problem.highest, strict=True)) + [(-20, 5)] * free_scale
    best = np.inf
    for seed in range(2):
        jitter = start * (1 + 0.02 * seed * np.random.default_rng(seed).standard_normal(len(start)))
        found = minimize(cost, jitter, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000})
        found = minimize(cost, found.x, method="Nelder-Mead", bounds=bounds, options={"maxiter": 2000})
        best = min(best, float(found.fun))
    return best


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("law", ["power", "power-floor", "chinchilla-C"])
@pytest.mark.parametrize("own", [LogLsq(), Log1pLsq(), Huber(1e-3), Likelihood(1e-3)], ids=str)
def test_no_fit_is_worse_than_scipy_s(law: str, seed: int, own: Objective) -> None:
    problem, log_y = _problem(law, seed, own)
    theta, values = optima(problem, log_y, 10)
    theirs = _scipy(problem, log_y, theta[0], isinstance(own, Likelihood))
    assert values[0] <= theirs + 1e-6 * abs(theirs)
    assert values[0] <= problem.values(PLANTED[law].theta[None], log_y[None])[0]


def test_the_likelihood_forgives_outliers_that_least_squares_follow() -> None:
    rng = np.random.default_rng(0)
    form = PLANTED["chinchilla"].form
    log_y = PLANTED["chinchilla"].log_y + 0.002 * rng.standard_normal(len(PLANE))
    log_y[::7] += 0.3
    off = []
    for own in (LogLsq(), Huber(1e-3), Likelihood(1e-3)):
        found = fit(PLANE, np.exp(log_y), form, objective=own, bootstrap=0)
        off.append(np.abs(np.log(found.predict(PLANE)) - PLANTED["chinchilla"].log_y).max())
    assert max(off[1:]) < 0.1 * off[0]


def test_the_objective_says_its_name_and_delta() -> None:
    assert {name: objective(name, 0.01).name.split(",")[0] for name in OBJECTIVES} == {
        "log-lsq": "sum of squared residuals of log y",
        "log1p-lsq": "sum of squared residuals of log(1 + y)",
        "huber": "Huber sum of residuals of log y",
        "likelihood": "negative log likelihood",
    }
    assert "delta 0.01" in objective("huber", 0.01).name


@pytest.mark.parametrize(
    ("name", "delta", "sentence"),
    [
        ("hubert", 1e-3, "objective 'hubert' is unknown; did you mean 'huber'?"),
        ("huber", 0.0, "--delta must be above 0, not 0"),
        ("huber", float("nan"), "--delta must be above 0, not nan"),
    ],
)
def test_an_objective_that_does_not_exist_is_one_sentence(name: str, delta: float, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        objective(name, delta)
