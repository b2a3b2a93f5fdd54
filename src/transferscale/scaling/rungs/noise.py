"""How far a single run's log loss is off by chance, rung by rung, from the seeds of sizes that have several.

Runs of small budgets differ more than those of large ones, and a rung alone has too few seeds to say by how much. So
the variance within sizes of every rung is drawn towards a trend over the rungs, a power law of the clips seen, which
counts as :data:`TREND` degrees of freedom beside the rung's own. Rungs of one trunk share its luck, so that all of them
together are given no more degrees of freedom than there are trunks beyond the first of each size.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from transferscale.scaling.fits.student import critical

# Degrees of freedom that the trend counts as, beside those of a rung's own seeds.
TREND = 10
# A rung's variance counts as at least this share of the mean where its logarithm is taken.
LEAST = 0.01


@dataclass(frozen=True)
class Noise:
    """Standard deviation of log loss of a single run by rung (or step between rungs), and its degrees of freedom."""

    sd: Mapping[int, float]
    freedom: int

    def reach(self, at: int, share: float) -> float | None:
        """How far noise reaches: Student's 97.5 % quantile times the standard error, that of a run times
        sqrt(``share``); None without replicates.
        """
        return critical(0.05, self.freedom) * self.sd[at] * float(np.sqrt(share)) if self.freedom else None


def pooled(groups: Iterable[Sequence[float]]) -> tuple[float, int]:
    """Variance within groups, pooled, and its degrees of freedom; (0, 0) where none has two values."""
    squares, freedom = 0.0, 0
    for group in groups:
        if len(group) > 1:
            squares += float(np.var(group) * len(group))
            freedom += len(group) - 1
    return (squares / freedom if freedom else 0.0), freedom


def by_rung(
    groups: Mapping[int, Iterable[Sequence[float]]], clips: Mapping[int, float], freedom: int
) -> Noise:
    """The noise of every rung.

    Parameters
    ----------
    groups
        Log losses of every rung, a group a size.
    clips
        Clips seen at every rung.
    freedom
        Trunks beyond the first of each size.
    """
    at = list(groups)
    variance, own = (
        np.array(both, dtype=np.float64) for both in zip(*map(pooled, groups.values()), strict=True)
    )
    told = own > 0
    if not freedom or not (variance[told] > 0).any():
        return Noise(dict.fromkeys(at, 0.0), freedom)
    weight, x = own[told], np.log([clips[key] for key in at])
    x -= np.average(x[told], weights=weight)
    level = np.log(np.maximum(variance[told], LEAST * np.average(variance[told], weights=weight)))
    across = float((weight * x[told] ** 2).sum())
    slope = float((weight * x[told] * level).sum()) / across if across > 0 else 0.0
    # The logarithm of a variance is too low on average; its level is that at which the rungs' variances are met.
    trend = np.exp(slope * x)
    trend *= np.average(variance[told] / trend[told], weights=weight)
    drawn = (own * variance + TREND * trend) / (own + TREND)
    return Noise(dict(zip(at, np.sqrt(drawn).tolist(), strict=True)), freedom)
