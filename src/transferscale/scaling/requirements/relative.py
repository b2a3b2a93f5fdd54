"""What a score takes relative to how difficult the task is: compute, model size and labels, and their laws.

Requirements are those of :mod:`transferscale.scaling.requirements.need`; their laws take bounds for what they are
(:mod:`transferscale.scaling.requirements.censored`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transferscale.errors import UserError
from transferscale.scaling.fits.fit import BOOTSTRAP
from transferscale.scaling.plans.target import Target
from transferscale.scaling.requirements.enough import Cell, Enough, best_cell, cells, enough
from transferscale.scaling.requirements.need import RESOURCES, UNKNOWN, Need, Task, need
from transferscale.scaling.requirements.need_law import NeedLaw, need_law
from transferscale.tables import TABLES, write_table


@dataclass(frozen=True)
class Relative:
    """Requirements, their laws, and how little is enough."""

    group: dict[str, str]
    target: Target
    difficulty: str
    ranked: bool
    tolerance: float
    needs: tuple[Need, ...]
    laws: tuple[NeedLaw, ...]
    best: dict[str, Cell]
    enough: dict[str, list[Enough]]
    left_out: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        hidden = ("logs", "sides")
        return {
            "group": self.group,
            "metric": self.target.metric,
            "target": self.target.value,
            "difficulty": self.difficulty,
            "ranked": self.ranked,
            "tolerance": self.tolerance,
            "requirements": [
                {key: value for key, value in asdict(one).items() if key not in hidden} for one in self.needs
            ],
            "laws": [asdict(law) for law in self.laws],
            "enough": [
                {"difficulty": name, "best": asdict(self.best[name]), "least": [asdict(one) for one in own]}
                for name, own in self.enough.items()
            ],
            "left_out": list(self.left_out),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the `relative` table, with the group as an object."""
        common: dict[str, Any] = {
            "group": self.group,
            "metric": self.target.metric,
            "target": self.target.value,
            "difficulty_column": self.difficulty,
        }
        needs = [
            {
                **common,
                "row": "requirement",
                "resource": one.resource,
                "difficulty": one.difficulty,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "bound": one.bound,
                "open": one.open,
                "identified": one.bound != UNKNOWN,
                "warnings": list(one.warnings),
            }
            for one in self.needs
        ]
        laws = [
            {
                **common,
                "row": "law",
                "resource": law.resource,
                "difficulty": "",
                "value": law.exponent,
                "low": law.low,
                "high": law.high,
                "bound": "",
                "open": "",
                "identified": law.identified,
                "warnings": [law.refused] if law.refused else [],
            }
            for law in self.laws
        ]
        least = [
            {
                **common,
                "row": "enough",
                "resource": one.resource,
                "difficulty": name,
                "value": one.cell.scales[one.resource],
                "bound": "",
                "open": "",
                "score": one.cell.score,
                "best_score": self.best[name].score,
                "saving": one.saving,
                "runs": one.cell.runs,
                "warnings": [],
            }
            for name, own in self.enough.items()
            for one in own
        ]
        empty = dict.fromkeys(TABLES["relative"].columns)
        return [{**empty, **row} for row in (*needs, *laws, *least)]


def relative(
    tasks: Sequence[Task],
    target: Target,
    *,
    names: Mapping[str, str] | None = None,
    difficulty: str = "difficulty",
    ranked: bool = False,
    tolerance: float = 0.02,
    law: str = "finetune",
    bootstrap: int = BOOTSTRAP,
    seed: int = 0,
    group: Mapping[str, str] | None = None,
) -> Relative:
    """Requirements of every task, their laws against difficulty, and how little is enough.

    Parameters
    ----------
    tasks
        Runs at each difficulty.
    names
        How resources are called in sentences.
    ranked
        Whether difficulties are ranks: the law is then exponential in them, else a power law.
    tolerance
        By how much a score may fall short of the best one and still be enough, in the metric's unit.
    law
        Law of a resource and labels where both vary.

    Raises
    ------
    UserError
        If the tolerance is negative, or nothing can be fitted at any difficulty.
    """
    if not tolerance >= 0:
        raise UserError(f"--tolerance must be at least 0, not {tolerance:g}")
    ordered = sorted(tasks, key=lambda task: task.place)
    called = dict(zip(RESOURCES, RESOURCES, strict=True)) | dict(names or {})
    needs: list[Need] = []
    left_out = []
    for resource in (name for name in RESOURCES if name in ordered[0].scales):
        for task in ordered:
            try:
                needs.append(need(task, resource, target, called, law, bootstrap, seed))
            except UserError as error:
                left_out.append(f"{difficulty} {task.difficulty}, {called[resource]}: {error}")
    if not needs:
        raise UserError(left_out[0] + (f" (and {len(left_out) - 1} more such)" if left_out[1:] else ""))
    tried = [name for name in RESOURCES if any(one.resource == name for one in needs)]
    grids = {task.difficulty: cells(task.scales, task.score) for task in ordered}
    return Relative(
        group=dict(group or {}),
        target=target,
        difficulty=difficulty,
        ranked=ranked,
        tolerance=tolerance,
        needs=tuple(needs),
        laws=tuple(
            need_law([one for one in needs if one.resource == name], name, difficulty, ranked)
            for name in tried
        ),
        best={name: best_cell(own, target) for name, own in grids.items()},
        enough={name: enough(own, target, tolerance) for name, own in grids.items()},
        left_out=tuple(left_out),
    )


def write_relative(path: Path, found: Sequence[Relative]) -> None:
    """Write the `relative` table; a group of several columns is written as 'column value, column value'."""
    rows = [row for one in found for row in one.rows()]
    names = [", ".join(f"{key} {value}" for key, value in row["group"].items()) for row in rows]
    write_table(path, "relative", [{**row, "group": name} for row, name in zip(rows, names, strict=True)])
