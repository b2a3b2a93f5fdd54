"""One reader, read-out and label count under every condition: fitted once a cell, tested many times.

A read-out is fitted on the clean windows of the labelled subjects. Its test subjects are then shown clean, corrupted
(``corruption.py``) and attacked (``attack.py``), and it is asked about all subjects of other datasets (``onto``). For
condition ``site`` it is fitted anew for every site of the test subjects, with as many labelled subjects of other sites
(``draws.py``), so that each subject is tested once more, by a read-out that knows nobody of its site: in the same fold,
repeat and draw.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transferscale.artefacts import Stopwatch
from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.study.behaviour import SEVERITIES
from transferscale.transfer.aggregate import members
from transferscale.transfer.behaviour.attack import attack
from transferscale.transfer.behaviour.corruption import Recorded, of_window
from transferscale.transfer.behaviour.draws import order_of, without
from transferscale.transfer.behaviour.shown import Shown, network, scores
from transferscale.transfer.choice import inner_folds
from transferscale.transfer.finetune import identity_of
from transferscale.transfer.predictions import Predictions
from transferscale.transfer.task import Cell, Task, cells, load_task, possible_tasks
from transferscale.transfer.tuner import Tuned, Tuner

Rows = npt.NDArray[np.int64]
Scores = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def behave(
    spec: Mapping[str, Any],
    checkpoint: Path | None,
    view: Path,
    recordings: Path,
    splits: Path,
    onto: Sequence[Path],
    out: Path,
    threads: int,
) -> None:
    """Fit a reader for every task, fold and draw, and predict every test subject under every condition.

    Parameters
    ----------
    spec
        ``Grid.behaviour_spec``.
    checkpoint
        Folder of the finished model; None for random weights and ``raw:linear``.
    view, recordings, splits
        Folder of the view, recordings table, splits.json.
    onto
        Folder of the view of every dataset that ``spec["onto"]`` names, in that order, its recordings table within.
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
    bench = Bench.of(spec, checkpoint, data)
    elsewhere = [
        Elsewhere.of(spec, about, folder, bench, folds.hash)
        for about, folder in zip(spec["onto"], onto, strict=True)
    ]
    predictions = Predictions(spec, data, folds.hash)
    tasks, left_out = possible_tasks(spec, folds)
    fits = 0
    for name, about in tasks.items():
        task = load_task(name, about, recordings, data)
        there = [one for one in elsewhere if one.source == name]
        for one in there:
            one.check(task)
        each = list(cells(task, spec, folds, data))
        moved = _other_sites(task, each, folds, data, spec["n_labels"]) if spec["sites"] else {}
        if isinstance(moved, str):
            left_out.append(moved)
            moved = {}
        for cell in each:
            tuned = bench.tuner.fit(task, cell, identity_of(spec, cell, name))
            for condition, severity, found in bench.conditions(spec, tuned, task, cell):
                predictions.add(task, cell, *found, tuned.choice, condition, severity)
            for one in there:
                one.add(tuned, cell, folds.folds(name))
            for other in moved.get((cell.repeat, cell.fold, cell.draw), []):
                again = bench.tuner.fit(task, other, identity_of(spec, other, name))
                predictions.add(
                    task, other, *bench.tuner.predict(again, task, other), again.choice, "site", 1
                )
                fits += 1
            fits += 1
            print(f"{spec['reader']}: {fits} fits, {watch.seconds:.1f} s", file=sys.stderr)
    for one in elsewhere:
        predictions.extend(one.predictions)
    predictions.write(out, watch, left_out, threads=threads, fits=fits)


@dataclass(frozen=True)
class Bench:
    """A reader, what trains it, and the windows that it is tested on."""

    tuner: Tuner
    shown: Shown
    recorded: Recorded

    @classmethod
    def of(cls, spec: Mapping[str, Any], checkpoint: Path | None, data: View) -> "Bench":
        """The bench of a spec on a view."""
        shown, recorded = Shown(str(spec["arm"]), data), Recorded.of(data)
        inputs = shown(torch.from_numpy(recorded.series))
        tuner = Tuner(network(spec, checkpoint, data), inputs, data.window_subject, spec["options"])
        return cls(tuner, shown, recorded)

    def conditions(
        self, spec: Mapping[str, Any], tuned: Tuned, task: Task, cell: Cell
    ) -> Iterator[tuple[str, int, Scores]]:
        """Condition, severity, and the scores of the cell's test rows: clean, corrupted, attacked."""
        yield "clean", 0, self.tuner.predict(tuned, task, cell)
        windows = self.tuner.windows(task, cell.test)
        member = self.tuner.member(windows, cell.test)
        for corruption in spec["corruptions"]:
            for severity in range(1, len(SEVERITIES[corruption]) + 1):
                corrupted = torch.from_numpy(self.recorded.corrupted(windows, corruption, severity))
                yield f"corrupt:{corruption}", severity, self.read(tuned, corrupted, member)
        for severity, radius in enumerate(spec["radii"], start=1):
            attacked = self.attacked(tuned, task, cell.test, windows, member, radius)
            yield "attack", severity, self.read(tuned, attacked, member)

    def read(self, tuned: Tuned, series: Tensor, member: Tensor) -> Scores:
        """Scores of the rows that windows make up, as they are written, and before that."""
        with torch.no_grad():
            found = scores(tuned.model, tuned.head, self.shown(series), member)
            return tuned.head.decision(found).numpy(), found.numpy()

    def attacked(
        self, tuned: Tuned, task: Task, subjects: Rows, windows: Rows, member: Tensor, radius: float
    ) -> Tensor:
        """Windows of test subjects, attacked within ``radius`` SDs of each window."""
        series = torch.from_numpy(self.recorded.series[windows])
        target = self.tuner.target(task)[task.rows(subjects)]
        # In a state task every window is a row of its own.
        row = torch.arange(len(windows)) if task.kind == "state" else member.argmax(dim=1)
        start = np.stack(
            [
                of_window(self.recorded, window, "attack").uniform(-1, 1, series.shape[1:])
                for window in windows
            ]
        )

        def losses(shifted: Tensor) -> Tensor:
            found = scores(tuned.model, tuned.head, self.shown(shifted), member)
            return tuned.head.losses(found, target)

        reach = radius * series.flatten(1).std(dim=1, correction=0)
        found: Tensor = attack(losses, series, row, reach, torch.from_numpy(start).float())
        return found


