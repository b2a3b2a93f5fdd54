"""Grokking: how much later a threshold is passed on test data than on training data (Power et al. 2022, 2201.02177).

The delay of a run is log10(t_test / t_train), with t the first measured step from which on the threshold holds. A
threshold on a metric that jumps can make a delay of its own, so that the same is asked of a continuous metric.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.fits.resample import RELIABLE
from transferscale.scaling.fits.student import critical
from transferscale.scaling.metrics import Reals

# Where a score has a ceiling, the threshold is this share of the way to it from chance.
SHARE = 0.95

Bound = Literal["", ">=", "<="]


@dataclass(frozen=True)
class Delay:
    """One run: steps at which it passes for good (None: not so far), log10 of their ratio, and what that is.

    ``bound`` is '>=' where the test curve has not passed so far or the training curve passed before the first
    measured step, '<=' where the test curve did; ``value`` is None where both are so, or training never passes.
    """

    run: str
    train: float | None
    test: float | None
    value: float | None
    bound: Bound


@dataclass(frozen=True)
class Grokking:
    """Delays of all runs at one threshold, with the mean of log10(t_test / t_train) and its Student interval."""

    train_column: str
    test_column: str
    threshold: float
    rule: str
    delays: tuple[Delay, ...]
    mean: float | None
    interval: tuple[float, float] | None
    bound: Bound
    warnings: tuple[str, ...]

    @property
    def late(self) -> bool | None:
        """Whether the test curve comes later; None where the runs do not tell."""
        if self.interval is None:
            return None
        return self.interval[0] > 0

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "train": self.train_column,
            "test": self.test_column,
            "threshold": self.threshold,
            "rule": self.rule,
            "delay": self.mean,
            "interval": list(self.interval) if self.interval else None,
            "bound": self.bound,
            "runs": [
                {
                    "run": one.run,
                    "train": one.train,
                    "test": one.test,
                    "delay": one.value,
                    "bound": one.bound,
                }
                for one in self.delays
            ],
            "warnings": list(self.warnings),
        }


def grokking(
    x: Reals,
    test: Reals,
    train: Reals,
    outcome: Outcome,
    *,
    cluster: Sequence[Any] | None = None,
    threshold: float | None = None,
    names: tuple[str, str] = ("test", "train"),
) -> Grokking:
    """Delay between the training and the test curve of every run.

    Parameters
    ----------
    x, test, train
        Training step, and the same metric on test and on training data, (points,) each.
    outcome
        Whether high or low values are good, and the ceiling.
    cluster
        The run of each point, such as its seed; default: one run.
    threshold
        Value to pass. Default: for a score 0.95 of the way from chance to the ceiling; for a loss or a
        log-probability half-way between the test curve's start and its best, means over runs.

    Raises
    ------
    UserError
        If the threshold is no value of the metric, or a run has several points at one step.
    """
    runs = np.array(["" if cluster is None else str(c) for c in (x if cluster is None else cluster)])
    sign = 1.0 if outcome.score else -1.0
    split = []
    for name in np.unique(runs):
        own = np.flatnonzero(runs == name)
        own = own[np.argsort(x[own], kind="stable")]
        if len(np.unique(x[own])) < len(own):
            what = f"run '{name}' has" if cluster is not None else "there are"
            raise UserError(
                f"{what} several points at one step; name the column of the runs (seeds) in --cluster"
            )
        split.append((str(name), x[own], sign * test[own], sign * train[own]))
    rule = "as given"
    if threshold is None:
        threshold, rule = _threshold([one[2] for one in split], outcome, sign)
    elif outcome.score and not threshold < outcome.ceiling:
        raise UserError(f"--threshold {threshold:g} is not below the ceiling ({outcome.ceiling:g})")
    elif not outcome.score and not threshold > 0:
        raise UserError(f"--threshold {threshold:g} is not above zero, so no loss passes it")
    delays = tuple(_delay(name, steps, a, b, sign * threshold) for name, steps, a, b in split)
    return _mean(delays, names, threshold, rule)


def _threshold(curves: Sequence[Reals], outcome: Outcome, sign: float) -> tuple[float, str]:
    if outcome.score and outcome.ceiling > 0:
        return outcome.chance + SHARE * (outcome.ceiling - outcome.chance), (
            f"{SHARE:g} of the way from chance to the ceiling"
        )
    start = float(np.mean([curve[0] for curve in curves]))
    best = float(np.mean([curve.max() for curve in curves]))
    return sign * (start + best) / 2, "half-way between the test curve's start and its best"


def passed(steps: Reals, value: Reals, threshold: float) -> float | None:
    """First of the rising steps (points,) from which on the value, of which more is better, is at the threshold."""
    below = np.flatnonzero(value < threshold)
    at = int(below[-1]) + 1 if len(below) else 0
    return float(steps[at]) if at < len(steps) else None


def _delay(run: str, steps: Reals, test: Reals, train: Reals, threshold: float) -> Delay:
    first = float(steps[0])
    in_train, in_test = (passed(steps, curve, threshold) for curve in (train, test))
    if in_train is None:
        return Delay(run, None, in_test, None, "")
    # Nothing is known of what happened before the first measured step and after the last.
    late, early = in_test is None or in_train == first, in_test == first
    if in_test == in_train == first:
        return Delay(run, in_train, in_test, None, "")
    value = float(np.log10((float(steps[-1]) if in_test is None else in_test) / in_train))
    return Delay(run, in_train, in_test, value, ">=" if late else "<=" if early else "")


def _mean(delays: tuple[Delay, ...], names: tuple[str, str], threshold: float, rule: str) -> Grokking:
    test, train = names
    known = [one for one in delays if one.value is not None]
    values = np.array([one.value for one in known], dtype=np.float64)
    bounds: set[Bound] = {one.bound for one in known if one.bound}
    warnings = []
    never = [one.run or "the run" for one in delays if one.train is None]
    if never:
        warnings.append(f"{train} never stays at {threshold:.4g}: {', '.join(never)}")
    before = [one.run or "the run" for one in delays if one.train is not None and one.value is None]
    if before:
        warnings.append(
            f"{train} and {test} are at {threshold:.4g} from the first step on: {', '.join(before)}"
        )
    open_ = [one.run or "the run" for one in known if one.train is not None and one.test is None]
    if open_:
        warnings.append(f"{test} does not stay at {threshold:.4g} so far: {', '.join(open_)}")
    mean = interval = None
    bound: Bound = ""
    if len(known) and len(bounds) < 2:
        mean, bound = float(values.mean()), next(iter(bounds)) if bounds else ""
    if len(known) > 1 and not bounds:
        half = critical(0.05, len(known) - 1) * values.std(ddof=1) / np.sqrt(len(known))
        interval = (float(values.mean() - half), float(values.mean() + half))
        if len(known) < RELIABLE:
            warnings.append(f"runs: {len(known)}, fewer than {RELIABLE}, so the interval is unreliable")
    elif len(known) == 1:
        warnings.append("one run: a delay without an interval")
    elif bounds:
        warnings.append("some delays are bounds, so that their mean has no interval")
    return Grokking(train, test, threshold, rule, delays, mean, interval, bound, tuple(warnings))
