"""Letting the points choose the law, or the number of breaks."""

import numpy as np
import pytest

from tests.scaling.laws.planted import PLANTED
from transferscale.errors import UserError
from transferscale.scaling.fits.auto import fit_auto, fit_breaks
from transferscale.scaling.fits.fit import fit
from transferscale.scaling.metrics import Reals

SIZES = np.geomspace(1e5, 1e8, 10)


def _runs(noise: float = 0.01) -> tuple[Reals, Reals]:
    """Three runs of every size about a power law with a clear floor."""
    x = np.repeat(SIZES, 3)
    return x, (1.2 + 60 * x**-0.3) * np.exp(noise * np.random.default_rng(0).standard_normal(len(x)))


def test_the_law_that_was_planted_weighs_most_and_one_that_does_not_fit_nothing() -> None:
    x, y = _runs()
    found = fit_auto(x, y, held=x > 3e7, bootstrap=0)
    weights = {row["law"]: row["weight"] for row in found.ranking}
    assert max(weights, key=lambda law: weights[law]) == "power-floor"
    assert weights["power"] == 0
    assert sum(weights.values()) == pytest.approx(1)


def test_the_laws_are_ranked_by_their_backtest() -> None:
    x, y = _runs()
    found = fit_auto(x, y, bootstrap=0)
    errors = [np.inf if row["backtest"] is None else row["backtest"] for row in found.ranking]
    assert errors == sorted(errors)


def test_the_prediction_is_the_weighted_mean_of_the_laws() -> None:
    x, y = _runs()
    found = fit_auto(x, y, bootstrap=0)
    far = np.array([1e9])
    log = sum(
        row["weight"] * np.log(fit(x, y, row["law"], bootstrap=0).predict(far))
        for row in found.ranking
        if row["weight"] > 0
    )
    np.testing.assert_allclose(np.log(found.predict(far)), log, rtol=1e-9)


def test_held_out_points_have_no_say() -> None:
    x, y = _runs()
    held = x > 3e7
    wrong = np.where(held, 9 * y, y)
    found, other = (fit_auto(x, values, held=held, bootstrap=0) for values in (y, wrong))
    assert other.ranking == found.ranking
    assert other.params == found.params


def test_a_law_that_cannot_be_tested_does_not_count_beside_one_that_can() -> None:
    x, y = _runs()
    found = fit_auto(x[x < 3e6], y[x < 3e6], bootstrap=0)
    untested = [row for row in found.ranking if row["backtest"] is None]
    assert untested
    assert all(row["weight"] == 0 for row in untested)


def test_the_interval_holds_the_truth_beyond_the_points() -> None:
    x, y = _runs()
    found = fit_auto(x, y, bootstrap=100, starts=8)
    middle, low, high = found.curve(np.array([1e9]))
    assert low is not None
    assert high is not None
    assert low[0] <= 1.2 + 60 * 1e9**-0.3 <= high[0]
    assert low[0] < middle[0] < high[0]


def test_the_number_of_breaks_that_was_planted_is_found() -> None:
    for name, breaks in (("power-floor", 0), ("broken-1", 1)):
        one = PLANTED[name]
        log_y = one.log_y + 1e-3 * np.random.default_rng(1).standard_normal(len(one.x))
        # So few points allow no third break, which takes longest.
        kept = np.linspace(0, len(log_y) - 1, 12).round().astype(int)
        found = fit_breaks(one.x[kept], np.exp(log_y[kept]), bootstrap=0, starts=8)
        assert len(found.params) == 3 * (breaks + 1)
        assert found.ranking[0]["law"] == f"broken, {breaks} breaks"


def test_too_few_points_for_any_law_is_one_sentence() -> None:
    with pytest.raises(UserError, match="a law needs several"):
        fit_auto(np.ones(3), np.array([1.0, 2.0, 3.0]))
