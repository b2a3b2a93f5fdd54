"""The scores and gains of a study: every video cell against each of its references.

A frozen read-out is compared with random weights of the same depth, a trained one with training from scratch
at the same depth, and both with the classical baselines.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError
from transferscale.scaling.gains.bootstrap import RESAMPLES
from transferscale.scaling.gains.comparison import ASSUMPTION, beforehand_sentence, in_words
from transferscale.scaling.gains.comparison import compare as compare_pair
from transferscale.scaling.gains.scores import Evaluation, evaluate
from transferscale.scaling.gains.study_cells import StudyCell, metrics_of, read_cells, score_rows
from transferscale.scaling.gains.verdict import holm
from transferscale.study.grid import Reader
from transferscale.study.study import Study
from transferscale.study.verdict import Claim
from transferscale.tables import write_table

CLASSICAL = ("connectivity", "raw:linear")

Scored = Evaluation[StudyCell]


def run(
    study: Study,
    predictions: Path,
    scores: Path,
    gains: Path,
    tell: Callable[[str], object] = lambda _sentence: None,
) -> None:
    """Write the `scores` and `gains` tables of a study from its `predictions` table.

    ``tell`` gets the sentences of :func:`beforehand` before any arm is scored.
    """
    watch = Stopwatch()
    cells = read_cells(predictions)
    # References first: what can be detected is said before an arm is looked at.
    arms = [cell for cell in cells if cell.arm == "video"]
    evaluations = _evaluate(study, [cell for cell in cells if cell.arm != "video"])
    for sentence in beforehand(study, arms, evaluations):
        tell(sentence)
    evaluations = sorted([*evaluations, *_evaluate(study, arms)], key=lambda e: e.cell.key)
    found = compare(study, evaluations)
    write_table(scores, "scores", score_rows(evaluations))
    write_table(gains, "gains", found)
    facts = {"resamples": RESAMPLES, "cells": len(evaluations), "comparisons": len(found)}
    write_provenance(scores, watch, **facts)
    write_provenance(gains, watch, **facts)


def _evaluate(study: Study, cells: Iterable[StudyCell]) -> list[Scored]:
    return [evaluate(cell, metric) for cell in cells for metric in metrics_of(study, cell.dataset, cell.task)]


def beforehand(study: Study, arms: Iterable[StudyCell], references: Iterable[Scored]) -> list[str]:
    """A sentence a primary claim: the smallest detectable gain, from the reference's predictions alone.

    Of ``arms`` only the names are read.
    """
    book = _Book(references)
    return [
        f"{cell.where}: {beforehand_sentence([book.index[key]])} ({ASSUMPTION})"
        for cell in arms
        for metric in metrics_of(study, cell.dataset, cell.task)
        for reference, group, read_out in _references(cell)
        if (key := (cell.dataset, cell.task, read_out, group, cell.n_labels, metric)) in book.index
        and _claim(study, cell, metric, reference) is not None
    ]


def compare(study: Study, evaluations: Iterable[Scored]) -> list[dict[str, Any]]:
    """Rows of the `gains` table: every video cell against each of its references.

    Raises
    ------
    UserError
        If a primary claim has no row: its cells are not among the predictions.
    """
    book = _Book(evaluations)
    rows = []
    for arm in book.of_arm("video"):
        for reference, group, read_out in _references(arm.cell):
            other = book.get(arm, group, read_out, arm.cell.n_labels)
            if other is not None:
                rows.append(_row(study, arm, other, book.curve(arm, group, read_out), reference))
    primary = [row for row in rows if row["primary"]]
    if len(primary) < len(study.verdict):
        raise UserError(
            f"study '{study.study}': {len(study.verdict) - len(primary)} of {len(study.verdict)} claims "
            "under 'verdict' have no predictions to compare; run `transferscale transfer collect` first"
        )
    for row, p in zip(primary, holm([row["p_value"] for row in primary]), strict=True):
        row["p_holm"] = p
    for row in rows:
        row["words"] = in_words(row, len(primary))
    return rows


def _references(cell: StudyCell) -> list[tuple[str, str, str]]:
    """(arm, reader group, read-out) of what a video cell is compared with."""
    own = "random" if cell.read_out == "ridge" else "scratch"
    group = Reader(own, family=cell.reader.family, depth=cell.reader.depth, seed=0).group
    return [(own, group, cell.read_out), *((arm, Reader(arm).group, "ridge") for arm in CLASSICAL)]


def _row(study: Study, arm: Scored, other: Scored, curve: list[Scored], reference: str) -> dict[str, Any]:
    return {
        **arm.cell.keys,
        "reference": reference,
        **compare_pair(arm, other, curve, _sesoi(study, arm.cell, arm.metric)),
        "primary": _claim(study, arm.cell, arm.metric, reference) is not None,
    }


def _claim(study: Study, cell: StudyCell, metric: str, reference: str) -> Claim | None:
    """The primary claim that this comparison is, if it is one."""
    mine = (
        cell.dataset,
        cell.task,
        cell.arm,
        reference,
        cell.read_out,
        cell.reader.family,
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
            study.claim_family(c),
            c.depth,
            study.rung(c.rung),
            str(c.n_labels),
            c.metric,
        )
        if (study.claim_dataset(c), *declared) == mine:
            return c
    return None


def _sesoi(study: Study, cell: StudyCell, metric: str) -> float | None:
    """Smallest effect of interest declared for this task and metric."""
    for c in study.verdict:
        if (study.claim_dataset(c), c.task, c.metric) == (cell.dataset, cell.task, metric):
            return c.sesoi
    return None


class _Book:
    """Evaluations by what they are of."""

    def __init__(self, evaluations: Iterable[Scored]) -> None:
        self.all = list(evaluations)
        self.index = {(*e.cell.key, e.metric): e for e in self.all}
        self.curves: dict[tuple[str, ...], list[Scored]] = {}
        for e in sorted(self.all, key=lambda e: e.cell.n_train):
            self.curves.setdefault((*e.cell.key[:-1], e.metric), []).append(e)

    def of_arm(self, arm: str) -> list[Scored]:
        """Evaluations of one arm."""
        return [e for e in self.all if e.cell.arm == arm]

    def get(self, like: Scored, group: str, read_out: str, n_labels: str) -> Scored | None:
        """The evaluation of another reader on the same task and metric."""
        return self.index.get((like.cell.dataset, like.cell.task, read_out, group, n_labels, like.metric))

    def curve(self, like: Scored, group: str, read_out: str) -> list[Scored]:
        """Label curve of a reader on the same task and metric, by rising number of subjects."""
        return self.curves[like.cell.dataset, like.cell.task, read_out, group, like.metric]
