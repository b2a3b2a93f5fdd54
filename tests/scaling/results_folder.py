"""A results folder as the other stages leave it, with planted effects, for the tests of the report."""

import ast
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tests.scaling.planted_predictions import predictions
from transferscale.artefacts import Stopwatch, write_json, write_provenance
from transferscale.cli import app
from transferscale.scaling import curves
from transferscale.scaling.checkpoints import checkpoints
from transferscale.scaling.gains.study import run
from transferscale.study.behaviour import SEVERITIES
from transferscale.study.cells import Cell
from transferscale.study.grid import Grid
from transferscale.study.load import load_study, read_yaml
from transferscale.study.reader import Reader
from transferscale.study.study import Study
from transferscale.tables import TABLES, write_table

ROOT = Path(__file__).parents[2]
# Half of the demo's depths, for tests that fit every curve.
FEW_DEPTHS = {"depths": [1, 2, 3], "seeds": {1: 3, 2: 3, "default": 1}}


def demo(results: Path, few_depths: bool = False, **changes: Any) -> Study:
    """The embedded demo study with two label draws and its results in ``results``."""
    content = read_yaml(ROOT / "config" / "config.yaml")
    if few_depths:
        content["pretrain"] = {**content["pretrain"], "vit": FEW_DEPTHS}
    datasets = [str(ROOT / path) for path in content["datasets"]]
    transfer = {**content["transfer"], "draws": 2}
    made = {**content, "datasets": datasets, "results": str(results), "transfer": transfer, **changes}
    return load_study(made, "demo")


def pretraining_alone(results: Path, **changes: Any) -> Study:
    """A study of two families, six depths and five rungs, with a control and a fraction and no medical dataset."""
    content = read_yaml(ROOT / "config" / "config.yaml")
    for key in ("datasets", "transfer", "verdict", "behaviour", "plan", "known_answers", "question"):
        content.pop(key, None)
    ladder = {"depths": [1, 2, 3, 4, 5, 6], "seeds": {1: 3, 2: 3, "default": 1}}
    content |= {"study": "ladder", "results": str(results), "controls": ["static"]}
    content["pretrain"] = {
        "vit": ladder,
        "convnet": ladder,
        "budgets": {"first": 1000, "ratio": 2, "rungs": 5},
        "controls": {"depths": [3], "rungs": ["last"]},
        "fractions": [0.25],
        "fraction_runs": {"depths": [3], "rungs": ["last"]},
        **changes,
    }
    return load_study(content, "ladder")


def fill(study: Study, seed: int = 0) -> None:
    """Write every table that the report reads, up to the curves that laws are fitted to."""
    rng, folder = np.random.default_rng(seed), Path(study.folder)
    _checkpoints(study, folder, rng)
    scaling, tables = folder / "scaling", folder / "tables"
    if study.datasets:
        write_table(folder / "predictions.parquet", "predictions", predictions(study, _quality, rng))
        run(study, folder / "predictions.parquet", scaling / "scores.parquet", scaling / "gains.parquet")
    checkpoints(study, tables / "checkpoints.parquet")
    checkpoints(study, tables / "earlier.parquet", before_last=True)
    scores = scaling / "scores.parquet" if study.datasets else None
    curves.run(
        study, tables / "checkpoints.parquet", scores, tables / "curves.parquet", tables / "arms.parquet"
    )
    _corpus(study, folder / "corpus" / study.corpus.name)
    _behaviour(study, scaling)
    for dataset in study.datasets:
        _medical(study, folder / "medical" / dataset.dataset, dataset.dataset)


