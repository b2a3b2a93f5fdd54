"""The checkpoints of a study as a table, and the study's laws: held-out loss and task error against scale."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.artefacts import Stopwatch, read_json, write_provenance
from transferscale.errors import UserError
from transferscale.scaling.fit import OBJECTIVE, Fit, fit
from transferscale.scaling.laws import LAWS
from transferscale.study.grid import Grid, Reader
from transferscale.study.study import Study
from transferscale.tables import TABLES, read_table, write_table

Rows = Sequence[Mapping[str, Any]]


def checkpoints(study: Study, out: Path) -> None:
    """Write the `checkpoints` table from the model.json of every checkpoint of the study.

    Raises
    ------
    UserError
        If a model.json is missing or lacks a column of the table.
    """
    watch = Stopwatch()
    rows = []
    for reader in Grid(study).checkpoints():
        path = Path(study.folder) / reader.folder / "model.json"
        facts = read_json(path)
        row = {"reader_id": reader.reader_id, "path": reader.folder}
        for column in TABLES["checkpoints"].columns:
            if column not in row:
                if column not in facts:
                    raise UserError(f"{path}: key '{column}' is missing; pretrain this checkpoint again")
                row[column] = facts[column]
        rows.append(row)
    write_table(out, "checkpoints", rows)
    write_provenance(out, watch, checkpoints=len(rows))


def run_laws(study: Study, checkpoints: Path, scores: Path, out: Path) -> None:
    """Write the `laws` table: every law of :func:`study_fits`, one row a parameter."""
    watch = Stopwatch()
    fits, left_out = study_fits(
        study,
        read_table(checkpoints, "checkpoints").to_pylist(),
        read_table(scores, "scores").to_pylist(),
    )
    rows = [
        {
            "group": found.group["fit"],
            "law": found.law,
            "x": found.x,
            "y": found.y,
            "parameter": parameter,
            "value": value,
            "low": _end(found, parameter, 0),
            "high": _end(found, parameter, 1),
            "identified": found.identified[parameter],
            "n": found.n,
            "objective": OBJECTIVE,
            "rmsle_fit": found.rmsle_fit,
            "rmsle_holdout": found.rmsle_holdout,
            "baseline_rmsle": found.baselines.get("best_small"),
            "preregistered": False,
            "warnings": found.warnings,
        }
        for found in fits
        for parameter, value in found.params.items()
    ]
    write_table(out, "laws", rows)
    write_provenance(out, watch, fits=[found.as_json() for found in fits], left_out=left_out)


def _end(found: Fit, parameter: str, end: int) -> float | None:
    interval = found.intervals[parameter]
    return None if interval is None else interval[end]


def study_fits(study: Study, checkpoints: Rows, scores: Rows) -> tuple[list[Fit], list[str]]:
    """Fit every law to every curve of a study; the largest scale is also held out.

    Held-out loss is fitted against parameters (last rung), compute (all checkpoints) and clips seen (each
    depth), clustered by trunk; task error of the frozen read-out with all labels against parameters (last
    rung), a point a depth.

    Returns
    -------
    fits, left_out
        The fits, whose ``group`` holds ``fit`` (its title); and sentences for curves that could not be
        fitted.
    """
    last = study.rung("last")
    final = [row for row in checkpoints if row["rung"] == last]
    curves: list[tuple[str, Rows, str, str]] = [
        (f"heldout_loss ~ params_encoder, rung {last}", final, "params_encoder", "heldout_loss"),
        ("heldout_loss ~ flops_formula, all checkpoints", checkpoints, "flops_formula", "heldout_loss"),
    ]
    for depth in sorted({row["depth"] for row in checkpoints}):
        own = [row for row in checkpoints if row["depth"] == depth]
        curves.append((f"heldout_loss ~ clips_seen, depth {depth}", own, "clips_seen", "heldout_loss"))
    curves += error_curves(study, checkpoints, scores)
    fits, left_out = [], []
    for title, rows, x, y in curves:
        perfect = [row for row in rows if row[y] is None or row[y] <= 0]
        kept = [row for row in rows if row[y] is not None and row[y] > 0]
        if perfect:
            left_out.append(f"{title}: {len(perfect)} of {len(rows)} points, whose {y} is not positive")
        scales = len({row[x] for row in kept})
        for law in LAWS.values():
            if scales < len(law.parameters):
                left_out.append(f"{title}: {law.name}, which needs {len(law.parameters)} scales ({scales})")
                continue
            fits.append(
                fit(
                    np.array([row[x] for row in kept], dtype=np.float64),
                    np.array([row[y] for row in kept], dtype=np.float64),
                    law.name,
                    cluster=[trunk(row) for row in kept],
                    holdout_top=1,
                    names=(x, y),
                    group={"fit": title},
                )
            )
    return fits, left_out


def trunk(row: Mapping[str, Any]) -> str:
    """What is independent of the rest: a checkpoint's trunk (its rungs share it), or a point by itself."""
    if "seed" not in row:
        return str(row["reader_group"])
    return (
        f"{row['corpus']}/{row['control']}/{row['objective']}/{row['family']}-d{row['depth']}-s{row['seed']}"
    )


def error_curves(study: Study, checkpoints: Rows, scores: Rows) -> list[tuple[str, Rows, str, str]]:
    """Task error against parameters: (1 - score) / (1 - chance) of the frozen read-out, a point a depth.

    Chance is 0.5 for auroc, 0 for r and r2, and the dummy's score for accuracies (0 where no dummy was run:
    the error is then not scaled).
    """
    params = {Reader.parse(row["reader_id"]).group: row["params_encoder"] for row in checkpoints}
    last, labels = study.rung("last"), str(study.transfer.labels[-1])
    curves: list[tuple[str, Rows, str, str]] = []
    for dataset in study.datasets:
        for name, task in dataset.tasks.items():
            own = [
                row
                for row in scores
                if (row["dataset"], row["task"], row["metric"], row["read_out"], row["n_labels"])
                == (dataset.dataset, name, task.metric, "ridge", labels)
            ]
            chance = chance_level(task.metric, own)
            points = [
                {
                    "reader_group": row["reader_group"],
                    "params_encoder": params[row["reader_group"]],
                    "error": (1 - row["value"]) / (1 - chance),
                }
                for row in own
                if row["arm"] == "video" and row["rung"] == last
            ]
            title = f"{dataset.dataset}/{name}: error ({task.metric}) ~ params_encoder, "
            title += f"ridge, n = {labels}, rung {last}"
            curves.append((title, points, "params_encoder", "error"))
    return curves


def chance_level(metric: str, scores: Rows) -> float:
    """Score of a guess."""
    if metric == "auroc":
        return 0.5
    if metric in ("r", "r2"):
        return 0.0
    return next((float(row["value"]) for row in scores if row["arm"] == "dummy"), 0.0)
