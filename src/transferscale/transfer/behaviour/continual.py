"""Tasks learned one after another by one network.

Stage k fits the read-out of task k, starting at the network that stage k - 1 left; then every task so far is asked
again. The setting is task-incremental (van de Ven et al. 2022): a task keeps its head as it was when learned, while the
network moves on, so that what is lost is lost by the network. Read-out ``ridge`` does not move it and cannot forget: it
is the reference.

Notable:
- tasks have folds of their own, and a subject may be tested in one and labelled in another. So all tasks of a dataset
  take the folds of the first one in the sequence; whom that task does not know goes to the fold of a relative, or to
  one by hash of the family's name. Nobody is then labelled, in any task, in the fold that tests them or a relative, and
  every subject of a task is tested once a repeat, by networks that never saw them with any label. Draws keep the order
  of the task's own, refilled class by class (``draws.py``);
- datasets are taken to share nobody; the leak audit looks for copies;
- stage 1 is an ordinary fine-tuning but for whom it may learn from.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from transferscale.artefacts import Stopwatch, fingerprint
from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.transfer.behaviour.draws import order_of, without
from transferscale.transfer.behaviour.shown import Shown, network
from transferscale.transfer.finetune import identity_of
from transferscale.transfer.predictions import Predictions
from transferscale.transfer.task import Cell, Task, load_task, subjects_of
from transferscale.transfer.trained.network import Network
from transferscale.transfer.tuner import Tuned, Tuner

Rows = npt.NDArray[np.int64]


def continual(
    spec: Mapping[str, Any], checkpoint: Path | None, views: Sequence[Path], out: Path, threads: int
) -> None:
    """Learn a sequence of tasks in every fold and draw, and predict the test subjects of all tasks so far.

    Parameters
    ----------
    spec
        ``Grid.continual_spec``.
    checkpoint
        Folder of the finished model; None for random weights and ``raw:linear``.
    views
        Folder of the view of every dataset of the sequence, in the order of their first task; its recordings table
        within, splits.json beside it.
    out
        Table ``predictions``; without rows where too few are left to label.
    threads
        CPU threads; part of the result's last digits.

    Raises
    ------
    UserError
        If a file is missing or broken, files do not belong together, the folds of the tasks do not go together, or
        training diverges.
    """
    watch = Stopwatch()
    torch.set_num_threads(threads)
    grounds = _grounds(spec, checkpoint, views)
    stages = [
        Stage(
            load_task(about["task"], about["asks"], ground.view.folder / "recordings.parquet", ground.view),
            ground,
        )
        for about in spec["stages"]
        for ground in [grounds[about["dataset"]]]
    ]
    sequences, left_out = _cells(spec, stages)
    for done, cells in enumerate(sequences, start=1):
        _learn(spec, stages, cells)
        print(
            f"{spec['reader']}: {done} of {len(sequences)} sequences, {watch.seconds:.1f} s", file=sys.stderr
        )
    first, *others = (ground.predictions for ground in grounds.values())
    for other in others:
        first.extend(other)
    first.write(out, watch, left_out, threads=threads, fits=len(sequences) * len(stages))


@dataclass(frozen=True)
class Ground:
    """A dataset of the sequence: its view and splits, what trains there from the start, and its predictions."""

    view: View
    splits: Splits
    tuner: Tuner
    predictions: Predictions

    def next(self, network: Network) -> Tuner:
        """What trains there from a network that has moved."""
        return Tuner(network, self.tuner.clips, self.tuner.owner, self.tuner.options)


@dataclass(frozen=True)
class Stage:
    """A task of the sequence."""

    task: Task
    ground: Ground


def _grounds(spec: Mapping[str, Any], checkpoint: Path | None, views: Sequence[Path]) -> dict[str, Ground]:
    """The datasets of a sequence by name."""
    kinds = {about["dataset"]: about["view"] for about in spec["stages"]}
    grounds = {}
    for (name, kind), folder in zip(kinds.items(), views, strict=True):
        view, splits = View(folder, spec["normalisation"]), Splits(folder.parent / "splits.json")
        inputs = Shown(str(spec["arm"]), view)(torch.from_numpy(view.series_windows()))
        tuner = Tuner(network(spec, checkpoint, view), inputs, view.window_subject, spec["options"])
        predictions = Predictions({**spec, "dataset": name, "view": kind}, view, splits.hash)
        grounds[name] = Ground(view, splits, tuner, predictions)
    return grounds


def _learn(spec: Mapping[str, Any], stages: Sequence[Stage], cells: Sequence[Cell]) -> None:
    """Learn the tasks of one fold and draw, and predict all tasks so far after each."""
    condition = f"continual:{spec['sequence']}"
    learned: list[Tuned] = []
    for number, (stage, cell) in enumerate(zip(stages, cells, strict=True), start=1):
        # A network that is not trained stands where it stood.
        stays = not learned or not spec["options"]["steps"]
        tuner = stage.ground.tuner if stays else stage.ground.next(learned[-1].model)
        learned.append(tuner.fit(stage.task, cell, identity_of(spec, cell, stage.task.name)))
        for then, own, was in zip(stages, cells, learned, strict=False):
            now = replace(was, model=learned[-1].model)
            found = then.ground.tuner.predict(now, then.task, own)
            then.ground.predictions.add(then.task, own, *found, was.choice, condition, number)


def _cells(spec: Mapping[str, Any], stages: Sequence[Stage]) -> tuple[list[list[Cell]], list[str]]:
    """For every repeat, fold and draw the cells of all stages, and why there are none where there are none.

    Raises
    ------
    UserError
        If the datasets have different numbers of folds.
    """
    first_of = {s.ground.splits.dataset: s for s in reversed(stages)}
    shapes = {
        (s.ground.splits.repeats(s.task.name), s.ground.splits.folds(s.task.name)) for s in first_of.values()
    }
    if len(shapes) > 1:
        raise UserError(
            f"behaviour.continual: the datasets of sequence {spec['sequence']} have different numbers of folds; "
            "name datasets that hold out subjects"
        )
    (repeats, folds), n_labels = shapes.pop(), spec["n_labels"]
    first = int(spec["first_draw"])
    draws = range(first, first + (1 if n_labels == "all" else int(spec["draws"])))
    found = []
    for repeat in range(repeats):
        fold_of = {name: folds_of(stages, stage, repeat) for name, stage in first_of.items()}
        for fold in range(folds):
            for draw in draws:
                row = []
                for stage in stages:
                    splits = stage.ground.splits
                    empty = Cell(
                        repeat, fold, draw, np.empty(0, int), np.empty(0, int), repeat * folds + fold
                    )
                    cell = _cell(stage, empty, n_labels, fold_of[splits.dataset])
                    if cell is None:
                        return [], [
                            f"sequence {spec['sequence']} is left out at {n_labels} labelled subjects: fold {fold} "
                            f"leaves too few of '{splits.dataset}/{stage.task.name}' to label or to test"
                        ]
                    row.append(cell)
                found.append(row)
    return found, []


def folds_of(stages: Sequence[Stage], first: Stage, repeat: int) -> Rows:
    """Fold of every subject of the dataset of ``first``, its first task in the sequence; -1 who is in no task."""
    view, splits, name = first.ground.view, first.ground.splits, first.task.name
    families = view.of_subjects("family_group")
    fold_of = np.full(len(families), -1, dtype=np.int64)
    for fold in range(splits.folds(name)):
        fold_of[subjects_of(first.task, splits.test(name, repeat, fold), splits, view)] = fold
    of_family = {family: int(fold) for family, fold in zip(families, fold_of, strict=True) if fold >= 0}
    for task in (stage.task for stage in stages if stage.ground is first.ground):
        for subject in task.subjects.tolist():
            by_hash = int(fingerprint([families[subject], repeat]), 16) % splits.folds(name)
            fold_of[subject] = of_family.get(families[subject], by_hash)
    return fold_of


def _cell(stage: Stage, empty: Cell, n_labels: Any, fold_of: Rows) -> Cell | None:
    """The cell of a stage; None where nobody is tested, or too few may be labelled."""
    task, splits, view = stage.task, stage.ground.splits, stage.ground.view
    everybody = task.subjects
    test = everybody[fold_of[everybody] == empty.fold]
    own = order_of(task, empty, splits, view)
    # Whom the task itself tests in this fold comes last in the order.
    order = np.concatenate([own, np.setdiff1d(everybody, own)])
    train = without(task, order, n_labels, np.flatnonzero(fold_of == empty.fold))
    return replace(empty, train=train, test=test) if train is not None and len(test) else None
