"""Sharp changes in words: the verdict, and each part of it in a sentence."""

from transferscale.scaling.changes.change import Break, Change
from transferscale.scaling.changes.forecast import Forecast
from transferscale.scaling.changes.grokking import Grokking
from transferscale.scaling.comparisons.verdict import number

Delays = tuple[Grokking, Grokking | None]
"""Delay on the metric, and on its continuous control."""

ARTEFACT = "may come from the metric (Schaeffer et al. 2023)"


def verdict(
    x: str, metric: Change, control: Change | None, delays: Delays | None, forecast: Forecast | None
) -> str:
    """The answers to what was asked, separated by semicolons."""
    parts = [sharp(metric, control)]
    if delays is not None:
        parts.append(delay(*delays))
    if forecast is not None:
        parts.append(foretold(x, forecast))
    return "; ".join(parts)


def sharp(metric: Change, control: Change | None) -> str:
    """Whether the metric changes sharply, and its control too."""
    if metric.answer == "not identified":
        return f"not identified: {metric.reason}"
    if metric.answer != "sharp":
        out = "no sharp change"
        if metric.answer == "gradual":
            out += f": {_places(metric)} the slope changes gradually"
        if control is not None and control.answer == "sharp":
            out += f" in the metric, but in the control, {_places(control)}"
        return out
    at = _places(metric)
    if control is None:
        return f"sharp {at}; without a control it cannot be told from an artefact of the metric"
    if control.answer == "sharp":
        return f"sharp in the metric, {at}, and in the control, {_places(control)}"
    if control.answer == "not identified":
        return f"sharp in the metric, {at}; in the control not identified: {control.reason}"
    return f"sharp in the metric only, {at}: {ARTEFACT}"


def _places(one: Change) -> str:
    found = [_place(own) for own in one.breaks if own.identified] or ["somewhere"]
    return f"at {' and at '.join(found)}"


def _place(one: Break) -> str:
    low, high = one.interval
    return f"{number(one.x)} (95 % {number(low)} to {number(high)})"


def a_break(one: Break, error: str) -> str:
    """One break: place, width, slopes.

    Parameters
    ----------
    error
        What the slopes are of, such as ``1 - accuracy``.
    """
    low, high = one.width_interval
    width = f"{number(one.width)} (95 % {number(low)} to {number(high)})"
    if not one.resolved:
        width = f"at most {number(high)}"
    known = "" if one.identified else f" (not identified: {one.reason})"
    faster = "faster" if one.faster else "slower"
    goes = "falls" if one.after < 0 else "grows"
    how = f"{goes} {faster}" if goes == "falls" else "grows"
    return (
        f"at {_place(one)}{known} {error} {how}, over a factor of {width} in x; slope {one.before:.3g} before, "
        f"{one.after:.3g} after"
    )


def tested(one: Change) -> str:
    """How many breaks count."""
    if not one.counted.steps:
        return "nothing tested"
    steps = one.counted.steps
    told = [f"break {step.breaks}: p = {step.p_value:.2g}" for step in steps]
    many = one.counted.breaks
    return f"{many or 'no'} break{'s' * (many > 1)} count{'s' * (many < 2)} ({', '.join(told)})"


def sizes(one: Change) -> str:
    """Breakthroughness and linearity beside those of smooth curves."""
    parts = []
    for name, found in (("breakthroughness", one.breakthroughness), ("linearity", one.linearity)):
        text = f"{name} " + ("unbounded" if found.value is None else f"{found.value:.3g}")
        if found.interval is not None:
            text += f" (95 % {found.interval[0]:.3g} to {found.interval[1]:.3g})"
        if found.smooth is not None and found.p_value is not None:
            side = "above" if name == "breakthroughness" else "below"
            middle, end = found.smooth
            text += f", of smooth curves {middle:.3g} (5 % {side} {end:.3g}), p = {found.p_value:.2g}"
        parts.append(text)
    return "; ".join(parts)


def short_sizes(one: Change) -> str:
    """Breakthroughness and linearity with their p-values alone."""
    parts = []
    for name, found in (("breakthroughness", one.breakthroughness), ("linearity", one.linearity)):
        size = "unbounded" if found.value is None else f"{found.value:.3g}"
        parts.append(f"{name} {size}" + ("" if found.p_value is None else f" (p = {found.p_value:.2g})"))
    return ", ".join(parts)


def delay(metric: Grokking, control: Grokking | None) -> str:
    """The grokking delay on the metric and on the control."""
    out = behind(metric)
    if control is None:
        return out
    out += f", {behind(control)}"
    if metric.late is None or control.late is None:
        return out
    if metric.late:
        return out + (": late on both" if control.late else f": late on the metric only, which {ARTEFACT}")
    return out + ": no delay on the metric"


def behind(one: Grokking) -> str:
    """A delay in a sentence."""
    if one.mean is None:
        amount = "an unknown number of decades"
    else:
        ends = "" if one.interval is None else f" (95 % {one.interval[0]:.2f} to {one.interval[1]:.2f})"
        amount = f"{f'{one.bound} ' if one.bound else ''}{one.mean:.2f} decades{ends}"
    return f"{one.test_column} is {amount} behind {one.train_column} at {one.threshold:.4g}"


def foretold(x: str, one: Forecast) -> str:
    """The forecast."""
    span = f"up to {number(one.last * one.within)}"
    if one.interval is None or one.x is None:
        return f"whether a faster fall comes {span} cannot be told: {one.reason}"
    low, high = one.interval
    # The forecast looks no farther than that.
    later = " or later" if high > one.last * one.within * (1 - 1e-6) else ""
    place = f"{x} {number(one.x)} (95 % {number(low)} to {number(high)}{later})"
    if one.answer == "coming":
        return f"a faster fall is coming {span} with probability {one.p_coming:.2g}, at {place}"
    return f"a faster fall is under way with probability {(one.p_coming or 0) + (one.p_under_way or 0):.2g}, at {place}"
