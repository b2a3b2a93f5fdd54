"""Leak audit: what must never be on both sides of a fold, checked before splits.json is written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transferscale.errors import UserError
from transferscale.tables import read_table


def audit(splits: Mapping[str, Any], recordings: Path) -> None:
    """Check splits against the recordings they were made for.

    Parameters
    ----------
    splits
        Content of splits.json.
    recordings
        The recordings table.

    Raises
    ------
    UserError
        At the first leak: byte-identical recordings under two subjects' names; a subject or a family on both
        sides of a fold; a subject not tested exactly once a repeat; a label order that is no order of the
        training subjects.
    """
    rows = read_table(recordings, "recordings").to_pylist()
    owner: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        first = owner.setdefault(row["sha256"], row) if row["sha256"] else row
        if first["subject"] != row["subject"]:
            raise UserError(
                f"dataset '{row['dataset']}': {first['path']} and {row['path']} are the same file byte for byte "
                "under two subjects' names; delete the copy and index again"
            )
    family = {row["subject"]: row["family_group"] for row in rows}
    subjects = splits["subjects"]
    for name, task in splits["tasks"].items():
        for repeat, folds in enumerate(task["repeats"]):
            for fold, part in enumerate(folds):
                _audit_fold(f"splits of task '{name}', repeat {repeat}, fold {fold}", part, subjects, family)
            tested = sorted(subject for part in folds for subject in part["test"])
            if tested != sorted(task["subjects"]):
                raise UserError(
                    f"splits of task '{name}', repeat {repeat}: not every subject is tested exactly once"
                )


def _audit_fold(where: str, part: Mapping[str, Any], subjects: list[str], family: Mapping[str, str]) -> None:
    both = sorted(set(part["test"]) & set(part["train"]))
    if both:
        raise UserError(f"{where}: subject '{subjects[both[0]]}' is on both sides")
    sides = [{family[subjects[i]] for i in part[side]} for side in ("test", "train")]
    if sides[0] & sides[1]:
        raise UserError(f"{where}: family '{min(sides[0] & sides[1])}' is on both sides")
    if not part["test"] or not part["train"]:
        raise UserError(f"{where}: one side is empty")
    if any(sorted(order) != sorted(part["train"]) for order in part["orders"]):
        raise UserError(f"{where}: a label order is not an order of the training subjects")
