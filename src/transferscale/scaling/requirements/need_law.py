"""The law of a requirement against the difficulty of the task, from measured requirements and bounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from transferscale.scaling.fits.identification import identified
from transferscale.scaling.fits.student import critical
from transferscale.scaling.plans.requirement import ends
from transferscale.scaling.requirements.censored import line
from transferscale.scaling.requirements.need import UNKNOWN, Need

# A law wants this many difficulties, and this many requirements that are no mere bounds.
FEWEST = 3


@dataclass(frozen=True)
class NeedLaw:
    """Requirement = factor x difficulty^exponent, or with ranks factor x e^(exponent x rank).

    ``growth`` is the factor on the requirement when the difficulty doubles, or goes up by one rank; the ends of
    the intervals are None without draws, and ``refused`` says why there is no law.
    """

    resource: str
    measured: int
    bounded: int
    exponent: float | None = None
    low: float | None = None
    high: float | None = None
    factor: float | None = None
    growth: float | None = None
    growth_low: float | None = None
    growth_high: float | None = None
    identified: bool = False
    refused: str = ""


def need_law(needs: Sequence[Need], resource: str, difficulty: str, ranked: bool) -> NeedLaw:
    """The law of a requirement against difficulty.

    Requirements that are not identified are left out. The interval of the exponent is the wider, at either
    end, of that over the draws, which is for new runs at these difficulties, and that from the scatter of the
    measured requirements about the law (Student's t), which is for new difficulties. Without draws there is no
    interval, and the scatter alone tells whether the exponent is identified.
    """
    usable = [need for need in needs if need.bound != UNKNOWN]
    measured = [need for need in usable if not need.bound]
    found = partial(NeedLaw, resource, len(measured), len(usable) - len(measured))
    places = {need.place for need in needs}
    if len(places) < FEWEST:
        many = f"{len(places)} value{'s' * (len(places) != 1)}"
        return found(refused=f"column '{difficulty}' has {many}; a law wants at least {FEWEST}")
    if len({need.place for need in measured}) < FEWEST:
        return found(
            refused=f"not identified: the requirement is measured at {len(measured)} of {len(needs)} difficulties "
            f"and only bounded or not identified at the others; a law wants {FEWEST}",
        )
    x = np.array([need.place for need in usable])
    x = x if ranked else np.log(x)
    draws = min(len(need.logs) for need in usable)
    y = np.stack([need.logs[:draws] for need in usable], -1)
    side = np.stack([need.sides[:draws] for need in usable], -1)
    fitted = line(x, y, side)
    slope = float(fitted.slope[0])
    own = side[0] == 0
    residual = y[0, own] - float(fitted.intercept[0]) - slope * x[own]
    freedom = int(own.sum()) - 2
    error = np.sqrt((residual**2).sum() / freedom / ((x[own] - x[own].mean()) ** 2).sum())
    half = critical(0.05, freedom) * float(error)
    low, high = slope - half, slope + half
    if draws > 1:
        drawn = ends(fitted.slope[1:])
        low, high = min(low, drawn[0]), max(high, drawn[1])
    step = 1.0 if ranked else np.log(2)
    growth = [float(np.exp(min(step * exponent, 700.0))) for exponent in (slope, low, high)]
    law = found(
        exponent=slope,
        factor=float(np.exp(fitted.intercept[0])),
        growth=growth[0],
        identified=identified(low, high),
    )
    if draws == 1:
        return law
    return replace(law, low=low, high=high, growth_low=growth[1], growth_high=growth[2])
