"""Which base learning rate is best, from losses at several rates and seeds."""

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
RESAMPLES = 2000


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


def interval(rates: Reals, losses: Reals, draws: int = RESAMPLES) -> tuple[float, float]:
    """95 % interval of the best rate when seeds are drawn with replacement, from (rates, seeds) losses.

    Draws in which every rate has a run that diverged have no best rate and are left out.
    """
    source, seeds = np.random.default_rng(0), losses.shape[1]
    found = [best_rate(rates, losses[:, source.integers(0, seeds, seeds)].mean(axis=1)) for _ in range(draws)]
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)


def bracketed(losses: Reals) -> bool:
    """Whether a lower and a higher rate than that of the least of (rates,) losses were tried; diverged ones count."""
    return bool(np.isfinite(losses).any()) and 0 < int(np.argmin(losses)) < len(losses) - 1
