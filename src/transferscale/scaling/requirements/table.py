"""Requirements against difficulty for anybody's table: a row a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from transferscale.errors import UserError, nearest
from transferscale.scaling.fits.points import Points, read_points, where
from transferscale.scaling.plans.direction import against
from transferscale.scaling.plans.target import Target
from transferscale.scaling.requirements.need import Task
from transferscale.scaling.requirements.relative import Relative, relative


def relative_table(
    path: Path,
    target: Target,
    difficulty: str,
    resources: Mapping[str, str],
    score: str,
    *,
    group: Sequence[str] = (),
    cluster: str | None = None,
    order: Sequence[str] = (),
    **options: Any,
) -> tuple[list[Relative], list[str]]:
    """Requirements of every group of a table, and a sentence for what was left out.

    Parameters
    ----------
    resources
        Columns of compute, and where there are any of params and labels, by these names.
    order
        Difficulties from the easiest to the hardest, where they are no numbers.
    options
        Further arguments of :func:`transferscale.scaling.requirements.relative.relative`.

    Raises
    ------
    UserError
        If a column is missing, a difficulty is no number above 0 and not in ``order``, or no group can be
        fitted: among others, as a column that should fall is plainly a score.
    """
    points, refused = read_points(
        path, list(resources.values()), score, group=[*group, difficulty], cluster=cluster
    )
    groups: dict[tuple[str, ...], list[Points]] = {}
    for one in points:
        groups.setdefault(tuple(one.group[name] for name in group), []).append(one)
    called = replace(target, column=score)
    found = []
    for key, own in groups.items():
        named = dict(zip(group, key, strict=True))
        try:
            remark = against(called, [(one.x, one.y) for one in own], list(resources.values()))
            notes = (remark,) if remark else ()
            tasks = [_task(one, difficulty, resources, order, notes) for one in own]
            found.append(
                relative(
                    tasks,
                    called,
                    names=resources,
                    difficulty=difficulty,
                    ranked=bool(order),
                    group=named,
                    **options,
                )
            )
        except UserError as error:
            refused.append(f"{where(path, named)}: {error}")
    if not found:
        raise UserError(refused[0] + (f" (and {len(refused) - 1} more such groups)" if refused[1:] else ""))
    return found, refused


def _task(
    points: Points,
    difficulty: str,
    resources: Mapping[str, str],
    order: Sequence[str],
    notes: tuple[str, ...],
) -> Task:
    name = points.group[difficulty]
    return Task(
        difficulty=name,
        place=_place(name, difficulty, order),
        scales={resource: points.x[:, i] for i, resource in enumerate(resources)},
        score=points.y,
        cluster=points.cluster,
        notes=(*notes, *points.notes),
    )


def _place(name: str, column: str, order: Sequence[str]) -> float:
    """Where a difficulty stands.

    Raises
    ------
    UserError
        If it is no number above 0, or not in the order.
    """
    if order:
        if name not in order:
            raise UserError(f"column '{column}': '{name}' is not in --order; {nearest(name, order)}")
        return 1.0 + list(order).index(name)
    try:
        place = float(name)
    except ValueError:
        place = math.nan
    if not 0 < place < math.inf:
        raise UserError(
            f"column '{column}': difficulty '{name}' is no number above 0; "
            "give --order with the difficulties from the easiest to the hardest"
        )
    return place
