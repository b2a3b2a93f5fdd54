"""Sharp changes along scale or along training, and whether a continuous metric has them too.

A metric that rewards only the whole can jump where nothing in the model does (Schaeffer, Miranda & Koyejo 2023,
arXiv 2304.15004): a sharp change is credited to the model only where it is also there in a continuous control.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.changes.change import Change, change
from transferscale.scaling.changes.course import course
from transferscale.scaling.changes.forecast import Forecast, forecast
from transferscale.scaling.changes.grokking import Grokking, grokking
from transferscale.scaling.changes.words import Delays, verdict
from transferscale.scaling.comparisons.verdict import number
from transferscale.scaling.fits.resample import RELIABLE
from transferscale.scaling.laws import MOST_BREAKS
from transferscale.scaling.metrics import Reals

# Simulated curves for each test and interval.
DRAWS = 400
# Breaks that are tried at most.
BREAKS = 2
# Fewer places than this leave little power to find a change.
FEW_PLACES = 12


@dataclass(frozen=True)
class Transitions:
    """What is known of the sharp changes of one curve."""

    group: dict[str, str]
    x: str
    metric: Change
    control: Change | None
    delays: Delays | None
    forecast: Forecast | None
    trained: dict[str, tuple[Reals, Reals]] = field(repr=False)
    """Steps and training curve, (points,) each, by role, where there is one."""
    verdict: str
    warnings: tuple[str, ...]

    @property
    def changes(self) -> list[tuple[str, Change]]:
        """The metric and the control, by their roles."""
        return [("metric", self.metric), *([("control", self.control)] if self.control else [])]

    @property
    def delay(self) -> Grokking | None:
        """Grokking delay on the metric."""
        return self.delays[0] if self.delays else None

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        metric, control = self.delays or (None, None)
        return {
            "group": self.group,
            "x": self.x,
            "y": self.metric.course.name,
            "verdict": self.verdict,
            "metric": self.metric.as_json(),
            "control": self.control.as_json() if self.control else None,
            "grokking": metric.as_json() if metric else None,
            "grokking_control": control.as_json() if control else None,
            "forecast": self.forecast.as_json() if self.forecast else None,
            "warnings": list(self.warnings),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the `transitions` table: one a break, or one for an outcome without; one a delay and forecast."""
        shared = {
            "group": ", ".join(f"{name} = {value}" for name, value in self.group.items()),
            "x_column": self.x,
            "verdict": self.verdict,
            "warnings": list(self.warnings),
        }
        out = []
        for role, one in self.changes:
            sharp, line = one.breakthroughness, one.linearity
            own = {
                **shared,
                "y_column": one.course.name,
                "role": role,
                "answer": one.answer,
                "n": len(one.course.x),
                "clusters": one.course.clusters,
                "breaks": one.counted.breaks,
                "p_value": one.counted.steps[max(one.counted.breaks - 1, 0)].p_value
                if one.counted.steps
                else None,
                "breakthroughness": sharp.value,
                "breakthroughness_low": sharp.interval[0] if sharp.interval else None,
                "breakthroughness_high": sharp.interval[1] if sharp.interval else None,
                "breakthroughness_p": sharp.p_value,
                "linearity": line.value,
                "linearity_low": line.interval[0] if line.interval else None,
                "linearity_high": line.interval[1] if line.interval else None,
                "linearity_p": line.p_value,
            }
            if not one.breaks:
                out.append({**own, "row": "no break"})
            out += [
                {
                    **own,
                    "row": "break",
                    "x": found.x,
                    "low": found.interval[0],
                    "high": found.interval[1],
                    "width": found.width,
                    "width_low": found.width_interval[0],
                    "width_high": found.width_interval[1],
                    "slope_before": found.before,
                    "slope_after": found.after,
                    "identified": found.identified,
                }
                for found in one.breaks
            ]
        for role, delay in zip(("metric", "control"), self.delays or (), strict=False):
            if delay is not None:
                low, high = delay.interval or (None, None)
                out.append(
                    {
                        **shared,
                        "y_column": delay.test_column,
                        "role": role,
                        "row": "delay",
                        "threshold": delay.threshold,
                        "delay": delay.mean,
                        "delay_low": low,
                        "delay_high": high,
                        "bound": delay.bound,
                        "clusters": len(delay.delays),
                    }
                )
        if self.forecast is not None:
            told = self.forecast
            low, high = told.interval or (None, None)
            out.append(
                {
                    **shared,
                    "y_column": self.metric.course.name,
                    "role": "metric",
                    "row": "forecast",
                    "answer": told.answer,
                    "x": told.x,
                    "low": low,
                    "high": high,
                    "p_coming": told.p_coming,
                    "p_under_way": told.p_under_way,
                }
            )
        return out


