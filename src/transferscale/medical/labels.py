"""The labels of a task: the one place that turns columns of participants.tsv into numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError, nearest
from transferscale.study.where import matches

# How the index carries a column of participants.tsv.
PREFIX = "participant."


@dataclass(frozen=True)
class Labels:
    """Subjects of one task and their labels.

    Attributes
    ----------
    kind
        classification, regression or state.
    subjects
        Subjects kept, sorted.
    y
        (subjects,) label of each: the target (transformed), or the index into ``classes``. The target of a state
        task is a matter of windows and not of subjects, and ``y`` is all NaN.
    classes
        Class names, the positive one last; empty for regression and state.
    families
        Family group of each subject.
    sites
        Site of each subject, empty where unknown.
    removed
        Why subjects were left out -> how many: ``where`` (the task's condition), ``missing`` (no target),
        ``classes`` (a class that the task does not keep).
    """

    kind: str
    subjects: list[str]
    y: npt.NDArray[np.float64]
    classes: list[str]
    families: list[str]
    sites: list[str]
    removed: dict[str, int]


def labels(recordings: Path, task: Mapping[str, Any]) -> Labels:
    """Labels of the subjects that have a recording.

    Parameters
    ----------
    recordings
        The recordings table, written by ``medical index``.
    task
        Spec of the task (``study.dataset.Task``).

    Raises
    ------
    UserError
        If the table lacks a column of the task, or the column's values do not fit the task.
    """
    from transferscale.tables import read_table

    rows = read_table(recordings, "recordings").to_pylist()
    return label_subjects(
        one_row_a_subject(rows), task, f"dataset '{rows[0]['dataset']}': target '{task['target']}'"
    )


def one_row_a_subject(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first usable row of every subject, sorted by subject."""
    first: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["status"] == "ok":
            first.setdefault(row["subject"], row)
    return [first[subject] for subject in sorted(first)]


def label_subjects(rows: Sequence[Mapping[str, Any]], task: Mapping[str, Any], named: str) -> Labels:
    """Labels from rows of the recordings table, one a subject; ``named`` begins the messages."""
    kept = [row for row in rows if all(matches(_cell(row, c, named), v) for c, v in task["where"].items())]
    removed = {"where": len(rows) - len(kept), "missing": 0, "classes": 0}
    if not kept:
        raise UserError(
            f"{named}: 'where' {dict(task['where'])} leaves no subject with a recording; correct it"
        )
    if task["kind"] == "state":
        if task["classes"] and task["target"] == "window":
            raise UserError(
                f"{named}: decoding the window takes no 'classes'; they are the windows (windows.count)"
            )
        return _pack("state", kept, np.full(len(kept), np.nan), [], removed)
    texts = [_cell(row, task["target"], named) for row in kept]
    present = [(row, text) for row, text in zip(kept, texts, strict=True) if text is not None]
    removed["missing"] = len(kept) - len(present)
    if not present:
        raise UserError(f"{named}: missing for every subject with a recording; name another column")
    if task["kind"] == "regression":
        values = [_number(text, row, task["transform"], named) for row, text in present]
        if len(set(values)) < 2:
            raise UserError(f"{named}: the same value for every subject; there is nothing to predict")
        return _pack("regression", [row for row, _ in present], np.array(values), [], removed)
    found = sorted({text for _, text in present})
    if not task["classes"]:
        _refuse_spellings(found, named)
    classes = [str(name) for name in task["classes"] or found]
    for name in classes:
        if name not in found:
            raise UserError(f"{named}: no subject has class '{name}'; {nearest(name, found)}")
    if len(classes) < 2:
        raise UserError(f"{named}: only one class, '{classes[0]}'; a classification needs two")
    if len(set(classes)) < len(classes):
        raise UserError(f"{named}: 'classes' names one class twice")
    chosen = [(row, classes.index(text)) for row, text in present if text in classes]
    removed["classes"] = len(present) - len(chosen)
    y = np.array([index for _, index in chosen], dtype=np.float64)
    return _pack("classification", [row for row, _ in chosen], y, classes, removed)


def _refuse_spellings(found: Sequence[str], named: str) -> None:
    """Refuse classes that differ in case or blanks alone: almost always a slip that makes one class two."""
    spelt: dict[str, str] = {}
    for name in found:
        plain = "".join(name.split()).casefold()
        if plain in spelt:
            raise UserError(
                f"{named}: '{spelt[plain]}' and '{name}' differ in case or blanks alone; "
                "correct the table, or list the classes to keep under 'classes'"
            )
        spelt[plain] = name


def _pack(
    kind: str,
    rows: Sequence[Mapping[str, Any]],
    y: npt.NDArray[np.float64],
    classes: list[str],
    removed: dict[str, int],
) -> Labels:
    return Labels(
        kind=kind,
        subjects=[row["subject"] for row in rows],
        y=y,
        classes=classes,
        families=[row["family_group"] for row in rows],
        sites=[row["site"] for row in rows],
        removed=removed,
    )


def _cell(row: Mapping[str, Any], column: str, named: str) -> str | None:
    key = PREFIX + column
    if key not in row:
        carried = [name.removeprefix(PREFIX) for name in row if name.startswith(PREFIX)]
        raise UserError(f"{named}: the index does not carry column '{column}'; {nearest(column, carried)}")
    text: str | None = row[key]
    return text


def _number(text: str, row: Mapping[str, Any], transform: str, named: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(
            f"{named}: '{text}' of subject '{row['subject']}' is no number; write n/a where unknown"
        )
    if transform == "none":
        return number
    if number <= 0:
        raise UserError(
            f"{named}: {text} of subject '{row['subject']}' has no logarithm; set transform to none"
        )
    return math.log(number)
