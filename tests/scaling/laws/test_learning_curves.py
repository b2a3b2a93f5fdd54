"""M1 to M4, the laws of learning curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from transferscale.scaling.fits.fit import fit
from transferscale.scaling.laws.learning_curves import M1, M2, M3, M4, logit_between

X = np.geomspace(1e4, 1e8, 12)
LOG_X = np.log(X)[:, None]


def test_m1_and_m2_are_the_power_laws_with_the_paper_s_sign() -> None:
    m1, m2 = M1(), M2()
    np.testing.assert_allclose(
        np.exp(m1.log_value(m1.coordinates({"b": 3.0, "c": -0.2}), LOG_X)), 3 * X**-0.2
    )
    np.testing.assert_allclose(
        np.exp(m2.log_value(m2.coordinates({"e": 0.1, "b": 3.0, "c": -0.2}), LOG_X)), 0.1 + 3 * X**-0.2
    )
    y = (0.1 + 3 * X**-0.2) * np.exp(0.01 * np.random.default_rng(0).standard_normal(12))
    for own, other in (("m1", "power"), ("m2", "power-floor")):
        mine, theirs = fit(X, y, own, bootstrap=0), fit(X, y, other, bootstrap=0)
        assert mine.params["c"] == pytest.approx(-theirs.params["c"])
        assert mine.objective == pytest.approx(theirs.objective)


def test_m3_is_the_paper_s_equation_and_ends_at_a_floor() -> None:
    form = M3()
    theta = form.coordinates({"b": 3.0, "g": 1e-6, "c": 0.2})
    np.testing.assert_allclose(np.exp(form.log_value(theta, LOG_X)), 3 * (1 / X + 1e-6) ** 0.2)
    far = np.exp(form.log_value(theta, np.log([[1e15]])))[0]
    assert form.derived(theta, LOG_X)["value_at_infinity"] == pytest.approx(far)


@settings(max_examples=40, deadline=None)
@given(
    e=st.floats(0.01, 0.5),
    above=st.floats(0.1, 3),
    b=st.floats(1, 1e4),
    c=st.floats(-1, -0.05),
    a=st.floats(0, 4),
)
def test_m4_solves_its_equation(e: float, above: float, b: float, c: float, a: float) -> None:
    form = M4()
    y = np.exp(form.log_value(form.coordinates({"e": e, "b": b, "c": c, "e0": e + above, "a": a}), LOG_X))
    assert ((y >= e * (1 - 1e-12)) & (y <= (e + above) * (1 + 1e-12))).all()
    # At the very ends the two sides cannot be told from rounding.
    clear = (y - e > 1e-6 * above) & (e + above - y > 1e-6 * above)
    left = np.log(y - e) - a * np.log(np.where(clear, e + above - y, 1.0))
    np.testing.assert_allclose(left[clear], (np.log(b) + c * np.log(X))[clear], atol=1e-7)


def test_m4_with_a_zero_is_m2_below_its_ceiling() -> None:
    m2, m4 = M2(), M4()
    own = {"e": 0.1, "b": 3.0, "c": -0.2}
    np.testing.assert_allclose(
        m4.log_value(m4.coordinates({**own, "e0": 50.0, "a": 0.0}), LOG_X),
        m2.log_value(m2.coordinates(own), LOG_X),
        atol=1e-10,
    )


def test_m4_starts_at_its_ceiling_and_ends_at_its_floor() -> None:
    form = M4()
    theta = form.coordinates({"e": 0.2, "b": 300.0, "c": -0.6, "e0": 1.0, "a": 0.8})
    ends = np.exp(form.log_value(theta, np.log([[1e-20], [1e40]])))
    assert ends == pytest.approx([1.0, 0.2], rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    size=st.floats(-12, 6),
    negative=st.booleans(),
    a=st.one_of(st.floats(0, 5), st.floats(-20, 0).map(np.exp)),
)
def test_the_logit_is_the_root_that_scipy_finds(size: float, negative: bool, a: float) -> None:
    target = float(-np.exp(size) if negative else np.exp(size))
    a = max(float(a), 1e-9)

    def left(s: float) -> float:
        tail = np.log1p(np.exp(-abs(s)))
        return (a if s > 0 else 1.0) * s + (a - 1) * tail - target

    found = float(logit_between(np.array(target), np.array(a)))
    if left(-700) > 0 or left(700) < 0:
        assert abs(found) == 700
    else:
        assert found == pytest.approx(brentq(left, -700, 700, xtol=1e-14, rtol=1e-14), rel=1e-9, abs=1e-12)


def test_many_logits_at_once_are_what_each_is_alone() -> None:
    rng = np.random.default_rng(0)
    target, a = rng.uniform(-20, 20, (40, 30)), rng.uniform(0, 5, (40, 1)) * rng.integers(0, 2, (40, 1))
    together = logit_between(target, a)
    alone = [[float(logit_between(t, k)) for t in row] for row, k in zip(target, a[:, 0], strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_a_logit_without_a_value_is_no_number_and_no_obstacle() -> None:
    found = logit_between(np.array([np.nan, 1.0]), np.array([1.0, 1.0]))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1.0)
