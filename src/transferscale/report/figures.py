"""Figures of scores: drawn once, written as SVG (inline in the page) and PNG.

Figures are 4.6 inches wide, so that their text can be read on a phone; curves are labelled where they end.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from transferscale.report.arms import style_of
from transferscale.report.drawing import STYLE, Drawing, Label, drawing, log_x
from transferscale.report.tasks import READ_OUTS, TaskOf, shown_depth, tasks
from transferscale.scaling.curves import named, of_family, params_of
from transferscale.study.study import Study
from transferscale.study.transfer import BASELINES, START

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]
# Curves stand beside each other by this factor, so that their bars can be told apart.
BESIDE = 1.035
# Room on both sides of the only place on a logarithmic axis.
AROUND = 1.6


def draw(study: Study, checkpoints: Rows, scores: Rows, folder: Path) -> dict[str, list[Drawing]]:
    """Draw the scores of every task; write ``<name>.svg`` and ``<name>.png`` to ``folder``.

    Returns
    -------
    dict
        Drawings by section of the page: ``scale`` and ``labels``.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        scale, labels = [], []
        for one in tasks(study):
            every = [r for r in scores if (r["dataset"], r["task"]) == (one.dataset, one.task)]
            every = [r for r in every if r["metric"] == one.metric]
            for family in study.families:
                own, name = of_family(every, family), named(study, family)
                params = params_of(checkpoints, family)
                scale.append(_scale_figure(study, one, own, params, name, folder))
                labels += [
                    _labels_figure(study, one, shown, own, name, folder)
                    for shown in label_figures(study, one, own)
                ]
    return {"scale": scale, "labels": labels}


def _scale_figure(
    study: Study, of: TaskOf, scores: Rows, params: Mapping[int, int], family: str, folder: Path
) -> Drawing:
    n = str(study.transfer.labels[-1])
    last, metric = study.rung("last"), of.metric_words
    here = [r for r in scores if r["n_labels"] == n]
    curves = {
        (arm, read_out): sorted(
            (r for r in here if (r["arm"], r["read_out"]) == (arm, read_out) and r["rung"] in (0, last)),
            key=lambda r: r["depth"],
        )
        for arm, read_out in (("video", "ridge"), ("random", "ridge"), ("video", "full"), ("scratch", "full"))
    }

    def paint(axes: "Axes") -> list[Label]:
        low, high = min(params.values()) / 1.25, max(params.values()) * 1.25
        labels = _bands(axes, here, high)
        drawn = {name: rows for name, rows in curves.items() if rows}
        for shift, ((arm, read_out), rows) in zip(shifts(len(drawn)), drawn.items(), strict=True):
            x = [shift * params[r["depth"]] for r in rows]
            labels.append(curve(axes, x, rows, arm, read_out))
        axes.set(xscale="log", xlabel="parameters of the encoder, N", ylabel=metric)
        axes.set_xlim(low, high)
        log_x(axes)
        return labels

    caption = (
        f"{_of(family)}{of.name}: {metric} against scale with {_labelled(n)}, longest pretraining, frozen read-out"
        + (" (solid) and full fine-tuning (dashed)" if curves["video", "full"] else "")
        + "."
    )
    return drawing(
        f"scale-{of.dataset}-{of.task}" + (f"-{family}" if family else ""),
        f"{_of(family)}{of.task}: score and scale",
        paint,
        caption,
        _alt(metric, here, last),
        folder,
    )


def _of(family: str) -> str:
    """The family before a title, where the study has several."""
    return f"{family}, " if family else ""


@dataclass(frozen=True)
class Curves:
    """Label-count curves that stand in one figure: its name, what is said of it, read-out, depth and arms."""

    name: str
    words: str
    read_out: str
    depth: int
    arms: Sequence[str]


def label_figures(study: Study, of: TaskOf, scores: Rows) -> list[Curves]:
    """Figures of a task: a read-out each, its control corpora, and the baselines among themselves."""
    there = {(r["arm"], r["read_out"], r["depth"]) for r in scores}
    arms = list(dict.fromkeys(r["arm"] for r in scores))
    published = [arm for arm in arms if arm.startswith("hub:")]
    controls = [arm for arm in arms if arm.startswith("control:")]
    found = []
    for read_out, words in READ_OUTS.items():
        depths = sorted({depth for arm, own, depth in there if (arm, own) == ("video", read_out)})
        if not depths:
            continue
        depth = shown_depth(study, of) if shown_depth(study, of) in depths else depths[-1]
        start = START[read_out]
        main = (
            "connectivity",
            "raw:linear",
            "smooth",
            "raw:mlp",
            start,
            *published,
            "fmri",
            "video+fmri",
            "video",
        )
        found.append(Curves(read_out, f"{words}, depth {depth}", read_out, depth, main))
        held = sorted({d for arm, own, d in there if arm in controls and own == read_out})
        if held:
            depth = depth if depth in held else held[-1]
            shown = (*controls, start, "video")
            found.append(
                Curves(
                    f"{read_out}-controls", f"{words}, depth {depth}, control corpora", read_out, depth, shown
                )
            )
    baselines = [arm for arm in BASELINES if any(r["arm"] == arm for r in scores)]
    if len(baselines) > 2:
        found.append(Curves("baselines", "baselines", "ridge", 0, baselines))
    return found


