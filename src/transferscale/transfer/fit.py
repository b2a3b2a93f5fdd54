"""Read-out ``ridge``: one prediction table from one features file. Needs numpy and pyarrow only."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.transfer.grams import read_grams, view_hash
from transferscale.transfer.predictions import Predictions
from transferscale.transfer.readout import Problem, fit_problems, targets
from transferscale.transfer.task import cells, load_task, possible_tasks


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
        Table ``predictions``.

    Raises
    ------
    UserError
        If a file is missing or broken, files do not belong together, or there are fewer training subjects
        than labels asked for.
    """
    watch = Stopwatch()
    data, folds, grams = View(view), Splits(splits), read_grams(features)
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
        blocks = grams.window_blocks if task.kind == "state" else grams.subject_blocks
        each = list(cells(task, spec, folds, data))
        inner = int(spec["options"]["inner_folds"])
        problems = [
            Problem(
                task.rows(c.train),
                task.rows(c.test),
                [task.rows(held) for held in task.inner(c.train, inner)],
            )
            for c in each
        ]
        fitted = fit_problems(
            [blocks(layer) for layer in range(grams.layers)],
            task.kind,
            targets(task.kind, task.y, len(task.classes)),
            problems,
            spec["options"],
        )
        for cell, result in zip(each, fitted, strict=True):
            predictions.add(task, cell, result.scores, result.choice)
        seconds[name] = round(watch.seconds - began, 3)
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    predictions.write(out)
    write_provenance(out, watch, rows=len(predictions), task_s=seconds, left_out=left_out)
