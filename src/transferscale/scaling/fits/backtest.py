"""How well a law would have predicted the largest scales, beside predictions that need no law."""

import numpy as np
import numpy.typing as npt

from transferscale.scaling.fits.solve import Problem, optima
from transferscale.scaling.laws.base import Curve, along
from transferscale.scaling.metrics import Reals

# Divisions of the points at which a law is tried: from this part of the scales on, and how many.
SMALLEST_PART, DIVISIONS = 0.7, 6


def rmsle(log_predicted: Reals, log_y: Reals) -> float:
    """Root mean squared logarithmic error."""
    return float(np.sqrt(np.mean((log_predicted - log_y) ** 2)))


def baselines(law: Curve, log_x: Reals, log_y: Reals, held_y: Reals) -> dict[str, float]:
    """Errors of 'no better than the best small model' and of 'as the largest one fitted'.

    ``log_x`` (points, variables); the largest scale is the largest sum of logarithms of the variables, and of a
    law of a loss the lowest loss.
    """
    place = along(law, log_x)
    last = float(log_y[place == place.max()].mean())
    return {
        "best_small": rmsle(np.full(len(held_y), log_y.min()), held_y),
        "last": rmsle(np.full(len(held_y), last), held_y),
    }


def largest(law: Curve, log_x: Reals, top: int) -> npt.NDArray[np.bool_]:
    """Which points belong to the ``top`` largest different scales, of a law of a loss to the lowest losses."""
    place = along(law, log_x)
    scales = np.unique(place)
    held: npt.NDArray[np.bool_] = place >= scales[-min(top, len(scales))]
    return held


def enough(law: Curve, log_x: Reals) -> bool:
    """Whether there are as many different scales as parameters, and more than one of every variable."""
    several = all(len(np.unique(column)) > 1 for column in log_x.T)
    return several and len(np.unique(log_x, axis=0)) >= len(law.parameters)


def predicted(
    problem: Problem, log_y: Reals, fitted: npt.NDArray[np.bool_], log_x: Reals, follow: int
) -> Reals:
    """Logarithm of the outcome that the law predicts at ``log_x`` from a fit to some of the points."""
    part = Problem.of(
        problem.law, problem.log_x[fitted], log_y[fitted], problem.objective, problem.weight[fitted]
    )
    theta, _ = optima(part, log_y[fitted], follow)
    return problem.law.log_value(theta[0], log_x)


def rolling(problem: Problem, log_y: Reals, follow: int) -> float | None:
    """Mean error of predicting the larger scales from the smaller ones, over several divisions of the points.

    The smaller part holds from 70 % of the scales up to all but one, at most six divisions; a law is tried
    where there is one scale more than it has parameters. None where there is no such division.
    """
    place = along(problem.law, problem.log_x)
    scales = np.unique(place)
    first = min(int(np.ceil(SMALLEST_PART * len(scales))), len(scales) - 1)
    cuts = np.unique(np.linspace(first, len(scales) - 1, DIVISIONS).round().astype(int))
    errors = []
    for cut in cuts:
        small = place < scales[cut]
        if enough(problem.law, problem.log_x[small]) and cut > len(problem.law.parameters):
            ahead = predicted(problem, log_y, small, problem.log_x[~small], follow)
            errors.append(rmsle(ahead, log_y[~small]))
    return float(np.mean(errors)) if errors else None
