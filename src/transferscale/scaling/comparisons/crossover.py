"""Where two curves cross, which one leads, and how much more scale one needs: estimate and every paired draw.

A curve is the logarithm of what a law is fitted to (a loss, or the error below a score's ceiling) on a grid of
log x, so the lower one is better. The crossover is the scale from which the family that leads at the top of the
range leads for good: the last crossing of the range, or, where there is none, the last beyond it. A draw in which
the other family still leads there has its crossover beyond, and at infinity if the curves do not meet within
:data:`SEARCH` times the range; intervals may therefore be open, as Fieller's are for a ratio (Fieller 1954).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from transferscale.scaling.fits.solve import SAME_CURVE
from transferscale.scaling.metrics import Ints, Reals

# Crossings are looked for up to this factor below and above the range.
SEARCH = 100.0
# Two-sided: intervals leave out half of the rest at each end, and who leads is told with that certainty.
CONFIDENCE = 0.95
# Step of the grid in log x, and its fewest steps within the range. The sharpest break takes 0.09.
STEP, FEWEST_STEPS = 0.05, 100
BISECTIONS = 60

Curve = Callable[[Reals], Reals]
"""From log x (points,) to the logarithm of the error (points,)."""
Answer = Literal["crossover", "none in range", "not identified"]
Reason = Literal["", "same curve", "alike", "wide", "divided", "few clusters"]


@dataclass(frozen=True)
class Window:
    """A range of scales, and the grid of log x, ascending, from far below to far above it."""

    low: float
    high: float
    grid: Reals
    first: int
    """Index of ``low`` in the grid."""
    last: int
    """Index of ``high``."""

    @classmethod
    def of(cls, low: float, high: float) -> "Window":
        """Around a range, 0 < low < high."""
        start, end, far = np.log(low), np.log(high), np.log(SEARCH)
        outside = int(np.ceil(far / STEP))
        inside = max(int(np.ceil((end - start) / STEP)), FEWEST_STEPS)
        below = np.linspace(start - far, start, outside + 1)
        within = np.linspace(start, end, inside + 1)
        above = np.linspace(end, end + far, outside + 1)
        grid = np.concatenate([below, within[1:], above[1:]])
        return cls(low, high, grid, outside, outside + inside)

    @property
    def searched(self) -> tuple[float, float]:
        """Scales between which crossings are looked for."""
        return self.low / SEARCH, self.high * SEARCH


@dataclass(frozen=True)
class Order:
    """Which of two curves leads along the grid, in every draw.

    ``at`` (draws, grid - 1) is the log x of a change of the leader between neighbours of the grid, NaN where there
    is none; ``leader`` (draws, grid) is 1 where the first curve is better, -1 where the second is, and 0 in draws
    whose curves are the same everywhere.
    """

    at: Reals
    leader: Ints


@dataclass(frozen=True)
class Root:
    """A crossing of the fitted curves: its scale, and which of the two leads beyond it (0 or 1)."""

    x: float
    overtakes: int


@dataclass(frozen=True)
class Crossover:
    """What is known of the crossing of two curves.

    ``x``, ``low`` and ``high`` are given for a crossover, and beside the answer "none in range" for an identified
    one outside of the range. ``interval`` holds the ends of the 95 % interval that was judged, 0 or infinite where it
    is open.
    """

    answer: Answer
    reason: Reason
    x: float | None
    low: float | None
    high: float | None
    overtakes: int | None
    """Which of the two leads beyond ``x``."""
    leads: int | None
    """Which of the two fitted curves leads at the top of the range."""
    roots: tuple[Root, ...]
    """All crossings of the fitted curves within the scales that were searched."""
    interval: tuple[float, float] | None
    p_roots: tuple[float, float, float] | None
    """Share of draws with no, one, and several crossings in the range."""
    throughout: tuple[float, float] | None
    """Share of draws in which the first, and the second, leads in the whole range."""


def order(first: Reals, second: Reals, window: Window) -> Order:
    """Leaders and changes of the leader of curves (draws, grid).

    Curves closer than :data:`SAME_CURVE` are taken for one, so a touch is no crossing, nor is rounding.
    """
    gap = np.atleast_2d(second - first)
    sign: Ints = np.where(np.abs(gap) <= SAME_CURVE, 0, np.sign(gap)).astype(np.int64)
    told = sign != 0
    latest = np.maximum.accumulate(np.where(told, np.arange(gap.shape[1]), -1), axis=1)
    leader = np.take_along_axis(sign, np.where(latest < 0, told.argmax(1)[:, None], latest), axis=1)
    turn = leader[:, 1:] != leader[:, :-1]
    before, after = gap[:, :-1], gap[:, 1:]
    share = np.clip(before / np.where(turn, before - after, 1.0), 0.0, 1.0)
    at = np.where(turn, window.grid[:-1] + share * np.diff(window.grid), np.nan)
    return Order(at, leader)


def overtaking(found: Order, winner: int, reference: int) -> Reals:
    """Log x from which ``winner`` (1 or -1) leads up to grid point ``reference``, shape (draws,).

    Minus infinity where it leads from the start; where it does not lead there, the next crossing beyond, or plus
    infinity.
    """
    at = found.at
    before = np.where(np.isnan(at), -np.inf, at)[:, :reference].max(axis=1, initial=-np.inf)
    after = np.where(np.isnan(at), np.inf, at)[:, reference:].min(axis=1, initial=np.inf)
    out: Reals = np.where(found.leader[:, reference] == winner, before, after)
    return out


def crossover(curves: tuple[Curve, Curve], drawn: tuple[Reals, Reals] | None, window: Window) -> Crossover:
    """The crossover of two curves, or why there is none.

    With draws the answer follows from them in this order:

    - nowhere in the range does one curve lead in 97.5 % of draws: not identified ("alike");
    - one curve leads in the whole range in 97.5 % of draws: none in range;
    - the 95 % interval of the crossing is finite and no wider than the range: a crossover;
    - else not identified ("wide", or "divided" where only some draws cross in the range and the fitted curves do
      not).

    Parameters
    ----------
    curves
        The fitted ones.
    drawn
        Both in every paired draw on the window's grid, (draws, grid); None if there are no draws: the fitted
        curves then decide alone.
    """
    fitted = order(curves[0](window.grid), curves[1](window.grid), window)
    roots, columns = _roots(curves, fitted, window)
    chosen = _chosen(columns, window)
    root = None if chosen is None else roots[chosen]
    outside = chosen is None or not window.first <= columns[chosen] < window.last
    top = int(fitted.leader[0, window.last])
    leads = None if top == 0 else 0 if top > 0 else 1
    if drawn is None:
        plain = Crossover("crossover", "", None, None, None, None, leads, roots, None, None, None)
        if leads is None:
            return replace(plain, answer="not identified", reason="same curve")
        if outside:
            plain = replace(plain, answer="none in range")
        return plain if root is None else replace(plain, x=root.x, overtakes=root.overtakes)
    found = order(*drawn, window)
    inside = found.leader[:, window.first : window.last + 1]
    count = np.isfinite(found.at[:, window.first : window.last]).sum(1)
    p_roots = (float((count == 0).mean()), float((count == 1).mean()), float((count > 1).mean()))
    throughout = (float((inside == 1).all(1).mean()), float((inside == -1).all(1).mean()))
    interval = None
    if root is not None and chosen is not None:
        reference = window.last if columns[chosen] < window.last else len(window.grid) - 1
        interval = _interval(overtaking(found, 1 - 2 * root.overtakes, reference), root.x)
    bounded = interval is not None and _bounded(interval, window)
    certain = 1 - (1 - CONFIDENCE) / 2
    answer, reason = _answer(inside, max(throughout) >= certain, bounded, outside, certain)
    judged = Crossover(answer, reason, None, None, None, None, leads, roots, interval, p_roots, throughout)
    told = answer == "crossover" or (answer == "none in range" and bounded and outside)
    if not told or root is None or interval is None:
        return judged
    return replace(judged, x=root.x, low=interval[0], high=interval[1], overtakes=root.overtakes)


def _answer(
    inside: Ints, throughout: bool, bounded: bool, outside: bool, certain: float
) -> tuple[Answer, Reason]:
    """The answer from the leaders within the range, (draws, scales), and what else was found.

    ``outside`` says that the fitted curves do not cross within the range.
    """
    if not inside.any():
        return "not identified", "same curve"
    if max(float((inside == side).mean(0).max()) for side in (1, -1)) < certain:
        return "not identified", "alike"
    if throughout:
        return "none in range", ""
    if bounded:
        return "crossover", ""
    return "not identified", "divided" if outside else "wide"


def reached(curves: Reals, level: Reals | float, window: Window) -> Reals:
    """Log x at which curves (..., grid) first are as low as ``level``, a logarithm of the error, (...).

    Minus infinity where they are from the start of the grid, plus infinity where they never are.
    """
    above = curves - np.asarray(level)[..., None]
    there = above <= 0
    at = np.maximum(there.argmax(-1), 1)[..., None]
    before, after = (np.take_along_axis(above, at - shift, -1)[..., 0] for shift in (1, 0))
    at = at[..., 0]
    share = before / np.where(before > after, before - after, 1.0)
    x = window.grid[at - 1] + share * (window.grid[at] - window.grid[at - 1])
    return np.where(there[..., 0], -np.inf, np.where(there.any(-1), x, np.inf))


def ratio_interval(first: Reals, second: Reals, estimate: float) -> tuple[float, float]:
    """95 % interval of the ratio of two scales given by their logarithms in every draw, (draws,).

    A draw in which neither is known (both infinite with the same sign) counts at both ends.
    """
    with np.errstate(invalid="ignore"):
        log_ratio = first - second
    unknown = np.isnan(log_ratio)
    low, _ = _interval(np.where(unknown, -np.inf, log_ratio), estimate)
    _, high = _interval(np.where(unknown, np.inf, log_ratio), estimate)
    return low, high


def outside(x: float, data: tuple[float, float]) -> float:
    """Factor by which a scale lies outside of a family's data; at most 1 inside."""
    factor = max(x / data[1], data[0] / x)
    # A point's own scale is inside, whatever its rounding.
    return factor if factor > 1 + 1e-9 else min(factor, 1.0)


