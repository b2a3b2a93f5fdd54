"""What must be said beside a fit: of its points, of the law at them, and of what follows from it."""

from collections.abc import Mapping

import numpy as np

from transferscale.scaling.fits.identification import identified
from transferscale.scaling.fits.resample import FEWEST, RELIABLE
from transferscale.scaling.fits.solve import Posed
from transferscale.scaling.laws.base import Curve
from transferscale.scaling.metrics import Reals

# Residuals this many times the noise between replicates say that the form of the law is wrong.
LACK_OF_FIT = 2.0
# So near to a bound, as a share of what is allowed, is at it.
AT_BOUND = 2e-4
# An optimum that lies farther outside of the points than this factor is said to.
EXTRAPOLATED = 2.0
# Derived quantities that people train models by, so that they have a verdict like parameters.
ACTED_ON = ("a", "optimal_N", "optimal_D", "D_per_N")


def replicate_noise(log_x: Reals, log_y: Reals) -> float | None:
    """Pooled standard deviation of log y between points of the same scale; None without replicates."""
    _, place = np.unique(log_x, axis=0, return_inverse=True)
    count = np.bincount(place.ravel())
    freedom = int((count - 1).sum())
    if not freedom:
        return None
    mean = np.bincount(place.ravel(), weights=log_y) / count
    return float(np.sqrt(((log_y - mean[place.ravel()]) ** 2).sum() / freedom))


def of_the_data(law: Curve, log_x: Reals, clusters: int, named: bool, drawn: bool) -> list[str]:
    """Remarks on the points: too few scales, too short a span, too few clusters."""
    warnings = []
    scales = len(np.unique(log_x, axis=0))
    if scales < 5:
        warnings.append(f"{scales} different scales; a law wants at least 5")
    span = float(np.exp(np.ptp(log_x, axis=0)).max())
    # A loss hardly changes by a factor of ten.
    if span < 10 and not law.rises:
        warnings.append(f"the scales span a factor of {span:.1f}; a law wants at least 10")
    what = "independent runs (clusters)" if named else "points"
    if clusters < FEWEST:
        warnings.append(f"{what}: {clusters}, too few for an interval")
    elif clusters < RELIABLE and drawn:
        warnings.append(f"{what}: {clusters}, fewer than {RELIABLE}, so the intervals are unreliable")
    return warnings


def of_what_follows(
    law: Curve,
    log_x: Reals,
    derived: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float] | None],
) -> list[str]:
    """Remarks on derived quantities: those that are not identified, and an optimum outside of the points."""
    warnings = []
    loose = [name for name in ACTED_ON if (ends := intervals.get(name)) and not identified(*ends)]
    if loose:
        warnings.append(f"not identified, of what follows: {', '.join(loose)}")
    for at, variable in enumerate(law.variables):
        value = derived.get(f"optimal_{variable}")
        if value is None:
            continue
        far = abs(np.clip(np.log(value), log_x[:, at].min(), log_x[:, at].max()) - np.log(value))
        if far > np.log(EXTRAPOLATED):
            warnings.append(
                f"optimal_{variable} = {value:.3g} lies a factor of {np.exp(far):.3g} outside of the points"
            )
    return warnings


def of_the_fit(
    problem: Posed,
    theta: Reals,
    natural: Mapping[str, float],
    verdicts: Mapping[str, bool],
    error: float,
    noise: float | None,
) -> list[str]:
    """Remarks on the law: bounds, parameters that are not identified, a wrong form."""
    form, warnings = problem.law, []
    hit = [name for name in at_bounds(problem, theta) if name in natural]
    if hit:
        warnings.append(
            f"at a bound of what is allowed: {', '.join(f'{name} = {natural[name]:.3g}' for name in hit)}"
        )
    loose = [name for name in form.parameters if not verdicts[name]]
    if loose:
        warnings.append(f"not identified: {', '.join(loose)}")
    along = problem.log_x.sum(1)
    ends = form.log_value(theta, problem.log_x[[along.argmin(), along.argmax()]])
    if form.rises is None and ends[1] > ends[0] and len(form.variables) == 1:
        warnings.append("the outcome grows with scale")
    for name, value in natural.items():
        inside = (
            problem.log_x.min() < np.log(value) < problem.log_x.max()
            if name[0] == "d" and value > 0
            else True
        )
        if form.name == "broken" and name[0] == "d" and not inside and not verdicts[name]:
            warnings.append(f"the break {name} = {value:.4g} lies outside of the points: it was not observed")
    if noise and error > LACK_OF_FIT * noise:
        warnings.append(
            f"the residuals (RMSLE {error:.3g}) are {error / noise:.1f} times the noise between replicates "
            f"({noise:.3g}): the form of the law does not fit"
        )
    return warnings


def at_bounds(problem: Posed, theta: Reals) -> list[str]:
    """Parameters that move when a coordinate at its bound is moved; a descent may stop just short of one."""
    width = problem.highest - problem.lowest
    near = np.where(np.isfinite(width), AT_BOUND * width, 0.0)
    stuck = np.flatnonzero((theta <= problem.lowest + near) | (theta >= problem.highest - near))
    out: list[str] = []
    for at in stuck:
        other = theta.copy()
        other[at] += 1e-3
        moved = np.abs(problem.law.natural(other) - problem.law.natural(theta)) > 0
        out += [
            name for name, yes in zip(problem.law.parameters, moved, strict=True) if yes and name not in out
        ]
    return out
