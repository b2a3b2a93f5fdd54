"""How much more scale one family needs than another for the same outcome: the compute multiplier where x is compute."""

from dataclasses import dataclass

import numpy as np

from transferscale.scaling.comparisons.crossover import Window, outside, ratio_interval, reached
from transferscale.scaling.comparisons.families import Family
from transferscale.scaling.fits.outcome import Outcome


@dataclass(frozen=True)
class Multiplier:
    """Scale that the first family needs to reach a level, over that of the second."""

    level: float
    """In the unit of the outcome."""
    at: tuple[float | None, float | None]
    """Scale at which each fitted curve first reaches it; None if that is not within the scales searched."""
    ratio: float | None
    low: float | None
    """Ends of the 95 % interval; None where it is open, or without draws."""
    high: float | None
    unreached: tuple[str, ...]
    """Families whose fitted curve does not reach it up to the largest scale searched."""
    outside: dict[str, float]
    """Factor by which a family's scale lies outside of its own data, for those outside."""


def multiplier(
    families: tuple[Family, Family], window: Window, outcome: Outcome, level: float | None = None
) -> Multiplier:
    """Ratio of the scales at which two families reach a level, with its interval over paired draws.

    Parameters
    ----------
    level
        Logarithm of the error. Default: the best one that both fitted curves reach within their data, which is
        the best of the worse family; in every draw it is what that family reaches at that same scale, so the
        interval is that of the scale at which the other family matches it.
    """
    worse = max(families, key=lambda one: one.best) if level is None else None
    log_level = worse.best if worse is not None else float(level or 0.0)
    first, second = (
        one.best_at if one is worse else float(reached(one.curve(window.grid), log_level, window))
        for one in families
    )
    known = np.isfinite(first) or np.isfinite(second) or first != second
    estimate = float(np.exp(first - second)) if known else None
    low, high = (None, None) if estimate is None else _interval(families, window, log_level, worse, estimate)
    scales = tuple(float(np.exp(at)) if np.isfinite(at) else None for at in (first, second))
    return Multiplier(
        level=float(outcome.value(np.exp(np.array(log_level)))),
        at=(scales[0], scales[1]),
        ratio=None if None in scales else estimate,
        low=low,
        high=high,
        unreached=tuple(one.name for one, at in zip(families, (first, second), strict=True) if at == np.inf),
        outside={
            one.name: factor
            for one, x in zip(families, scales, strict=True)
            if x is not None and (factor := outside(x, one.data)) > 1
        },
    )


def _interval(
    families: tuple[Family, Family], window: Window, level: float, worse: Family | None, estimate: float
) -> tuple[float | None, float | None]:
    """95 % interval of the ratio; None for an end that is open, and without draws."""
    drawn = [one.draws for one in families]
    if drawn[0] is None or drawn[1] is None:
        return None, None
    moving = worse.draws.best if worse is not None and worse.draws is not None else level
    scales = [
        np.full(len(draws.best), one.best_at) if one is worse else reached(draws.grid, moving, window)
        for one, draws in zip(families, drawn, strict=True)
        if draws is not None
    ]
    low, high = ratio_interval(scales[0], scales[1], estimate)
    return low if low > 0 else None, high if np.isfinite(high) else None
