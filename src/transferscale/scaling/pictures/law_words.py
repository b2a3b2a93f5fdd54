"""What a picture says of a fitted law: its exponent and how far it can be trusted, its points, its values."""

import numpy as np
import numpy.typing as npt

from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.metrics import Reals
from transferscale.scaling.pictures.layout import group_name
from transferscale.scaling.pictures.numbers import amount, around

# Parameters that people quote first.
EXPONENTS = ("c", "alpha", "beta", "gamma")


def lines(one: Fit) -> list[str]:
    """The law with its exponent, and how far it can be trusted."""
    named = [name for name in EXPONENTS if name in one.params] or list(one.params)
    words = [_quoted(name, one.params[name], one.intervals[name], one.identified[name]) for name in named]
    if one.form.name == "auto":
        words = [f"{weight:.0%} {name}" for name, weight in one.params.items() if weight > 0.005]
    if one.form.name == "broken":
        slope = [name for name in one.derived if name.startswith("slope")][-1]
        words = [f"last slope {around(one.derived[slope], one.derived_intervals[slope])}"]
    law = [f"{one.law}: {', '.join(words)}"]
    trust = [f"{one.n} points"]
    if one.rmsle_holdout is not None:
        trust.append(f"RMSLE {amount(one.rmsle_fit, 2)}, held out {amount(one.rmsle_holdout, 2)}")
    else:
        trust.append(f"RMSLE {amount(one.rmsle_fit, 2)}")
    if one.warnings:
        trust.append(f"{len(one.warnings)} warning{'s' * (len(one.warnings) != 1)}")
    return [*law, "; ".join(trust)]


def _quoted(name: str, value: float, interval: tuple[float, float] | None, known: bool) -> str:
    return f"{name} {around(value, interval)}{'' if known else ' not identified'}"


def description(one: Fit) -> str:
    """Alternative text: the law at the ends of the points."""
    along = one.points.sum(1)
    ends = one.points[[int(along.argmin()), int(along.argmax())]]
    first, last = one.predict(ends)
    where = group_name(one.group)
    return (
        f"{where + ': ' if where else ''}{one.y} against {' and '.join(one.x)}, {one.n} points. {lines(one)[0]}. "
        f"The law goes from {amount(float(first), 3)} at the smallest scale to {amount(float(last), 3)} at the largest."
    )


def point_words(one: Fit, points: Reals, values: Reals, held: npt.NDArray[np.bool_]) -> list[str]:
    """What each point says when it is pointed at."""
    out = []
    for point, value, law, flag in zip(points, values, one.predict(points), held, strict=True):
        scale = ", ".join(f"{n} {amount(float(v), 4)}" for n, v in zip(one.x, point, strict=True))
        what = "held out" if flag else "fitted"
        out.append(f"{scale}: {one.y} {amount(float(value), 4)} ({what}; law {amount(float(law), 4)})")
    return out


def readings(one: Fit, grid: Reals) -> list[str]:
    """The law with its interval at every place of a grid."""
    middle, low, high = one.curve(grid)
    told = [amount(float(value), 4) for value in middle]
    if low is None or high is None:
        return told
    ends = [f"{amount(float(a), 4)} to {amount(float(b), 4)}" for a, b in zip(low, high, strict=True)]
    return [f"{value} ({span})" for value, span in zip(told, ends, strict=True)]