@dataclass(frozen=True)
class Elsewhere:
    """Another dataset that a task learned here is asked of.

    Every subject there is tested by the read-out of one fold: they are dealt out over the folds, class by class.
    """

    source: str
    bench: Bench
    view: View
    task: Task
    predictions: Predictions

    @classmethod
    def of(
        cls, spec: Mapping[str, Any], about: Mapping[str, Any], folder: Path, here: Bench, split_hash: str
    ) -> "Elsewhere":
        """The dataset of one entry of ``spec["onto"]``.

        Raises
        ------
        UserError
            If it is laid out otherwise.
        """
        view = View(folder, spec["normalisation"])
        if not np.array_equal(view.layout, here.shown.layout.numpy()):
            raise UserError(
                f"{folder}: behaviour.onto: columns lie at other pixels than in dataset '{spec['dataset']}'; give both "
                "the same atlas and view, or delete the entry"
            )
        task = load_task(str(about["task"]), about["asks"], folder / "recordings.parquet", view)
        recorded = Recorded.of(view)
        bench = Bench(here.tuner, here.shown, recorded)
        predictions = Predictions(spec, view, split_hash)
        return cls(str(about["task"]), bench, view, task, predictions)

    def check(self, task: Task) -> None:
        """Refuse another dataset whose classes are not those that are learned.

        Raises
        ------
        UserError
            If they differ.
        """
        if list(self.task.classes) != list(task.classes):
            raise UserError(
                f"{self.view.folder}: behaviour.onto: task '{task.name}' has classes {', '.join(task.classes)} where "
                f"it is learned, and {', '.join(self.task.classes)} here; set `classes` alike in both datasets"
            )

    def add(self, tuned: Tuned, cell: Cell, folds: int) -> None:
        """Predict the share of its subjects that this fold's read-out is asked about."""
        own = self._share(cell.fold, folds)
        task, owner = self.task, self.view.window_subject
        windows = task.windows(owner, own)
        member = members(owner[windows], own)
        series = torch.from_numpy(self.bench.recorded.series[windows])
        found = self.bench.read(tuned, series, torch.from_numpy(member))
        condition = f"onto:{self.view.contract['dataset']}"
        self.predictions.add(task, replace(cell, test=own), *found, tuned.choice, condition, 1)

    def _share(self, fold: int, folds: int) -> Rows:
        """Subjects that a fold's read-out is asked about."""
        task = self.task
        everybody = task.subjects
        y = np.zeros(len(everybody)) if task.kind == "state" else task.y[everybody]
        return everybody[inner_folds(y, folds)[fold]]


def _other_sites(
    task: Task, each: Iterable[Cell], folds: Splits, data: View, n_labels: Any
) -> dict[tuple[int, int, int], list[Cell]] | str:
    """For every cell (repeat, fold, draw) those that test one site's subjects without a labelled one of that site.

    A sentence where the task cannot be asked so.
    """
    sites = np.array(data.of_subjects("site"))
    of = f"'{folds.dataset}/{task.name}'"
    named = f"condition site of {of} is left out at {n_labels} labelled subjects"
    mine = sites[task.subjects]
    if "" in mine or len(set(mine.tolist())) < 2:
        return f"{named}: " + ("a subject has no site" if "" in mine else f"all are at '{mine[0]}'")
    found: dict[tuple[int, int, int], list[Cell]] = {}
    for cell in each:
        order = order_of(task, cell, folds, data)
        for site in sorted(set(sites[cell.test].tolist())):
            train = without(task, order, n_labels, np.flatnonzero(sites == site))
            if train is None:
                return f"{named}: without site '{site}' fold {cell.fold} has too few training subjects of a class"
            test = cell.test[sites[cell.test] == site]
            found.setdefault((cell.repeat, cell.fold, cell.draw), []).append(
                replace(cell, train=train, test=test)
            )
    return found
