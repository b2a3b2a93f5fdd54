"""The crossed bootstrap: new test subjects, and independently new label draws and seeds.

Of k units, k - 1 are drawn with replacement and each counts k / (k - 1) times (McCarthy & Snowden 1985):
unlike k of k, the variance of a mean is then unbiased, which matters with three seeds. A single unit keeps
weight 1: one draw or one seed carries no information about its own variance, and the interval does not
pretend to.
"""

import zlib
from functools import lru_cache

import numpy as np

from transferscale.scaling.metrics import Ints, Reals

RESAMPLES = 2000


@lru_cache(maxsize=64)
def unit_weights(units: int, resamples: int, name: str) -> Reals:
    """Weights of exchangeable units, shape (resamples, units), summing to ``units`` in every resample.

    They depend on ``name`` and the number of units alone: cells that share their units share their resamples,
    which is what makes any two of them paired.
    """
    if units == 1:
        return np.ones((resamples, 1))
    rng = np.random.default_rng(zlib.crc32(f"{name}/{units}".encode()))
    counts = rng.multinomial(units - 1, np.full(units, 1 / units), size=resamples)
    weights: Reals = counts.astype(np.float64) * units / (units - 1)
    weights.setflags(write=False)
    return weights


def subject_weights(cluster: Ints, stratum: Ints, resamples: int, name: str) -> Reals:
    """Weights of subjects, shape (resamples, subjects), resampled within strata and by whole clusters.

    Parameters
    ----------
    cluster
        Family of each subject (its own number where none is known); members are drawn together.
    stratum
        Class of each subject; a family's stratum is that of its first member.
    """
    families, first, member = np.unique(cluster, return_index=True, return_inverse=True)
    weights = np.empty((resamples, len(families)))
    for level in np.unique(stratum[first]):
        chosen = np.flatnonzero(stratum[first] == level)
        weights[:, chosen] = unit_weights(len(chosen), resamples, f"{name}/subjects/{level}")
    return weights[:, member]


def column_weights(draw: Ints, seed: Ints, resamples: int) -> Reals:
    """Weights of columns, shape (resamples, columns), summing to 1 in every resample.

    Where every draw was run with every seed, draws and seeds are resampled independently (crossed); otherwise
    their pairs are. Columns that differ by their repeat alone share a weight: repeats are averaged over, not
    resampled.
    """
    draws, draw_at = np.unique(draw, return_inverse=True)
    seeds, seed_at = np.unique(seed, return_inverse=True)
    pairs, pair_at = np.unique(draw_at * len(seeds) + seed_at, return_inverse=True)
    if len(pairs) == len(draws) * len(seeds):
        by_draw = unit_weights(len(draws), resamples, "draws")
        by_seed = unit_weights(len(seeds), resamples, "seeds")
        weights = by_draw[:, draw_at] * by_seed[:, seed_at]
    else:
        weights = unit_weights(len(pairs), resamples, "pairs")[:, pair_at]
    total: Reals = weights.sum(1, keepdims=True)
    return weights / total


def crossed(resampled: Reals, point: Reals, draw: Ints, seed: Ints) -> Reals:
    """Mean over columns in every resample of subjects, draws and seeds, shape (resamples,).

    Resampling all at once counts the part of the variance that belongs to no one alone (one subject in one column, one
    draw with one seed) several times over (Owen 2007, the pigeonhole bootstrap). The deviations are shrunk to the
    variance of resampling subjects alone plus :func:`column_variance`. What belongs to one subject in one column is
    still counted twice: as in two-way clustered standard errors without the last term, which is left in because a few
    seeds estimate their own variance poorly.

    Parameters
    ----------
    resampled
        Metric of every column in every resample of the subjects, shape (resamples, columns).
    point
        Metric of every column with every subject once, shape (columns,).
    draw, seed
        Label draw and seed of each column, shape (columns,).
    """
    both: Reals = np.einsum("bj,bj->b", column_weights(draw, seed, len(resampled)), resampled)
    total = both.var()
    if total <= 0:
        return both
    wanted = resampled.mean(1).var() + column_variance(point, draw, seed)
    centre = both.mean()
    shrunk: Reals = centre + (both - centre) * np.sqrt(min(wanted, total) / total)
    return shrunk


def column_variance(point: Reals, draw: Ints, seed: Ints) -> float:
    """Variance of the mean over columns for new draws and seeds.

    Where every draw was run with every seed it is that of the draws' means and that of the seeds' means, less what both
    hold, the variance among their pairs (Cameron, Gelbach and Miller 2011, two-way clustering), and at least the larger
    of the two. Where draws and seeds vary together it is that of their pairs. One draw or seed has no variance.

    Parameters
    ----------
    point, draw, seed
        (columns,); columns that differ by their repeat alone are averaged.
    """
    draws, draw_at = np.unique(draw, return_inverse=True)
    seeds, seed_at = np.unique(seed, return_inverse=True)
    _, pair_at = np.unique(draw_at * len(seeds) + seed_at, return_inverse=True)
    pairs = _of_mean(point, pair_at)
    if pair_at.max() + 1 < len(draws) * len(seeds):
        return pairs
    by_draw, by_seed = _of_mean(point, draw_at), _of_mean(point, seed_at)
    return max(by_draw + by_seed - pairs, by_draw, by_seed)


def _of_mean(point: Reals, unit: Ints) -> float:
    """Variance of the mean of units, each the mean of its columns."""
    count = np.bincount(unit)
    means = np.bincount(unit, weights=point) / count
    return float(means.var(ddof=1) / len(means)) if len(means) > 1 else 0.0
