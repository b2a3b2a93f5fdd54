"""The curves of a study as tables that `scaling fit` and `scaling compare` read like anybody's.

A curve is a set of points of one outcome against one scale; its clusters are what is independent of the rest: a
checkpoint's trunk (its rungs share it), or a point by itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError
from transferscale.scaling.comparisons.compare import Comparison, compare
from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.fits.points import Points, read_points, where
from transferscale.scaling.fits.table import Request, fit_points
from transferscale.scaling.rungs.ladder import plain, trunk
from transferscale.study.study import Study
from transferscale.tables import read_table, write_table

Rows = Sequence[Mapping[str, Any]]
# A law without a floor and one with it are different claims.
LAWS = ("power", "power-floor")
# Arms have few points, which determine no floor.
ARM_LAW = "power"
# Family in the name of a group of readers, as in video.motion.mae.vit-d2.r3.
READER_FAMILY = re.compile(r"\.([a-z]+)-d\d+")


def run(study: Study, checkpoints: Path, scores: Path | None, laws: Path, arms: Path) -> None:
    """Write the study's curves: ``laws``, one family each, and ``arms``, several families side by side."""
    watch = Stopwatch()
    read = read_table(checkpoints, "checkpoints").to_pylist()
    scored = [] if scores is None else read_table(scores, "scores").to_pylist()
    alone, left_out = scale_curves(study, read, scored)
    beside, left = arm_curves(study, read, scored)
    write_table(laws, "curves", alone)
    write_table(arms, "curves", beside)
    write_provenance(laws, watch, left_out=left_out)
    write_provenance(arms, watch, left_out=left)


def scale_curves(study: Study, checkpoints: Rows, scores: Rows) -> tuple[list[dict[str, Any]], list[str]]:
    """Held-out loss and task error of the pretrained models against scale.

    Held-out loss on the ladder (no control corpora, fractions or folds) against parameters (last rung), compute (all
    checkpoints) and clips seen (each depth), each family by itself, by trunk; task error of the frozen
    read-out with all labels against parameters (last rung), a point a depth.

    Returns
    -------
    rows, left_out
        Rows of the `curves` table, and a sentence for points whose outcome has no logarithm.
    """
    last, labels = study.rung("last"), str(study.transfer.labels[-1])
    plain_rows = [row for row in checkpoints if plain(row)]
    points = []
    for row in plain_rows:
        family = row["family"]
        if row["rung"] == last:
            points.append(
                _loss(f"heldout_loss ~ params_encoder, {family}, rung {last}", row, "params_encoder")
            )
        points.append(_loss(f"heldout_loss ~ flops_formula, {family}, all checkpoints", row, "flops_formula"))
        points.append(_loss(f"heldout_loss ~ clips_seen, {family}, depth {row['depth']}", row, "clips_seen"))
    for family in study.families:
        params = params_of(plain_rows, family)
        for task in _tasks(study, scores, family):
            title = against_scale(task.name, task.metric, "ridge", labels, last, named(study, family))
            points += [
                task.point(title, row, "params_encoder", params[row["depth"]], f"depth {row['depth']}")
                for row in task.of("video", "ridge", last)
                if row["n_labels"] == labels
            ]
    return _positive(points)


def arm_curves(study: Study, checkpoints: Rows, scores: Rows) -> tuple[list[dict[str, Any]], list[str]]:
    """Task error of arms side by side: against parameters (frozen, all labels) and against labelled subjects.

    Points of different arms at the same depth or label count share test subjects and draws: they are pairs. Every
    family has curves of its own.
    """
    points = []
    for family in study.families:
        params = params_of([row for row in checkpoints if plain(row)], family)
        for task in _tasks(study, scores, family):
            points += _arms(study, task, params, named(study, family))
    return _positive(points)


def _arms(study: Study, task: "_Task", params: Mapping[int, int], family: str) -> list[dict[str, Any]]:
    """Points of one task and family."""
    last, labels = study.rung("last"), str(study.transfer.labels[-1])
    points = []
    for read_out, reference in (("ridge", "random"), ("full", "scratch")):
        title = against_scale(task.name, task.metric, read_out, labels, last, family)
        for arm in ("video", reference):
            points += [
                task.point(title, row, "params_encoder", params[row["depth"]], f"depth {row['depth']}")
                for row in task.of(arm, read_out, last)
                if row["n_labels"] == labels
            ]
        for depth in sorted({row["depth"] for row in task.of("video", read_out, last)}):
            title = against_labels(task.name, task.metric, read_out, depth, last, family)
            own = [row for arm in ("video", reference) for row in task.of(arm, read_out, last)]
            own = [row for row in own if row["depth"] == depth] + task.of("connectivity", "ridge", last)
            points += [
                task.point(title, row, "n_train", row["n_train"], f"n {row['n_labels']}") for row in own
            ]
    return points


def named(study: Study, family: str) -> str:
    """A family as curves name it: not at all where the study has one."""
    return family if len(study.families) > 1 else ""


def params_of(checkpoints: Rows, family: str) -> dict[int, int]:
    """Parameters of the encoder by depth."""
    return {row["depth"]: row["params_encoder"] for row in checkpoints if row["family"] == family}


def of_family(scores: Rows, family: str) -> list[Mapping[str, Any]]:
    """Scores of a family's readers, and of baselines, which have no family."""
    found = ((row, READER_FAMILY.search(row["reader_group"])) for row in scores)
    return [row for row, named in found if named is None or named[1] == family]


def against_scale(task: str, metric: str, read_out: str, labels: str, rung: int, family: str = "") -> str:
    """Name of the curve of a task's error against the parameters of the encoder."""
    curve = f"{task}: error ({metric}) ~ params_encoder, {read_out}, n = {labels}, rung {rung}"
    return f"{curve}, {family}" if family else curve


