"""Crossovers on the page: the arms of every task against each other, drawn where a reader asks for them first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transferscale.errors import UserError
from transferscale.report.tasks import READ_OUTS, TaskOf, shown_depth, tasks
from transferscale.scaling.comparisons.compare import Comparison
from transferscale.scaling.curves import against_labels, against_scale, named
from transferscale.scaling.pictures.compare import picture
from transferscale.scaling.pictures.page import embed
from transferscale.study.study import Study

Rows = Sequence[Mapping[str, Any]]
SUBJECTS, PARAMETERS = "labelled subjects", "parameters of the encoder, N"


@dataclass(frozen=True)
class Compared:
    """Comparisons of a task: its pictures with what their marks mean, and rows of the `crossovers` table.

    ``scales`` names the scale of every row.
    """

    task: TaskOf
    pictures: str
    key: Sequence[str]
    rows: Rows
    scales: Sequence[str]
    summary: str


def sections(study: Study, found: Sequence[Comparison], rows: Rows) -> list[Compared]:
    """The comparisons that are drawn, by task: against labelled subjects and against parameters.

    Of the depths the one is drawn that the figures of label counts show.

    Raises
    ------
    UserError
        If the `crossovers` table lacks one of them.
    """

    by_curve = {one.group["curve"]: one for one in found}
    out = []
    for task in tasks(study):
        drawn, own, scales = [], [], []
        for curve, scale, words in _curves(study, task):
            if curve in by_curve:
                drawn.append(_named(by_curve[curve], scale, f"error ({task.metric_words})", words))
                told = _of(curve, rows, study)
                own += told
                scales += [scale.split(",")[0]] * len(told)
        if drawn:
            made = picture(drawn)
            name = f"crossovers-{task.dataset}-{task.task}"
            out.append(Compared(task, embed(made, name), made.lines, own, scales, counted(own)))
    return out


def _curves(study: Study, task: TaskOf) -> list[tuple[str, str, str]]:
    """Curves of a task in the order of interest: name, scale and title."""
    last, labels = study.rung("last"), str(study.transfer.labels[-1])
    many = "all labelled subjects" if labels == "all" else f"{labels} labelled subjects"
    depth, found = shown_depth(study, task), []
    for family in (named(study, name) for name in study.families):
        of = f", {family}" if family else ""
        for read_out, way in READ_OUTS.items():
            found += [
                (
                    against_labels(task.name, task.metric, read_out, depth, last, family),
                    SUBJECTS,
                    f"Error and labelled subjects, {way}, depth {depth}{of}",
                ),
                (
                    against_scale(task.name, task.metric, read_out, labels, last, family),
                    PARAMETERS,
                    f"Error and parameters, {way}, {many}{of}",
                ),
            ]
    return found


def _named(found: Comparison, x: str, y: str, title: str) -> Comparison:
    """A comparison with its axes and title in words."""
    fits = {name: replace(one, x=(x,), y=y) for name, one in found.fits.items()}
    return replace(found, x=x, y=y, fits=fits, group={"": title})


def _of(curve: str, rows: Rows, study: Study) -> list[Mapping[str, Any]]:
    own = [row for row in rows if row["group"] == f"curve = {curve}"]
    if not own:
        raise UserError(
            f"study '{study.study}': table crossovers has no '{curve}'; run `transferscale scaling compare` again"
        )
    return own


def counted(rows: Rows) -> str:
    """How many pairs of arms cross, do not, and are not identified."""
    count = Counter(row["answer"] for row in rows)
    pairs = f"{len(rows)} pair{'s' * (len(rows) != 1)} of arms"
    told = [
        (count["crossover"], "overtake in range" if count["crossover"] != 1 else "overtakes in range"),
        (count["none in range"], "none in range"),
        (count["not identified"], "not identified"),
    ]
    return f"{pairs}: " + ", ".join(f"{number} {words}" for number, words in told if number)
