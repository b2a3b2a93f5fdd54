"""A size's loss at a compute budget that lies between its runs."""

from collections.abc import Sequence

import numpy as np

from transferscale.scaling.metrics import Ints, Reals

# Ends that differ by rounding are the same.
ROUNDING = 1e-9


def covers(log_c: Reals, at: float) -> bool:
    """Whether a budget lies within the runs of a curve, logarithms."""
    return bool(log_c.min() - ROUNDING <= at <= log_c.max() + ROUNDING)


def between(log_c: Reals, at: float) -> Reals:
    """Weights of a curve's runs, (runs,), whose sum of log losses is the log loss at ``at``.

    Through every run, in log loss and log compute: the straight line between two runs; of three or more, the
    parabolas through three runs that share the stretch, blended along it. A straight line would overstate a loss
    that flattens, by up to 0.4 % from one budget to its double, as much as neighbouring sizes differ by at their best.

    Parameters
    ----------
    log_c
        Log compute of the runs, in any order; runs at the same compute count as their mean.
    at
        Log compute within them.
    """
    places, inverse, count = np.unique(log_c, return_inverse=True, return_counts=True)
    found = _between(places, float(np.clip(at, places[0], places[-1])))
    spread: Reals = (found / count)[inverse]
    return spread


def _between(places: Reals, at: float) -> Reals:
    weights = np.zeros(len(places))
    if len(places) == 1:
        weights[0] = 1.0
        return weights
    left = int(np.clip(np.searchsorted(places, at, side="right") - 1, 0, len(places) - 2))
    if len(places) == 2:
        weights[:2] = _through(places, at)
        return weights
    share = (at - places[left]) / (places[left + 1] - places[left])
    # At an end of the runs there is one parabola.
    earlier, later = max(left - 1, 0), min(left, len(places) - 3)
    weights[earlier : earlier + 3] += (1 - share) * _through(places[earlier : earlier + 3], at)
    weights[later : later + 3] += share * _through(places[later : later + 3], at)
    return weights


def _through(places: Reals, at: float) -> Reals:
    """Lagrange's weights of the polynomial through all of a few places."""
    out = np.ones(len(places))
    for i, own in enumerate(places):
        for j, other in enumerate(places):
            if i != j:
                out[i] *= (at - other) / (own - other)
    return out


def at_budget(log_n: Reals, log_c: Reals, trunk: Sequence[str], at: float) -> tuple[Reals, Reals, Ints]:
    """The sizes with runs on both sides of a budget, and how their losses there follow from all runs.

    Parameters
    ----------
    log_n, log_c, trunk
        Log size and log compute of every run, (runs,), and the name of its trunk.
    at
        Log of the budget.

    Returns
    -------
    sizes, weights, trunks
        Log sizes in rising order, (sizes,); weights of every run, (sizes, runs), the mean of the size's trunks;
        and how many trunks that is, (sizes,).
    """
    names = np.array(trunk)
    sizes, weights, trunks = [], [], []
    for size in np.unique(log_n):
        curves = []
        for name in np.unique(names[log_n == size]):
            own = np.flatnonzero((log_n == size) & (names == name))
            if covers(log_c[own], at):
                row = np.zeros(len(log_n))
                row[own] = between(log_c[own], at)
                curves.append(row)
        if curves:
            sizes.append(float(size))
            weights.append(np.mean(curves, axis=0))
            trunks.append(len(curves))
    return np.array(sizes), np.array(weights).reshape(-1, len(log_n)), np.array(trunks, dtype=np.int64)
