"""From a loss to the error of a task."""

import numpy as np
import pytest

from transferscale.scaling.fits.fit import fit
from transferscale.scaling.laws.links import ExpLink, SigmoidLink

LOSS = np.linspace(2.0, 4.0, 15)


def test_the_exponential_link_is_the_paper_s_equation() -> None:
    form = ExpLink()
    theta = form.coordinates({"eps": 0.9, "k": 3.0, "gamma": 0.9})
    np.testing.assert_allclose(
        np.exp(form.log_value(theta, np.log(LOSS)[:, None])), 0.9 - 3 * np.exp(-0.9 * LOSS)
    )


def test_the_error_vanishes_at_the_loss_that_is_told() -> None:
    form = ExpLink()
    theta = form.coordinates({"eps": 0.9, "k": 3.0, "gamma": 0.9})
    zero = float(form.derived(theta, np.log(LOSS)[:, None])["loss_without_error"])
    assert 0.9 - 3 * np.exp(-0.9 * zero) == pytest.approx(0, abs=1e-12)
    assert np.exp(form.log_value(theta, np.log([[zero * 0.9]]))) < 1e-9


def test_the_sigmoid_s_width_holds_10_to_90_percent() -> None:
    form = SigmoidLink()
    theta = form.coordinates({"e0": 0.0, "e1": 1.0, "k": 4.0, "m": 3.0})
    width = float(form.derived(theta, np.log(LOSS)[:, None])["width"])
    ends = np.exp(form.log_value(theta, np.log([[3 - width / 2], [3 + width / 2]])))
    assert ends == pytest.approx([0.1, 0.9])


@pytest.mark.parametrize("law", ["exp-link", "sigmoid-link"])
def test_accuracy_against_loss_is_fitted_as_the_error(law: str) -> None:
    error = 0.9 - 3 * np.exp(-0.9 * LOSS) if law == "exp-link" else 0.1 + 0.7 / (1 + np.exp(-3 * (LOSS - 3)))
    as_error, as_score = fit(LOSS, error, law, bootstrap=0), fit(LOSS, 1 - error, law, bootstrap=0)
    assert not as_error.outcome.score
    assert as_score.outcome.score
    assert as_score.params == pytest.approx(as_error.params, rel=1e-6)
    np.testing.assert_allclose(as_score.predict(LOSS), 1 - error, rtol=1e-8)


def test_losses_close_together_give_finite_parameters() -> None:
    loss = np.linspace(2.50, 2.52, 8)
    error = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.51, 0.53, 0.6])
    found = fit(loss, error, "exp-link", bootstrap=0)
    assert np.isfinite(list(found.params.values())).all()
