"""Loss of model size and data, seen once or many times."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scaling.laws.planted import CHINCHILLA, grid
from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.objectives import LogLsq
from transferscale.scaling.fits.solve import Problem, optima
from transferscale.scaling.laws.chinchilla import (
    Chinchilla,
    ChinchillaFrontier,
    Repeated,
    RepeatedData,
    saturated,
)

R_D, R_N = 15.387756, 5.309743  # of Muennighoff et al. 2023


def test_the_optimum_is_where_the_loss_at_that_compute_is_least() -> None:
    form = Chinchilla()
    theta = form.coordinates(CHINCHILLA)
    n, d = form.optimum(theta, 1e21)
    assert 6 * n * d == pytest.approx(1e21)
    near = n * np.linspace(0.9, 1.1, 21)
    loss = form.log_value(theta, np.log(np.c_[near, 1e21 / 6 / near]))
    assert loss.argmin() == 10


def test_the_frontier_is_the_loss_at_the_optimum() -> None:
    form, frontier = Chinchilla(), ChinchillaFrontier()
    theta = form.coordinates(CHINCHILLA)
    alpha, beta = CHINCHILLA["alpha"], CHINCHILLA["beta"]
    compute = np.geomspace(1e18, 1e24, 7)
    best = [float(form.log_value(theta, np.log([form.optimum(theta, c)]))[0]) for c in compute]
    problem = Problem.of(frontier, np.log(compute)[:, None], np.array(best), LogLsq())
    found = frontier.natural(optima(problem, np.array(best), 20)[0][0])
    assert found[2] == pytest.approx(alpha * beta / (alpha + beta), rel=1e-6)
    assert found[0] == pytest.approx(CHINCHILLA["E"], rel=1e-6)


def test_what_is_derived_is_the_optimum_at_the_largest_compute_of_the_points() -> None:
    x = grid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4))
    form = Chinchilla()
    theta = form.coordinates(CHINCHILLA)
    derived = form.derived(theta, np.log(x))
    n, d = form.optimum(theta, 6 * 1e9 * 1e11)
    assert derived["compute"] == pytest.approx(6e20)
    assert (derived["optimal_N"], derived["optimal_D"]) == pytest.approx((n, d))
    assert derived["D_per_N"] == pytest.approx(d / n)
    assert derived["a"] == pytest.approx(0.28 / 0.62)


@settings(max_examples=30, deadline=None)
@given(u=st.floats(1e6, 1e12), epochs=st.floats(0.1, 1e4), r=st.floats(0.5, 100))
def test_repeated_data_are_worth_what_the_formula_says(u: float, epochs: float, r: float) -> None:
    worth = np.exp(saturated(np.log(u), np.log(u * epochs), np.log(r))[0])
    formula = u * (1 + r * (1 - np.exp(-(epochs - 1) / r))) if epochs > 1 else u * epochs
    assert worth == pytest.approx(formula, rel=1e-9)
    assert worth <= u * min(epochs, 1 + r) * (1 + 1e-9)


@pytest.mark.parametrize(("epochs", "worth"), [(4, 3.72567), (40, 15.16746)])
def test_four_epochs_are_nearly_new_data_and_forty_are_not(epochs: int, worth: float) -> None:
    formula = 1 + R_D * (1 - np.exp(-(epochs - 1) / R_D))
    assert formula == pytest.approx(worth, abs=5e-6)
    assert np.exp(saturated(np.log(1.0), np.log(float(epochs)), np.log(R_D))[0]) == pytest.approx(formula)
    form = RepeatedData()
    own = {"E": 1.7, "B": 410.7, "beta": 0.28, "RD": R_D}
    loss = np.exp(form.log_value(form.coordinates(own), np.log([[epochs * 1e9, 1e9]])))[0]
    assert loss == pytest.approx(1.7 + 410.7 / (formula * 1e9) ** 0.28)
    assert form.derived(form.coordinates(own), np.zeros((1, 2)))["most_of_U"] == pytest.approx(1 + R_D)


def test_data_seen_once_and_a_model_that_fits_them_are_chinchilla() -> None:
    x = grid(np.geomspace(1e6, 1e8, 4), np.array([1e12]), np.array([1e12]))
    repeated, plain = Repeated(), Chinchilla()
    np.testing.assert_allclose(
        repeated.log_value(repeated.coordinates({**CHINCHILLA, "RD": R_D, "RN": R_N}), np.log(x)),
        plain.log_value(plain.coordinates(CHINCHILLA), np.log(x[:, :2])),
    )


def test_parameters_in_excess_saturate_as_data_do() -> None:
    alpha, beta, a, b = (CHINCHILLA[name] for name in ("alpha", "beta", "A", "B"))
    unique, n = 1e9, 1e11
    # The size whose compute-optimal data are the unique tokens.
    g = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
    fitting = g * (unique * g) ** (beta / alpha)
    assert Chinchilla().optimum(Chinchilla().coordinates(CHINCHILLA), 6 * fitting * unique)[
        1
    ] == pytest.approx(unique)
    n_effective = fitting * (1 + R_N * (1 - np.exp(-(n / fitting - 1) / R_N)))
    form = Repeated()
    theta = form.coordinates({**CHINCHILLA, "RD": R_D, "RN": R_N})
    loss = np.exp(form.log_value(theta, np.log([[n, unique, unique]])))[0]
    assert loss == pytest.approx(CHINCHILLA["E"] + a / n_effective**alpha + b / unique**beta)


def test_sizes_that_grow_with_the_data_are_fitted_and_said_not_to_tell_them_apart() -> None:
    n = np.geomspace(1e7, 1e10, 14)
    x = np.c_[n, 20 * n]
    form = Chinchilla()
    noise = 0.003 * np.random.default_rng(0).standard_normal(14)
    y = np.exp(form.log_value(form.coordinates(CHINCHILLA), np.log(x)) + noise)
    found = fit(x, y, "chinchilla", bootstrap=100)
    assert not found.identified["A"]
    assert not found.identified["B"]
    assert any("not identified" in warning for warning in found.warnings)
