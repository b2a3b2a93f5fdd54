"""Baseline ``confounds``: what is known of a subject without looking at the brain.

Every confound is a block of its own, which read-outs centre and scale by training subjects alone, so that nothing here
is estimated over subjects: numbers are as they are, and texts become one column a value. A number that is missing
stands at 0, and a column in a block of its own says so, since any mean would be one over test subjects; where numbers
far from 0 have gaps, the gaps therefore weigh most. A text that is missing is one value more. A task is predicted from
its own confounds, which its target is never among, so that blocks are each of one task.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.medical.labels import PREFIX
from transferscale.medical.reading import View
from transferscale.tables import read_table

Array = npt.NDArray[np.float32]


def confound_features(view: View, confounds: Mapping[str, Sequence[str]]) -> dict[str, Array]:
    """Blocks ``subject-confounds-<nn>@<task>`` (subjects, columns), one or two a confound, those that vary.

    Parameters
    ----------
    view
        The view; its recordings table carries the columns.
    confounds
        Task -> names of its confounds: columns of the participants table, ``site`` and ``motion``.

    Raises
    ------
    UserError
        If a task has none, or none of them varies.
    """
    rows = read_table(view.folder / "recordings.parquet", "recordings").to_pylist()
    return {
        f"subject-confounds-{number:02d}@{task}": block
        for task, own in confounds.items()
        for number, block in enumerate(_task(view, rows, task, own))
    }


def _task(view: View, rows: Sequence[Mapping[str, Any]], task: str, names: Sequence[str]) -> list[Array]:
    where = f"task '{task}'"
    if not names:
        raise UserError(
            f"{where}: baseline 'confounds' has nothing to predict from; name columns under confounds"
        )
    blocks = [block for name in names for block in _blocks(_values(view, rows, name))]
    if not blocks:
        raise UserError(f"{where}: none of its confounds ({', '.join(names)}) differs between subjects")
    return blocks


def _values(view: View, rows: Sequence[Mapping[str, Any]], name: str) -> list[str | float | None]:
    """One value a subject of the view: the mean of its recordings where it is measured, else that of the first."""
    column = {"site": "site", "motion": "mean_fd"}.get(name, PREFIX + name)
    own: dict[str, list[Any]] = {subject: [] for subject in view.subjects}
    for row in rows:
        if row["subject"] in own:
            own[row["subject"]].append(row[column] if row[column] != "" else None)
    if name == "motion":
        known = {subject: [one for one in values if one is not None] for subject, values in own.items()}
        return [float(np.mean(known[subject])) if known[subject] else None for subject in view.subjects]
    return [own[subject][0] for subject in view.subjects]


def _blocks(values: Sequence[str | float | None]) -> list[Array]:
    """Blocks of one confound, those that vary."""
    missing = np.array([value is None for value in values])
    numbers = [_number(value) for value in values]
    if all(number is not None for number, gap in zip(numbers, missing, strict=True) if not gap):
        found = np.array([0.0 if number is None else number for number in numbers])
        # A shift of all alike keeps digits in float32 and is undone exactly by centring (see ``grams``).
        parts = [found[:, None] - found.mean(), missing[:, None]]
    else:
        kinds = sorted({str(value) for value in values if value is not None})
        columns = [[None if value is None else str(value) == kind for value in values] for kind in kinds]
        parts = [np.stack([*np.array(columns, dtype=bool), missing], axis=1)]
    kept = [part[:, (part != part[0]).any(axis=0)].astype(np.float32) for part in parts]
    return [part for part in kept if part.shape[1]]


def _number(value: str | float | None) -> float | None:
    try:
        number = math.nan if value is None else float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
