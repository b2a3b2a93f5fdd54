"""Fits of one reader along one read-out: rate and steps chosen, networks and heads trained, test rows scored.

Notable:
- what of the network moves is the read-out's matter (:mod:`transferscale.transfer.trained`), all else is here, one
  rule for all;
- the head starts at its optimum on the untouched encoder (:mod:`transferscale.transfer.head`);
- a step takes a few subjects, each with all its windows, because a subject's features are defined over all
  of them;
- from 16 labelled subjects up, learning rate and the step to stop at are chosen on one inner split, and all
  labelled subjects are then trained on; below, or where the study names one learning rate, all is fixed in
  advance;
- AdamW, warm-up over a tenth, then linear decay;
- what is random depends on the identity of a fit alone, not on the weights to start from: arms are paired. The
  perceptron on raw windows (arm ``raw:mlp``) is trained by the same lines;
- where it pays, several fits are trained as one (:mod:`transferscale.transfer.ensemble`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transferscale.artefacts import fingerprint
from transferscale.errors import UserError
from transferscale.transfer.aggregate import members
from transferscale.transfer.choice import best
from transferscale.transfer.ensemble import STACKED, Batch, Ensemble, at_once, filled
from transferscale.transfer.features import BATCH_WINDOWS
from transferscale.transfer.head import Head
from transferscale.transfer.readout import criterion, side_weights, targets
from transferscale.transfer.task import Cell, Task
from transferscale.transfer.trained.network import Network, tokens_of
from transferscale.transfer.trained.optimiser import Optimiser, Plan, marks
from transferscale.transfer.trained.read_out import Identity, read_out

Rows = npt.NDArray[np.int64]
# Takes a step: the subjects of each fit, and the factor on the learning rate.
Step = Callable[[Sequence[Rows], float], None]

# One inner split holds out a third of the labelled subjects.
INNER_FOLDS = 3


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
        ``steps``, ``batch_subjects``, ``learning_rates``, ``weight_decay`` of the study, and what the read-out has
        beside them. With no steps the encoder stays, and the head is its optimum on it.
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
            self.start = torch.cat([self.encode(encoder, part) for part in torch.split(clips, BATCH_WINDOWS)])

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
        rates, steps = [float(r) for r in self.options["learning_rates"]], int(self.options["steps"])
        plans = [Plan(rates[0], steps, steps)] * len(cells)
        free = len(rates) > 1 and steps > 0
        inner = [task.inner(cell.train, INNER_FOLDS) if free else [] for cell in cells]
        # With "all" labelled, folds may lie on both sides of the number from which anything is chosen.
        choosing = [i for i, own in enumerate(inner) if own]
        if choosing:
            candidates = [Plan(rate, stop, steps) for rate in rates for stop in marks(steps)]
            held = [inner[i][0] for i in choosing]
            rest = [np.setdiff1d(cells[i].train, own) for i, own in zip(choosing, held, strict=True)]
            whose = [identities[i] for i in choosing]
            losses = [
                self._held_out_losses(task, rest, held, Plan(rate, steps, steps), whose) for rate in rates
            ]
            for i, own in zip(choosing, np.concatenate(losses, axis=1), strict=True):
                plans[i] = candidates[best(own)]
        tuned: list[Tuned | None] = [None] * len(cells)
        for plan in dict.fromkeys(plans):
            which = [i for i, own in enumerate(plans) if own == plan]
            choice = {"learning_rate": plan.learning_rate, "steps": plan.steps}
            trains = [cells[i].train for i in which]
            trained = self.train_together(task, trains, plan, [identities[i] for i in which])
            for i, (model, head) in zip(which, trained, strict=True):
                chosen = "inner split" if inner[i] else "fixed"
                tuned[i] = Tuned(model, head, {**choice, "chosen": chosen})
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

    def train(self, task: Task, train: Rows, plan: Plan, identity: Identity) -> tuple[Network, Head]:
        """Train on the labelled subjects ``train``."""
        return self.train_together(task, [train], plan, [identity])[0]

    def train_together(
        self, task: Task, trains: Sequence[Rows], plan: Plan, identities: Sequence[Identity]
    ) -> list[tuple[Network, Head]]:
        """Train one network on each of several sets of labelled subjects."""
        for step, trained in self.run_together(task, trains, plan, identities):
            if step == plan.steps:
                return trained
        raise AssertionError("a run ends at its last step")

    def run(
        self, task: Task, train: Rows, plan: Plan, identity: Identity
    ) -> Iterator[tuple[int, Network, Head]]:
        """Train for ``plan.steps`` and yield (steps taken, network, head) before the first step and after each."""
        for step, [(model, head)] in self.run_together(task, [train], plan, [identity]):
            yield step, model, head

    def run_together(
        self, task: Task, trains: Sequence[Rows], plan: Plan, identities: Sequence[Identity]
    ) -> Iterator[tuple[int, list[tuple[Network, Head]]]]:
        """As :meth:`run` for several sets of labelled subjects."""
        started = [self._start(task, train, who) for train, who in zip(trains, identities, strict=True)]
        yield 0, started
        size = int(self.options["batch_subjects"])
        batches = [subject_batches(task, t, size, who) for t, who in zip(trains, identities, strict=True)]
        subjects = [[next(own) for own in batches] for _ in range(plan.steps)]
        step = (
            self._alone(task, *started[0], plan)
            if len(trains) == 1
            else self._as_one(task, started, plan, subjects)
        )
        for number, each in enumerate(subjects):
            step(each, plan.factor(number))
            yield number + 1, started

    def _start(self, task: Task, train: Rows, identity: Identity) -> tuple[Network, Head]:
        """Network and head before the first step."""
        windows = self.windows(task, train)
        target = self.target(task)[task.rows(train)]
        features, member = self.start[windows], self.member(windows, train)
        # Solved on the CPU, in double precision.
        features, member, target = features.cpu(), member.cpu(), target.cpu()
        head = self.read_out.head(self.encoder, task.kind, features, member, target, identity)
        return self.read_out.begin(self.encoder, identity), head.to(self.clips.device)

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
        """Final tokens of clips, those of one time step side by side: (windows, times, places * width)."""
        tokens: Tensor = tokens_of(model, clips)
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
        trains: Sequence[Rows],
        held: Sequence[Rows],
        plan: Plan,
        identities: Sequence[Identity],
    ) -> npt.NDArray[np.float64]:
        """Loss on held-out subjects at each mark of a run: (cells, marks)."""
        target, losses = self.target(task).double().cpu().numpy(), []
        sides = [
            side_weights(task.kind, target[task.rows(np.concatenate(both))])
            for both in zip(trains, held, strict=True)
        ]
        for step, trained in self.run_together(task, trains, plan, identities):
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
