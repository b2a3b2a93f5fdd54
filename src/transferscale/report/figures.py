"""Figures of the page: drawn once, written as SVG (inline in the page) and PNG.

Figures are 4.6 inches wide, so that their text can be read on a phone; curves are labelled where they end.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from transferscale.report.arms import ARMS, INK, METRICS, MUTED
from transferscale.report.drawing import STYLE, Drawing, Label, drawing, log_x, plain_ticks
from transferscale.scaling.fit import Fit
from transferscale.study.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]
BASELINES = ("connectivity", "raw:linear", "drift", "dummy")
# Laws and their parameters in words; the parameters in the order in which a reader asks for them.
LAW_WORDS = {"power": "Power law", "power-floor": "Power law above a floor"}
PARAMETERS = {"c": "exponent", "b": "factor", "e": "floor"}
# Sideways shift of a curve, by arm and whether it was fine-tuned.
DODGE = {
    ("video", False): 1.0,
    ("random", False): 1.04,
    ("video", True): 0.96,
    ("scratch", True): 1.08,
    ("connectivity", False): 0.97,
    ("raw:linear", False): 0.94,
}


def draw(
    study: Study, checkpoints: Rows, scores: Rows, fits: Sequence[Fit], folder: Path
) -> dict[str, list[Drawing]]:
    """Draw every figure; write ``<name>.svg`` and ``<name>.png`` to ``folder``.

    Returns
    -------
    dict
        Drawings by section of the page: ``laws``, ``scale`` and ``labels``.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        laws = [
            _loss_figure(study, checkpoints, fits, folder, *what)
            for what in (
                ("loss-parameters", "params_encoder", "parameters of the encoder, N"),
                ("loss-compute", "flops_formula", "training FLOPs, C"),
                ("loss-clips", "clips_seen", "clips seen"),
            )
        ]
        scale, labels = [], []
        for dataset in study.datasets:
            for task in dataset.tasks:
                own = [r for r in scores if (r["dataset"], r["task"]) == (dataset.dataset, task)]
                own = [r for r in own if r["metric"] == study.task(dataset.dataset, task).metric]
                scale.append(_scale_figure(study, dataset.dataset, task, own, checkpoints, folder))
                for read_out in ("ridge", "full"):
                    if any(r["read_out"] == read_out and r["arm"] == "video" for r in own):
                        labels.append(_labels_figure(study, dataset.dataset, task, read_out, own, folder))
    return {"laws": laws, "scale": scale, "labels": labels}


# -- held-out loss
# -----------------------------------------------------------------------------------------------


