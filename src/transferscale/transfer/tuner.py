"""Fits of one reader along one read-out: rate and steps chosen, networks and heads trained, test rows scored.

Notable:
- what of the network moves is the read-out's matter (:mod:`transferscale.transfer.trained`), all else is here, one
  rule for all;
- the head starts at its optimum on the untouched encoder (:mod:`transferscale.transfer.head`);
- its penalty is that of the frozen read-out, by the same rule: from 16 labelled subjects up the one that loses least on
  inner folds, with the encoder untouched; below, the study's. It is settled before rate and steps are chosen, also from
  the subjects that the inner split holds out;
- a step takes a few subjects, each with all its windows, because a subject's features are defined over all
  of them;
- from 16 labelled subjects up, learning rate and the step to stop at are chosen on one inner split, and all
  labelled subjects are then trained on; below, or where the study names one learning rate, both are fixed in
  advance;
- AdamW, warm-up over a tenth, then linear decay;
- what is random depends on the identity of a fit alone, not on the weights to start from: arms are paired. The
  perceptron on raw windows (arm ``raw:mlp``) is trained by the same lines;
- where it pays, several fits are trained as one (:mod:`transferscale.transfer.ensemble`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transferscale.artefacts import fingerprint
from transferscale.errors import UserError
from transferscale.transfer.aggregate import members
from transferscale.transfer.choice import CHOICE_FROM, best
from transferscale.transfer.ensemble import STACKED, Batch, Ensemble, at_once, filled
from transferscale.transfer.features import BATCH_WINDOWS
from transferscale.transfer.head import Head
from transferscale.transfer.readout import chosen_penalty, criterion, side_weights, targets
from transferscale.transfer.task import Cell, Task
from transferscale.transfer.trained.network import Network, tokens_of
from transferscale.transfer.trained.optimiser import Optimiser, Plan, marks
from transferscale.transfer.trained.read_out import Identity, read_out

Rows = npt.NDArray[np.int64]
# Takes a step: the subjects of each fit, and the factor on the learning rate.
Step = Callable[[Sequence[Rows], float], None]

# The inner split for rate and steps holds out one in so many of the labelled subjects.
HELD_OUT = 3


@dataclass(frozen=True)
class Fit:
    """One training: the labelled subjects, what everything random about it depends on, and the head's penalty."""

    train: Rows
    identity: Identity
    penalty: float


@dataclass(frozen=True)
class Tuned:
    """A network and its head after training, and what was chosen."""

    model: Network
    head: Head
    choice: dict[str, Any]