def against_labels(task: str, metric: str, read_out: str, depth: int, rung: int, family: str = "") -> str:
    """Name of the curve of a task's error against the labelled subjects."""
    curve = f"{task}: error ({metric}) ~ n_train, {read_out}, depth {depth}, rung {rung}"
    return f"{curve}, {family}" if family else curve


@dataclass(frozen=True)
class _Task:
    """Scores of a task under its metric, and the score of a guess."""

    name: str
    metric: str
    chance: float
    rows: Rows

    def of(self, arm: str, read_out: str, rung: int) -> list[Mapping[str, Any]]:
        """Scores of an arm: of one rung where it was pretrained."""
        own = (row for row in self.rows if (row["arm"], row["read_out"]) == (arm, read_out))
        return [row for row in own if row["rung"] in (0, rung)]

    def point(self, curve: str, row: Mapping[str, Any], name: str, x: float, pair: str) -> dict[str, Any]:
        """A score as the error (1 - score) / (1 - chance)."""
        return {
            "curve": curve,
            "family": row["arm"],
            "x_name": name,
            "x": float(x),
            "y_name": "error",
            "y": (1 - row["value"]) / (1 - self.chance),
            "cluster": f"{row['arm']}, {pair}",
            "pair": pair,
        }


def _tasks(study: Study, scores: Rows, family: str) -> list[_Task]:
    out, scores = [], of_family(scores, family)
    for dataset in study.datasets:
        for name, task in dataset.tasks.items():
            key = (dataset.dataset, name, task.metric)
            own = [row for row in scores if (row["dataset"], row["task"], row["metric"]) == key]
            chance = chance_level(task.metric, own)
            out.append(_Task(f"{dataset.dataset}/{name}", task.metric, chance, own))
    return out


def chance_level(metric: str, scores: Rows) -> float:
    """Score of a guess: 0.5 for auroc, 0 for r and r2, the dummy's score (or 0) for accuracies."""
    if metric == "auroc":
        return 0.5
    if metric in ("r", "r2"):
        return 0.0
    return next((float(row["value"]) for row in scores if row["arm"] == "dummy"), 0.0)


def _loss(curve: str, row: Mapping[str, Any], x: str) -> dict[str, Any]:
    return {
        "curve": curve,
        "family": row["family"],
        "x_name": x,
        "x": float(row[x]),
        "y_name": "heldout_loss",
        "y": row["heldout_loss"],
        "cluster": trunk(row),
        "pair": f"depth {row['depth']}, seed {row['seed']}, rung {row['rung']}",
    }


def _positive(points: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Points with an outcome above zero, curve by curve, and a sentence for those without."""
    left_out = []
    for curve in dict.fromkeys(point["curve"] for point in points):
        own = [point for point in points if point["curve"] == curve]
        bad = [point for point in own if point["y"] is None or point["y"] <= 0]
        if bad:
            left_out.append(
                f"{curve}: {len(bad)} of {len(own)} points, whose {bad[0]['y_name']} is not positive"
            )
    kept = [point for point in points if point["y"] is not None and point["y"] > 0]
    return sorted(kept, key=lambda point: point["curve"]), left_out


def fitted(curves: Path) -> tuple[list[Fit], list[str]]:
    """Every law of every curve, as `scaling fit` gives them in the workflow, under the names that the curve has.

    Returns
    -------
    fits, refused
        Fits in the order of the curves and, within one, of :data:`LAWS`; a sentence for each law that could
        not be fitted.

    Raises
    ------
    UserError
        If the table cannot be read.
    """
    names = _names(curves)
    points, refused = read_points(curves, ["x"], "y", group=["curve"], cluster="cluster")
    fits = []
    for own in points:
        x, y = names[own.group["curve"]]
        for law in LAWS:
            try:
                fits.append(fit_points(own, [x], y, Request(law, better="lower")))
            except UserError as error:
                refused.append(f"{where(curves, own.group)}, law '{law}': {error}")
    return fits, _without(curves, refused)


def compared(arms: Path) -> tuple[list[Comparison], list[str]]:
    """The families of every curve against each other, as `scaling compare` gives them in the workflow.

    Scale and outcome have the names of the curve.

    Returns
    -------
    comparisons, left_out
        A comparison a curve, and a sentence for each curve or family that could not be fitted.

    Raises
    ------
    UserError
        If the table cannot be read.
    """
    names = _names(arms)
    points, left_out = read_points(
        arms, ["x"], "y", group=["curve", "family"], cluster="cluster", pair="pair"
    )
    curves: dict[str, dict[str, Points]] = {}
    for one in points:
        curves.setdefault(one.group["curve"], {})[one.group["family"]] = one
    found = []
    for curve, families in curves.items():
        try:
            found.append(
                compare(families, ARM_LAW, better="lower", names=names[curve], group={"curve": curve})
            )
        except UserError as error:
            left_out.append(f"{where(arms, {'curve': curve})}: {error}")
            continue
        left_out += [f"{where(arms, {'curve': curve})}: {sentence}" for sentence in found[-1].left_out]
    return found, _without(arms, left_out)


def _names(curves: Path) -> dict[str, tuple[str, str]]:
    """Names of scale and outcome of every curve."""
    rows = read_table(curves, "curves").to_pylist()
    return {row["curve"]: (row["x_name"], row["y_name"]) for row in rows}


def _without(table: Path, sentences: Sequence[str]) -> list[str]:
    """Sentences on curves that begin with the curve's name, as all of them are of one table."""
    return [sentence.removeprefix(where(table, {"curve": ""})) for sentence in sentences]
