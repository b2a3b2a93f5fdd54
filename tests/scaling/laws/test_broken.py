"""Broken laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.objectives import LogLsq
from transferscale.scaling.fits.solve import Problem, optima
from transferscale.scaling.laws.broken import TRANSITION, Broken
from transferscale.scaling.laws.power import PowerFloor

X = np.geomspace(1e3, 1e7, 40)
NATURAL = {"a": 0.05, "b": 3.0, "c0": 0.1, "c1": 0.4, "d1": 1e5, "f1": 0.2}


def _published(
    x: np.ndarray, a: float, b: float, c0: float, *breaks: tuple[float, float, float]
) -> np.ndarray:
    """Equation 1 of the paper, as it stands there."""
    y = b * x**-c0
    for c, d, f in breaks:
        y = y * (1 + (x / d) ** (1 / f)) ** (-c * f)
    return a + y


@settings(max_examples=20, deadline=None)
@given(
    c=st.lists(st.floats(-0.5, 0.8), min_size=3, max_size=3),
    d=st.lists(st.floats(1e3, 1e7), min_size=3, max_size=3, unique=True),
    f=st.lists(st.floats(0.1, 2), min_size=3, max_size=3),
    breaks=st.integers(0, 3),
)
def test_the_law_is_the_paper_s_equation(c: list[float], d: list[float], f: list[float], breaks: int) -> None:
    form, d = Broken(breaks), sorted(d)
    natural = {"a": 0.1, "b": 5.0, "c0": 0.2}
    for i in range(breaks):
        natural |= {f"c{i + 1}": c[i], f"d{i + 1}": d[i], f"f{i + 1}": f[i]}
    wanted = _published(X, 0.1, 5.0, 0.2, *list(zip(c, d, f, strict=True))[:breaks])
    np.testing.assert_allclose(np.exp(form.log_value(form.coordinates(natural), np.log(X)[:, None])), wanted)


def test_no_break_is_a_power_law_with_a_floor() -> None:
    broken, plain = Broken(0), PowerFloor()
    np.testing.assert_allclose(
        broken.log_value(broken.coordinates({"a": 1.0, "b": 50.0, "c0": 0.5}), np.log(X)[:, None]),
        plain.log_value(plain.coordinates({"e": 1.0, "b": 50.0, "c": 0.5}), np.log(X)[:, None]),
    )


def test_slopes_after_each_break_are_those_of_the_curve() -> None:
    form = Broken(1)
    theta = form.coordinates({**NATURAL, "a": 0.0})
    slopes = form.derived(theta, np.log(X)[:, None])
    for name, at in (("slope0", 1.0), ("slope1", 1e11)):
        two = form.log_value(theta, np.log([[at], [at * 1.01]]))
        assert slopes[name] == pytest.approx(np.diff(two)[0] / np.log(1.01), rel=1e-5)


def test_the_width_holds_10_to_90_percent_of_the_change_of_slope() -> None:
    form = Broken(1)
    theta = form.coordinates({**NATURAL, "a": 0.0})
    width = float(form.derived(theta, np.log(X)[:, None])["width1"])
    assert pytest.approx(4.39, abs=0.005) == TRANSITION
    for share, at in ((0.1, 1e5 / np.sqrt(width)), (0.9, 1e5 * np.sqrt(width))):
        near = form.log_value(theta, np.log([[at * 0.999], [at * 1.001]]))
        slope = np.diff(near)[0] / np.log(1.001 / 0.999)
        assert (-slope - NATURAL["c0"]) / NATURAL["c1"] == pytest.approx(share, abs=1e-3)


def test_breaks_are_told_in_the_order_of_their_place() -> None:
    form = Broken(2)
    natural = {
        "a": 0.05,
        "b": 3.0,
        "c0": 0.1,
        "c1": 0.4,
        "d1": 1e6,
        "f1": 0.2,
        "c2": -0.2,
        "d2": 1e4,
        "f2": 0.1,
    }
    told = dict(zip(form.parameters, form.natural(form.coordinates(natural)), strict=True))
    assert (told["d1"], told["c1"], told["d2"], told["c2"]) == pytest.approx((1e4, -0.2, 1e6, 0.4))


def test_a_large_factor_does_not_lift_the_floor() -> None:
    form = Broken(0)
    natural = {"a": 1.0, "b": 1e12, "c0": 0.5}
    assert form.natural(form.coordinates(natural)) == pytest.approx(list(natural.values()))


def test_a_break_beyond_the_points_is_said_not_to_be_observed() -> None:
    rng = np.random.default_rng(1)
    y = 3 * X**-0.1 * np.exp(0.01 * rng.standard_normal(len(X)))
    found = fit(X, y, "broken", bootstrap=0)
    assert not found.identified["d1"] or not found.identified["c1"]
    planted = _published(X, 0.0, 3.0, 0.1, (0.6, 1.5e7, 0.3)) * np.exp(0.003 * rng.standard_normal(len(X)))
    late = fit(X, planted, "broken", bootstrap=0)
    assert any("extrapolation is not identified" in warning for warning in late.warnings)


def test_a_break_inside_the_points_is_located() -> None:
    rng = np.random.default_rng(1)
    x = np.repeat(X, 2)
    y = _published(x, 0.0, 3.0, 0.1, (0.5, 1e5, 0.1)) * np.exp(0.01 * rng.standard_normal(len(x)))
    found = fit(x, y, "broken", bootstrap=200)
    low, high = found.intervals["d1"] or (0, 0)
    assert low < 1e5 < high
    assert high / low < 2
    assert found.identified["d1"]


def test_an_outcome_that_first_grows_may_grow_before_the_break() -> None:
    y = _published(X, 0.0, 0.1, -0.2, (0.6, 1e5, 0.2))
    found = fit(X, y, "broken", bootstrap=0)
    assert found.params["c0"] == pytest.approx(-0.2, rel=1e-4)
    falling = fit(X, 3 * X**-0.1, "broken", bootstrap=0)
    assert falling.params["c0"] >= 0


@pytest.mark.parametrize("breaks", [1, 2, 3])
def test_more_breaks_never_fit_worse(breaks: int) -> None:
    rng = np.random.default_rng(breaks)
    y = _published(X, 0.05, 3.0, 0.1, (0.4, 1e5, 0.2)) * np.exp(0.02 * rng.standard_normal(len(X)))
    least = []
    for k in (breaks - 1, breaks):
        problem = Problem.of(Broken(k), np.log(X)[:, None], np.log(y), LogLsq())
        least.append(optima(problem, np.log(y), 5)[1][0])
    assert least[1] <= least[0] * (1 + 1e-6)
