"""The noise of training, and losses as other trunks of the same ladder might have had them.

A minimum hangs on a few trunks, often one a size, and their own residuals tell too little of how far another trunk
would have been off: intervals from their signs turned at random (the wild bootstrap of the laws) were too narrow in
simulated ladders. So the noise is pooled over all trunks: a part that the rungs of a trunk share, and a part of every
rung. It is taken to be the same for all sizes, in the logarithm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transferscale.scaling.fits.resample import generator
from transferscale.scaling.fits.student import critical
from transferscale.scaling.metrics import Ints, Reals

# Parameters of the surface that the differences between trunks tell (E, A, alpha), and those within (B, beta).
BETWEEN, WITHIN = 3, 2
NORMAL = 1.959964


@dataclass(frozen=True)
class Noise:
    """Standard deviations of log loss: of a trunk, and of a rung within its trunk; and how far draws are widened."""

    trunk: float
    rung: float
    widened: float

    @classmethod
    def of(cls, residual: Reals, member: Ints) -> "Noise":
        """From the residuals of a surface, (runs,), and the trunk of each: analysis of variance."""
        count = np.bincount(member)
        mean = np.bincount(member, weights=residual) / count
        trunks, runs = len(count), len(residual)
        rung = ((residual - mean[member]) ** 2).sum() / max(runs - trunks - WITHIN, 1)
        freedom = max(trunks - BETWEEN, 1)
        between = (count * mean**2).sum() / freedom
        trunk = max(between - rung, 0.0) / float(count.mean())
        # The spread is itself known only from so many trunks.
        return cls(float(np.sqrt(trunk)), float(np.sqrt(rung)), critical(0.05, freedom) / NORMAL)

    def draws(self, member: Ints, names: Sequence[str], draws: int, seed: int) -> Reals:
        """What is added to the log losses in every draw, (draws, runs); decided by the trunks' names."""
        out = np.empty((draws, len(member)))
        for number, name in enumerate(names):
            own = np.flatnonzero(member == number)
            drawn = generator(name, seed).standard_normal((draws, len(own) + 1))
            out[:, own] = self.trunk * drawn[:, :1] + self.rung * drawn[:, 1:]
        return self.widened * out
