"""Read-outs that train along labelled subjects: ``attentive``, ``fpt``, ``lora`` and ``full``: from files to files.

The fits themselves: :mod:`transferscale.transfer.tuner`.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transferscale.artefacts import Stopwatch
from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.transfer.features import check_geometry, load
from transferscale.transfer.perceptron import Perceptron
from transferscale.transfer.predictions import Predictions
from transferscale.transfer.task import Cell, cells, load_task, possible_tasks
from transferscale.transfer.trained.network import Network
from transferscale.transfer.trained.read_out import Identity
from transferscale.transfer.tuner import Tuner

CPU = torch.device("cpu")


def fit(
    spec: Mapping[str, Any],
    checkpoint: Path | None,
    view: Path,
    recordings: Path,
    splits: Path,
    out: Path,
    threads: int,
) -> None:
    """Train one reader at one label count for every task, fold and draw; predict every test subject.

    Parameters
    ----------
    spec
        ``Grid.fit_spec`` of a cell whose read-out trains.
    checkpoint
        Folder of the finished model, or None (arms ``scratch``, ``random`` and ``raw:mlp``).
    view, recordings, splits
        Folder of the view, recordings table, splits.json.
    out
        Table ``predictions``; without rows where no task has enough subjects.
    threads
        CPU threads; part of the result's last digits.

    Raises
    ------
    UserError
        If a file is missing or broken, files do not belong together, or training diverges.
    """
    watch = Stopwatch()
    torch.set_num_threads(threads)
    data, folds = View(view, spec["normalisation"]), Splits(splits)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tuner = tuner_of(spec, checkpoint, data, device)
    tasks, left_out = possible_tasks(spec, folds)
    predictions, fits = Predictions(spec, data, folds.hash), 0
    for name, about in tasks.items():
        task = load_task(name, about, recordings, data)
        every = list(cells(task, spec, folds, data))
        while every:
            together, every = every[: tuner.at_once], every[tuner.at_once :]
            identities = [identity_of(spec, cell, name) for cell in together]
            for cell, tuned in zip(together, tuner.fit_together(task, together, identities), strict=True):
                predictions.add(task, cell, *tuner.predict(tuned, task, cell), tuned.choice)
            fits += len(together)
            print(f"{spec['reader']}: {fits} fits, {watch.seconds:.1f} s", file=sys.stderr)
    about_run = {"threads": threads, "device": device.type, "fits": fits, "at_once": tuner.at_once}
    predictions.write(out, watch, left_out, **about_run)


def tuner_of(
    spec: Mapping[str, Any], checkpoint: Path | None, data: View, device: torch.device = CPU
) -> Tuner:
    """What trains the reader of a spec on a view.

    Raises
    ------
    UserError
        If the checkpoint is missing or broken, takes other clips than the view's, or is asked for what it has not.
    """
    network: Network
    if spec["arm"] == "raw:mlp":
        if spec["read_out"] != "full":
            raise UserError(
                f"transfer.read_outs.{spec['read_out']}.arms: 'raw:mlp' is trained in read-out full alone"
            )
        windows = torch.from_numpy(np.ascontiguousarray(data.series_windows()))
        network = Perceptron(windows[0].numel(), int(spec["seed"]))
    else:
        network = load(spec, checkpoint)
        check_geometry(network, data, data.folder)
        windows = torch.from_numpy(data.clips())
    owner, options = data.window_subject, spec["options"]
    return Tuner(network.to(device), windows.to(device), owner, options, spec["read_out"])


def identity_of(spec: Mapping[str, Any], cell: Cell, task: str) -> Identity:
    """What everything random about a fit depends on; published weights, which have no seed, go with the first."""
    return max(int(spec["seed"]), 0), task, cell.repeat, cell.fold, cell.draw
