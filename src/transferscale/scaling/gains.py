"""Gains: an arm minus its reference on the same subjects, folds, draws and seeds.

A frozen read-out is compared with random weights of the same depth, a trained one with training from scratch
at the same depth, and both with the classical baselines.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError
from transferscale.scaling.bootstrap import RESAMPLES, column_weights, crossed
from transferscale.scaling.effective_data import effective_data
from transferscale.scaling.metrics import Ints, Reals
from transferscale.scaling.scores import Cell, Evaluation, evaluate, metrics_of, read_cells
from transferscale.scaling.scores import rows as score_rows
from transferscale.scaling.verdict import DETECTABLE, holm, p_value, verdict
from transferscale.study.grid import Reader
from transferscale.study.study import Study
from transferscale.study.verdict import Claim
from transferscale.tables import write_table

CLASSICAL = ("connectivity", "raw:linear")


def run(study: Study, predictions: Path, scores: Path, gains: Path) -> None:
    """Write the `scores` and `gains` tables of a study from its `predictions` table."""
    watch = Stopwatch()
    evaluations = [
        evaluate(cell, metric)
        for cell in read_cells(predictions)
        for metric in metrics_of(study, cell.dataset, cell.task)
    ]
    found = compare(study, evaluations)
    write_table(scores, "scores", score_rows(evaluations))
    write_table(gains, "gains", found)
    facts = {"resamples": RESAMPLES, "cells": len(evaluations), "comparisons": len(found)}
    write_provenance(scores, watch, **facts)
    write_provenance(gains, watch, **facts)


def compare(study: Study, evaluations: Iterable[Evaluation]) -> list[dict[str, Any]]:
    """Rows of the `gains` table: every video cell against each of its references.

    Raises
    ------
    UserError
        If a primary claim has no row: its cells are not among the predictions.
    """
    book = _Book(evaluations)
    rows = [
        _row(study, book, arm, reference, reference_group, reference_read_out)
        for arm in book.of_arm("video")
        for reference, reference_group, reference_read_out in _references(arm.cell)
        if book.get(arm, reference_group, reference_read_out, arm.cell.n_labels) is not None
    ]
    primary = [row for row in rows if row["primary"]]
    for row, p in zip(primary, holm([row["p_value"] for row in primary]), strict=True):
        row["p_holm"] = p
    if len(primary) < len(study.verdict):
        raise UserError(
            f"study '{study.study}': {len(study.verdict) - len(primary)} of {len(study.verdict)} claims "
            "under 'verdict' have no predictions to compare; run `transferscale transfer collect` first"
        )
    return rows


def _references(cell: Cell) -> list[tuple[str, str, str]]:
    """(arm, reader group, read-out) of what a video cell is compared with."""
    own = "random" if cell.read_out == "ridge" else "scratch"
    group = Reader(own, family=cell.reader.family, depth=cell.reader.depth, seed=0).group
    return [(own, group, cell.read_out), *((arm, Reader(arm).group, "ridge") for arm in CLASSICAL)]


def _row(
    study: Study,
    book: "_Book",
    arm: Evaluation,
    reference: str,
    reference_group: str,
    reference_read_out: str,
) -> dict[str, Any]:
    cell = arm.cell
    other = book.get(arm, reference_group, reference_read_out, cell.n_labels)
    if other is None:
        raise KeyError(reference_group)
    pair = paired(arm, other)
    gain = pair.gains
    low, low90, high90, high = (float(q) for q in np.quantile(gain, [0.025, 0.05, 0.95, 0.975]))
    claim = _claim(study, cell, arm.metric, reference)
    sesoi = _sesoi(study, cell, arm.metric)
    row: dict[str, Any] = {
        **cell.keys,
        "reference": reference,
        "metric": arm.metric,
        "n_subjects": len(cell.subjects),
        "arm_value": pair.arm_value,
        "reference_value": pair.reference_value,
        "detectable": DETECTABLE * float(gain.std(ddof=1)),
        "estimate": pair.arm_value - pair.reference_value,
        "low": low,
        "high": high,
        "low90": low90,
        "high90": high90,
        "p_value": p_value(gain),
        "p_holm": None,
        "sesoi": sesoi,
        "verdict": verdict(low, high, low90, high90, sesoi),
        "primary": claim is not None,
    }
    curve = book.curve(arm, reference_group, reference_read_out)
    transferred = effective_data(
        np.array([point.cell.n_train for point in curve]),
        np.array([point.value for point in curve]),
        np.stack([point.values for point in curve], 1),
        # What carries over to the reference's own curve is the gain: the paired columns may be a part of the
        # cell's.
        other.value + row["estimate"],
        other.values + gain,
        cell.n_train,
    )
    if transferred is not None:
        row |= {
            "effective_data": transferred.value,
            "effective_low": transferred.low,
            "effective_high": transferred.high,
            "multiplier": transferred.multiplier,
            "bound": transferred.bound,
        }
    return row


@dataclass(frozen=True)
class Pair:
    """An arm and its reference over the columns they share; ``gains`` is the gain in every resample."""

    arm_value: float
    reference_value: float
    gains: Reals


def paired(arm: Evaluation, reference: Evaluation) -> Pair:
    """Pair two evaluations on subject, repeat, draw and, where both have one, seed.

    A baseline has no seed (-1): its column stands beside every seed of the arm. With all subjects labelled
    there is one draw. Columns that only one of the two has are left out of both.

    Raises
    ------
    UserError
        If the two were not tested on the same subjects, or share no column.
    """
    where = f"{arm.cell.dataset}/{arm.cell.task}: {arm.cell.reader_group} and {reference.cell.reader_group}"
    if arm.cell.subjects != reference.cell.subjects:
        raise UserError(f"{where} were not tested on the same subjects; fit both with the same splits.json")
    at = match(arm.cell.columns, reference.cell.columns)
    kept = np.flatnonzero(at >= 0)
    if not len(kept):
        raise UserError(
            f"{where} share no repeat, draw and seed at n = {arm.cell.n_labels}; "
            "raise transfer.draws or lower transfer.read_outs.full.draws"
        )
    columns = arm.cell.columns[kept]
    weights = column_weights(columns[:, 1], columns[:, 2], len(arm.resampled))
    return Pair(
        arm_value=float(arm.point[kept].mean()),
        reference_value=float(reference.point[at[kept]].mean()),
        gains=crossed(
            arm.resampled[:, kept] - reference.resampled[:, at[kept]],
            arm.point[kept] - reference.point[at[kept]],
            weights,
        ),
    )


def match(columns: Ints, others: Ints) -> Ints:
    """For each column (repeat, draw, seed) the number of its partner among ``others``, or -1."""
    index = {tuple(int(v) for v in column): i for i, column in enumerate(others)}
    found = []
    for repeat, draw, seed in columns.tolist():
        found.append(index.get((repeat, draw, seed), index.get((repeat, draw, -1), -1)))
    return np.array(found, dtype=np.int64)


def _claim(study: Study, cell: Cell, metric: str, reference: str) -> Claim | None:
    """The primary claim that this comparison is, if it is one."""
    mine = (
        cell.dataset,
        cell.task,
        cell.arm,
        reference,
        cell.read_out,
        cell.reader.depth,
        cell.reader.rung,
        cell.n_labels,
        metric,
    )
    for c in study.verdict:
        declared = (
            c.task,
            c.arm,
            c.reference,
            c.read_out,
            c.depth,
            study.rung(c.rung),
            str(c.n_labels),
            c.metric,
        )
        if (study.claim_dataset(c), *declared) == mine:
            return c
    return None


def _sesoi(study: Study, cell: Cell, metric: str) -> float | None:
    """Smallest effect of interest declared for this task and metric."""
    for c in study.verdict:
        if (study.claim_dataset(c), c.task, c.metric) == (cell.dataset, cell.task, metric):
            return c.sesoi
    return None


class _Book:
    """Evaluations by what they are of."""

    def __init__(self, evaluations: Iterable[Evaluation]) -> None:
        self.all = list(evaluations)
        self.index = {(*e.cell.key, e.metric): e for e in self.all}
        self.curves: dict[tuple[str, ...], list[Evaluation]] = {}
        for e in sorted(self.all, key=lambda e: e.cell.n_train):
            self.curves.setdefault((*e.cell.key[:-1], e.metric), []).append(e)

    def of_arm(self, arm: str) -> list[Evaluation]:
        """Evaluations of one arm."""
        return [e for e in self.all if e.cell.arm == arm]

    def get(self, like: Evaluation, group: str, read_out: str, n_labels: str) -> Evaluation | None:
        """The evaluation of another reader on the same task and metric."""
        return self.index.get((like.cell.dataset, like.cell.task, read_out, group, n_labels, like.metric))

    def curve(self, like: Evaluation, group: str, read_out: str) -> list[Evaluation]:
        """Label curve of a reader on the same task and metric, by rising number of subjects."""
        return self.curves[like.cell.dataset, like.cell.task, read_out, group, like.metric]
