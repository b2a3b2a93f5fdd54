"""The least loss of a fitted surface at a compute budget, beside the parabola's."""

from dataclasses import dataclass

import numpy as np

from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.metrics import Ints, Reals

# Sizes at which a surface is searched, evenly spaced in log size.
FINE = 400


@dataclass(frozen=True)
class Sizes:
    """What a run of every size costs: log size and log FLOPs a unit of data (a clip, a token), each (sizes,)."""

    log_n: Reals
    log_cost: Reals

    @classmethod
    def of(cls, log_n: Reals, log_d: Reals, log_c: Reals) -> "Sizes":
        """From all runs, (runs,): C / D, the mean of a size's runs in the logarithm."""
        sizes, place = np.unique(log_n, return_inverse=True)
        cost = np.bincount(place, weights=log_c - log_d) / np.bincount(place)
        return cls(sizes, cost)

    def data(self, log_n: Reals, log_c: float) -> Reals:
        """Log of the data that a budget pays for, at sizes between those that were run; (sizes,)."""
        bought: Reals = log_c - np.interp(log_n, self.log_n, self.log_cost)
        return bought


@dataclass(frozen=True)
class Optima:
    """The surface's optimum at a budget: log size and log loss, of the fit and in every draw.

    ``at_edge`` says whether it lies at the smallest or the largest size that was run; ``log_n_drawn`` (draws,) is None
    without draws.
    """

    log_n: float
    log_loss: float
    at_edge: bool
    log_n_drawn: Reals | None


def optima(surface: Fit, sizes: Sizes, log_c: float) -> Optima:
    """The optimum of a surface L(N, D) at a budget, between the smallest and the largest size that was run."""
    grid = np.linspace(sizes.log_n[0], sizes.log_n[-1], FINE)
    places = np.stack([grid, sizes.data(grid, log_c)], 1)
    curve = surface.form.log_value(surface.theta, places)
    best = int(curve.argmin())
    drawn = None
    if surface.resampled is not None:
        lowest: Ints = surface.form.log_value(surface.resampled, places).argmin(1)
        drawn = grid[lowest]
    return Optima(float(grid[best]), float(curve[best]), best in (0, FINE - 1), drawn)