def _loss_figure(
    study: Study, checkpoints: Rows, fits: Sequence[Fit], folder: Path, name: str, x: str, x_label: str
) -> Drawing:
    last = study.rung("last")
    rows = [r for r in checkpoints if x != "params_encoder" or r["rung"] == last]
    own = [f for f in fits if _is_loss(f, x) and f.law == "power"]
    colour = ARMS["video"].light

    def paint(axes: "Axes") -> list[Label]:
        labels: list[Label] = []
        for found in own:
            grid = np.geomspace(*_range(rows, x, found), 60)
            middle, low, high = found.curve(grid)
            axes.plot(grid, middle, color=INK[0], linewidth=1, linestyle=(0, (4, 2)))
            if low is not None and high is not None:
                axes.fill_between(grid, low, high, color=MUTED[0], alpha=0.18, linewidth=0)
        for depth in sorted({r["depth"] for r in rows}):
            mine = sorted((r for r in rows if r["depth"] == depth), key=lambda r: (r["seed"], r[x]))
            for seed in sorted({r["seed"] for r in mine}):
                points = [r for r in mine if r["seed"] == seed]
                axes.plot(
                    [r[x] for r in points],
                    [r["heldout_loss"] for r in points],
                    color=colour,
                    alpha=0.45,
                    linewidth=0.8,
                )
            axes.plot([r[x] for r in mine], [r["heldout_loss"] for r in mine], "o", color=colour)
            end = max(mine, key=lambda r: (r[x], -r["heldout_loss"]))
            if x == "clips_seen":
                labels.append((end[x], end["heldout_loss"], f"depth {depth}", colour))
            else:
                axes.annotate(
                    f"d{depth}",
                    (end[x], end["heldout_loss"]),
                    # Below and left, where a falling curve leaves room.
                    (-3, -10),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7.5,
                    color=MUTED[0],
                )
        axes.set(yscale="log", xlabel=x_label, ylabel="held-out loss")
        axes.margins(y=0.1)
        log_x(axes)
        plain_ticks(axes)
        if x == "clips_seen":
            budgets = sorted({r[x] for r in rows})
            axes.set_xticks(budgets, [str(b) for b in budgets])
            axes.set_xticks([], minor=True)
        return labels

    what = {
        "params_encoder": f"longest pretraining ({study.pretrain.budgets.at(last)} clips)",
        "flops_formula": "all checkpoints",
        "clips_seen": "every trunk",
    }[x]
    caption = f"Held-out loss against {x_label}, {what}. "
    if x == "clips_seen":
        caption += "Dashed: a power law a depth, with its 95 % band where there are trunks enough for one."
    else:
        caption += "d1, d2, ...: depth of the encoder. Dashed: power law with its 95 % band. "
        caption += " ".join(law_words(f) for f in fits if _is_loss(f, x))
    caption = caption.strip()
    ends = sorted(rows, key=lambda r: r[x])
    alt = (
        f"Held-out loss against {x_label}: {ends[0]['heldout_loss']:.3f} at {ends[0][x]:.3g}, "
        f"{ends[-1]['heldout_loss']:.3f} at {ends[-1][x]:.3g}."
    )
    return drawing(name, f"Held-out loss and {x_label.split(',')[0]}", paint, caption, alt, folder)


def _is_loss(found: Fit, x: str) -> bool:
    """Whether a fit is one of held-out loss against that scale."""
    return found.group["curve"].startswith(f"heldout_loss ~ {x},")


def _range(rows: Rows, x: str, found: Fit) -> tuple[float, float]:
    depth = re.search(r"depth (\d+)$", found.group["curve"])
    own = [r[x] for r in rows if depth is None or r["depth"] == int(depth[1])]
    return min(own), max(own)


def law_words(found: Fit) -> str:
    """A fitted law in a sentence: what the data pin down with its interval, and by name what they do not."""
    told = []
    for name, word in PARAMETERS.items():
        if found.identified.get(name):
            interval = found.intervals[name]
            bounds = f" ({interval[0]:.3g} to {interval[1]:.3g})" if interval else ""
            told.append(f"{word} {found.params[name]:.3g}{bounds}")
    doubt = [word for name, word in PARAMETERS.items() if not found.identified.get(name, True)]
    if doubt:
        several = " and ".join(filter(None, [", ".join(doubt[:-1]), doubt[-1]]))
        told.append(f"the data do not pin down its {several}")
    return f"{LAW_WORDS.get(found.law, found.law)}: {'; '.join(told)}."


# -- scores
# ------------------------------------------------------------------------------------------------------


def _scale_figure(
    study: Study, dataset: str, task: str, scores: Rows, checkpoints: Rows, folder: Path
) -> Drawing:
    n = str(study.transfer.labels[-1])
    params = {r["depth"]: r["params_encoder"] for r in checkpoints}
    last, metric = study.rung("last"), METRICS[study.task(dataset, task).metric]
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
        for (arm, read_out), rows in curves.items():
            if rows:
                labels.append(_curve(axes, [params[r["depth"]] for r in rows], rows, arm, read_out))
        axes.set(xscale="log", xlabel="parameters of the encoder, N", ylabel=metric)
        axes.set_xlim(low, high)
        log_x(axes)
        return labels

    caption = (
        f"{dataset}/{task}: {metric} against scale with {_labelled(n)}, longest pretraining, frozen read-out"
        + (" (solid) and full fine-tuning (dashed)" if curves["video", "full"] else "")
        + "."
    )
    return drawing(
        f"scale-{dataset}-{task}",
        f"{task}: score and scale",
        paint,
        caption,
        _alt(metric, here, last),
        folder,
    )


