"""A comparison in words: one sentence with its uncertainty, extrapolations said in the same line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transferscale.scaling.comparisons.crossover import Crossover, Window, outside
from transferscale.scaling.fits.resample import FEWEST, RELIABLE

# Beyond this factor a scale outside of the data is called an extrapolation.
FAR = 10.0


@dataclass(frozen=True)
class Setting:
    """What all sentences of one comparison refer to."""

    window: Window
    target: float
    draws: int
    """Resamples; 0 without intervals."""
    data: Mapping[str, tuple[float, float]]
    """Smallest and largest scale of each family."""
    independent: Mapping[str, int]
    """Clusters of each family that vary independently."""


def verdict(
    crossings: Sequence[tuple[tuple[str, str], Crossover]],
    best: str,
    p_best: Mapping[str, float] | None,
    setting: Setting,
    left_out: Sequence[str] = (),
) -> str:
    """The verdict on two or more families.

    Parameters
    ----------
    crossings
        Each pair of families with its crossover.
    best, p_best
        The family with the best fitted curve at the target, and each one's probability of being best there.
    left_out
        Sentences on families that could not be fitted.
    """
    names = list(dict.fromkeys(name for families, _ in crossings for name in families))
    at_target = _at_target(names, best, p_best, setting)
    if len(crossings) == 1:
        parts = [crossing(*crossings[0], setting), at_target]
    else:
        # Of several families, the pairs of the one to choose; the others have verdicts of their own.
        chosen = best if p_best is None else max(names, key=lambda name: p_best[name])
        parts = [at_target]
        for families, found in crossings:
            if chosen in families:
                parts.append(f"{' and '.join(families)}: {crossing(families, found, setting)}")
    few = [f"{name} {setting.independent[name]}" for name in names if setting.independent[name] < RELIABLE]
    if few and p_best is not None:
        parts.append(f"unreliable for want of clusters (fewer than {RELIABLE}: {', '.join(few)})")
    return "; ".join([*parts, *(f"left out: {sentence}" for sentence in left_out)])


def crossing(families: tuple[str, str], found: Crossover, setting: Setting) -> str:
    """The crossover of two families."""
    window = setting.window
    span = f"{number(window.low)} to {number(window.high)}"
    if found.answer == "not identified":
        return f"not identified because {_reason(families, found, setting)}"
    if found.answer == "crossover":
        several = sum(window.low <= root.x <= window.high for root in found.roots)
        last = f", the last of {several} crossings in the range" if several > 1 else ""
        return f"beyond {_place(families, found, setting)} {_overtakes(families, found)}{last}"
    if found.throughout is None:
        leader = families[found.leads or 0]
        out = f"none in range ({span}): {leader} leads throughout"
    else:
        leads = max((0, 1), key=found.throughout.__getitem__)
        share = probability(found.throughout[leads], setting.draws)
        out = f"none in range ({span}): {families[leads]} leads throughout with probability {share}"
    if found.x is not None:
        out += (
            f", and outside of it, beyond {_place(families, found, setting)}, {_overtakes(families, found)}"
        )
    return out


def away(x: float, families: Sequence[str], setting: Setting) -> str:
    """How far a scale lies outside of the data of families; empty if it lies in all of them."""
    places: dict[str, list[str]] = {}
    for name in families:
        factor = outside(x, setting.data[name])
        if factor > 1:
            far = "an extrapolation " if factor > FAR else ""
            side = "beyond" if x > setting.data[name][1] else "below"
            places.setdefault(f"{far}{factor:.3g} times {side}", []).append(name)
    return ", ".join(f"{place} the data of {' and '.join(names)}" for place, names in places.items())


def number(value: float) -> str:
    """Three digits, as 3.1e7."""
    mantissa, e, exponent = f"{value:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def probability(share: float, draws: int) -> str:
    """A share of draws; none and all of them are bounds."""
    if share in (0.0, 1.0):
        return f"below {number(1 / draws)}" if share == 0 else f"above {1 - 1 / draws:.4g}"
    return f"{share:.2f}" if 0.01 <= share <= 0.99 else f"{share:.3f}"


def _place(families: tuple[str, str], found: Crossover, setting: Setting) -> str:
    """Scale of the crossover with its interval, and where it is outside of the data."""
    x = found.x if found.x is not None else float("nan")
    parts = ["no interval"]
    far = away(x, families, setting)
    if found.low is not None and found.high is not None:
        parts = [f"95 % {number(found.low)} to {number(found.high)}"]
        ends = [outside(end, setting.data[name]) for end in (found.low, found.high) for name in families]
        if max(ends) > FAR and not far:
            parts.append(f"an extrapolation, the interval reaches {max(ends):.3g} times outside of the data")
    return f"{number(x)} ({'; '.join([*parts, *([far] if far else [])])})"


def _overtakes(families: tuple[str, str], found: Crossover) -> str:
    winner = found.overtakes or 0
    return f"{families[winner]} overtakes {families[1 - winner]}"


def _at_target(names: Sequence[str], best: str, p_best: Mapping[str, float] | None, setting: Setting) -> str:
    """Which family leads at the target."""
    far = away(setting.target, names, setting)
    where = f"at {number(setting.target)}{f' ({far})' if far else ''}"
    better = "better" if len(names) == 2 else "best"
    if p_best is None:
        return f"{where} {best} is {better} (fitted curves, no interval)"
    first = max(names, key=lambda name: p_best[name])
    rest = ", ".join(f"{name} {probability(p_best[name], setting.draws)}" for name in names if name != first)
    others = f" ({rest})" if len(names) > 2 else ""
    return f"{where} {first} is {better} with probability {probability(p_best[first], setting.draws)}{others}"


def _reason(families: tuple[str, str], found: Crossover, setting: Setting) -> str:
    """Why a crossover is not identified."""
    window = setting.window
    if found.reason == "same curve":
        return f"the curves of {families[0]} and {families[1]} are the same"
    if found.reason == "few clusters":
        few = [name for name in families if setting.independent[name] < FEWEST]
        return " and ".join(f"{name} has {setting.independent[name]} clusters" for name in few) + (
            ", too few for an interval"
        )
    if found.reason == "alike":
        return (
            f"{families[0]} and {families[1]} cannot be told apart anywhere between {number(window.low)} and "
            f"{number(window.high)}"
        )
    low, high = found.interval or (0.0, float("inf"))
    late, early = families[found.leads or 0], families[1 - (found.leads or 0)]
    if high <= window.high:
        return f"{late} leads from {number(high)} on, but which leads at {number(window.low)} cannot be told"
    if found.reason == "divided":
        crossed = probability(1 - (found.p_roots or (1.0,))[0], setting.draws)
        return f"the fitted curves do not cross in the range, but a share of {crossed} of the draws does"
    if low >= window.low:
        return (
            f"{late} does not overtake {early} before {number(low)}, and whether it does by {number(window.high)} "
            "cannot be told"
        )
    start = f"below {number(window.searched[0])}" if low == 0 else number(low)
    end = f"beyond {number(window.searched[1])}" if high == float("inf") else number(high)
    return f"the 95 % interval of the crossing, {start} to {end}, is wider than the range"
