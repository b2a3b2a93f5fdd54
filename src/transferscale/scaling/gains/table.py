"""Gains from anybody's table of predictions: an arm against its references at every label count."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transferscale.artefacts import atomic, write_json
from transferscale.errors import UserError
from transferscale.scaling.gains.cells import Cell
from transferscale.scaling.gains.comparison import beforehand_sentence, compare, in_words
from transferscale.scaling.gains.predictions import Group, Predictions, TableCell
from transferscale.scaling.gains.scores import Evaluation, evaluate
from transferscale.scaling.gains.verdict import holm
from transferscale.tables import TABLES, write_table

# An arm's evaluations by label count; an error in place of one that could not be scored.
Scored = dict[str, Evaluation[Cell] | UserError]

# AUROC of a guess.
CHANCE = 0.5

# Columns of the `gains` table that a person's own column may fill.
FREE = ("dataset", "task", "view", "read_out", "reader_group", "depth", "rung")


@dataclass(frozen=True)
class Gains:
    """What a table of predictions says of an arm.

    Attributes
    ----------
    beforehand
        A sentence a group, reference and label count: what could be detected, from the reference alone.
    assumptions
        What was taken for granted where the table is silent.
    rows
        One a group, reference and label count: ``group`` (object) and columns of the `gains` table.
    failures
        A sentence for each comparison that could not be made.
    points
        Label curves: one row a group, arm and label count.
    """

    arm: str
    metric: str
    beforehand: list[str] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)


def gain_table(
    path: Path,
    arm: str,
    reference: str,
    metric: str,
    *,
    against: Sequence[str] = (),
    sesoi: float | None = None,
    group: Sequence[str] = (),
    positive: str | None = None,
) -> Gains:
    """Compare an arm with its references at every label count of every group.

    Parameters
    ----------
    path
        Table of test predictions (see :mod:`transferscale.scaling.gains.predictions`).
    arm, reference, against
        Names in column ``arm``: what is tested, its reference, and further references.
    metric
        auroc, accuracy, balanced_accuracy, r or r2.
    sesoi
        Smallest effect size of interest, in units of the metric.
    group
        Columns of which each value is compared alone, besides ``task``.
    positive
        The class of ``y_true`` whose score ``y_score`` is, where that is one number; default: the last in sorted
        order.

    Raises
    ------
    UserError
        If the table cannot be read, an arm is not in it, or nothing could be compared.
    """
    taken = set(TABLES["gains"].columns).difference(FREE).union(("group",)).intersection(group)
    if taken:
        raise UserError(
            f"--group {min(taken)}: the result has a column of that name; rename the column in {path}"
        )
    table = Predictions(path, metric, group, positive)
    references = list(dict.fromkeys([reference, *against]))
    if arm in references:
        raise UserError(f"--arm and its reference are both '{arm}'; name two arms")
    for name in (arm, *references):
        table.require_arm(name)
    found = Gains(arm, metric)
    for one in table.groups:
        _compare_group(found, table, one, references, sesoi)
    found.assumptions.extend(table.assumptions)
    if not found.rows:
        more = f" (and {len(found.failures) - 1} more such sentences)" if len(found.failures) > 1 else ""
        raise UserError(found.failures[0] + more)
    _correct(found.rows)
    return found


def to_draw(found: Gains) -> list[dict[str, Any]]:
    """Rows of a picture: the label curve of every arm, the gains, and the data multipliers.

    Each row has ``group`` (object), ``panel`` ('score', 'gain' or 'multiplier'), ``name`` (the arm, or the
    reference of a gain), ``n_labels``, ``n_train`` (labelled subjects; None where unknown), ``value``, ``low``,
    ``high`` (95 %), and ``bound`` ('', '>=', '<=' or 'flat').
    """
    drawn = [{**point, "panel": "score", "bound": ""} for point in found.points]
    for row in found.rows:
        at = {
            "group": row["group"],
            "name": row["reference"],
            "n_labels": row["n_labels"],
            "n_train": row["n_train"],
        }
        ends = {"value": row["estimate"], "low": row["low"], "high": row["high"]}
        drawn.append({**at, **ends, "panel": "gain", "bound": ""})
        if row["multiplier"] is not None:
            low, high = row["multiplier_low"], row["multiplier_high"]
            ends = {"value": row["multiplier"], "low": low, "high": high}
            drawn.append({**at, **ends, "panel": "multiplier", "bound": row["bound"]})
    return drawn


def as_text(rows: Sequence[Mapping[str, Any]], delimiter: str = ",") -> str:
    """Rows as a table of text with a header; what stands in a list is put behind each other."""
    wide, out = [_flat(row) for row in rows], io.StringIO()
    writer = csv.DictWriter(out, list(wide[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    for row in wide:
        writer.writerow({key: "; ".join(map(str, v)) if isinstance(v, list) else v for key, v in row.items()})
    return out.getvalue()


def write_gains(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as the `gains` table (.parquet), as text (.csv, .tsv) or as JSON (.json).

    Raises
    ------
    UserError
        If the file's name says none of these, or a group column does not fit the `gains` table.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        write_table(path, "gains", [_typed(row) for row in rows])
    elif suffix == ".json":
        write_json(path, list(rows))
    elif suffix in (".csv", ".tsv"):
        with atomic(path) as temporary:
            temporary.write_text(as_text(rows, "," if suffix == ".csv" else "\t"))
    else:
        raise UserError(f"{path}: name a .parquet, .csv, .tsv or .json file")


def _compare_group(
    found: Gains, table: Predictions, group: Group, references: Sequence[str], sesoi: float | None
) -> None:
    if not table.has(group, found.arm):
        found.failures.append(f"{table.path}: {group.name} has no row of '{found.arm}'")
        return
    named = f"{group.name}: " if group.keys else ""
    # The references first: what can be detected is told without a look at the arm.
    scored = {name: _score(table, group, name) for name in references}
    for name in references:
        if curve := _curve(scored[name]):
            found.beforehand.append(named + beforehand_sentence(curve))
    scored = {found.arm: _score(table, group, found.arm), **scored}
    for evaluations in scored.values():
        found.points.extend(_point(group, one) for one in _curve(evaluations))
    for name in references:
        for n_labels in sorted(scored[found.arm], key=_count):
            try:
                arm = _one(table, group, scored, found.arm, n_labels)
                other = _one(table, group, scored, name, n_labels)
                compared = compare(arm, other, _curve(scored[name]), sesoi)
                compared["warnings"] += _below_chance(arm, other)
            except UserError as error:
                if str(error) not in found.failures:
                    found.failures.append(str(error))
            else:
                found.rows.append(
                    {
                        "group": group.keys,
                        "kind": arm.cell.kind,
                        "arm": found.arm,
                        "reference": name,
                        "n_labels": n_labels,
                        "n_train": _known(arm.cell.n_train),
                        **compared,
                    }
                )


def _score(table: Predictions, group: Group, arm: str) -> Scored:
    """Evaluations of an arm; a single error under '' where its label counts cannot be told."""
    try:
        cells = table.cells(group, arm)
    except UserError as error:
        return {"": error}
    if not cells:
        return {"": UserError(f"{table.path}: {group.name} has no row of '{arm}'")}
    scored: Scored = {}
    for n_labels, cell in cells.items():
        try:
            scored[n_labels] = cell if isinstance(cell, UserError) else evaluate(cell, table.metric)
        except UserError as error:
            scored[n_labels] = error
    return scored


def _one(
    table: Predictions, group: Group, scored: Mapping[str, Scored], arm: str, n_labels: str
) -> Evaluation[Cell]:
    """An arm at one label count.

    Raises
    ------
    UserError
        If it could not be scored there, or has no predictions there.
    """
    one = scored[arm].get(n_labels, scored[arm].get(""))
    if isinstance(one, UserError):
        raise one
    if one is None:
        where = f"{table.path}: {group.name}" if group.keys else str(table.path)
        counts = ", ".join(sorted(scored[arm], key=_count))
        raise UserError(f"{where}: '{arm}' has no predictions at n = {n_labels}, only at {counts}")
    return one


def _below_chance(arm: Evaluation[Cell], reference: Evaluation[Cell]) -> list[str]:
    """A warning where both rank the subjects the wrong way round, which two models hardly do by themselves."""
    below = all(one.interval[1] < CHANCE for one in (arm, reference))
    if arm.metric != "auroc" or not below or not isinstance(arm.cell, TableCell):
        return []
    return [f"both are below chance: {arm.cell.doubt}"]


def _count(n_labels: str) -> float:
    """A label count as a number; 'all' is the largest."""
    try:
        return float(n_labels)
    except ValueError:
        return math.inf


def _curve(scored: Scored) -> list[Evaluation[Cell]]:
    """Evaluations by rising label count."""
    there = [one for one in scored.values() if not isinstance(one, UserError)]
    return sorted(there, key=lambda one: _count(one.cell.n_labels))


def _point(group: Group, one: Evaluation[Cell]) -> dict[str, Any]:
    return {
        "group": group.keys,
        "name": one.cell.arm,
        "n_labels": one.cell.n_labels,
        "n_train": _known(one.cell.n_train),
        "value": one.value,
        "low": one.interval[0],
        "high": one.interval[1],
    }


def _correct(rows: list[dict[str, Any]]) -> None:
    """Adjust the p-values of the groups at one label count against one reference, and put verdicts in words."""
    families: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        families.setdefault((row["reference"], row["n_labels"]), []).append(row)
    for family in families.values():
        for row, p in zip(family, holm([row["p_value"] for row in family]), strict=True):
            row["p_holm"] = p
            row["words"] = in_words(row, len(family))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the columns of its group beside the others."""
    return {**row["group"], **{key: value for key, value in row.items() if key != "group"}}


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the `gains` table; none of its comparisons was declared beforehand."""
    wide = _flat(row)
    for name in ("depth", "rung"):
        if name in wide:
            try:
                wide[name] = int(wide[name])
            except ValueError:
                raise UserError(
                    f"--group {name}: '{wide[name]}' is no whole number; rename the column, or write a .csv file"
                ) from None
    return {**wide, "primary": False}