def _labels_figure(
    study: Study, dataset: str, task: str, read_out: str, scores: Rows, folder: Path
) -> Drawing:
    depth, last = shown_depth(study, dataset, task, read_out), study.rung("last")
    metric = METRICS[study.task(dataset, task).metric]
    reference = "random" if read_out == "ridge" else "scratch"
    rows_of = {
        arm: [
            r
            for r in scores
            if r["arm"] == arm
            and (arm in BASELINES or (r["read_out"], r["depth"]) == (read_out, depth))
            and r["rung"] in (0, last)
        ]
        for arm in (*BASELINES, reference, "video")
    }

    def paint(axes: "Axes") -> list[Label]:
        labels = []
        for arm, rows in rows_of.items():
            if rows:
                rows = sorted(rows, key=lambda r: r["n_train"])
                labels.append(_curve(axes, [r["n_train"] for r in rows], rows, arm, read_out))
        ticks = sorted({(r["n_train"], r["n_labels"]) for rows in rows_of.values() for r in rows})
        axes.set(xscale="log", xlabel="labelled subjects", ylabel=metric)
        axes.set_xticks([t for t, _ in ticks], count_labels(ticks))
        axes.set_xticks([], minor=True)
        return labels

    way = "frozen read-out" if read_out == "ridge" else "full fine-tuning"
    caption = (
        f"{dataset}/{task}: {metric} against the number of labelled subjects, {way}, depth {depth}, "
        "longest pretraining."
    )
    rows = [r for rows in rows_of.values() for r in rows]
    return drawing(
        f"labels-{dataset}-{task}-{read_out}",
        f"{task}: {way}",
        paint,
        caption,
        _alt(metric, rows, last),
        folder,
    )


def shown_depth(study: Study, dataset: str, task: str, read_out: str) -> int:
    """Depth of the label-count curves: the claim's, else the largest that is run."""
    for claim in study.verdict:
        if (study.claim_dataset(claim), claim.task) == (dataset, task):
            return claim.depth
    full = study.transfer.read_outs.full
    return max(study.pretrain.vit.depths if full is None else full.depths)


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


def _curve(axes: "Axes", x: Iterable[float], rows: Rows, arm: str, read_out: str) -> Label:
    """A curve of scores with its intervals; returns its label."""
    style, values = ARMS[arm], [r["value"] for r in rows]
    dashed = read_out == "full" and arm not in BASELINES
    error = [[r["value"] - r["low"] for r in rows], [r["high"] - r["value"] for r in rows]]
    # Curves stand beside each other by a few per cent, so that their bars can be told apart.
    places = [DODGE.get((arm, dashed), 1.0) * value for value in x]
    axes.errorbar(
        places,
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
    return places[-1], values[-1], style.label + (", full" if dashed else ""), style.light


def _bands(axes: "Axes", rows: Rows, right: float) -> list[Label]:
    """Baselines as horizontal bands; returns their labels."""
    labels = []
    for arm in BASELINES:
        for row in rows:
            if row["arm"] == arm:
                colour = ARMS[arm].light
                axes.axhspan(row["low"], row["high"], color=colour, alpha=0.09, linewidth=0)
                axes.axhline(row["value"], color=colour, linewidth=1)
                labels.append((right, row["value"], ARMS[arm].label, colour))
    return labels


def _alt(metric: str, rows: Rows, last: int) -> str:
    """Alternative text: the score of every arm at its largest depth and label count."""
    best: dict[str, Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda r: (r["n_train"], r["depth"])):
        if row["rung"] in (0, last):
            best[f"{ARMS[row['arm']].label} {row['read_out']}"] = row
    parts = [
        f"{name} {row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
        for name, row in sorted(best.items())
    ]
    return f"{metric} at the largest scale and label count shown: " + "; ".join(parts) + "."
