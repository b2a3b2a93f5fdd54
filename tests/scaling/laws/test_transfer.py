"""Laws of fine-tuning."""

import numpy as np
import pytest

from tests.scaling.laws.planted import PLANE
from transferscale.errors import UserError
from transferscale.scaling.fits.fit import fit
from transferscale.scaling.laws.transfer import FineTune, Transfer

HERNANDEZ = {"k": 1.9e4, "alpha": 0.18, "beta": 0.38}  # text to Python, Hernandez et al. 2021


def test_ten_times_the_data_or_the_parameters_transfer_as_hernandez_found() -> None:
    form = Transfer()
    derived = form.derived(form.coordinates(HERNANDEZ), np.log(PLANE))
    assert float(derived["factor_per_10x_D_F"]) == pytest.approx(1.514, abs=5e-4)
    assert float(derived["factor_per_10x_N"]) == pytest.approx(2.399, abs=5e-4)


def test_the_derived_factors_are_those_of_the_curve() -> None:
    form = Transfer()
    theta = form.coordinates(HERNANDEZ)
    log_d = form.log_value(theta, np.log([[1e8, 1e9], [1e9, 1e9], [1e8, 1e10]]))
    assert np.exp(log_d[1] - log_d[0]) == pytest.approx(10**0.18)
    assert np.exp(log_d[2] - log_d[0]) == pytest.approx(10**0.38)
    assert np.exp(log_d[0]) == pytest.approx(1.9e4 * 1e8**0.18 * 1e9**0.38)


def test_a_transfer_law_is_the_plane_that_numpy_fits() -> None:
    rng = np.random.default_rng(0)
    y = 1.9e4 * PLANE[:, 0] ** 0.18 * PLANE[:, 1] ** 0.38 * np.exp(0.2 * rng.standard_normal(len(PLANE)))
    columns = np.c_[np.ones(len(PLANE)), np.log(PLANE)]
    wanted = np.linalg.lstsq(columns, np.log(y), rcond=None)[0]
    found = fit(PLANE, y, "transfer", bootstrap=0).params
    assert [np.log(found["k"]), found["alpha"], found["beta"]] == pytest.approx(wanted, rel=1e-6)


def test_transfer_that_hurts_is_refused_in_a_sentence() -> None:
    y = np.full(len(PLANE), 100.0)
    y[3] = -20
    with pytest.raises(UserError, match="'D_T': a law needs positive numbers, found -20"):
        fit(PLANE, y, "transfer", names=(("D_F", "N"), "D_T"), bootstrap=0)


def test_the_joint_law_is_multiplicative_above_its_floor() -> None:
    form = FineTune()
    theta = form.coordinates({"E": 1.2, "A": 60.0, "alpha": 0.12, "beta": 0.1})
    x = np.array([[1e8, 1e4], [2e8, 1e4], [1e8, 2e4], [2e8, 2e4]])
    above = np.exp(form.log_value(theta, np.log(x))) - 1.2
    assert above[0] == pytest.approx(60 / (1e8**0.12 * 1e4**0.1))
    assert above[1] * above[2] == pytest.approx(above[0] * above[3])


def test_the_scale_that_is_worth_twice_the_data_is_that_of_the_curve() -> None:
    form = FineTune()
    theta = form.coordinates({"E": 1.2, "A": 60.0, "alpha": 0.12, "beta": 0.1})
    factor = float(form.derived(theta, np.zeros((1, 2)))["X_factor_worth_2x_D_f"])
    more_scale, more_data = form.log_value(theta, np.log([[1e8 * factor, 1e4], [1e8, 2e4]]))
    assert more_scale == pytest.approx(more_data)
