"""What holds for every law: gradient, parameters, bounds, recovery, units, order of the rows."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.scaling.laws.planted import NAMES, PLANTED, Planted, known_forms, planted_forms
from transferscale.errors import UserError
from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.objectives import LogLsq
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.fits.solve import Problem, optima
from transferscale.scaling.laws import FORMS, law
from transferscale.scaling.metrics import Reals

EVERY = pytest.mark.parametrize("name", NAMES)
SHARES = st.lists(st.floats(0.02, 0.98), min_size=12, max_size=12)


def _inside(one: Planted, shares: list[float]) -> Reals:
    """Coordinates at given shares of the way between the bounds; near the truth where there are none."""
    low, high = one.form.bounds(one.log_x, one.log_y)
    low = np.where(np.isfinite(low), low, one.theta - 3)
    high = np.where(np.isfinite(high), high, one.theta + 3)
    return low + (high - low) * np.array(shares[: len(low)])


def test_every_law_is_planted_here() -> None:
    assert planted_forms() == known_forms()


def test_the_law_names_of_the_command_line_exist() -> None:
    names = "power power-floor m1 m2 m3 m4 broken chinchilla repeated transfer finetune exp-link sigmoid-link"
    assert set(FORMS) == set(names.split())


@EVERY
def test_the_equation_names_every_parameter(name: str) -> None:
    form = PLANTED[name].form
    assert all(parameter in form.equation for parameter in form.parameters)


@settings(max_examples=15, deadline=None)
@EVERY
@given(shares=SHARES)
def test_the_gradient_is_that_of_finite_differences(name: str, shares: list[float]) -> None:
    one = PLANTED[name]
    theta, step = _inside(one, shares), 1e-5

    def moved(at: int, by: float) -> Reals:
        other = theta.copy()
        other[at] += by * step
        return one.form.log_value(other, one.log_x)

    analytic = one.form.jacobian(theta, one.log_x)
    for i in range(len(theta)):
        # The five-point formula: its own error is far below the tolerance.
        near, far = moved(i, 1) - moved(i, -1), moved(i, 2) - moved(i, -2)
        numeric = (8 * near - far) / (12 * step)
        np.testing.assert_allclose(numeric, analytic[:, i], atol=1e-6 * (1 + np.abs(analytic[:, i]).max()))


@EVERY
def test_many_coordinates_at_once_give_what_each_gives_alone(name: str) -> None:
    one = PLANTED[name]
    rng = np.random.default_rng(0)
    many = np.array([_inside(one, list(rng.uniform(0.3, 0.7, 12))) for _ in range(6)])
    values, slopes = one.form.log_value(many, one.log_x), one.form.jacobian(many, one.log_x)
    naturals = one.form.natural(many)
    assert slopes.shape == (6, len(one.log_x), many.shape[1])
    for theta, value, slope, natural in zip(many, values, slopes, naturals, strict=True):
        np.testing.assert_allclose(one.form.log_value(theta, one.log_x), value, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(one.form.jacobian(theta, one.log_x), slope, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(one.form.natural(theta), natural)
    assert all(value.shape == (6,) for value in one.form.derived(many, one.log_x).values())


@settings(max_examples=15, deadline=None)
@EVERY
@given(shares=SHARES)
def test_coordinates_and_parameters_translate_into_each_other(name: str, shares: list[float]) -> None:
    one = PLANTED[name]
    theta = _inside(one, shares)
    natural = one.form.natural(theta)
    again = one.form.coordinates(dict(zip(one.form.parameters, natural, strict=True)))
    np.testing.assert_allclose(one.form.natural(again), natural, rtol=1e-9)
    np.testing.assert_allclose(
        one.form.log_value(again, one.log_x), one.form.log_value(theta, one.log_x), rtol=1e-7, atol=1e-7
    )


@EVERY
def test_starts_are_finite_and_most_lie_within_the_bounds(name: str) -> None:
    one = PLANTED[name]
    low, high = one.form.bounds(one.log_x, one.log_y)
    starts = one.form.starts(one.log_x, one.log_y)
    assert np.isfinite(starts).all()
    # The solver moves the others onto the bounds.
    assert ((starts >= low) & (starts <= high)).all(1).mean() > 0.5
    assert ((one.theta >= low) & (one.theta <= high)).all()


@EVERY
def test_parameters_of_any_coordinates_are_finite_numbers(name: str) -> None:
    one = PLANTED[name]
    low, high = one.form.bounds(one.log_x, one.log_y)
    for theta in (np.clip(low, -1e4, 1e4), np.clip(high, -1e4, 1e4)):
        assert np.isfinite(one.form.natural(theta)).all()


@EVERY
def test_what_was_planted_without_noise_is_found(name: str) -> None:
    one = PLANTED[name]
    theta, values = optima(Problem.of(one.form, one.log_x, one.log_y, LogLsq()), one.log_y, 20)
    assert values[0] < 1e-16
    true = [one.natural[parameter] for parameter in one.form.parameters]
    np.testing.assert_allclose(one.form.natural(theta[0]), true, rtol=1e-4)


@settings(max_examples=4, deadline=None)
@EVERY
@given(factors=st.lists(st.floats(0.8, 1.25), min_size=12, max_size=12))
def test_other_parameters_are_found_as_well(name: str, factors: list[float]) -> None:
    planted = PLANTED[name]
    natural = {p: planted.natural[p] * f for p, f in zip(planted.natural, factors, strict=False)}
    one = Planted(planted.form, natural, planted.x)
    low, high = one.form.bounds(one.log_x, one.log_y)
    assume(((one.theta >= low) & (one.theta <= high)).all())
    theta, _ = optima(Problem.of(one.form, one.log_x, one.log_y, LogLsq()), one.log_y, 50)
    found = one.form.log_value(theta[0], one.log_x)
    true = [natural[parameter] for parameter in one.form.parameters]
    same = np.allclose(one.form.natural(theta[0]), true, rtol=1e-4)
    assert same or np.abs(found - one.log_y).max() < 1e-8


def _noisy(one: Planted) -> Reals:
    return np.exp(one.log_y + 0.01 * np.random.default_rng(5).standard_normal(len(one.x)))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("broken-2", "broken-3")])
@pytest.mark.parametrize(("scale", "unit"), [(17267.0, 1.0), (3e-6, 1e5), (8e5, 2e-6)])
def test_the_units_of_x_and_y_do_not_matter(name: str, scale: float, unit: float) -> None:
    # Laws of two breaks and more have several optima; with few starts a rounding error decides between them.
    one = PLANTED[name]
    y = _noisy(one)
    here, there = (
        fit(x, values, one.form, bootstrap=0, starts=4, outcome=Outcome())
        for x, values in ((one.x, y), (one.x * scale, y * unit))
    )
    assert there.objective == pytest.approx(here.objective, rel=1e-6)
    np.testing.assert_allclose(there.predict(one.x * scale) / unit, here.predict(one.x), rtol=1e-4)
    # A factor is the law's value at x = 1: how well it is known depends on where that is.
    for parameter in set(here.identified) - {"b", "A", "B", "K", "k"}:
        assert there.identified[parameter] == here.identified[parameter]


@EVERY
def test_the_order_of_the_rows_does_not_matter(name: str) -> None:
    one = PLANTED[name]
    y, order = _noisy(one), np.random.default_rng(6).permutation(len(one.x))
    trunk = [f"trunk{i % 7}" for i in range(len(y))]
    here = fit(one.x, y, one.form, cluster=trunk, bootstrap=10, starts=3)
    there = fit(one.x[order], y[order], one.form, cluster=[trunk[i] for i in order], bootstrap=10, starts=3)
    assert there.as_json() == here.as_json()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("powr", 1, 1), "law 'powr' is unknown; did you mean 'power'?"),
        (("power", 2, 1), "law 'power' takes 1 \\(x\\) columns of scale, not 2"),
        (("chinchilla", 3, 1), "takes 2 \\(N, D\\) or 1 \\(C\\) columns of scale, not 3"),
        (("transfer", 1, 1), "takes 2 \\(D_F, N\\) columns of scale, not 1"),
        (("broken", 1, 4), "law 'broken' takes 0 to 3 breaks, not 4"),
        (("broken", 1, -1), "law 'broken' takes 0 to 3 breaks, not -1"),
    ],
)
def test_a_law_that_does_not_exist_is_one_sentence(arguments: tuple[str, int, int], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        law(*arguments)
