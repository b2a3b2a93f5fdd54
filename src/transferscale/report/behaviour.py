"""Behaviour beyond accuracy: changed input, other sites and datasets, an attack, calibration, task after task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transferscale.report.arms import style_of
from transferscale.report.drawing import STYLE, Drawing, Label, drawing
from transferscale.report.figures import curve, shifts
from transferscale.report.tasks import READ_OUTS, TaskOf, tasks
from transferscale.scaling.curves import READER_FAMILY, of_family
from transferscale.study.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]
Rows = Sequence[Row]

# What a condition is called, and what its amount is.
CONDITIONS = {
    "corrupt:tr": ("repetition time", "repetition time, share of the recording's"),
    "corrupt:noise": ("added noise", "SD of the noise, in SDs of a column"),
    "corrupt:spikes": ("motion spikes", "share of volumes with a spike"),
    "corrupt:parcels": ("missing columns", "share of columns that are zero"),
    "corrupt:hemisphere": ("missing hemisphere", "share of the left hemisphere that is zero"),
    "corrupt:sign": ("flipped sign", "share of columns with the other sign"),
    "attack": ("attack", "largest change of a column, in SDs of the window"),
}
CALIBRATION = ("brier", "ece")


@dataclass(frozen=True)
class Section:
    """What the page shows.

    Attributes
    ----------
    drawings
        A figure a condition with several severities, of the first task.
    changed, elsewhere, calibration
        Rows of table ``behaviour``: every changed input; other sites and datasets; Brier score and calibration error.
    continual
        Rows of table ``continual`` over the tasks so far, at the last stage of every sequence.
    """

    drawings: list[Drawing]
    changed: Rows
    elsewhere: Rows
    calibration: Rows
    continual: Rows


def section(study: Study, behaviour: Rows, continual: Rows, folder: Path) -> Section:
    """Gather the section; write its figures to ``folder``."""
    import matplotlib as mpl

    metric = {(one.dataset, one.task): one for one in tasks(study)}
    own = [row for row in behaviour if row["metric"] == metric[row["dataset"], row["task"]].metric]
    one_family = _one_family(study, own)
    with mpl.rc_context(STYLE):
        drawings = [
            _figure(one, read_out, condition, here, folder)
            for one in _first_task(study, own)
            for read_out in READ_OUTS
            for condition in CONDITIONS
            if (here := _shown(one_family, one, read_out, condition))
        ]
    last = {row["sequence"]: 0 for row in continual}
    for row in continual:
        last[row["sequence"]] = max(last[row["sequence"]], row["stage"])
    return Section(
        drawings,
        [row for row in own if row["condition"] in CONDITIONS],
        [row for row in own if row["condition"] == "site" or row["condition"].startswith("onto:")],
        [row for row in behaviour if row["metric"] in CALIBRATION and row["condition"] == "clean"],
        [row for row in continual if row["stage"] == last[row["sequence"]] and not row["task"]],
    )


def _first_task(study: Study, rows: Rows) -> list[TaskOf]:
    """The first of the study's tasks that was asked, if any."""
    there = {(row["dataset"], row["task"]) for row in rows}
    return [one for one in tasks(study) if (one.dataset, one.task) in there][:1]


def _one_family(study: Study, rows: Rows) -> Rows:
    """Rows of the first of the study's families that was asked, and of arms without a family."""
    each = (of_family(rows, family) for family in study.families)
    return next((own for own in each if any(row["depth"] for row in own)), rows)


def _shown(rows: Rows, of: TaskOf, read_out: str, condition: str) -> dict[str, Rows]:
    """Rows of every arm at its largest depth and last rung, clean first, then by severity; none without the condition.

    ``rows`` are of one family.
    """
    own = [
        row
        for row in rows
        if (row["dataset"], row["task"], row["read_out"]) == (of.dataset, of.task, read_out)
        and row["condition"] in ("clean", condition)
    ]
    if not any(row["condition"] == condition for row in own):
        return {}
    n = max(own, key=lambda row: row["n_train"])["n_labels"]
    found: dict[str, Rows] = {}
    for arm in dict.fromkeys(row["arm"] for row in own):
        mine = [row for row in own if row["arm"] == arm and row["n_labels"] == n]
        place = max((row["depth"], row["rung"]) for row in mine)
        there = [row for row in mine if (row["depth"], row["rung"]) == place]
        found[arm] = sorted(there, key=lambda row: row["severity"])
    return found


def _figure(of: TaskOf, read_out: str, condition: str, shown: Mapping[str, Rows], folder: Path) -> Drawing:
    name, amount = CONDITIONS[condition]
    rows = next(iter(shown.values()))
    metric = of.metric_words
    names = {named[1] for own in shown.values() if (named := READER_FAMILY.search(own[0]["reader_group"]))}
    network = f"{'/'.join(names)} network".strip()

    def paint(axes: "Axes") -> list[Label]:
        labels = []
        for shift, (arm, own) in zip(shifts(len(shown)), shown.items(), strict=True):
            places = [row["severity"] + 2 * (shift - 1) for row in own]
            labels.append(curve(axes, places, own, arm, read_out))
        ticks = ["clean" if row["severity"] == 0 else f"{row['amount']:g}" for row in rows]
        axes.set(xlabel=amount, ylabel=metric)
        axes.set_xticks([row["severity"] for row in rows], ticks)
        return labels

    worst = ", ".join(
        f"{style_of(arm).label} {own[0]['value']:.2f} clean and {own[-1]['value']:.2f} at the highest"
        for arm, own in shown.items()
    )
    return drawing(
        f"behaviour-{of.dataset}-{of.task}-{read_out}-{condition.removeprefix('corrupt:')}",
        f"{of.task}: {name}, {READ_OUTS[read_out]}",
        paint,
        f"{of.name}: {metric} with {name}, {READ_OUTS[read_out]}, n = {rows[0]['n_labels']}, the deepest {network} of "
        "each arm at its last rung.",
        f"{metric} by severity of {name}: {worst}.",
        folder,
    )