def transitions(
    x: Reals,
    y: Reals,
    *,
    cluster: Sequence[Any] | None = None,
    control: Reals | None = None,
    train: Reals | None = None,
    control_train: Reals | None = None,
    threshold: float | None = None,
    breaks: int = BREAKS,
    foretell: bool = False,
    better: str = "auto",
    ceiling: float | None = None,
    chance: float | None = None,
    bootstrap: int = DRAWS,
    seed: int = 0,
    names: Mapping[str, str] | None = None,
    group: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Transitions:
    """Look for sharp changes of a metric along scale or along training.

    Parameters
    ----------
    x, y
        Scale or training step, above zero, and the metric, (points,) each.
    cluster
        What varies together, one label a point: seed, trunk, subject.
    control
        A continuous metric at the same points, (points,): a loss, or a log-probability (never above zero).
    train, control_train
        The metric and the control on training data, (points,), where x is a step: for the grokking delay.
    threshold
        Of the delay on the metric; see :func:`transferscale.scaling.changes.grokking.grokking`.
    breaks
        Largest number of breaks that is tried.
    foretell
        Whether a coming transition is looked for beyond the largest x.
    better, ceiling, chance
        Of the metric; see :func:`transferscale.scaling.changes.course.course`.
    bootstrap, seed
        Simulated curves for each test and interval (0: none), and their seed.
    names, group, notes
        Columns by the names of the arguments (x, y, control, train, control_train), the group, and remarks that
        go before the warnings.

    Raises
    ------
    UserError
        If an option is wrong, or the values are such that nothing can be said.
    """
    if not 1 <= breaks <= MOST_BREAKS:
        raise UserError(f"--breaks: a change has 1 to {MOST_BREAKS} breaks, not {breaks}")
    if control_train is not None and (control is None or train is None):
        raise UserError("--control-train goes with --control and --train")
    if threshold is not None and train is None:
        raise UserError("--threshold is that of the grokking delay; name the training curve in --train")
    called = {"x": "x", "y": "y", "control": "control", "train": "train", "control_train": "control_train"}
    called |= dict(names or {})
    main = course(
        x, y, called["y"], called["x"], cluster, better=better, ceiling=ceiling, chance=chance, notes=notes
    )
    metric = change(main, breaks, bootstrap, seed)
    beside = None
    if control is not None:
        beside = change(course(x, control, called["control"], called["x"], cluster), breaks, bootstrap, seed)
    delays: Delays | None = None
    if train is not None:
        delay = grokking(
            x,
            y,
            train,
            main.outcome,
            cluster=cluster,
            threshold=threshold,
            names=(called["y"], called["train"]),
        )
        again = None
        if control_train is not None and control is not None and beside is not None:
            again = grokking(
                x,
                control,
                control_train,
                beside.course.outcome,
                cluster=cluster,
                names=(called["control"], called["control_train"]),
            )
        delays = (delay, again)
    told = forecast(main, metric.counted, bootstrap, seed) if foretell else None
    return Transitions(
        group=dict(group or {}),
        x=called["x"],
        metric=metric,
        control=beside,
        delays=delays,
        forecast=told,
        trained={
            role: (np.asarray(x), np.asarray(own))
            for role, own in (("metric", train), ("control", control_train))
            if own is not None
        },
        verdict=verdict(called["x"], metric, beside, delays, told),
        warnings=tuple(dict.fromkeys(_warnings(metric, beside, delays))),
    )


def _warnings(metric: Change, control: Change | None, delays: Delays | None) -> list[str]:
    out = list(metric.course.notes)
    many = metric.course.clusters
    if metric.course.labels is not None:
        if many < 2:
            out.append("one cluster, so that nothing is known of how clusters differ")
        elif many < RELIABLE:
            out.append(f"clusters: {many}, fewer than {RELIABLE}, so the intervals are unreliable")
    for one in filter(None, (metric, control)):
        name = one.course.name
        if control is not None and one is control:
            out += [note for note in one.course.notes if note not in metric.course.notes]
        places = len(one.course.places)
        if one.counted.steps and not one.breaks and places < FEW_PLACES:
            out.append(
                f"{name}: with {places} different x only a large change would have been found (fewer than {FEW_PLACES})"
            )
        if one.runs is not None:
            out.append(
                f"{name}: the clusters change at different places; intervals are Student's over "
                f"{one.course.clusters} clusters"
            )
        elif one.counted.noise.correlation:
            out.append(
                f"{name}: neighbours follow each other (correlation {one.counted.noise.correlation:.2g}), which "
                "tests and intervals take into account"
            )
        out += [
            f"{name}: the break at {number(found.x)} is not identified: {found.reason}"
            for found in one.breaks
            if not found.identified
        ]
        out += [
            f"{name}: the break at {number(found.x)} is sharper than the points can show; its width is an upper bound"
            for found in one.breaks
            if found.identified and not found.resolved
        ]
    for delay in delays or ():
        out += delay.warnings if delay is not None else ()
    return out
