"""Read-out ``full``: the whole network trained on the labelled subjects.

Notable:
- the head starts at its optimum on the untouched encoder (:mod:`transferscale.transfer.head`);
- a step takes a few subjects, each with all its windows, because a subject's features are defined over all
  of them;
- from 16 labelled subjects up, learning rate and the step to stop at are chosen on one inner split, and all
  labelled subjects are then trained on; below, or where the study names one learning rate, all is fixed in
  advance;
- AdamW with the ladder's muP groups, so that one learning rate serves every depth; warm-up over a tenth,
  then linear decay;
- arms are paired: order of subjects and everything else but the weights to start from depend on (reader's
  seed, task, repeat, fold, draw) alone.
"""

import copy
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from transferscale.artefacts import Stopwatch, fingerprint, write_provenance
from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import parameter_groups
from transferscale.transfer.aggregate import membership
from transferscale.transfer.choice import best
from transferscale.transfer.features import BATCH_WINDOWS, check_geometry, load
from transferscale.transfer.head import Head
from transferscale.transfer.predictions import Predictions, arm_and_seed
from transferscale.transfer.readout import criterion, side_weights, targets
from transferscale.transfer.task import Cell, Task, cells, load_task, possible_tasks

Rows = npt.NDArray[np.int64]

BETAS = (0.9, 0.95)
CLIP_NORM = 1.0
WARMUP = 0.1

# Penalty of the head, relative as everywhere here; the default of a frozen read-out where nothing is chosen.
HEAD_PENALTY = 1.0

# Most that a step moves a score through one block of the head's weights, in units of the learning rate.
HEAD_RATE = 30.0

# One inner split holds out a third of the labelled subjects.
INNER_FOLDS = 3


def fit(
    spec: Mapping[str, Any],
    checkpoint: Path | None,
    view: Path,
    recordings: Path,
    splits: Path,
    out: Path,
    threads: int,
) -> None:
    """Fine-tune one reader at one label count for every task, fold and draw; predict every test subject.

    Parameters
    ----------
    spec
        ``Grid.fit_spec`` of a cell with read-out ``full``.
    checkpoint
        Folder of the finished model (arm ``video``), or None (arm ``scratch``).
    view, recordings, splits
        Folder of the view, recordings table, splits.json.
    out
        Table ``predictions``.
    threads
        CPU threads; part of the result's last digits.

    Raises
    ------
    UserError
        If a file is missing or broken, files do not belong together, or training diverges.
    """
    watch = Stopwatch()
    torch.set_num_threads(threads)
    data, folds = View(view), Splits(splits)
    seed = arm_and_seed(str(spec["reader"]))[1]
    encoder = load({"model": spec["model"], "seed": seed}, checkpoint)
    check_geometry(encoder, data, view)
    tasks, left_out = possible_tasks(spec, folds)
    predictions, fits = Predictions(spec, data, folds.hash), 0
    tuner = Tuner(encoder, torch.from_numpy(data.clips()), data.window_subject, spec["options"])
    for name, about in tasks.items():
        task = load_task(name, about, recordings, data)
        for cell in cells(task, spec, folds, data):
            identity = (seed, name, cell.repeat, cell.fold, cell.draw)
            scores, choice = tuner.cell(task, cell, identity)
            predictions.add(task, cell, scores, choice)
            fits += 1
            print(f"{spec['reader']}: {fits} fits, {watch.seconds:.1f} s", file=sys.stderr)
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    predictions.write(out)
    write_provenance(out, watch, threads=threads, fits=fits, rows=len(predictions), left_out=left_out)


@dataclass(frozen=True)
class Plan:
    """How long and how fast one network is trained: ``steps`` of a schedule made for ``of``."""

    learning_rate: float
    steps: int
    of: int

    def factor(self, step: int) -> float:
        """Factor on the learning rate at a step, from 0: linear warm-up over a tenth, then linear decay."""
        warmup = max(1, round(WARMUP * self.of))
        return min((step + 1) / (warmup + 1), (self.of - step) / (self.of - warmup + 1))


