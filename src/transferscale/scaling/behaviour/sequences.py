"""Table `continual`: what is kept of a task while the network learns others.

With R_ki the score of task i after stage k, from chance (0) to perfect (1) so that metrics can be averaged, there are
after stage k

- average (ACC) is the mean of R_ki over the tasks i <= k (Lopez-Paz & Ranzato 2017, arXiv 1706.08840);
- backward transfer (BWT) the mean of R_ki - R_ii over i < k (the same): below 0 where learning harms what was learned;
- forgetting the mean over i < k of max_(i <= l < k) R_li - R_ki (Chaudhry et al. 2018, arXiv 1801.10112), within each
  repeat, draw and seed. A maximum of noisy scores is too large, so forgetting is above 0 where noise alone changes.

Tasks of a dataset share subjects, so they are resampled together: a subject that is drawn twice counts twice in all of
them. They are drawn within the combinations of classes that they have in the tasks.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from transferscale.conditions import plain
from transferscale.scaling.behaviour.cells import ConditionCell
from transferscale.scaling.gains.bootstrap import RESAMPLES, crossed, subject_weights
from transferscale.scaling.gains.scores import Evaluation, evaluate, strata
from transferscale.scaling.metrics import Ints, Reals
from transferscale.study.study import Study

CONDITION = "continual:"

# Where a task stands: dataset and task.
TaskName = tuple[str, str]
Scored = Evaluation[ConditionCell]


def rows(study: Study, cells: Sequence[ConditionCell]) -> list[dict[str, Any]]:
    """Rows of the `continual` table, sequence by sequence and reader by reader."""

    def whose(cell: ConditionCell) -> tuple[int, str, str, str]:
        number = int(plain(cell.condition).removeprefix(CONDITION))
        return number, cell.read_out, cell.reader_group, cell.n_labels

    found = []
    for (number, *_), group in groupby(sorted(cells, key=whose), key=whose):
        found += _sequence(study, number, list(group))
    return found


def _sequence(study: Study, number: int, cells: Sequence[ConditionCell]) -> list[dict[str, Any]]:
    """Rows of one sequence learned by one reader, read-out and label count."""
    weights = joint_weights(cells)
    scored: dict[tuple[int, TaskName], Scored] = {}
    for cell in cells:
        metric = study.task(cell.dataset, cell.task).metric
        scored[cell.severity, (cell.dataset, cell.task)] = evaluate(
            cell, metric, weights=weights[cell.dataset, cell.task]
        )
    learned: dict[TaskName, int] = {}
    for stage, name in sorted(scored):
        learned.setdefault(name, stage)
    order = sorted(learned, key=lambda name: learned[name])
    first = cells[0]
    keys = {
        "sequence": number,
        "tasks": " > ".join("/".join(name) for name in order),
        "arm": first.arm,
        "read_out": first.read_out,
        "reader_group": first.reader_group,
        "depth": first.reader.depth,
        "rung": first.reader.rung,
        "n_labels": first.n_labels,
        "n_seeds": len(np.unique(first.columns[:, 2])),
        "n_draws": len(np.unique(first.columns[:, 1])),
    }
    found: list[dict[str, Any]] = []
    for stage in sorted({stage for stage, _ in scored}):
        for name in order[:stage]:
            one = scored[stage, name]
            about = {"quantity": "score", "dataset": name[0], "task": name[1], "metric": one.metric}
            ends = {"value": one.value, "low": one.interval[0], "high": one.interval[1]}
            found.append({**keys, "stage": stage, **about, **ends, "n_subjects": len(one.cell.subjects)})
        everybody = {(name[0], s) for name in order[:stage] for s in scored[stage, name].cell.subjects}
        for quantity, drawn in summaries(scored, order, stage).items():
            point, resampled = drawn[0], drawn[1:]
            values = crossed(resampled, point, first.columns[:, 1], first.columns[:, 2])
            low, high = np.quantile(values, [0.025, 0.975])
            about = {"quantity": quantity, "dataset": "", "task": "", "metric": "above_chance"}
            ends = {"value": float(point.mean()), "low": float(low), "high": float(high)}
            found.append({**keys, "stage": stage, **about, **ends, "n_subjects": len(everybody)})
    return found


def summaries(
    scored: Mapping[tuple[int, TaskName], Scored], order: Sequence[TaskName], stage: int
) -> dict[str, Reals]:
    """Average, backward transfer and forgetting after a stage: the point, then resamples, (1 + resamples, columns).

    After the first stage there is nothing to forget.
    """

    def above(at: int, name: TaskName) -> Reals:
        one = scored[at, name]
        return above_chance(one, np.concatenate([one.point[None], one.resampled]))

    now = [above(stage, name) for name in order[:stage]]
    found = {"average": np.mean(now, axis=0)}
    if stage > 1:
        before = [
            [above(at, name) for at in range(i, stage)] for i, name in enumerate(order[: stage - 1], start=1)
        ]
        last = now[:-1]
        found["backward_transfer"] = np.mean([n - b[0] for n, b in zip(last, before, strict=True)], axis=0)
        found["forgetting"] = np.mean(
            [np.max(b, axis=0) - n for n, b in zip(last, before, strict=True)], axis=0
        )
    return found


def above_chance(one: Scored, score: Reals) -> Reals:
    """Scores from chance (0) to perfect (1); chance is 1/2 for auroc, 0 for r and r2, 1 / classes for accuracies."""
    chance = {"auroc": 0.5, "r": 0.0, "r2": 0.0}.get(one.metric, 1 / max(1, one.cell.score.shape[1]))
    above: Reals = (score - chance) / (1 - chance)
    return above


def joint_weights(cells: Sequence[ConditionCell]) -> dict[TaskName, Reals]:
    """Weights of every task's subjects, shape (resamples, subjects), from one resample of each dataset's people."""
    tasks: dict[TaskName, ConditionCell] = {}
    for cell in cells:
        tasks.setdefault((cell.dataset, cell.task), cell)
    found: dict[TaskName, Reals] = {}
    for dataset in dict.fromkeys(name[0] for name in tasks):
        own = {name: cell for name, cell in tasks.items() if name[0] == dataset}
        names = sorted({subject for cell in own.values() for subject in cell.subjects})
        at = {subject: i for i, subject in enumerate(names)}
        places = {name: np.array([at[s] for s in cell.subjects]) for name, cell in own.items()}
        classes = np.full((len(names), len(own)), -1, dtype=np.int64)
        for column, (name, cell) in enumerate(own.items()):
            classes[places[name], column] = strata(cell)
        _, stratum = np.unique(classes, axis=0, return_inverse=True)
        family = _families(len(names), [(places[name], cell.family) for name, cell in own.items()])
        weights = subject_weights(family, stratum.ravel().astype(np.int64), RESAMPLES, f"{dataset}/continual")
        found |= {name: weights[:, place] for name, place in places.items()}
    return found


def _families(people: int, known: Sequence[tuple[Ints, Ints]]) -> Ints:
    """Family of each of ``people`` from (who, family within a task) of every task; who shares one somewhere is kin."""
    family = np.arange(people, dtype=np.int64)
    while True:
        before = family.copy()
        for who, of in known:
            smallest = np.full(int(of.max()) + 1, people, dtype=np.int64)
            np.minimum.at(smallest, of, family[who])
            family[who] = smallest[of]
        if np.array_equal(family, before):
            return family