def _behaviour(study: Study, folder: Path) -> None:
    """The tables of section ``behaviour``: scores that fall by a tenth a severity."""
    asked, grid = study.behaviour, Grid(study)
    if asked is None:
        return
    conditions = [
        (f"corrupt:{name}", n + 1, a) for name in asked.corruptions for n, a in enumerate(SEVERITIES[name])
    ]
    conditions += [("attack", n + 1, radius) for n, radius in enumerate(asked.radii)]
    conditions += [("clean", 0, None), *([("site", 1, None)] if asked.sites else [])]
    rows = []
    for cell in grid.behaviour_cells():
        spec = grid.behaviour_spec(cell)
        for task, (condition, severity, amount) in product(spec["tasks"], conditions):
            kind, metric = spec["tasks"][task]["kind"], spec["tasks"][task]["metric"]
            for name in (metric, *(("brier", "ece") if kind == "classification" else ())):
                value = 0.9 - 0.1 * severity if name == metric else 0.2
                rows.append(
                    {
                        **blank("behaviour"),
                        **{"dataset": cell.dataset, "task": task, "kind": kind, "view": cell.view},
                        **{
                            "arm": cell.reader.arm_name,
                            "read_out": cell.read_out,
                            "depth": cell.reader.depth,
                        },
                        **{
                            "reader_group": cell.reader.group,
                            "rung": cell.reader.rung,
                            "n_labels": cell.n_labels,
                        },
                        **{"condition": condition, "severity": severity, "amount": amount, "metric": name},
                        **{"value": value, "low": value - 0.1, "high": value + 0.1, "clean": 0.9},
                        **{"drop": 0.1 * severity if severity else None, "drop_low": 0.0, "drop_high": 0.6},
                    }
                )
    write_table(folder / "behaviour.parquet", "behaviour", rows)
    write_table(
        folder / "continual.parquet",
        "continual",
        [
            {
                **blank("continual"),
                **{"sequence": cell.sequence, "tasks": " > ".join(asked.continual[cell.sequence - 1])},
                **{"arm": cell.reader.arm_name, "read_out": cell.read_out, "depth": cell.reader.depth},
                **{"reader_group": cell.reader.group, "n_labels": cell.n_labels, "stage": stage},
                **{"quantity": quantity, "metric": "above_chance", "value": 0.5, "low": 0.3, "high": 0.7},
            }
            for cell in grid.continual_cells()
            for stage in (1, 2)
            for quantity in ("average", "backward_transfer", "forgetting")
        ],
    )


def blank(name: str) -> dict[str, Any]:
    """A row of a table with nothing in it."""
    kinds = {column: kind for column, (kind, _) in TABLES[name].columns.items()}
    return {
        column: "" if kind == pa.string() else 0 if kind == pa.int64() else 0.0
        for column, kind in kinds.items()
    }


def analyse(study: Study) -> None:
    """Fit, compare and plan as the workflow does: by the commands of its rules."""
    folder = Path(study.folder)
    tables, scaling = folder / "tables", folder / "scaling"
    write_json(folder / "study.json", study.spec())
    run_rule("scaling_fit", {"output": scaling / "laws.parquet"}, input=tables / "curves.parquet")
    run_rule("scaling_compare", {"output": scaling / "crossovers.parquet"}, input=tables / "arms.parquet")
    run_rule("scaling_ladder", {"output": tables / "ladder.parquet"}, input=tables / "checkpoints.parquet")
    run_rule("scaling_surface", {"output": scaling / "surface.parquet"}, input=tables / "ladder.parquet")
    run_rule(
        "scaling_isoflop",
        {
            "output.minima": scaling / "isoflop.parquet",
            "output.laws": scaling / "frontier.parquet",
            "output.crossovers": scaling / "frontiers.parquet",
        },
        input=tables / "ladder.parquet",
    )
    run_rule(
        "scaling_predict",
        {"output": scaling / "prediction.parquet"},
        study=folder / "study.json",
        checkpoints=tables / "earlier.parquet",
    )
    run_rule(
        "scaling_hindsight",
        {"output": scaling / "hindsight.parquet"},
        prediction=scaling / "prediction.parquet",
        checkpoints=tables / "checkpoints.parquet",
    )
    if study.plan is not None:
        run_rule(
            "scaling_plan",
            {"output": scaling / "plan.parquet"},
            study=folder / "study.json",
            scores=scaling / "scores.parquet",
            checkpoints=tables / "checkpoints.parquet",
        )


