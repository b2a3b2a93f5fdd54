"""The smallest detectable gain stated beforehand is of the size that a simulation finds detectable."""

import numpy as np
import pytest
from scipy.stats import norm

from tests.scaling.planted_predictions import pair_of_cells
from transferscale.scaling.gains.comparison import detectable_beforehand
from transferscale.scaling.gains.pairs import paired
from transferscale.scaling.gains.scores import evaluate
from transferscale.study.detectable import ASSUMED, Answers, detectable_gain, standard_error

# Test subjects of the simulations, half in each class, and how far the stated figure may be off.
SUBJECTS, FACTOR = 60, 1.5
TRIALS = 80


def _level(metric: str, score: float) -> float:
    """SDs of the noise by which a class must lie above 0 and the other below, or the slope of the target, for an
    expected score."""
    if metric == "r":
        return score / float(np.sqrt(1 - score**2))
    return float(norm.ppf(score)) / (np.sqrt(2) if metric == "auroc" else 1)


def _power(metric: str, gain: float, moved: float) -> tuple[float, list[float]]:
    """Share of simulations whose 95 % interval lies above 0, and the figures stated beforehand."""
    start = ASSUMED[metric]
    level = _level(metric, start)
    # No score is above 1.
    ahead = _level(metric, min(start + gain, 0.999)) - level
    rng, detected, stated = np.random.default_rng(5), 0, []
    for _ in range(TRIALS):
        cells = pair_of_cells(
            rng,
            ahead,
            level=level,
            subjects=SUBJECTS,
            draws=3 if moved else 1,
            seeds=2 if moved else 1,
            moved=moved,
            shared=np.sqrt(0.5),
            kind="regression" if metric == "r" else "classification",
        )
        arm, reference = (evaluate(cell, metric, 250) for cell in cells)
        detected += np.quantile(paired(arm, reference).gains, 0.025) > 0
        stated.append(detectable_beforehand(reference) or np.nan)
    return detected / TRIALS, stated


@pytest.mark.parametrize("metric", ["auroc", "accuracy", "balanced_accuracy", "r"])
def test_from_the_number_of_subjects_alone_it_is_of_the_right_size(metric: str) -> None:
    half = SUBJECTS // 2
    answers = Answers(SUBJECTS, () if metric == "r" else (half, SUBJECTS - half))
    stated = detectable_gain(standard_error(metric, answers))
    assert _power(metric, stated / FACTOR, moved=0)[0] < 0.8 < _power(metric, stated * FACTOR, moved=0)[0]


@pytest.mark.parametrize("metric", ["auroc", "r"])
def test_from_the_reference_alone_it_is_of_the_right_size(metric: str) -> None:
    stated = float(np.median(_power(metric, 0.0, moved=0.1)[1]))
    assert _power(metric, stated / FACTOR, moved=0.1)[0] < 0.8 < _power(metric, stated * FACTOR, moved=0.1)[0]
