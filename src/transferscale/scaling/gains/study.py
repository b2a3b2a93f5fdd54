"""The scores and gains of a study: every pretrained cell against each of its references.

Whatever was pretrained is compared with the same network without pretraining (``START``), with the classical
baselines, the ladder with the perceptron where the whole network is trained, and with the baseline that a claim on the
task names; video also with what was pretrained otherwise, at the same depth and rung: on control corpora, on fractions
of its own and on recordings, and, frozen, with published weights.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.conditions import CLEAN, permuted
from transferscale.errors import UserError
from transferscale.scaling.gains.bootstrap import RESAMPLES
from transferscale.scaling.gains.comparison import ASSUMPTION, beforehand_sentence, in_words
from transferscale.scaling.gains.comparison import compare as compare_pair
from transferscale.scaling.gains.scores import Evaluation, evaluate
from transferscale.scaling.gains.study_cells import StudyCell, metrics_of, read_cells, score_rows
from transferscale.scaling.gains.verdict import holm
from transferscale.scaling.metrics import CALIBRATION
from transferscale.study.corpus import CONTROLS
from transferscale.study.reader import Reader
from transferscale.study.study import Study
from transferscale.study.transfer import BASELINES, START
from transferscale.study.verdict import Claim
from transferscale.tables import write_table

CLASSICAL = ("connectivity", "tangent", "raw:linear", "smooth", "confounds")
# What an arm is compared with beside: other pretraining at the same place of the ladder.
AGAINST = {
    "video": (*(f"control:{name}" for name in CONTROLS), "fmri", "video+fmri"),
    "video+fmri": ("fmri",),
}

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
    cells = read_cells(predictions, permuted(CLEAN) if study.transfer.null else CLEAN)
    # References first: what can be detected is said before an arm is looked at.
    arms = [cell for cell in cells if cell.reader.pretrained]
    evaluations = _evaluate(study, [cell for cell in cells if not cell.reader.pretrained])
    for sentence in beforehand(study, arms, evaluations):
        tell(sentence)
    evaluations = sorted([*evaluations, *_evaluate(study, arms)], key=lambda e: e.cell.key)
    found = compare(study, evaluations)
    # Scored, not compared: a gain is in what is better when it is higher.
    calibrated = [
        evaluate(cell, one) for cell in cells if cell.probability is not None for one in CALIBRATION
    ]
    write_table(scores, "scores", score_rows(sorted([*evaluations, *calibrated], key=lambda e: e.cell.key)))
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
        for reference, group, read_out in _references(study, cell)
        if (key := (cell.dataset, cell.task, read_out, group, cell.n_labels, metric)) in book.index
        and _claim(study, cell, metric, reference) is not None
    ]


def compare(study: Study, evaluations: Iterable[Scored]) -> list[dict[str, Any]]:
    """Rows of the `gains` table: every pretrained cell against each of its references.

    Raises
    ------
    UserError
        If a primary claim has no row: its cells are not among the predictions.
    """
    book = _Book(evaluations)
    rows = []
    for arm in book.pretrained():
        for reference, group, read_out in [*_references(study, arm.cell), *book.rivals(arm)]:
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
        row["warnings"] = [*([study.transfer.null] if study.transfer.null else []), *row["warnings"]]
    return rows


def _references(study: Study, cell: StudyCell) -> list[tuple[str, str, str]]:
    """(arm, reader group, read-out) of what a pretrained cell is compared with that this study did not pretrain.

    Among the classical baselines is whatever a claim on the task is held against.
    """
    here = [c for c in study.verdict if (study.claim_dataset(c), c.task) == (cell.dataset, cell.task)]
    named = dict.fromkeys([*CLASSICAL, *(c.reference for c in here if c.reference in BASELINES)])
    classical = [(arm, Reader(arm).group, "ridge") for arm in named]
    if not cell.reader.family:
        return classical
    if cell.read_out == "full":
        classical.append(("raw:mlp", Reader("raw:mlp", seed=0).group, cell.read_out))
    # Elsewhere published weights have one column, that of the first seed and draw.
    if (cell.arm, cell.read_out) == ("video", "ridge"):
        hubs = [Reader(f"hub:{one.name}") for one in study.transfer.hub]
        classical += [(hub.arm, hub.group, cell.read_out) for hub in hubs]
    own = START[cell.read_out]
    group = Reader(own, family=cell.reader.family, depth=cell.reader.depth, seed=0).group
    return [(own, group, cell.read_out), *classical]


def _row(study: Study, arm: Scored, other: Scored, curve: list[Scored], reference: str) -> dict[str, Any]:
    return {
        **arm.cell.keys,
        "reader_group": arm.cell.reader_group,
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

    def pretrained(self) -> list[Scored]:
        """Evaluations of what was pretrained."""
        return [e for e in self.all if e.cell.reader.pretrained]

    def rivals(self, arm: Scored) -> list[tuple[str, str, str]]:
        """(arm, reader group, read-out) of what was pretrained otherwise, at the same place of the ladder."""
        place = _place(arm.cell)
        found = {
            e.cell.arm: e.cell.reader_group
            for e in self.pretrained()
            if _place(e.cell) == place and _rival(arm.cell, e.cell)
        }
        return [(name, group, arm.cell.read_out) for name, group in sorted(found.items())]

    def get(self, like: Scored, group: str, read_out: str, n_labels: str) -> Scored | None:
        """The evaluation of another reader on the same task and metric."""
        return self.index.get((like.cell.dataset, like.cell.task, read_out, group, n_labels, like.metric))

    def curve(self, like: Scored, group: str, read_out: str) -> list[Scored]:
        """Label curve of a reader on the same task and metric, by rising number of subjects."""
        return self.curves[like.cell.dataset, like.cell.task, read_out, group, like.metric]


def _rival(arm: StudyCell, other: StudyCell) -> bool:
    """Whether an arm is compared with another pretraining."""
    part = arm.arm == "video" and other.reader.arm == "video" and other.reader.fraction < 1
    return part or other.arm in AGAINST.get(arm.arm, ())


def _place(cell: StudyCell) -> tuple[str, ...]:
    """What two cells share that differ in what was pretrained on alone."""
    reader = cell.reader
    shape = (reader.family, str(reader.depth), str(reader.rung), reader.objective)
    return (cell.dataset, cell.task, cell.read_out, cell.n_labels, *shape)
