"""What is fixed below 16 labelled people, chosen from simulated data by one rule for every arm.

    python -m benchmarks.fixed_choices [--checkpoint FOLDER ...] [--trained] [--out docs/benchmarks/fixed-choices.md]

Below 16 labelled people an inner choice is mostly noise, so layer, penalty, learning rate and steps are fixed in
advance. They are chosen here, on people who are simulated: the demo's classes and trait, and the states and the mixture
of four amplitudes of `config/datasets/difficulty.yaml`. A setting's figure is the score above chance,
(score - chance) / (1 - chance), averaged over tasks, label counts and arms. Of the settings whose figure lies within
0.01 of the highest, the choice is the one with the lowest layer and the largest penalty. Every reader is read with the
same setting: arms with a network at the same layer, baselines at their only one.

Frozen: random networks of depth 2 and 4, checkpoints where folders are given, `raw:linear` and `connectivity`; 4 and 8
labels, five draws, four folds. Trained (`--trained`): a random network of depth 2 (and the first checkpoint), the
classes and the states, 8 labels, one draw, four folds; every read-out at every rate, number of steps and penalty of the
head. Last the perceptron of arm `raw:mlp` in read-out `full`, at several widths.
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.machine import heading, publish

from transferscale.medical.index import index
from transferscale.medical.reading import Splits, View
from transferscale.medical.simulate import write_dataset
from transferscale.medical.split import split
from transferscale.medical.view import build as build_view
from transferscale.models.build import build
from transferscale.models.checkpoint import load_encoder
from transferscale.scaling import metrics
from transferscale.study.grid import Grid
from transferscale.study.load import load_study, read_yaml
from transferscale.study.reader import Reader
from transferscale.study.study import Study
from transferscale.transfer import baselines
from transferscale.transfer.features import layer_grams
from transferscale.transfer.grams import Grams, read_grams, view_hash
from transferscale.transfer.perceptron import Perceptron
from transferscale.transfer.predictions import decide
from transferscale.transfer.readout import FIXED_LAYER, Problem, fit_problems, targets
from transferscale.transfer.task import Cell, Task, cells, load_task
from transferscale.transfer.trained.network import Network
from transferscale.transfer.tuner import Tuner

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
LABELS, DRAWS, FOLDS, CLOSE = (4, 8), 5, 4, 0.01
RATES, STEPS, READ_OUTS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2), (10, 40), ("attentive", "fpt", "lora", "full")
HEAD_PENALTIES, WIDTHS = (0.1, 1.0), (128, 256, 512, 1024)
CHANCE = {"auroc": 0.5, "accuracy": 0.0, "r": 0.0}


class Simulated:
    """A simulated dataset, laid out and split: its view, splits, recordings table and tasks."""

    def __init__(self, study: Study, name: str, folder: Path) -> None:
        grid = Grid(study)
        self.name, self.folder, self.grid = name, folder, grid
        folder.mkdir(parents=True)
        write_dataset(grid.simulate_spec(name), Path(study.dataset(name).root), 1)
        index(grid.recordings_spec(name), folder / "recordings.parquet", folder / "quarantine.parquet")
        build_view(grid.view_spec(name), folder / "recordings.parquet", folder / "view", 1)
        self.recordings = folder / "view" / "recordings.parquet"
        split(grid.split_spec(name), self.recordings, folder / "splits.json")
        self.view, self.splits = View(folder / "view"), Splits(folder / "splits.json")
        self.tasks = {
            task: load_task(task, about.spec(), self.recordings, self.view)
            for task, about in study.dataset(name).tasks.items()
            if task != "null"
        }
        self.metric = {task: str(study.task(name, task).metric) for task in self.tasks}

    def cells(self, task: Task, n_labels: int, draws: int) -> list[Cell]:
        """Every fit at a label count."""
        spec = {"n_labels": n_labels, "draws": draws, "fold": -1}
        return list(cells(task, spec, self.splits, self.view))

    def above_chance(self, task: Task, fits: list[tuple[Cell, Any]]) -> float:
        """Score of test predictions above chance, pooled over folds, averaged over draws."""
        found = []
        for draw in sorted({cell.draw for cell, _ in fits}):
            own = [(cell, scores) for cell, scores in fits if cell.draw == draw]
            truth = np.concatenate([task.y[task.rows(cell.test)] for cell, _ in own])
            predicted, listed = decide(task.kind, np.concatenate([scores for _, scores in own]))
            found.append(self._score(task, truth, predicted, listed))
        chance = 1 / len(task.classes) if task.kind == "state" else CHANCE[self.metric[task.name]]
        return (statistics.mean(found) - chance) / (1 - chance)

    def _score(self, task: Task, truth: Any, predicted: Any, listed: Any) -> float:
        metric = self.metric[task.name]
        if metric == "auroc":
            return float(metrics.auroc(truth.astype(np.int64), listed[:, :, None], None)[0, 0])
        if metric == "r":
            # A constant prediction knows nothing.
            return float(np.corrcoef(truth, predicted)[0, 1]) if np.ptp(predicted) > 0 else 0.0
        return float(np.mean(truth == predicted))


def study_of(results: str) -> Study:
    """The two simulated datasets, as studies name them."""
    content = read_yaml("config/studies/relative.yaml")
    middling = next(entry for entry in content["datasets"] if entry["dataset"] == "middling")
    content |= {"study": "choices", "results": results, "datasets": ["config/datasets/demo.yaml", middling]}
    del content["behaviour"]  # asks of the other datasets
    return load_study(content)


def readers(data: Simulated, checkpoints: list[Path]) -> dict[str, Grams]:
    """Inner products of every reader on a dataset."""
    view, found = data.view, {}
    models = {f"random, depth {d}": build(data.grid.model_spec("vit", d), 0).eval() for d in (2, 4)}
    models |= {str(folder): load_encoder(folder).eval() for folder in checkpoints}
    for name, model in models.items():
        matrices = layer_grams(model, view.clips, view.window_subject, len(view.subjects))
        found[name] = Grams(matrices, view.subjects, view_hash(view.windows))
    for arm in ("raw:linear", "connectivity"):
        baselines.extract(data.grid.features_spec(data.name, Reader(arm)), view.folder, data.folder / "f")
        found[arm] = read_grams(data.folder / "f")
    return found


def frozen(sets: list[Simulated], checkpoints: list[Path]) -> dict[tuple[int, float], float]:
    """Mean score above chance of every layer (counted from the embedding) and penalty."""
    found: dict[tuple[int, float], list[float]] = {}
    for data in sets:
        for grams in readers(data, checkpoints).values():
            for task, n in product(data.tasks.values(), LABELS):
                if n < len(task.classes):
                    continue
                each = data.cells(task, n, DRAWS)
                problems = [Problem(task.rows(one.train), task.rows(one.test)) for one in each]
                target = targets(task.kind, task.y, len(task.classes))
                for layer, penalty in product(range(3), PENALTIES):
                    place = min(layer, grams.layers - 1)
                    blocks = (
                        grams.window_blocks(place)
                        if task.kind == "state"
                        else grams.subject_blocks(place, task.name, 0)
                    )
                    options = {"penalties": [penalty], "fixed_penalty": penalty}
                    fitted = fit_problems([blocks], task.kind, target, problems, options)
                    fits = [(one, fit.scores) for one, fit in zip(each, fitted, strict=True)]
                    found.setdefault((layer, penalty), []).append(data.above_chance(task, fits))
    return {setting: statistics.mean(values) for setting, values in found.items()}


# Read-out (or width of the perceptron), learning rate, steps, penalty of the head.
Setting = tuple[str, float, int, float]


def trained(
    sets: list[Simulated], checkpoints: list[Path], defaults: Mapping[str, Any]
) -> dict[Setting, float]:
    """Mean score above chance of every read-out, learning rate, number of steps and penalty of the head."""
    found: dict[Setting, list[float]] = {}
    for data in sets:
        clips, series = (
            torch.from_numpy(np.ascontiguousarray(one))
            for one in (data.view.clips(), data.view.series_windows())
        )
        models = [build(data.grid.model_spec("vit", 2), 0), *map(load_encoder, checkpoints[:1])]
        starts: list[tuple[str, str, Network, torch.Tensor]] = [
            (name, name, model.eval(), clips) for model, name in product(models, READ_OUTS)
        ]
        for width in WIDTHS:
            perceptron = Perceptron(series[0].numel(), 0, width)
            starts.append((f"raw:mlp, {width} units", "full", perceptron, series))
        for start, rate, steps, penalty in product(starts, RATES, STEPS, HEAD_PENALTIES):
            name, read_out, model, windows = start
            own = {"learning_rates": [rate], "steps": steps, "fixed_penalty": penalty}
            options = {**defaults, **own, "rank": 4, "inner_folds": 3, "penalties": []}
            tuner = Tuner(model, windows, data.view.window_subject, options, read_out)
            for task in (data.tasks[name] for name in ("group", "state") if name in data.tasks):
                fits = []
                for cell in data.cells(task, LABELS[-1], 1):
                    identity = (0, task.name, cell.repeat, cell.fold, cell.draw)
                    tuned = tuner.fit(task, cell, identity)
                    with torch.no_grad():
                        told = tuned.head.decision(tuner.scores(tuned.model, tuned.head, task, cell.test))
                    fits.append((cell, told.numpy()))
                found.setdefault((name, rate, steps, penalty), []).append(data.above_chance(task, fits))
    return {setting: statistics.mean(values) for setting, values in found.items()}


def main() -> None:
    """Sweep, choose, publish."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, action="append", default=[])
    parser.add_argument("--trained", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        study = study_of(f"{temporary}/results")
        sets = [Simulated(study, d.dataset, Path(temporary) / d.dataset) for d in study.datasets]
        told = frozen_table(frozen(sets, given.checkpoint), study.transfer.read_outs.ridge.fixed_penalty)
        if given.trained:
            defaults = {"batch_subjects": 16, "weight_decay": 0.05}
            told += ["", *trained_table(trained(sets, given.checkpoint, defaults))]
    arguments = [f"--checkpoint {folder}" for folder in given.checkpoint] + ["--trained"] * given.trained
    about = (__doc__ or "").split("\n\n", 2)[2].strip()
    lines = ["# What is fixed below 16 labelled people", "", heading(*arguments), "", about, "", *told]
    publish(lines, given.out)


def frozen_table(found: Mapping[tuple[int, float], float], fixed: float) -> list[str]:
    """Layers by penalties, and the choice."""
    lines = [
        "| layer | " + " | ".join(f"penalty {penalty:g}" for penalty in PENALTIES) + " |",
        "|---" * (len(PENALTIES) + 1) + "|",
    ]
    for layer in sorted({layer for layer, _ in found}):
        row = " | ".join(f"{found[layer, penalty]:.3f}" for penalty in PENALTIES)
        lines.append(f"| {layer if layer else 'embedding'} | {row} |")
    most = max(found.values())
    near = [setting for setting, value in found.items() if value >= most - CLOSE]
    layer, penalty = min(near, key=lambda setting: (setting[0], -setting[1]))
    verdict = "as is fixed now" if (layer, penalty) == (FIXED_LAYER, fixed) else "the constants are to follow"
    return [
        *lines,
        "",
        f"Highest: {most:.3f}. Choice: layer {layer}, penalty {penalty:g} ({found[layer, penalty]:.3f}); fixed now: "
        f"layer {FIXED_LAYER}, penalty {fixed:g} ({found[FIXED_LAYER, fixed]:.3f}): {verdict}.",
    ]


def trained_table(found: Mapping[Setting, float]) -> list[str]:
    """Read-outs, steps and penalties by learning rates."""
    lines = [
        "| read-out | steps | penalty | " + " | ".join(f"rate {rate:g}" for rate in RATES) + " | best rate |",
        "|---" * (len(RATES) + 4) + "|",
    ]
    names = dict.fromkeys(name for name, *_ in found)
    for read_out, steps, penalty in product(names, STEPS, HEAD_PENALTIES):
        row = [found[read_out, rate, steps, penalty] for rate in RATES]
        lines.append(
            f"| {read_out} | {steps} | {penalty:g} | {' | '.join(f'{value:.3f}' for value in row)} | "
            f"{RATES[int(np.argmax(row))]:g} |"
        )
    return lines


if __name__ == "__main__":
    main()
