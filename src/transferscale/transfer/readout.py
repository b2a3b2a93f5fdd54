"""The frozen read-out: many (training rows, test rows) problems solved at once from Gram matrices.

What a task is fitted with, in both read-outs:
- regression: squared error; the score is the prediction;
- state (windows, many balanced classes): squared error on one-hot targets; one score a class;
- classification: logistic loss, both classes weighing half whatever their numbers, intercept unpenalised, so that scores of
  folds with different class shares may be pooled; the scores of two classes are -f/2 and f/2 of the log-odds f; more than
  two classes are fitted one against the rest.

From 16 labelled subjects up, layer and penalty minimise that same loss on inner folds of the training subjects; below,
they are fixed: the penalty by the study, the layer as :data:`FIXED_LAYER`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.transfer.choice import best
from transferscale.transfer.kernels import Problems, Real, Rows, kernels, stack
from transferscale.transfer.solvers import balanced, logistic, ridge

# The embedding: every reader has it, and at small n it was the best single layer of the pilot.
FIXED_LAYER = 0

# Numbers in the largest batch of kernels, times 8 bytes and about 8 arrays: a quarter of a gigabyte.
BATCH_NUMBERS = 4_000_000

Blocks = Sequence[npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Problem:
    """One fit.

    Attributes
    ----------
    train
        Training rows.
    test
        Rows to predict.
    inner
        Held-out training rows of each inner fold; empty when nothing is chosen.
    """

    train: Rows
    test: Rows
    inner: Sequence[Rows] = ()


@dataclass(frozen=True)
class Fitted:
    """Scores of a problem's test rows (rows, outputs) and what was chosen."""

    scores: Real
    layer: int
    penalty: float
    chosen: bool

    @property
    def choice(self) -> dict[str, Any]:
        """For the ``choice`` column."""
        return {"layer": self.layer, "penalty": self.penalty, "chosen": "inner folds" if self.chosen else "fixed"}


def targets(kind: str, y: npt.NDArray[np.floating[Any]], classes: int) -> Real:
    """Target matrix (rows, outputs) of a task: values, one-hot classes, or for two classes whether it is the second."""
    if kind == "regression":
        return np.asarray(y, dtype=np.float64)[:, None]
    onehot: Real = (y[:, None] == np.arange(classes)).astype(np.float64)
    return onehot[:, 1:] if kind == "classification" and classes == 2 else onehot


def fit_problems(
    layers: Sequence[Blocks], kind: str, target: Real, problems: Sequence[Problem], options: Mapping[str, Any]
) -> list[Fitted]:
    """Fit every problem, choosing layer and penalty where it has inner folds.

    Parameters
    ----------
    layers
        Gram blocks of each layer, (rows, rows).
    kind
        ``regression``, ``state`` or ``classification``.
    target
        From :func:`targets` (rows, outputs).
    problems
        The fits.
    options
        ``penalties`` and ``fixed_penalty`` of the study.
    """
    penalties = sorted(map(float, options["penalties"]), reverse=True)
    picked = [(FIXED_LAYER, float(options["fixed_penalty"]))] * len(problems)
    choosing = [i for i, problem in enumerate(problems) if len(problem.inner)]
    if choosing:
        losses = _inner_losses(layers, kind, target, [problems[i] for i in choosing], penalties)
        for i, loss in zip(choosing, losses, strict=True):
            layer, penalty = divmod(best(loss.reshape(-1)), len(penalties))
            picked[i] = (layer, penalties[penalty])
    fitted: list[Fitted | None] = [None] * len(problems)
    for layer in sorted({layer for layer, _ in picked}):
        here = np.array([i for i, (chosen, _) in enumerate(picked) if chosen == layer])
        stacked = stack([problems[i].train for i in here], [problems[i].test for i in here])
        penalty = np.array([picked[i][1] for i in here])
        for part in _batches(stacked):
            scores = _scores(layers[layer], kind, target, stacked[part], penalty[part][None, :])[0]
            for i, score, size in zip(here[part], scores, stacked.sizes[part], strict=True):
                fitted[i] = Fitted(score[:size], *picked[i], chosen=bool(len(problems[i].inner)))
    return [fit for fit in fitted if fit is not None]


def _inner_losses(
    layers: Sequence[Blocks], kind: str, target: Real, problems: Sequence[Problem], penalties: Sequence[float]
) -> Real:
    """Loss of every candidate, summed over inner folds: (problems, layers, penalties)."""
    pairs = [(i, held) for i, problem in enumerate(problems) for held in problem.inner]
    stacked = stack([np.setdiff1d(problems[i].train, held) for i, held in pairs], [held for _, held in pairs])
    weights = [_class_weights(kind, target[problem.train]) for problem in problems]
    losses = np.zeros((len(problems), len(layers), len(penalties)))
    for part in _batches(stacked, len(penalties)):
        chunk, owners = stacked[part], [i for i, _ in pairs[part]]
        wanted = np.repeat(np.array(penalties)[:, None], len(owners), axis=1)
        held = target[chunk.other]
        weight = np.stack([weights[i] for i in owners])[:, None, :, :]
        real = (np.arange(chunk.other.shape[1]) < chunk.sizes[:, None])[:, :, None]
        for layer, blocks in enumerate(layers):
            scores = _scores(blocks, kind, target, chunk, wanted)
            if kind == "classification":
                side = np.where(held > 0, weight[..., 1], weight[..., 0])
                loss = side * np.logaddexp(0, np.where(held > 0, -scores, scores))
            else:
                loss = (scores - held) ** 2
            np.add.at(losses[:, layer], owners, (loss * real).sum(axis=(2, 3)).T)
    return losses


def _class_weights(kind: str, train: Real) -> Real:
    """Weight of the negative and the positive side of each output, (outputs, 2)."""
    if kind != "classification":
        return np.ones((train.shape[1], 2))
    positive = train.sum(axis=0)
    counts = np.stack([len(train) - positive, positive], axis=1)
    return len(train) / 2 / np.maximum(counts, 1)


def _scores(blocks: Blocks, kind: str, target: Real, problems: Problems, penalty: Real) -> Real:
    """Scores (penalties, problems, others, outputs) for penalties (penalties, problems)."""
    inner, cross = kernels(blocks, problems)
    count, outputs = len(penalty), target.shape[1]
    y, flat = target[problems.train], penalty.reshape(-1)
    inner, real = np.tile(inner, (count, 1, 1)), np.tile(problems.real, (count, 1))
    if kind == "classification":
        dual = np.empty((len(flat), y.shape[1], outputs))
        intercept = np.empty((len(flat), outputs))
        for output in range(outputs):
            positive = np.tile(y[:, :, output] > 0, (count, 1))
            dual[:, :, output], intercept[:, output] = logistic(inner, positive, balanced(positive, real), flat)
    else:
        dual, intercept = ridge(inner, np.tile(y, (count, 1, 1)), real, flat)
    scores: Real = cross[None] @ dual.reshape(count, -1, *dual.shape[1:])
    return scores + intercept.reshape(count, -1, 1, outputs)


def _batches(problems: Problems, copies: int = 1) -> list[slice]:
    each = max(1, BATCH_NUMBERS // (copies * problems.train.shape[1] ** 2))
    return [slice(start, start + each) for start in range(0, len(problems), each)]