def p_best(curves: Reals) -> Reals:
    """Share of draws in which each family is the best one, for curves (families, draws) at one scale.

    Families closer to the best than :data:`SAME_CURVE` share the draw.
    """
    best = curves <= curves.min(0) + SAME_CURVE
    share: Reals = (best / best.sum(0)).mean(1)
    return share


def _roots(
    curves: tuple[Curve, Curve], fitted: Order, window: Window
) -> tuple[tuple[Root, ...], tuple[int, ...]]:
    """Crossings of the fitted curves, exact, and the column of the grid of each."""
    columns = tuple(int(column) for column in np.flatnonzero(np.isfinite(fitted.at[0])))
    found = []
    for column in columns:
        low, high = window.grid[column], window.grid[column + 1]
        leads = fitted.leader[0, column]

        def ahead(at: float, leads: int = int(leads)) -> float:
            here = np.array([at])
            return leads * float((curves[1](here) - curves[0](here))[0])

        x = float(fitted.at[0, column])
        # Curves that are the same for a while have no exact crossing: the interpolated one stays.
        if ahead(low) > 0 > ahead(high):
            for _ in range(BISECTIONS):
                middle = (low + high) / 2
                low, high = (middle, high) if ahead(middle) > 0 else (low, middle)
            x = float((low + high) / 2)
        found.append(Root(float(np.exp(x)), 1 if leads > 0 else 0))
    return tuple(found), columns


def _chosen(columns: tuple[int, ...], window: Window) -> int | None:
    """Number of the last crossing in the range, else of the last above it, else of the last below."""
    inside = [i for i, column in enumerate(columns) if window.first <= column < window.last]
    return inside[-1] if inside else len(columns) - 1 if columns else None


def _bounded(interval: tuple[float, float], window: Window) -> bool:
    """Whether an interval is finite and no wider than the range."""
    low, high = interval
    return low > 0 and bool(np.isfinite(high)) and high / low <= window.high / window.low


def _interval(log_values: Reals, estimate: float) -> tuple[float, float]:
    """95 % interval from logarithms that may be infinite, with ends 0 or infinity then; it holds the estimate."""
    rest = (1 - CONFIDENCE) / 2
    # Quantiles that are values of the sample: no interpolation towards infinity.
    low = np.exp(np.quantile(log_values, rest, method="lower"))
    high = np.exp(np.quantile(log_values, 1 - rest, method="higher"))
    return min(float(low), estimate), max(float(high), estimate)
