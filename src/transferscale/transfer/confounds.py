"""Baseline ``confounds``: what is known of a subject without looking at the brain.

Numbers are standardised over the view's subjects, texts become one column a value, and what is missing stands at the
mean, with a column that says so. A task is predicted from its own confounds, which its target is never among, so that
blocks of features are each of one task.
"""

from collections import Counter
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
    """Blocks ``subject-confounds@<task>`` (subjects, columns).

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
    return {f"subject-confounds@{task}": _features(view, rows, task, own) for task, own in confounds.items()}


def _features(view: View, rows: Sequence[Mapping[str, Any]], task: str, names: Sequence[str]) -> Array:
    where = f"task '{task}'"
    if not names:
        raise UserError(
            f"{where}: baseline 'confounds' has nothing to predict from; name columns under confounds"
        )
    columns = [column for name in names for column in _columns(_values(view, rows, name))]
    if not columns:
        raise UserError(f"{where}: none of its confounds ({', '.join(names)}) differs between subjects")
    return np.stack(columns, axis=1).astype(np.float32)


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


def _columns(values: Sequence[str | float | None]) -> list[npt.NDArray[np.float64]]:
    """Columns of one confound, those that vary."""
    missing = np.array([value is None for value in values])
    numbers = [_number(value) for value in values]
    if all(number is not None for number, gap in zip(numbers, missing, strict=True) if not gap):
        found = np.array([np.nan if number is None else number for number in numbers])
        centred = (
            np.where(missing, 0.0, found - found[~missing].mean())
            if not missing.all()
            else np.zeros(len(found))
        )
        size = centred.std()
        columns = [centred / size] if size > 0 else []
    else:
        kinds = sorted(Counter(str(value) for value in values if value is not None))
        columns = [np.array([float(value == kind) for value in values]) for kind in kinds]
    columns += [missing.astype(np.float64)]
    return [column for column in columns if np.ptp(column) > 0]


def _number(value: str | float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None
