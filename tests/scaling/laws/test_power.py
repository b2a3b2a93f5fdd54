"""Power laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.scaling.fits.fit import fit
from transferscale.scaling.laws.power import Power, PowerFloor

X = np.geomspace(1e3, 1e6, 8)


@settings(max_examples=25, deadline=None)
@given(b=st.floats(0.1, 100), c=st.floats(-1, 2))
def test_a_noiseless_power_law_is_found_exactly(b: float, c: float) -> None:
    form = Power()
    theta = form.starts(np.log(X)[:, None], np.log(b) - c * np.log(X))[0]
    assert form.natural(theta) == pytest.approx([b, c], rel=1e-6, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(e=st.floats(0.2, 2), b=st.floats(2, 100), c=st.floats(0.15, 0.8))
def test_a_noiseless_floor_is_found(e: float, b: float, c: float) -> None:
    found = fit(X, e + b * X**-c, "power-floor", bootstrap=0)
    assert found.rmsle_fit < 1e-8
    assert list(found.params.values()) == pytest.approx([e, b, c], rel=1e-4)


def test_a_power_law_is_fitted_as_numpy_fits_a_line() -> None:
    rng = np.random.default_rng(0)
    y = 3 * X**-0.1 * np.exp(0.1 * rng.standard_normal(8))
    slope, offset = np.polyfit(np.log(X), np.log(y), 1)
    found = fit(X, y, "power", bootstrap=0).params
    assert found == pytest.approx({"b": np.exp(offset), "c": -slope}, rel=1e-9)


def test_the_factor_per_doubling_is_that_of_the_curve() -> None:
    found = fit(X, 3 * X**-0.1, "power", bootstrap=0)
    one, two = found.predict(np.array([5e4, 1e5]))
    assert found.derived["factor_per_doubling"] == pytest.approx(two / one)


def test_what_is_left_above_the_floor_is_told() -> None:
    found = fit(X, 1 + 50 * X**-0.5, "power-floor", bootstrap=0)
    assert found.derived["reducible_share_at_largest"] == pytest.approx(0.05 / 1.05)
    assert found.derived["factor_per_doubling_above_floor"] == pytest.approx(2**-0.5)


def test_without_a_floor_the_law_with_one_is_the_power_law() -> None:
    log_x = np.log(X)[:, None]
    plain, floor = Power(), PowerFloor()
    np.testing.assert_allclose(
        floor.log_value(floor.coordinates({"e": 0.0, "b": 3.0, "c": 0.1}), log_x),
        plain.log_value(plain.coordinates({"b": 3.0, "c": 0.1}), log_x),
    )