class Tuner:
    """Fine-tunes copies of one encoder.

    Parameters
    ----------
    encoder
        Where every fit starts.
    clips
        All windows of the view, float32 (windows, time, height, width).
    owner
        Subject of every window.
    options
        ``steps``, ``batch_subjects``, ``learning_rates``, ``weight_decay`` of the study.
    """

    def __init__(self, encoder: VideoEncoder, clips: Tensor, owner: Rows, options: Mapping[str, Any]) -> None:
        self.encoder, self.clips, self.owner, self.options = encoder, clips, owner, options
        with torch.no_grad():
            self.start = torch.cat([self.encode(encoder, part) for part in torch.split(clips, BATCH_WINDOWS)])

    def cell(
        self, task: Task, cell: Cell, identity: Sequence[Any]
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Scores of a cell's test rows (rows, outputs), and what was chosen."""
        rates, steps = [float(r) for r in self.options["learning_rates"]], int(self.options["steps"])
        plan = Plan(rates[0], steps, steps)
        held = task.inner(cell.train, INNER_FOLDS) if len(rates) > 1 else []
        if held:
            candidates = [Plan(rate, stop, steps) for rate in rates for stop in marks(steps)]
            rest = np.setdiff1d(cell.train, held[0])
            losses = [
                loss
                for rate in rates
                for loss in self._held_out_losses(task, rest, held[0], Plan(rate, steps, steps), identity)
            ]
            plan = candidates[best(losses)]
        tuned, head = self.train(task, cell.train, plan, identity)
        with torch.no_grad():
            scores = head.decision(self.scores(tuned, head, task, cell.test)).numpy()
        if not np.isfinite(scores).all():
            raise UserError(
                f"task '{task.name}', fold {cell.fold}: fine-tuning diverged at learning rate "
                f"{plan.learning_rate}; "
                "lower transfer.read_outs.full.learning_rates"
            )
        chosen = "inner split" if held else "fixed"
        return scores, {"learning_rate": plan.learning_rate, "steps": plan.steps, "chosen": chosen}

    def train(
        self, task: Task, train: Rows, plan: Plan, identity: Sequence[Any]
    ) -> tuple[VideoEncoder, Head]:
        """Fine-tune on the labelled subjects ``train``."""
        for step, model, head in self.run(task, train, plan, identity):
            if step == plan.steps:
                return model, head
        raise AssertionError("a run ends at its last step")

    def run(
        self, task: Task, train: Rows, plan: Plan, identity: Sequence[Any]
    ) -> Iterator[tuple[int, VideoEncoder, Head]]:
        """Train for ``plan.steps`` and yield (steps taken, encoder, head) after each."""
        target = self.target(task)
        rows = task.rows(train)
        windows = self.windows(task, train)
        head = Head(task.kind, self.start[windows], self.member(windows, train), target[rows], HEAD_PENALTY)
        model = copy.deepcopy(self.encoder).train()
        optimiser = Optimiser(model, head, plan, float(self.options["weight_decay"]))
        batches = subject_batches(task, train, int(self.options["batch_subjects"]), identity)
        for step in range(plan.steps):
            subjects = next(batches)
            loss = head.objective(self.scores(model, head, task, subjects), target[task.rows(subjects)])
            torch.autograd.backward(loss)
            optimiser.step(plan.factor(step))
            yield step + 1, model, head

    def scores(self, model: VideoEncoder, head: Head, task: Task, subjects: Rows) -> Tensor:
        """Scores of the task's rows of these subjects, in the order of ``task.rows``."""
        windows = self.windows(task, subjects)
        features = self.encode(model, self.clips[windows])
        return head(features, self.member(windows, subjects))  # type: ignore[no-any-return]

    def encode(self, model: VideoEncoder, clips: Tensor) -> Tensor:
        """Final tokens of clips, those of one time step side by side: (windows, times, places * width)."""
        return model(clips).reshape(len(clips), model.grid[0], -1)  # type: ignore[no-any-return]

    def windows(self, task: Task, subjects: Rows) -> Rows:
        """Windows of these subjects, subject by subject; in a state task those that have a label."""
        if task.kind == "state":
            return task.rows(subjects)
        return np.concatenate([np.flatnonzero(self.owner == subject) for subject in subjects])

    def member(self, windows: Rows, subjects: Rows) -> Tensor:
        """Which window belongs to which of these subjects (windows, subjects)."""
        place = {subject: i for i, subject in enumerate(subjects.tolist())}
        index = np.array([place[subject] for subject in self.owner[windows].tolist()], dtype=np.int64)
        return torch.from_numpy(membership(index, len(subjects)))

    def target(self, task: Task) -> Tensor:
        """Targets of all rows (rows, outputs)."""
        return torch.from_numpy(targets(task.kind, task.y, len(task.classes))).float()

    def _held_out_losses(
        self, task: Task, train: Rows, held: Rows, plan: Plan, identity: Sequence[Any]
    ) -> list[float]:
        """Loss on held-out subjects at each mark of a run."""
        target, losses = self.target(task).double().numpy(), []
        side = side_weights(task.kind, target[task.rows(np.concatenate([train, held]))])
        for step, model, head in self.run(task, train, plan, identity):
            if step in marks(plan.steps):
                with torch.no_grad():
                    scores = self.scores(model, head, task, held).double().numpy()
                loss = float(criterion(task.kind, scores, target[task.rows(held)], side).sum())
                losses.append(loss if np.isfinite(loss) else float("inf"))
        return losses


def marks(steps: int) -> list[int]:
    """Steps at which a run may stop: a quarter, half, all."""
    return sorted({max(1, steps // 4), max(1, steps // 2), steps})


def subject_batches(task: Task, train: Rows, size: int, identity: Sequence[Any]) -> Iterator[Rows]:
    """Endless batches of labelled subjects: epochs are shuffled, classes dealt out evenly over batches."""
    random = np.random.default_rng(int(fingerprint(list(identity), length=15), 16))
    count = -(-len(train) // size)
    while True:
        order = random.permutation(train)
        if task.kind == "classification":
            order = order[np.argsort(task.y[order], kind="stable")]
        for batch in random.permutation(count):
            yield order[batch::count]


class Optimiser:
    """AdamW over encoder and head.

    By torch's functional form, because the class imports torch's compiler, a second a job.
    """

    def __init__(self, model: VideoEncoder, head: Head, plan: Plan, weight_decay: float) -> None:
        multipliers = model.scale.multipliers
        self.groups = parameter_groups([model], multipliers, plan.learning_rate, weight_decay)
        # Adam moves each of p weights by about the learning rate, and with it the score of features of unit
        # norm by up to the rate times p^1/2; dividing by p^1/2 lets blocks of any size move the score alike.
        # No decay: the head has its own.
        for weight in head.parameters():
            rate = plan.learning_rate * HEAD_RATE / weight.numel() ** 0.5
            self.groups.append({"params": [weight], "lr": rate, "weight_decay": 0.0, "eps": 1e-8})
        self.parameters: list[nn.Parameter] = [p for group in self.groups for p in group["params"]]
        self.state = [
            [[torch.zeros_like(p) for p in group["params"]] for _ in range(2)]
            + [[torch.zeros(()) for _ in group["params"]]]
            for group in self.groups
        ]

    def step(self, factor: float) -> None:
        """Clip the gradient norm, update with learning rates times ``factor``, and clear the gradients."""
        nn.utils.clip_grad_norm_(self.parameters, CLIP_NORM)
        with torch.no_grad():
            for group, (first, second, steps) in zip(self.groups, self.state, strict=True):
                adamw(
                    group["params"],
                    [p.grad for p in group["params"]],
                    first,
                    second,
                    [],
                    steps,
                    fused=True,
                    amsgrad=False,
                    beta1=BETAS[0],
                    beta2=BETAS[1],
                    lr=group["lr"] * factor,
                    weight_decay=group["weight_decay"],
                    eps=group["eps"],
                    maximize=False,
                )
        for parameter in self.parameters:
            parameter.grad = None
