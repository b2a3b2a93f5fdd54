"""Numbers as a picture says them, and where an axis is marked."""

import math
from collections.abc import Sequence

import numpy as np


def amount(value: float, digits: int = 6) -> str:
    """A number with at most ``digits`` digits: 0.25, 500, 20k, 3M, 2e10, 5e-7."""
    value = float(f"{value:.{digits}g}")
    size = abs(value)
    if size == 0 or 1e-3 <= size < 1e4:
        return f"{value:g}"
    for unit, name in ((1e3, "k"), (1e6, "M")):
        if 1e4 <= size < 1e3 * unit:
            return f"{value / unit:g}{name}"
    mantissa, power = f"{value:.5e}".split("e")
    return f"{float(mantissa):g}e{int(power)}"


def around(value: float, interval: Sequence[float] | None) -> str:
    """A value with its interval, where there is one."""
    if interval is None:
        return amount(value, 3)
    return f"{amount(value, 3)} ({amount(interval[0], 3)} to {amount(interval[1], 3)})"


def linear_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Round numbers within a range."""
    rough = (high - low) / at_most
    power = 10.0 ** math.floor(math.log10(rough))
    for step in (power, 2 * power, 2.5 * power, 5 * power, 10 * power, 20 * power):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < at_most:
            return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]
    raise AssertionError("a step of 20 times the power always leaves few enough")


def log_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Marks of a logarithmic axis, round in their own way on a short one; never over ``at_most``."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [s * 10.0**d for d in decades for s in steps]
        found = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(found) <= at_most:
            break
    if len(found) < 2 or (len(found) < 3 and high < 10 * low):
        return linear_ticks(low, high, at_most)
    # Whole decades are thinned out so that powers stay multiples of the same number.
    every = math.ceil(len(found) / at_most)
    return [value for value in found if round(math.log10(value) * 10) % (10 * every) == 0 or every == 1]


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Labels that tell the ticks apart."""
    labels = [amount(tick) for tick in ticks]
    if len(set(labels)) < len(labels):
        step = float(np.diff(sorted(ticks)).min())
        labels = [f"{tick:.{max(0, -math.floor(math.log10(step)))}f}" for tick in ticks]
    return labels
