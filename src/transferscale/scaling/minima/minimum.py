"""The size of least loss at one compute budget, by a parabola in log size (Hoffmann et al. 2022, approach 2).

Parabolas are biased even without noise, because an isoFLOP curve is none (arXiv 2603.22339); the narrower the sizes
that take part, the less. So few take part, and what the parabola would make of the fitted surface is told beside it.
"""

from dataclasses import dataclass

import numpy as np

from transferscale.scaling.metrics import Ints, Reals

# Sizes on either side of the best that take part in the parabola.
EITHER_SIDE = 2
SMALLER, INSIDE, LARGER = -1, 0, 1


@dataclass(frozen=True)
class Minima:
    """Least loss along one budget in every draw: log size, log loss, and on which side it is open, each (draws,).

    ``side`` is 0 where the best measured size has a worse neighbour on either side, so that the minimum is bracketed;
    -1 where the smallest size is the best, so that smaller ones may be better still; 1 where the largest is. There the
    size and loss are those of that size.
    """

    log_n: Reals
    log_loss: Reals
    side: Ints


def minima(log_n: Reals, log_loss: Reals, weight: Reals) -> Minima:
    """The minimum of every row of losses.

    The parabola goes by weighted least squares through the best size and two on either side; where it does not open
    upward with its vertex between the best size's neighbours, it goes through these three, which always gives one.

    Parameters
    ----------
    log_n
        Log sizes in rising order, (sizes,), three or more.
    log_loss
        Log losses at the budget, (draws, sizes).
    weight
        Weights of the sizes, (sizes,): how many trunks each has.
    """
    best = log_loss.argmin(1)
    last = len(log_n) - 1
    found_n, found_loss = log_n[best].copy(), log_loss.min(1)
    side = np.where(best == 0, SMALLER, np.where(best == last, LARGER, INSIDE)).astype(np.int64)
    for at in np.unique(best[side == INSIDE]):
        rows = np.flatnonzero(best == at)
        wide = slice(max(at - EITHER_SIDE, 0), min(at + EITHER_SIDE, last) + 1)
        near = slice(at - 1, at + 2)
        vertex, loss = _vertex(log_n[wide], log_loss[rows, wide], weight[wide])
        outside = ~((vertex > log_n[at - 1]) & (vertex < log_n[at + 1]))
        if outside.any():
            vertex[outside], loss[outside] = _vertex(log_n[near], log_loss[rows[outside], near], weight[near])
        found_n[rows], found_loss[rows] = vertex, loss
    return Minima(found_n, found_loss, side)


def _vertex(log_n: Reals, log_loss: Reals, weight: Reals) -> tuple[Reals, Reals]:
    """Place and height of the vertex of the parabola of every row; NaN where it does not open upward."""
    middle = log_n.mean()
    u = log_n - middle
    root = np.sqrt(weight)[:, None]
    columns = np.stack([np.ones_like(u), u, u**2], 1)
    a, b, c = np.linalg.pinv(columns * root) @ (root * log_loss.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.where(c > 0, -b / (2 * c), np.nan)
    return middle + place, a + b * place / 2
