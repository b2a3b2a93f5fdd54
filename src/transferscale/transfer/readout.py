"""The frozen read-out: many (training rows, test rows) problems solved at once from Gram matrices.

What a task is fitted with, in both read-outs:
- regression: squared error; the score is the prediction;
- state (windows, many balanced classes): squared error on one-hot targets; one score a class;
- classification: logistic loss, both classes weighing half whatever their numbers, intercept unpenalised;
  more than two classes are fitted one against the rest. The score is the signed distance from the boundary,
  in units of the root mean squared feature norm: log-odds grow as the penalty falls, and pooling the
  log-odds of folds with different penalties ranks test subjects by their fold (AUROC .76 instead of .88 on
  ds000228, child against adult, 16 labels).

From 16 labelled subjects up, layer and penalty minimise that same loss on inner folds of the training
subjects; below, they are fixed: the penalty by the study, the layer as :data:`FIXED_LAYER`.
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

# Numbers in the largest batch of kernels, times 8 bytes and about 8 arrays: 64 megabytes.
BATCH_NUMBERS = 1_000_000

# Problems are padded to at most this many times the rows of the smallest among them.
PADDING = 1.1

# Weight of the squared error beside the error rate, for the choice in state tasks: it decides among near
# equals.
TIE = 1e-3

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
    """Scores of a problem's test rows (rows, outputs) and what was chosen.

    ``log_odds`` are the scores of classes before they are divided by the norm of their weights; the scores themselves
    where that is not done.
    """

    scores: Real
    log_odds: Real
    layer: int
    penalty: float
    chosen: bool

    @property
    def choice(self) -> dict[str, Any]:
        """For the ``choice`` column."""
        return {
            "layer": self.layer,
            "penalty": self.penalty,
            "chosen": "inner folds" if self.chosen else "fixed",
        }


def targets(kind: str, y: npt.NDArray[np.floating[Any]], classes: int) -> Real:
    """Targets (rows, outputs): values, one-hot classes, or of two classes whether it is the second.

    Rows without a label (NaN) become zeros; no problem has them.
    """
    if kind == "regression":
        return np.nan_to_num(np.asarray(y, dtype=np.float64))[:, None]
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
    candidates = _ordered(options["penalties"])
    layer = np.full(len(problems), FIXED_LAYER)
    penalty = np.full(len(problems), float(options["fixed_penalty"]))
    choosing = [i for i, problem in enumerate(problems) if len(problem.inner)]
    if choosing:
        losses = _inner_losses(layers, kind, target, [problems[i] for i in choosing], candidates)
        for i, loss in zip(choosing, losses, strict=True):
            layer[i], place = divmod(best(loss.reshape(-1)), len(candidates))
            penalty[i] = candidates[place]
    results: dict[int, tuple[Real, Real]] = {}
    for one in np.unique(layer):
        for here in _batches(np.flatnonzero(layer == one), [problem.train for problem in problems]):
            stacked = stack([problems[i].train for i in here], [problems[i].test for i in here])
            scores, log_odds = _distances(layers[one], kind, target, stacked, penalty[here])
            for i, score, odds, size in zip(here, scores, log_odds, stacked.sizes, strict=True):
                results[i] = score[:size], odds[:size]
    return [
        Fitted(*results[i], int(layer[i]), float(penalty[i]), bool(len(problem.inner)))
        for i, problem in enumerate(problems)
    ]


def chosen_penalty(
    blocks: Blocks, kind: str, target: Real, inner: Sequence[Rows], penalties: Sequence[float]
) -> float:
    """The penalty that loses least on the inner folds of one problem, by the rule of :func:`fit_problems`.

    Parameters
    ----------
    blocks
        Gram blocks of its training rows (rows, rows), target (rows, outputs).
    inner
        Held-out rows of each inner fold.
    """
    problem, candidates = Problem(np.arange(len(target)), np.arange(0), inner), _ordered(penalties)
    return candidates[best(_inner_losses([blocks], kind, target, [problem], candidates)[0, 0])]


def _ordered(penalties: Sequence[float]) -> list[float]:
    """Candidates, simplest first."""
    return sorted(map(float, penalties), reverse=True)


def _inner_losses(
    layers: Sequence[Blocks], kind: str, target: Real, problems: Sequence[Problem], penalties: Sequence[float]
) -> Real:
    """Loss of every candidate, summed over inner folds: (problems, layers, penalties)."""
    pairs = [(i, held) for i, problem in enumerate(problems) for held in problem.inner]
    rests = [np.setdiff1d(problems[i].train, held) for i, held in pairs]
    sides = [side_weights(kind, target[problem.train]) for problem in problems]
    losses = np.zeros((len(problems), len(layers), len(penalties)))
    for part in _batches(np.arange(len(pairs)), rests, len(penalties)):
        chunk = stack([rests[k] for k in part], [pairs[k][1] for k in part])
        owners = [pairs[k][0] for k in part]
        wanted = np.repeat(np.array(penalties)[:, None], len(owners), axis=1)
        held = target[chunk.other]
        side = np.stack([sides[i] for i in owners])[:, None, :, :]
        real = (np.arange(chunk.other.shape[1]) < chunk.sizes[:, None])[:, :, None]
        for layer, blocks in enumerate(layers):
            scores = _scores(blocks, kind, target, chunk, wanted)
            loss = criterion(kind, scores, held, side)
            np.add.at(losses[:, layer], owners, (loss * real).sum(axis=(2, 3)).T)
    return losses


def criterion(kind: str, scores: Real, target: Real, side: Real) -> Real:
    """What an inner choice minimises, for every score (..., rows, outputs).

    The loss of the fit for values and classes; for states the error rate, with a trace of the squared error
    to decide among equals (the squared error itself prefers penalties that are too small: accuracy .91
    instead of .93 on ds000228's film, all labels).

    Parameters
    ----------
    side
        From :func:`side_weights`, (outputs, 2) or anything that fits ``scores`` after its last axis is
        dropped.
    """
    if kind == "classification":
        weight = np.where(target > 0, side[..., 1], side[..., 0])
        loss: Real = weight * np.logaddexp(0, np.where(target > 0, -scores, scores))
        return loss
    squared: Real = (scores - target) ** 2
    if kind == "state":
        wrong = scores.argmax(axis=-1) != target.argmax(axis=-1)
        squared = TIE * squared + wrong[..., None] / target.shape[-1]
    return squared


def side_weights(kind: str, train: Real) -> Real:
    """Weight of the negative and positive side of each output (outputs, 2): both weigh half of the rows."""
    if kind != "classification":
        return np.ones((train.shape[1], 2))
    positive = train.sum(axis=0)
    counts = np.stack([len(train) - positive, positive], axis=1)
    weight: Real = len(train) / 2 / np.maximum(counts, 1)
    return weight


def _scores(blocks: Blocks, kind: str, target: Real, problems: Problems, penalty: Real) -> Real:
    """Scores (penalties, problems, others, outputs) for penalties (penalties, problems)."""
    inner, cross = kernels(blocks, problems)
    y, scores = target[problems.train], []
    for one in penalty:
        dual, intercept = solve(kind, inner, y, problems.real, one)
        scores.append(cross @ dual + intercept[:, None])
    return np.stack(scores)


def _distances(
    blocks: Blocks, kind: str, target: Real, problems: Problems, penalty: Real
) -> tuple[Real, Real]:
    """Scores as they are written, and before that, (problems, others, outputs) each, for penalties (problems,)."""
    inner, cross = kernels(blocks, problems)
    dual, intercept = solve(kind, inner, target[problems.train], problems.real, penalty)
    log_odds: Real = cross @ dual + intercept[:, None]
    if kind != "classification":
        return log_odds, log_odds
    dual, intercept = unit_norm(inner, dual, intercept)
    distances: Real = cross @ dual + intercept[:, None]
    return distances, log_odds


def solve(kind: str, kernel: Real, target: Real, real: Real, penalty: Real) -> tuple[Real, Real]:
    """Fit stacked problems: dual (problems, rows, outputs), intercept (problems, outputs)."""
    if kind != "classification":
        return ridge(kernel, target, real, penalty)
    dual, intercept = np.empty_like(target), np.empty((len(target), target.shape[2]))
    for output in range(target.shape[2]):
        positive = target[:, :, output] > 0
        weight = balanced(positive, real)
        dual[:, :, output], intercept[:, output] = logistic(kernel, positive, weight, penalty)
    return dual, intercept


def unit_norm(kernel: Real, dual: Real, intercept: Real) -> tuple[Real, Real]:
    """Divide read-outs by the norm of their weights, so that scores are distances from the boundary."""
    norm = np.sqrt(np.maximum(np.einsum("gik,gij,gjk->gk", dual, kernel, dual, optimize=True), 0))
    scale = np.divide(1, norm, out=np.zeros_like(norm), where=norm > 1e-12)
    return dual * scale[:, None, :], intercept * scale


def _batches(wanted: Rows, train: Sequence[Rows], copies: int = 1) -> list[Rows]:
    """Problems that are stacked together: those with about as many training rows, as many as fit into memory.

    Solving takes the cube of the rows, so that little padding costs much.
    """
    order = sorted(wanted.tolist(), key=lambda i: len(train[i]))
    batches: list[Rows] = []
    while order:
        most = PADDING * len(train[order[0]])
        each = max(1, int(BATCH_NUMBERS // (copies * most**2)))
        together = [i for i in order[:each] if len(train[i]) <= most]
        batches.append(np.array(together, dtype=np.int64))
        order = order[len(together) :]
    return batches
