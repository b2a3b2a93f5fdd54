"""Plans for anybody's table: a row a run, with its pretraining compute, labelled subjects and score."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from transferscale.errors import UserError, nearest
from transferscale.scaling.fits.columns import number, read_columns
from transferscale.scaling.fits.points import Points, read_points, where
from transferscale.scaling.plans.direction import against
from transferscale.scaling.plans.plan import Plan, plan
from transferscale.scaling.plans.ways import Question, Runs

PRETRAINED, PLAIN = "pretraining", "no pretraining"


@dataclass(frozen=True)
class Columns:
    """Names of a table's columns; ``arm`` and ``cluster`` may be absent."""

    compute: str = "flops"
    labels: str = "n_labels"
    score: str = "score"
    arm: str | None = None
    cluster: str | None = None


def plan_table(
    path: Path, question: Question, columns: Columns, group: Sequence[str] = ()
) -> tuple[list[Plan], list[str]]:
    """The plan of every group of a table, and a sentence for each group that has none.

    Rows with a compute of 0 were not pretrained. Where the table has a column `metric`, only the rows of the
    target's metric count.

    Raises
    ------
    UserError
        If a column is missing, the metric has no row, or no group has a plan: among others, as a column that
        should fall is plainly a score.
    """
    metric = _metric(path, question.target.metric)
    own = [name for name in dict.fromkeys([*group, columns.arm, columns.compute, *metric]) if name]
    points, refused = read_points(
        path,
        [columns.labels],
        columns.score,
        group=own,
        cluster=columns.cluster,
    )
    groups: dict[tuple[str, ...], list[Points]] = {}
    for one in points:
        if all(one.group[name] == question.target.metric for name in metric):
            groups.setdefault(tuple(one.group[name] for name in group), []).append(one)
    asked = replace(question, target=replace(question.target, column=columns.score))
    plans = []
    for key, cells in groups.items():
        named = dict(zip(group, key, strict=True))
        try:
            runs = _runs(cells, columns)
            scales = [(np.stack([one.flops, one.subjects], -1), one.score) for one in runs]
            remark = against(asked.target, scales, question.names)
            plans.append(plan(runs, asked, named, [remark] if remark else []))
        except UserError as error:
            refused.append(f"{where(path, named)}: {error}")
    if not plans:
        raise UserError(refused[0] + (f" (and {len(refused) - 1} more such groups)" if refused[1:] else ""))
    return plans, refused


def _metric(path: Path, name: str) -> list[str]:
    """The column `metric` where the table has one."""
    found = read_columns(path, [], optional=["metric"]).get("metric")
    if found is None:
        return []
    names = {str(value) for value in found}
    if name not in names:
        raise UserError(f"{path}: column 'metric' has no '{name}'; {nearest(name, names)}")
    return ["metric"]


def _runs(cells: Sequence[Points], columns: Columns) -> list[Runs]:
    """Cells of a group, one a level of compute, as runs of arms."""
    arms: dict[tuple[str, bool], list[tuple[float, Points]]] = {}
    for cell in cells:
        flops = _compute(cell, columns.compute)
        arms.setdefault((cell.group.get(columns.arm or "", ""), flops > 0), []).append((flops, cell))
    both = {name for name, pretrained in arms if (name, not pretrained) in arms}
    runs = []
    for (name, pretrained), own in arms.items():
        kind = PRETRAINED if pretrained else PLAIN
        label = kind if not name else f"{name}, {kind}" if name in both else name
        labels = [one.cluster for _, one in own]
        runs.append(
            Runs(
                arm=label,
                flops=np.concatenate([np.full(len(one.y), flops) for flops, one in own]),
                subjects=np.concatenate([one.x[:, 0] for _, one in own]),
                score=np.concatenate([one.y for _, one in own]),
                cluster=tuple(label for part in labels for label in part or ()) if columns.cluster else None,
                notes=tuple(dict.fromkeys(note for _, one in own for note in one.notes)),
            )
        )
    return runs


def _compute(cell: Points, name: str) -> float:
    """FLOPs of a cell.

    Raises
    ------
    UserError
        If they are no number, missing, or negative.
    """
    try:
        flops = number(cell.group[name])
    except ValueError:
        raise UserError(
            f"column '{name}' must hold numbers, found '{cell.group[name]}' in row {cell.row[0]}"
        ) from None
    if not 0 <= flops < np.inf:
        raise UserError(
            f"column '{name}': '{cell.group[name]}' in row {cell.row[0]} is no number of FLOPs; "
            "write 0 for no pretraining, or leave that row out"
        )
    return flops
