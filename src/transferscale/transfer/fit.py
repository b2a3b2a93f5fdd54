"""Read-out ``ridge``: one prediction table from one features file. Needs numpy and pyarrow only."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch
from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.transfer.grams import Grams, read_grams, view_hash
from transferscale.transfer.predictions import Predictions
from transferscale.transfer.readout import Fitted, Problem, fit_problems, targets
from transferscale.transfer.task import Cell, Task, cells, load_task, possible_tasks


def fit(
    spec: Mapping[str, Any], features: Path, view: Path, recordings: Path, splits: Path, out: Path
) -> None:
    """Fit one reader at one label count for every task, fold and draw; predict every test subject.

    Parameters
    ----------
    spec
        ``Grid.fit_spec`` of a cell with read-out ``ridge``.
    features
        The reader's features file.
    view, recordings, splits
        Folder of the view, recordings table, splits.json.
    out
        Table ``predictions``; without rows where no task has enough subjects.

    Raises
    ------
    UserError
        If a file is missing or broken, or files do not belong together.
    """
    watch = Stopwatch()
    data, folds, grams = View(view, spec["normalisation"]), Splits(splits), read_grams(features)
    if list(grams.subjects) != data.subjects or grams.windows != view_hash(data.windows):
        raise UserError(
            f"{features}: made from other windows than view {view} has; extract the features again"
        )
    predictions = Predictions(spec, data, folds.hash)
    tasks, left_out = possible_tasks(spec, folds)
    seconds = {}
    for name, about in tasks.items():
        began = watch.seconds
        task = load_task(name, about, recordings, data)
        for together in _together(grams, task, cells(task, spec, folds, data)):
            for cell, result in zip(together, _fitted(grams, task, together, spec["options"]), strict=True):
                predictions.add(task, cell, result.scores, result.log_odds, result.choice)
        seconds[name] = round(watch.seconds - began, 3)
    predictions.write(out, watch, left_out, task_s=seconds)


def _together(grams: Grams, task: Task, every: Iterable[Cell]) -> list[list[Cell]]:
    """Cells that have their features in common: all, or those of each fold."""
    found: dict[int, list[Cell]] = {}
    of_folds = task.kind != "state" and grams.of_folds(task.name)
    for cell in every:
        found.setdefault(cell.number if of_folds else -1, []).append(cell)
    return list(found.values())


def _fitted(grams: Grams, task: Task, together: Sequence[Cell], options: Mapping[str, Any]) -> list[Fitted]:
    """Fit cells that have their features in common."""
    fold = together[0].number
    layers = [
        grams.window_blocks(layer) if task.kind == "state" else grams.subject_blocks(layer, task.name, fold)
        for layer in range(grams.layers)
    ]
    inner = int(options["inner_folds"])
    problems = [
        Problem(
            task.rows(c.train), task.rows(c.test), [task.rows(held) for held in task.inner(c.train, inner)]
        )
        for c in together
    ]
    return fit_problems(layers, task.kind, targets(task.kind, task.y, len(task.classes)), problems, options)
