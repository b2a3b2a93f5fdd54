"""The crossed bootstrap: new test subjects, and independently new label draws and seeds.

Of k units, k - 1 are drawn with replacement and each counts k / (k - 1) times (McCarthy & Snowden 1985): unlike k of
k, the variance of a mean is then unbiased, which matters with three seeds. A single unit keeps weight 1: one draw or
one seed carries no information about its own variance, and the interval does not pretend to.
"""

import zlib

import numpy as np
import numpy.typing as npt

from transferscale.scaling.metrics import Reals

RESAMPLES = 2000


def generator(*name: object) -> np.random.Generator:
    """Random generator that depends on its name alone, so that two cells that share units share their resamples."""
    return np.random.default_rng(zlib.crc32("/".join(map(str, name)).encode()))


def unit_weights(units: int, resamples: int, rng: np.random.Generator) -> Reals:
    """Weights of ``units`` exchangeable units, shape (resamples, units), summing to ``units`` in every resample."""
    if units == 1:
        return np.ones((resamples, 1))
    counts = rng.multinomial(units - 1, np.full(units, 1 / units), size=resamples)
    return counts * (units / (units - 1))


def subject_weights(
    cluster: npt.NDArray[np.int64], stratum: npt.NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> Reals:
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
        weights[:, chosen] = unit_weights(len(chosen), resamples, rng)
    return weights[:, member]


def column_weights(
    draw: npt.NDArray[np.int64], seed: npt.NDArray[np.int64], resamples: int, name: str = ""
) -> Reals:
    """Weights of columns, shape (resamples, columns), summing to 1 in every resample.

    Where every draw was run with every seed, draws and seeds are resampled independently (crossed); otherwise their
    pairs are. Columns that differ by their repeat alone share a weight: repeats are averaged over, not resampled.
    """
    draws, draw_at = np.unique(draw, return_inverse=True)
    seeds, seed_at = np.unique(seed, return_inverse=True)
    pairs, pair_at = np.unique(draw_at * len(seeds) + seed_at, return_inverse=True)
    if len(pairs) == len(draws) * len(seeds):
        by_draw = unit_weights(len(draws), resamples, generator(name, "draws", len(draws)))
        by_seed = unit_weights(len(seeds), resamples, generator(name, "seeds", len(seeds)))
        weights = by_draw[:, draw_at] * by_seed[:, seed_at]
    else:
        weights = unit_weights(len(pairs), resamples, generator(name, "pairs", len(pairs)))[:, pair_at]
    total: Reals = weights.sum(1, keepdims=True)
    return weights / total
