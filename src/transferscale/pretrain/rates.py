"""Which base learning rate is best, from losses at several rates and seeds."""

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
RESAMPLES = 2000
# Rates on either side of the best whose noise is pooled; far from it runs are noisier.
REACH = 2


def best_rate(rates: Reals, losses: Reals) -> float:
    """Vertex of a parabola in log rate through the lowest mean loss and its neighbour on each side.

    Where one of them is missing or diverged it is the rate of the lowest loss; NaN where all diverged.

    Parameters
    ----------
    rates
        Rising, (rates,).
    losses
        Mean over seeds; infinite where a run diverged, (rates,).
    """
    finite = np.flatnonzero(np.isfinite(losses))
    if not len(finite):
        return float("nan")
    lowest = finite[np.argmin(losses[finite])]
    near = finite[(finite >= lowest - 1) & (finite <= lowest + 1)]
    if len(near) < 3:
        return float(rates[lowest])
    curve = np.polyfit(np.log(rates[near]), losses[near], 2)
    return float(np.exp(-curve[1] / (2 * curve[0]))) if curve[0] > 0 else float(rates[lowest])


def interval(rates: Reals, losses: Reals, draws: int = RESAMPLES) -> tuple[float, float] | None:
    """95 % interval of the best rate for new seeds, from (rates, seeds) losses.

    The noise of a loss is what is left after the means of its rate and of its seed (a seed that is better at every
    rate moves no minimum), pooled over the best rate and two on either side. With it the mean losses are drawn anew;
    its own spread is drawn too, which widens the interval by Student's factor. A few seeds drawn with replacement would
    hold the best rate in 70 to 80 % of the cases only. None where fewer than two rates or seeds are left to compare.
    """
    finite = np.flatnonzero(np.isfinite(losses).all(axis=1))
    if not len(finite) or losses.shape[1] < 2:
        return None
    means, seeds = losses.mean(axis=1), losses.shape[1]
    lowest = finite[np.argmin(means[finite])]
    near = losses[finite[abs(finite - lowest) <= REACH]]
    freedom = (len(near) - 1) * (seeds - 1)
    if not freedom:
        return None
    left = near - near.mean(axis=1, keepdims=True) - near.mean(axis=0) + near.mean()
    source = np.random.default_rng(0)
    spread = np.sqrt((left**2).sum() / source.chisquare(freedom, draws) / seeds)
    drawn = means + spread[:, None] * source.standard_normal((draws, len(rates)))
    low, high = np.quantile([best_rate(rates, one) for one in drawn], [0.025, 0.975])
    return float(low), float(high)


def bracketed(losses: Reals) -> bool:
    """Whether a lower and a higher rate than that of the least of (rates,) losses were tried; diverged ones count."""
    return bool(np.isfinite(losses).any()) and 0 < int(np.argmin(losses)) < len(losses) - 1
