"""Student's t distribution for whole degrees of freedom, in closed form (Abramowitz & Stegun 26.7.3 and 26.7.4)."""

import math
from functools import lru_cache

import numpy as np


def two_sided_p(t: float, df: int) -> float:
    """Probability that Student's t with ``df`` degrees of freedom lies further from 0 than ``t``."""
    if math.isinf(t):
        return 0.0
    angle = math.atan(abs(t) / math.sqrt(df))
    cosine2 = math.cos(angle) ** 2
    # Terms of the series: each is the last one times cos^2 times (2k)/(2k+1), or (2k-1)/(2k).
    k = np.arange(1, (df - 1) // 2 if df % 2 else df // 2)
    ratio = 2 * k / (2 * k + 1) if df % 2 else (2 * k - 1) / (2 * k)
    series = 1.0 + float(np.cumprod(ratio * cosine2).sum())
    if df % 2:
        inside = angle + (math.sin(angle) * math.cos(angle) * series if df > 1 else 0.0)
        return max(0.0, 1 - 2 / math.pi * inside)
    return max(0.0, 1 - math.sin(angle) * series)


@lru_cache(maxsize=256)
def critical(alpha: float, df: int) -> float:
    """The t that a two-sided test at ``alpha`` must exceed."""
    high = 1.0
    while two_sided_p(high, df) > alpha:
        high *= 2
    low = 0.0
    # Halved until no number lies between.
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if two_sided_p(middle, df) > alpha else (low, middle)
    return high
