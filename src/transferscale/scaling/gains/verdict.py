"""From a paired interval to a verdict, and the correction for several primary claims."""

from collections.abc import Sequence

import numpy as np

from transferscale.scaling.metrics import Reals


def verdict(low: float, high: float, low90: float, high90: float, sesoi: float | None) -> str:
    """helps, hurts, equivalent or inconclusive.

    ``low`` and ``high`` bound the paired 95 % interval, ``low90`` and ``high90`` the 90 % one (two one-sided
    tests at 5 %); ``sesoi`` is the smallest effect size of interest, None when none was declared: nothing is
    then equivalent.
    """
    if low > 0:
        return "helps"
    if high < 0:
        return "hurts"
    return "equivalent" if negligible(low90, high90, sesoi) else "inconclusive"


def negligible(low90: float, high90: float, sesoi: float | None) -> bool:
    """Whether the 90 % interval lies inside +- the smallest effect size of interest."""
    return sesoi is not None and -sesoi < low90 and high90 < sesoi


def words(
    found: str,
    *,
    small: bool = False,
    detectable: float | None = None,
    p_holm: float | None = None,
    claims: int = 1,
) -> str:
    """A verdict in words.

    Parameters
    ----------
    found
        What :func:`verdict` says.
    small
        Whether the 90 % interval lies inside +- the smallest effect size of interest.
    detectable
        Smallest detectable gain, said where the verdict is inconclusive.
    p_holm, claims
        Holm-adjusted p-value and the number of claims it is over, said where help or harm is lost to it.
    """
    if found in ("helps", "hurts"):
        text = found + (", below the smallest effect of interest" if small else "")
        if p_holm is not None and claims > 1 and p_holm > 0.05:
            text += f", but not after Holm's correction over {claims} claims (p = {p_holm:.2g})"
        return text
    if found == "inconclusive" and detectable is not None:
        return f"inconclusive: the smallest detectable gain is {detectable:.2g}"
    return found


def p_value(gains: Reals) -> float:
    """Two-sided bootstrap p-value of gain = 0 from resampled gains; never below 2 / (resamples + 1)."""
    below, above = np.count_nonzero(gains <= 0), np.count_nonzero(gains >= 0)
    return min(1.0, 2 * (min(below, above) + 1) / (len(gains) + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of the p-values of one family of claims."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    stepped = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(p) for p in adjusted]
