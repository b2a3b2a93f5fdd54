"""A results folder as the other stages leave it, with planted effects, for the tests of the report."""

import ast
import re
import shlex
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
from transferscale.study.grid import Cell, Grid
from transferscale.study.load import load_study, read_yaml
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


def fill(study: Study, seed: int = 0) -> None:
    """Write every table that the report reads, up to the curves that laws are fitted to."""
    rng, folder = np.random.default_rng(seed), Path(study.folder)
    _checkpoints(study, folder, rng)
    write_table(folder / "predictions.parquet", "predictions", predictions(study, _quality, rng))
    scaling = folder / "scaling"
    run(study, folder / "predictions.parquet", scaling / "scores.parquet", scaling / "gains.parquet")
    table = folder / "tables" / "checkpoints.parquet"
    checkpoints(study, table)
    points = folder / "tables" / "curves.parquet"
    curves.run(study, table, scaling / "scores.parquet", points, folder / "tables" / "arms.parquet")
    _corpus(study, folder / "corpus" / study.corpus.name)
    for dataset in study.datasets:
        _medical(study, folder / "medical" / dataset.dataset, dataset.dataset)


def analyse(study: Study) -> None:
    """Fit, compare and plan as the workflow does: by the commands of its rules."""
    folder = Path(study.folder)
    tables, scaling = folder / "tables", folder / "scaling"
    write_json(folder / "study.json", study.spec())
    run_rule("scaling_fit", output=scaling / "laws.parquet", input=tables / "curves.parquet")
    run_rule("scaling_compare", output=scaling / "crossovers.parquet", input=tables / "arms.parquet")
    if study.plan is not None:
        run_rule(
            "scaling_plan",
            output=scaling / "plan.parquet",
            study=folder / "study.json",
            scores=scaling / "scores.parquet",
            checkpoints=tables / "checkpoints.parquet",
        )


def run_rule(rule: str, output: Path, **inputs: Path) -> None:
    """Run the command of a rule of ``scaling.smk`` on files; one input alone is called ``input``."""
    text = (ROOT / "workflow" / "rules" / "scaling.smk").read_text(encoding="utf-8")
    found = re.search(rf"^rule {rule}:.*?shell:\n(.*?)(?=\n\n|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    assert found is not None
    command = ast.literal_eval(f"({found[1].strip()})").split(" 2>&1 ")[0]
    for name, path in {"output": output, **inputs}.items():
        slot = name if name in ("input", "output") else f"input.{name}"
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


def _checkpoints(study: Study, folder: Path, rng: np.random.Generator) -> None:
    for reader in Grid(study).checkpoints():
        n = 12 * (32 * reader.depth) ** 2 * reader.depth
        clips = study.pretrain.budgets.at(reader.rung)
        loss = 0.35 + 2.2 * n**-0.16 + 4.0 * clips**-0.5
        loss *= float(np.exp(0.01 * rng.standard_normal()))
        numbers = {name: 0 for name, (kind, _) in TABLES["checkpoints"].columns.items() if kind == pa.int64()}
        facts = {
            **numbers,
            "corpus": reader.corpus,
            "control": "",
            "fraction": 1.0,
            "objective": reader.objective,
            "family": reader.family,
            "depth": reader.depth,
            "seed": reader.seed,
            "rung": reader.rung,
            "fold": -1,
            "params_encoder": n,
            "flops_formula": 6.0 * n * clips * 128,
            "flops_counted": 6.1 * n * clips * 128,
            "clips_seen": clips,
            "train_loss": loss,
            "heldout_loss": loss,
            "heldout_low": 0.97 * loss,
            "heldout_high": 1.03 * loss,
        }
        path = folder / reader.folder / "model.json"
        write_json(path, facts)
        write_provenance(path, Stopwatch(), train_s=2.0, clips_per_second=50.0, device="cpu", threads=1)


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
    write_table(folder / "recordings.parquet", "recordings", rows)
    bad = {"dataset": name, "subject": "sub-99", "path": "99.nii.gz", "status": "quarantined"}
    write_table(folder / "quarantine.parquet", "recordings", [{**bad, "reason": "truncated gzip stream"}])
    write_json(folder / dataset.view / "view.json", {"units": "SD within the run", "tr_s": [2.0]})
    tasks = {task: {"subjects": list(range(48)), "excluded": {"no label": 2}} for task in dataset.tasks}
    write_json(folder / "splits.json", {"dataset": name, "tasks": tasks, "hash": "ab" * 32})
