"""The corrected resampled t-test (Nadeau & Bengio 2003, Machine Learning 52:239-281).

The scores of J folds are not independent: their training sets overlap. The variance of their mean is taken for
(1/J + n_test / n_train) times the variance among them instead of 1/J times. It is a cross-check of the crossed
bootstrap, by another route: within folds instead of pooled over them, and with a normal approximation.
"""

from dataclasses import dataclass

import numpy as np

from transferscale.scaling.fits.student import critical, two_sided_p
from transferscale.scaling.metrics import Reals


@dataclass(frozen=True)
class CorrectedTest:
    """Mean gain over folds, repeats, draws and seeds, its corrected standard error, intervals and p-value."""

    estimate: float
    error: float
    low: float
    high: float
    low90: float
    high90: float
    p_value: float


def corrected_t_test(gains: Reals, ratio: float) -> CorrectedTest | None:
    """Test whether the mean of resampled gains is 0; None with fewer than two.

    Parameters
    ----------
    gains
        Gain of every fold of every repeat, draw and seed, shape (J,).
    ratio
        Test subjects of a fold over those that it leaves for training. Where few of these are labelled it is
        still all of them: the test sets overlap by what is tested, not by what is labelled.
    """
    count = len(gains)
    if count < 2:
        return None
    estimate = float(gains.mean())
    error = float(np.sqrt((1 / count + ratio) * gains.var(ddof=1)))
    p_value = two_sided_p(estimate / error, count - 1) if error > 0 else float(estimate == 0)
    half, half90 = critical(0.05, count - 1) * error, critical(0.10, count - 1) * error
    return CorrectedTest(
        estimate,
        error,
        estimate - half,
        estimate + half,
        estimate - half90,
        estimate + half90,
        p_value,
    )