class Tuner:
    """Trains copies of one encoder along one read-out.

    Parameters
    ----------
    encoder
        Where every fit starts.
    clips
        All windows of the view, float32 (windows, time, height, width), or (windows, volumes, columns) for the
        perceptron.
    owner
        Subject of every window.
    options
        ``steps``, ``batch_subjects``, ``learning_rates``, ``weight_decay`` of the study, what the read-out has beside
        them, and ``penalties``, ``fixed_penalty``, ``inner_folds`` of its ridge. With no steps the encoder stays, and
        the head is its optimum on it.
    name
        The read-out.

    Raises
    ------
    UserError
        If there is no such read-out.
    """

    def __init__(
        self, encoder: Network, clips: Tensor, owner: Rows, options: Mapping[str, Any], name: str = "full"
    ) -> None:
        self.encoder, self.clips, self.owner, self.options = encoder, clips, owner, options
        self.name, self.read_out = name, read_out(name, options)
        with torch.no_grad():
            self.start = self.encode(encoder, clips)

    @property
    def at_once(self) -> int:
        """How many fits are worth training as one here: see :func:`transferscale.transfer.ensemble.at_once`."""
        if self.name not in STACKED:
            return 1
        windows = int(self.options["batch_subjects"]) * int(np.bincount(self.owner).max())
        return at_once(self.encoder, windows, self.clips.device)

    def fit(self, task: Task, cell: Cell, identity: Identity) -> Tuned:
        """Choose rate and steps where there is enough to choose with, and train on all labelled subjects of a cell."""
        return self.fit_together(task, [cell], [identity])[0]

    def fit_together(self, task: Task, cells: Sequence[Cell], identities: Sequence[Identity]) -> list[Tuned]:
        """:meth:`fit` for several cells of one label count, trained as one; each chooses if it has enough to."""
        fits = [
            Fit(cell.train, who, self._penalty(task, cell.train, who))
            for cell, who in zip(cells, identities, strict=True)
        ]
        plans = self._plans(task, fits)
        tuned: list[Tuned | None] = [None] * len(fits)
        for plan in dict.fromkeys(plans):
            which = [i for i, own in enumerate(plans) if own == plan]
            trained = self.train_together(task, [fits[i] for i in which], plan)
            for i, (model, head) in zip(which, trained, strict=True):
                choice = {
                    "learning_rate": plan.learning_rate,
                    "steps": plan.steps,
                    "penalty": fits[i].penalty,
                    "chosen": self._chosen(fits[i]),
                }
                tuned[i] = Tuned(model, head, choice)
        return [one for one in tuned if one is not None]

    def predict(
        self, tuned: Tuned, task: Task, cell: Cell, clips: Tensor | None = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Scores of a cell's test rows as they are written, and before that (log-odds of classes), (rows, outputs)
        each; ``clips`` as in :meth:`scores`.

        Raises
        ------
        UserError
            If they are not finite.
        """
        with torch.no_grad():
            scores = self.scores(tuned.model, tuned.head, task, cell.test, clips)
            decision: npt.NDArray[np.float32] = tuned.head.decision(scores).cpu().numpy()
        if not np.isfinite(decision).all():
            raise UserError(
                f"task '{task.name}', fold {cell.fold}: read-out {self.name} diverged at learning rate "
                f"{tuned.choice['learning_rate']}; lower transfer.read_outs.{self.name}.learning_rates"
            )
        return decision, scores.cpu().numpy()

    def train_together(self, task: Task, fits: Sequence[Fit], plan: Plan) -> list[tuple[Network, Head]]:
        """Train one network for each fit."""
        for step, trained in self.run_together(task, fits, plan):
            if step == plan.steps:
                return trained
        raise AssertionError("a run ends at its last step")

    def run_together(
        self, task: Task, fits: Sequence[Fit], plan: Plan
    ) -> Iterator[tuple[int, list[tuple[Network, Head]]]]:
        """Train for ``plan.steps`` and yield (steps taken, network and head of each fit) before the first step and
        after each."""
        started = [self._start(task, fit) for fit in fits]
        yield 0, started
        size = int(self.options["batch_subjects"])
        batches = [subject_batches(task, fit.train, size, fit.identity) for fit in fits]
        subjects = [[next(own) for own in batches] for _ in range(plan.steps)]
        step = (
            self._alone(task, *started[0], plan)
            if len(fits) == 1
            else self._as_one(task, started, plan, subjects)
        )
        for number, each in enumerate(subjects):
            step(each, plan.factor(number))
            yield number + 1, started

    def _plans(self, task: Task, fits: Sequence[Fit]) -> list[Plan]:
        """Rate and steps of each fit: where there is enough to choose with, what loses least on its inner split."""
        rates, steps = [float(r) for r in self.options["learning_rates"]], int(self.options["steps"])
        plans = [Plan(rates[0], steps, steps)] * len(fits)
        if len(rates) == 1 or not steps:
            return plans
        inner = [task.inner(fit.train, HELD_OUT) for fit in fits]
        # With "all" labelled, folds may lie on both sides of the number from which anything is chosen.
        choosing = [i for i, own in enumerate(inner) if own]
        if choosing:
            candidates = [Plan(rate, stop, steps) for rate in rates for stop in marks(steps)]
            held = [inner[i][0] for i in choosing]
            rest = [
                replace(fits[i], train=np.setdiff1d(fits[i].train, own))
                for i, own in zip(choosing, held, strict=True)
            ]
            losses = [self._held_out_losses(task, rest, held, Plan(rate, steps, steps)) for rate in rates]
            for i, own in zip(choosing, np.concatenate(losses, axis=1), strict=True):
                plans[i] = candidates[best(own)]
        return plans

    def _chosen(self, fit: Fit) -> str:
        """Where the penalty, and rate and steps, were chosen."""
        if len(fit.train) < CHOICE_FROM:
            return "fixed"
        rates = len(self.options["learning_rates"]) > 1 and int(self.options["steps"]) > 0
        return "inner folds, inner split" if rates else "inner folds"

    def _penalty(self, task: Task, train: Rows, identity: Identity) -> float:
        """Penalty of the head, chosen where there is enough to choose with."""
        inner = task.inner(train, int(self.options["inner_folds"]))
        if not inner:
            return float(self.options["fixed_penalty"])
        blocks = self.read_out.inner_products(
            self.encoder, task.kind, *self._untouched(task, train), identity
        )
        rows = task.rows(train)
        held = [np.flatnonzero(np.isin(rows, task.rows(own))) for own in inner]
        target = self.target(task)[rows].double().cpu().numpy()
        return chosen_penalty(blocks, task.kind, target, held, self.options["penalties"])

    def _untouched(self, task: Task, train: Rows) -> tuple[Tensor, Tensor]:
        """Features of the windows of these subjects before the first step, and whose they are, on the CPU."""
        windows = self.windows(task, train)
        return self.start[windows].cpu(), self._member(windows, train)

    def _start(self, task: Task, fit: Fit) -> tuple[Network, Head]:
        """Network and head before the first step."""
        # Solved on the CPU, in double precision.
        features, member = self._untouched(task, fit.train)
        target = self.target(task)[task.rows(fit.train)].cpu()
        head = self.read_out.head(
            self.encoder, task.kind, features, member, target, fit.identity, fit.penalty
        )
        return self.read_out.begin(self.encoder, fit.identity), head.to(self.clips.device)

    def _groups(self, model: Network, head: Head, plan: Plan) -> list[dict[str, Any]]:
        """What moves, for AdamW."""
        rate, decay = plan.learning_rate, float(self.options["weight_decay"])
        return [*self.read_out.groups(model, rate, decay), *head.groups(rate)]

    def _alone(self, task: Task, model: Network, head: Head, plan: Plan) -> Step:
        """What takes a step of one fit, given its subjects and the factor on the learning rate."""
        target, optimiser = self.target(task), Optimiser(self._groups(model, head, plan))

        def step(subjects: Sequence[Rows], factor: float) -> None:
            scores = self.scores(model, head, task, subjects[0])
            torch.autograd.backward(head.objective(scores, target[task.rows(subjects[0])]))
            optimiser.step(factor)

        return step

    def _as_one(
        self, task: Task, fits: Sequence[tuple[Network, Head]], plan: Plan, subjects: Sequence[Sequence[Rows]]
    ) -> Step:
        """What takes a step of all fits, given the subjects of each."""
        every = [own for each in subjects for own in each]
        most = max((len(own) for own in every), default=0)
        # A subject that is filled up needs a window to own.
        windows = max((len(self.windows(task, own)) for own in every), default=0) + any(
            len(own) < most for own in every
        )
        networks, heads = [model for model, _ in fits], [head for _, head in fits]
        ensemble = Ensemble(networks, heads, self._groups(*fits[0], plan), windows)
        target, state = self.target(task).cpu(), task.kind == "state"

        def batch(own: Rows) -> Batch:
            rows, chosen = task.rows(own), self.windows(task, own)
            weight = torch.full((len(rows),), 1 / len(rows))
            return filled(
                Batch(torch.from_numpy(chosen), self._member(chosen, own), target[rows], weight),
                windows,
                most,
                state,
            )

        def step(each: Sequence[Rows], factor: float) -> None:
            ensemble.step(self.clips, [batch(own) for own in each], factor)

        return step

    def scores(
        self, model: Network, head: Head, task: Task, subjects: Rows, clips: Tensor | None = None
    ) -> Tensor:
        """Scores of the task's rows of these subjects, in the order of ``task.rows``.

        Parameters
        ----------
        model, head
            As :meth:`fit` leaves them.
        clips
            All windows of the view, in place of the tuner's own and of their shape; may require a gradient.
        """
        windows = self.windows(task, subjects)
        if clips is None and model is self.encoder:
            features = self.start[windows]
        else:
            features = self.encode(model, (self.clips if clips is None else clips)[windows])
        return head(features, self.member(windows, subjects))  # type: ignore[no-any-return]

    def encode(self, model: Network, clips: Tensor) -> Tensor:
        """Final tokens of clips, those of one time step side by side: (windows, times, places * width).

        Where no gradient is asked for, a few windows at a time: what a network keeps of many does not fit into memory.
        """
        if torch.is_grad_enabled():
            together: Tensor = tokens_of(model, clips)
            return together
        times, height, width = model.grid
        tokens = torch.empty(len(clips), times, height * width * model.width, device=clips.device)
        for start in range(0, len(clips), BATCH_WINDOWS):
            part = slice(start, start + BATCH_WINDOWS)
            tokens[part] = tokens_of(model, clips[part])
        return tokens

    def windows(self, task: Task, subjects: Rows) -> Rows:
        """Windows of these subjects, subject by subject; in a state task those that have a label."""
        return task.windows(self.owner, subjects)

    def member(self, windows: Rows, subjects: Rows) -> Tensor:
        """Which window belongs to which of these subjects (windows, subjects)."""
        return self._member(windows, subjects).to(self.clips.device)

    def _member(self, windows: Rows, subjects: Rows) -> Tensor:
        return torch.from_numpy(members(self.owner[windows], subjects))

    def target(self, task: Task) -> Tensor:
        """Targets of all rows (rows, outputs)."""
        return torch.from_numpy(targets(task.kind, task.y, len(task.classes))).float().to(self.clips.device)

    def _held_out_losses(
        self,
        task: Task,
        fits: Sequence[Fit],
        held: Sequence[Rows],
        plan: Plan,
    ) -> npt.NDArray[np.float64]:
        """Loss on held-out subjects at each mark of a run: (cells, marks)."""
        target, losses = self.target(task).double().cpu().numpy(), []
        sides = [
            side_weights(task.kind, target[task.rows(np.concatenate([fit.train, own]))])
            for fit, own in zip(fits, held, strict=True)
        ]
        for step, trained in self.run_together(task, fits, plan):
            if step not in marks(plan.steps):
                continue
            at_mark = []
            for (model, head), own, side in zip(trained, held, sides, strict=True):
                with torch.no_grad():
                    scores = self.scores(model, head, task, own).double().cpu().numpy()
                loss = float(criterion(task.kind, scores, target[task.rows(own)], side).sum())
                at_mark.append(loss if np.isfinite(loss) else float("inf"))
            losses.append(at_mark)
        return np.array(losses).T


def subject_batches(task: Task, train: Rows, size: int, identity: Identity) -> Iterator[Rows]:
    """Endless batches of labelled subjects: epochs are shuffled, classes dealt out evenly over batches."""
    random = np.random.default_rng(int(fingerprint(list(identity), length=15), 16))
    count = -(-len(train) // size)
    while True:
        order = random.permutation(train)
        if task.kind == "classification":
            order = order[np.argsort(task.y[order], kind="stable")]
        for batch in random.permutation(count):
            yield order[batch::count]