def _labels_figure(
    study: Study, of: TaskOf, shown: Curves, scores: Rows, family: str, folder: Path
) -> Drawing:
    last, metric = study.rung("last"), of.metric_words
    rows_of = {
        arm: [
            r
            for r in scores
            if r["arm"] == arm
            and (arm in BASELINES or r["read_out"] == shown.read_out)
            and r["depth"] in (0, shown.depth)
            and r["rung"] in (0, last)
        ]
        for arm in shown.arms
    }

    def paint(axes: "Axes") -> list[Label]:
        labels = []
        drawn = {arm: sorted(rows, key=lambda r: r["n_train"]) for arm, rows in rows_of.items() if rows}
        for shift, (arm, rows) in zip(shifts(len(drawn)), drawn.items(), strict=True):
            x = [shift * r["n_train"] for r in rows]
            labels.append(curve(axes, x, rows, arm, shown.read_out))
        ticks = sorted({(r["n_train"], r["n_labels"]) for rows in rows_of.values() for r in rows})
        axes.set(xscale="log", xlabel="labelled subjects", ylabel=metric)
        axes.set_xticks([t for t, _ in ticks], count_labels(ticks))
        axes.set_xticks([], minor=True)
        return labels

    caption = f"{_of(family)}{of.name}: {metric} against the number of labelled subjects, {shown.words}" + (
        ", longest pretraining." if shown.depth else "."
    )
    rows = [r for rows in rows_of.values() for r in rows]
    return drawing(
        f"labels-{of.dataset}-{of.task}-{shown.name}" + (f"-{family}" if family else ""),
        f"{_of(family)}{of.task}: {shown.words.replace(f', depth {shown.depth}', '')}",
        paint,
        caption,
        _alt(metric, rows, last),
        folder,
    )


def count_labels(ticks: Sequence[tuple[float, str]]) -> list[str]:
    """Labels of ascending label counts; one that "all" would run into is left away."""
    width = math.log(ticks[-1][0] / ticks[0][0])
    words = []
    for count, n in ticks:
        near = n != "all" and any(m == "all" and math.log(t / count) < 0.08 * width for t, m in ticks)
        words.append("" if near else f"all\n({count:.0f})" if n == "all" else n)
    return words


def _labelled(n: str) -> str:
    return "all labelled subjects" if n == "all" else f"{n} labelled subjects"


def shifts(count: int) -> list[float]:
    """Factors that set ``count`` curves beside each other."""
    return [float(BESIDE ** (i - (count - 1) / 2)) for i in range(count)]


def curve(axes: "Axes", x: Sequence[float], rows: Rows, arm: str, read_out: str) -> Label:
    """A curve of scores with its intervals; returns its label."""
    style, values = style_of(arm), [r["value"] for r in rows]
    dashed = read_out != "ridge" and arm not in BASELINES
    error = [[r["value"] - r["low"] for r in rows], [r["high"] - r["value"] for r in rows]]
    axes.errorbar(
        x,
        values,
        yerr=np.maximum(error, 0),
        color=style.light,
        marker=style.marker,
        linestyle="--" if dashed else "-",
        linewidth=1.0 if arm in BASELINES else 1.8,
        elinewidth=0.8,
        capsize=2,
        alpha=0.95,
    )
    return (
        x[-1],
        values[-1],
        style.label + (f", {read_out}" if dashed and arm != "raw:mlp" else ""),
        style.light,
    )


def _bands(axes: "Axes", rows: Rows, right: float) -> list[Label]:
    """Baselines as horizontal bands; returns their labels."""
    labels = []
    for arm in BASELINES:
        for row in rows:
            if row["arm"] == arm:
                colour = style_of(arm).light
                axes.axhspan(row["low"], row["high"], color=colour, alpha=0.09, linewidth=0)
                axes.axhline(row["value"], color=colour, linewidth=1)
                labels.append((right, row["value"], style_of(arm).label, colour))
    return labels


def _alt(metric: str, rows: Rows, last: int) -> str:
    """Alternative text: the score of every arm at its largest depth and label count."""
    best: dict[str, Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda r: (r["n_train"], r["depth"])):
        if row["rung"] in (0, last):
            best[f"{style_of(row['arm']).label} {row['read_out']}"] = row
    parts = [
        f"{name} {row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
        for name, row in sorted(best.items())
    ]
    return f"{metric} at the largest scale and label count shown: " + "; ".join(parts) + "."