def run_rule(rule: str, outputs: Mapping[str, Path], **inputs: Path) -> None:
    """Run the command of a rule of ``scaling.smk`` on files; one input alone is called ``input``."""
    text = (ROOT / "workflow" / "rules" / "scaling.smk").read_text(encoding="utf-8")
    found = re.search(rf"^rule {rule}:.*?shell:\n(.*?)(?=\n\n|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    assert found is not None
    command = ast.literal_eval(f"({found[1].strip()})").split(" 2>&1 ")[0]
    slots = {name if name == "input" else f"input.{name}": path for name, path in inputs.items()}
    for slot, path in {**outputs, **slots}.items():
        command = command.replace(f"{{{slot}:q}}", shlex.quote(str(path)))
    program, *arguments = shlex.split(command)
    assert program == "transferscale"
    app(arguments, standalone_mode=False)


def _quality(cell: Cell, task: str) -> float:
    if task == "null":
        return 0.0
    level = {"8": 0.3, "16": 0.55, "all": 0.8}[cell.n_labels]
    arm = {"video": 0.9, "random": 0.85, "scratch": 0.95, "connectivity": 1.25, "raw:linear": 1.1}
    return level * (arm.get(cell.reader.arm, 0.0) + 0.03 * cell.reader.depth)


# Loss of a family: L = E + A / N^alpha + B / D^beta, and what it costs a parameter and clip.
SURFACES = {
    "vit": {"E": 0.35, "A": 60.0, "alpha": 0.4, "B": 12.0, "beta": 0.45, "cost": 600.0},
    "convnet": {"E": 0.40, "A": 50.0, "alpha": 0.4, "B": 12.0, "beta": 0.45, "cost": 500.0},
}


def parameters(depth: int) -> int:
    """Parameters of the encoder at a depth."""
    return 50_000 + 12 * (32 * depth) ** 2 * depth


def planted_loss(study: Study, family: str, depth: int, clips: int) -> float:
    """Held-out loss without noise; studies with datasets keep the losses that their golden numbers are of."""
    if study.datasets:
        return 0.35 + 2.2 * (12 * (32 * depth) ** 2 * depth) ** -0.16 + 4.0 * clips**-0.5
    law = SURFACES[family]
    return law["E"] + law["A"] * parameters(depth) ** -law["alpha"] + law["B"] * clips ** -law["beta"]


def _checkpoints(study: Study, folder: Path, rng: np.random.Generator) -> None:
    """A model.json for every checkpoint, and the tables of what they cost and how they were trained."""
    ledger, training = [], []
    luck: dict[str, float] = {}
    for reader in Grid(study).checkpoints():
        n = parameters(reader.depth) if not study.datasets else 12 * (32 * reader.depth) ** 2 * reader.depth
        clips = study.pretrain.budgets.at(reader.rung)
        loss = planted_loss(study, reader.family, reader.depth, clips)
        if study.datasets:
            loss *= float(np.exp(0.01 * rng.standard_normal()))
        else:
            trunk = replace(reader, rung=0).reader_id
            luck.setdefault(trunk, 0.006 * float(rng.standard_normal()))
            loss *= float(np.exp(luck[trunk] + 0.002 * rng.standard_normal()))
        loss *= 1.5 if reader.control else 1.1 if reader.fraction < 1 else 1.0
        cost = 6.0 * 128 if study.datasets else SURFACES[reader.family]["cost"]
        facts = {
            **blank("checkpoints"),
            "reader_id": reader.reader_id,
            "path": reader.folder,
            "corpus": reader.corpus,
            "control": reader.control,
            "fraction": reader.fraction,
            "objective": reader.objective,
            "family": reader.family,
            "depth": reader.depth,
            "seed": reader.seed,
            "rung": reader.rung,
            "fold": reader.fold,
            "params_total": 2 * n,
            "params_encoder": n,
            "flops_formula": cost * n * clips,
            "flops_counted": 1.002 * cost * n * clips,
            "clips_seen": clips,
            "clips_unique": min(clips, 900 if study.datasets else 6000),
            "train_loss": loss,
            "heldout_loss": loss,
            "heldout_low": 0.97 * loss,
            "heldout_high": 1.03 * loss,
            "effective_rank": 20.0,
            "feature_spread": 0.4,
            "precision": "fp32",
        }
        path = folder / reader.folder / "model.json"
        write_json(path, facts)
        write_provenance(path, Stopwatch(), train_s=2.0, clips_per_second=50.0, device="cpu", threads=1)
        ledger.append({**facts, "wall_s": 2.5, "attempts": 1, "device": "cpu", "energy_source": "assumed"})
        training += _course(study, reader, facts)
    ledger[0]["flags"] = "loss-spike x2 from step 3"
    write_table(folder / "tables" / "ledger.parquet", "ledger", ledger)
    write_table(folder / "tables" / "training.parquet", "training", training)


def _course(study: Study, reader: Reader, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps of a rung: the trunk to four fifths of its budget, then the decay."""
    clips = facts["clips_seen"]
    own = {name: facts[name] for name in facts if name in TABLES["training"].columns}
    start = study.pretrain.budgets.at(reader.rung - 1) * 0.8 if reader.rung > 1 else 32
    rows = []
    for seen in [*np.geomspace(start + 32, 0.8 * clips, 6), clips]:
        loss = 1.1 * planted_loss(study, reader.family, reader.depth, int(seen))
        phase = "decay" if seen == clips else "trunk"
        at = {"step": int(seen) // 32, "clips_seen": int(seen), "phase": phase, "loss": loss}
        rows.append({**own, **at, "trunk": replace(reader, rung=0).reader_id})
    return rows


def _corpus(study: Study, folder: Path) -> None:
    from PIL import Image

    videos = [{"video_id": f"{i:016x}", "status": "ok", "licence": "CC0", "reason": ""} for i in range(6)]
    videos.append({"video_id": "f" * 16, "status": "quarantined", "reason": "no frame <decodes>"})
    clips = [
        {
            "clip_id": f"c{i}",
            "video_id": f"{i % 6:016x}",
            "split": "heldout" if i % 6 == 5 else "train",
            "dropped": False,
        }
        for i in range(12)
    ]
    clips.append({"clip_id": "short", "split": "train", "dropped": True, "reason": "too short"})
    write_table(folder / "manifest.parquet", "manifest", videos)
    write_table(folder / "clips.parquet", "clips", clips)
    write_json(
        folder / "statistics.json",
        {"spectrum_slope": -3.31, "gradient_kurtosis": 24.2, "frame_difference": 0.18},
    )
    noise = np.random.default_rng(0).integers(0, 255, (64, 192), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "contact.png")


def _medical(study: Study, folder: Path, name: str) -> None:
    dataset = study.dataset(name)
    rows = [
        {"dataset": name, "subject": f"sub-{i:02d}", "path": f"{i}.nii.gz", "status": "ok", "reason": ""}
        for i in range(48)
    ]
    write_table(folder / dataset.view.kind / "recordings.parquet", "recordings", rows)
    bad = {"dataset": name, "subject": "sub-99", "path": "99.nii.gz", "status": "quarantined"}
    removed = {**bad, "subject": "sub-98", "status": "excluded", "reason": "include: age >= 18"}
    unused = [{**bad, "reason": "truncated gzip stream"}, removed]
    write_table(folder / "quarantine.parquet", "recordings", unused)
    late = {**bad, "subject": "sub-97", "reason": "cannot be read to its end"}
    write_table(folder / dataset.view.kind / "quarantine.parquet", "recordings", [late])
    write_json(
        folder / f"{dataset.view.kind}.audit.json",
        {"recordings": 24, "series_pairs": 276, "series_most_alike": 0.1, "connectivity_pairs": 0},
    )
    write_json(folder / dataset.view.kind / "view.json", {"units": "SD within the run", "tr_s": [2.0]})
    tasks = {task: {"subjects": list(range(48)), "excluded": {"no label": 2}} for task in dataset.tasks}
    write_json(folder / "splits.json", {"dataset": name, "tasks": tasks, "hash": "ab" * 32})
