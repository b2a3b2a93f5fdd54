"""The least that it takes to reach a target score: pretraining compute, labelled subjects, money.

Every arm is fitted alone (:mod:`transferscale.scaling.plans.ways`), and labelling without any pretraining is one of
the answers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.plans.ways import LEAST, Option, Question, Runs, option
from transferscale.scaling.plans.words import in_words
from transferscale.tables import write_table

# Laws of pretraining compute and labelled subjects.
LAWS = ("finetune", "chinchilla")


@dataclass(frozen=True)
class Plan:
    """What it takes to reach a target, by every arm.

    Attributes
    ----------
    options
        Arms without pretraining first.
    p_cheapest
        Share of the draws in which an arm is the cheapest of all, of those in which any reaches the target;
        empty without prices or draws.
    best
        The arm whose cheapest way costs least; None without prices, or where none is reachable.
    words
        The plan in a sentence.
    """

    group: dict[str, str]
    question: Question
    options: tuple[Option, ...]
    p_cheapest: dict[str, float]
    best: str | None
    words: str
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The plan as plain JSON values; the end of an interval that lies beyond the range is null."""
        rate, prices = self.question.rate, self.question.prices
        return {
            "group": self.group,
            "metric": self.question.target.metric,
            "target": self.question.target.value,
            "flops_per_second": rate.flops_per_second if rate else None,
            "flop_rate": rate.source if rate else None,
            "price_hour": prices.hour if prices else None,
            "price_subject": prices.subject if prices else None,
            "beyond": self.question.beyond,
            "most_subjects": self.question.most_subjects,
            "best": self.best,
            "words": self.words,
            "options": [self._as_json(one) for one in self.options],
            "warnings": list(self.warnings),
        }

    def _as_json(self, one: Option) -> dict[str, Any]:
        found = one.surface
        return {
            "arm": one.arm,
            "pretrained": one.pretrained,
            "law": found.fit.law if found else None,
            "equation": found.fit.form.equation if found else None,
            "params": found.fit.params if found else {},
            "measured": _measured(one),
            "p_cheapest": self.p_cheapest.get(one.arm),
            "ways": [_finite(asdict(way)) for way in one.ways],
            "refused": one.refused,
            "warnings": one.warnings,
        }

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the `plan` table, with the group as an object."""
        return [
            {
                "group": self.group,
                "metric": self.question.target.metric,
                "target": self.question.target.value,
                "arm": one.arm,
                "pretrained": one.pretrained,
                "law": one.surface.fit.law,
                "way": way.kind,
                "status": way.status,
                "bound": way.bound,
                **{
                    f"{name}{end and '_' + end}": amount[end or "value"]
                    for name, amount in _amounts(way).items()
                    for end in ("", "low", "high")
                },
                "reached": way.reached,
                "extrapolated": way.extrapolated,
                "best": way.kind == LEAST and one.arm == self.best,
                "p_cheapest": self.p_cheapest.get(one.arm) if way.kind == LEAST else None,
                "words": self.words,
                "warnings": [*self.warnings, *one.warnings],
            }
            for one in self.options
            if one.surface is not None
            for way in one.ways
        ]


def plan(
    arms: Sequence[Runs],
    question: Question,
    group: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
) -> Plan:
    """Find the least that it takes to reach a target with any of the arms.

    Parameters
    ----------
    arms
        Runs of every arm; those without pretraining have 0 FLOPs.
    group, warnings
        What the arms belong to, and what must be said beside the result.

    Raises
    ------
    UserError
        If the range is below the data's own, or no arm can be fitted.
    """
    if not 1 <= question.beyond < math.inf:
        raise UserError(f"--beyond must be at least 1 (no extrapolation), not {question.beyond:g}")
    options = []
    for runs in sorted(arms, key=lambda one: (one.pretrained, one.arm)):
        try:
            options.append(option(runs, question))
        except UserError as error:
            options.append(Option(runs.arm, runs.pretrained, refused=str(error)))
    if all(one.refused for one in options):
        raise UserError("; ".join(f"{one.arm}: {one.refused}" for one in options))
    best, chance = _best(options), _chance(options)
    return Plan(
        group=dict(group or {}),
        question=question,
        options=tuple(options),
        p_cheapest=chance,
        best=best.arm if best else None,
        words=in_words(options, best, chance, question),
        warnings=tuple(warnings),
    )


def _chance(options: Sequence[Option]) -> dict[str, float]:
    costs = {one.arm: one.costs[1:] for one in options if one.costs is not None}
    if not costs or any(not len(drawn) for drawn in costs.values()):
        return {}
    table = np.stack(list(costs.values()))
    table = table[:, np.isfinite(table).any(0)]
    if not table.shape[1]:
        return {}
    first = table.argmin(0)
    return {arm: float((first == i).mean()) for i, arm in enumerate(costs)}


def _best(options: Sequence[Option]) -> Option | None:
    found = [
        (way.cost.value, i)
        for i, one in enumerate(options)
        if (way := one.way(LEAST)) is not None and way.cost.value is not None
    ]
    return options[min(found)[1]] if found else None


def _measured(one: Option) -> dict[str, list[float]] | None:
    """Smallest and largest value of each scale."""
    if one.surface is None:
        return None
    ends = zip(one.surface.scales, one.surface.least, one.surface.largest, strict=True)
    return {name: [low, high] for name, low, high in ends}


def _amounts(way: Any) -> dict[str, dict[str, float | None]]:
    return {name: asdict(getattr(way, name)) for name in ("flops", "hours", "subjects", "cost")}


def _finite(value: Any) -> Any:
    """Infinite numbers as None, which JSON knows."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_plans(path: Path, plans: Sequence[Plan]) -> None:
    """Write the `plan` table; a group of several columns is written as 'column value, column value'."""
    rows = [row for one in plans for row in one.rows()]
    names = [", ".join(f"{key} {value}" for key, value in row["group"].items()) for row in rows]
    write_table(path, "plan", [{**row, "group": name} for row, name in zip(rows, names, strict=True)])
