"""Losses, scores, and the error that is left below a ceiling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.errors import UserError
from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.outcome import Outcome, outcome_of
from transferscale.scaling.laws import law

X = np.geomspace(1e3, 1e6, 9)
LOG_X = np.log(X)[:, None]
LOSS = 0.2 + 5 * X**-0.3


@settings(max_examples=30, deadline=None)
@given(
    ceiling=st.floats(0.5, 100),
    below=st.floats(0.1, 200),
    y=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5),
)
def test_error_and_score_translate_into_each_other(ceiling: float, below: float, y: list[float]) -> None:
    own = Outcome(True, ceiling, ceiling - below)
    np.testing.assert_allclose(own.value(own.error(np.array(y))), y, rtol=1e-9, atol=1e-9)
    assert own.error(np.array([ceiling, ceiling - below])) == pytest.approx([0, 1], abs=1e-9)


def test_a_loss_is_fitted_as_it_is() -> None:
    assert outcome_of(law("power-floor"), LOG_X, LOSS, "loss") == Outcome()
    np.testing.assert_array_equal(Outcome().error(LOSS), LOSS)
    assert Outcome().describe("loss") == "loss"


def test_an_accuracy_that_rises_is_fitted_as_the_error_below_1() -> None:
    found = fit(X, 1 - LOSS / 2, "power-floor", bootstrap=0)
    assert found.outcome == Outcome(True)
    assert found.as_json()["outcome"] == "1 - y"
    assert found.params == pytest.approx({"e": 0.1, "b": 2.5, "c": 0.3}, rel=1e-5)
    np.testing.assert_allclose(found.predict(X), 1 - LOSS / 2, rtol=1e-9)


def test_the_ceiling_and_chance_of_a_bounded_metric_are_its_error_s_0_and_1() -> None:
    own = outcome_of(law("power"), LOG_X, 0.5 + 0.1 * (1 - LOSS), "auroc", ceiling=0.9, chance=0.5)
    assert own == Outcome(True, 0.9, 0.5)
    assert own.error(np.array([0.5, 0.7, 0.9])) == pytest.approx([1, 0.5, 0])
    assert own.describe("auroc") == "(0.9 - auroc) / 0.4"


def test_a_ceiling_alone_stands_above_a_chance_of_0_and_chance_alone_below_a_ceiling_of_1() -> None:
    form = law("power")
    assert outcome_of(form, LOG_X, LOSS, "y", ceiling=100) == Outcome(True, 100, 0)
    assert outcome_of(form, LOG_X, LOSS, "y", chance=0.25) == Outcome(True, 1, 0.25)


def test_negative_r2_is_an_error_above_1() -> None:
    r2 = 1 - 8 * X**-0.2
    assert r2[0] < 0 < r2[-1]
    found = fit(X, r2, "power", bootstrap=0)
    assert found.params == pytest.approx({"b": 8.0, "c": 0.2})
    np.testing.assert_allclose(found.predict(X), r2, atol=1e-9)


def test_the_band_of_a_score_is_in_its_own_unit_and_the_right_way_up() -> None:
    noise = 0.02 * np.random.default_rng(0).standard_normal(9)
    found = fit(X, 1 - LOSS / 2 * np.exp(noise), "power-floor", bootstrap=100)
    middle, low, high = found.curve(X)
    assert low is not None
    assert high is not None
    assert (low <= high).all()
    assert ((low <= middle) & (middle <= high)).mean() > 0.9
    assert np.diff(middle).min() > 0


@pytest.mark.parametrize("name", ["exp-link", "sigmoid-link"])
def test_an_accuracy_that_falls_with_the_loss_is_the_error_of_a_link(name: str) -> None:
    log_loss = np.log(np.linspace(2, 4, 9))[:, None]
    accuracy = np.linspace(0.9, 0.3, 9)
    assert outcome_of(law(name), log_loss, accuracy, "accuracy") == Outcome(True)
    assert outcome_of(law(name), log_loss, 1 - accuracy, "error") == Outcome()
    with pytest.raises(UserError, match="column 'percent' falls with the loss and exceeds 1"):
        outcome_of(law(name), log_loss, 100 * accuracy, "percent")


def test_a_score_beyond_1_needs_a_ceiling_in_one_sentence() -> None:
    percent = 100 - 10 * LOSS
    with pytest.raises(UserError) as refused:
        fit(X, percent, "power-floor", names=(("n",), "percent"), bootstrap=0)
    assert str(refused.value) == (
        "column 'percent' rises with scale and exceeds 1, so it is no loss; give --ceiling, the best value it can have"
    )
    found = fit(X, percent, "power-floor", outcome=Outcome(True, 100.0), bootstrap=0)
    assert found.params == pytest.approx({"e": 0.02, "b": 0.5, "c": 0.3}, rel=1e-5)


def test_a_power_law_may_rise_beyond_1() -> None:
    found = fit(X, X**0.1, "power", bootstrap=0)
    assert not found.outcome.score
    assert found.params["c"] == pytest.approx(-0.1)
    assert "the outcome grows with scale" in found.warnings


def test_a_score_at_its_ceiling_is_refused_in_one_sentence() -> None:
    accuracy = np.linspace(0.5, 1.0, 9)
    with pytest.raises(UserError, match=r"column 'y': 1 reaches the ceiling \(1\).*raise --ceiling or leave"):
        fit(X, accuracy, "power-floor", bootstrap=0)
    assert fit(X, accuracy, "power-floor", outcome=Outcome(True, 1.001), bootstrap=0).n == 9


@pytest.mark.parametrize(("ceiling", "chance"), [(0.5, 0.5), (0.2, 0.5), (0.0, None), (None, 1.0)])
def test_a_ceiling_must_lie_above_chance(ceiling: float | None, chance: float | None) -> None:
    with pytest.raises(UserError, match="must lie above chance"):
        outcome_of(law("power"), LOG_X, LOSS, "y", ceiling=ceiling, chance=chance)


def test_data_transferred_are_never_a_score() -> None:
    plane = np.log(np.c_[X, X[::-1]])
    assert outcome_of(law("transfer", 2), plane, np.linspace(0.1, 0.9, 9), "D_T") == Outcome()


@pytest.mark.parametrize("y", [np.full(9, 0.4), np.full(9, 3.0)])
def test_a_column_that_does_not_vary_is_a_loss(y: np.ndarray) -> None:
    assert outcome_of(law("power-floor"), LOG_X, y, "y") == Outcome()


def test_the_sizes_of_steps_have_no_say_in_what_rises() -> None:
    y = np.array([0.5, 0.4, 0.39, 0.38, 0.37, 0.36, 0.35, 0.34, 0.9])
    assert outcome_of(law("power-floor"), LOG_X, y, "y") == Outcome()


def test_a_user_may_say_which_way_is_better() -> None:
    form, rising, falling = law("power"), 1 - LOSS / 2, LOSS / 2
    assert outcome_of(form, LOG_X, rising, "y", better="lower") == Outcome()
    assert outcome_of(form, LOG_X, falling, "y", better="higher") == Outcome(True)
    with pytest.raises(UserError, match="column 'y' exceeds 1; give --ceiling"):
        outcome_of(form, LOG_X, 100 * falling, "y", better="higher")
    with pytest.raises(UserError, match=r"'high' is unknown; did you mean 'higher'\?"):
        outcome_of(form, LOG_X, falling, "y", better="high")


def test_a_loss_that_hardly_goes_anywhere_stays_a_loss() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = np.repeat(X, 5)
        noisy = 0.5 + 0.01 * rng.standard_normal(45)
        assert outcome_of(law("power-floor"), np.log(x)[:, None], noisy, "y") == Outcome()


def test_replicates_of_one_scale_have_no_order() -> None:
    log_x = np.log(np.repeat([1e3, 1e4], 20))[:, None]
    replicates = np.linspace(0.4, 0.6, 20)
    in_order = np.concatenate([replicates, replicates + 0.005])
    assert outcome_of(law("power-floor"), log_x, in_order, "y") == Outcome()
