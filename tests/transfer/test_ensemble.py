"""Fits trained as one become what they would have become one after the other."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.transfer.planted import Planted
from tests.transfer.trained.test_read_outs import FAMILIES, OPTIONS, encoder_of, task_and_cell, tuner_of
from transferscale.medical.reading import Splits, View
from transferscale.study.reader import Reader
from transferscale.transfer.ensemble import Batch, Objective, at_once, filled
from transferscale.transfer.head import HEAD_RATE, Head
from transferscale.transfer.perceptron import Perceptron
from transferscale.transfer.task import Cell, Task, cells, load_task
from transferscale.transfer.trained.optimiser import Plan
from transferscale.transfer.tuner import Fit, Tuner


def fits_of(planted: Planted, name: str, n: int) -> tuple[Task, list[Cell]]:
    spec = planted.spec("full", Reader("scratch", family="vit", depth=1, seed=0), 16)
    spec |= {"n_labels": n, "draws": 2}
    view = View(planted.view)
    task = load_task(name, spec["tasks"][name], planted.recordings, view)
    return task, list(cells(task, spec, Splits(planted.splits), view))


def assert_as_alone(tuner: Tuner, task: Task, each: list[Cell]) -> None:
    identities = [("x", cell.fold, cell.draw) for cell in each]
    together = tuner.fit_together(task, each, identities)
    for cell, identity, tuned in zip(each, identities, together, strict=True):
        alone = tuner.fit(task, cell, identity)
        assert tuned.choice == alone.choice
        first, second = (tuner.predict(one, task, cell)[0] for one in (tuned, alone))
        np.testing.assert_allclose(first, second, atol=1e-4)


# 10 subjects in batches of 4 are batches of 4, 3 and 3, and not of the same size at the same step.
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["group", "three", "score", "film"])
def test_together_they_become_what_they_become_alone(planted: Planted, family: str, kind: str) -> None:
    task, each = fits_of(planted, kind, 10)
    for name in ("full", "fpt"):
        assert_as_alone(tuner_of(planted, name, family, options={**OPTIONS, "steps": 4}), task, each)


def test_each_takes_the_rate_and_the_steps_that_it_chose(planted: Planted) -> None:
    task, each = fits_of(planted, "film", 16)
    tuner = tuner_of(planted, "full", options={**OPTIONS, "steps": 4, "learning_rates": [1e-3, 3e-2]})
    assert_as_alone(tuner, task, each)
    chosen = tuner.fit_together(task, each, [("x", cell.fold, cell.draw) for cell in each])
    assert len({(one.choice["learning_rate"], one.choice["steps"]) for one in chosen}) > 1


def test_each_chooses_where_it_has_enough_to_choose_with(planted: Planted) -> None:
    task, each = fits_of(planted, "group", 16)
    few = dataclasses.replace(each[0], train=each[0].train[:15])
    tuner = tuner_of(planted, "full", options={**OPTIONS, "steps": 4, "learning_rates": [1e-3, 3e-2]})
    for together in ([few, each[1]], [each[1], few]):
        assert_as_alone(tuner, task, together)
        found = tuner.fit_together(task, together, [("x", cell.fold, cell.draw) for cell in together])
        told = [(len(cell.train), one.choice["chosen"]) for cell, one in zip(together, found, strict=True)]
        assert sorted(told) == [(15, "fixed"), (16, "inner folds, inner split")]


@pytest.mark.parametrize("kind", ["group", "film"])
def test_subjects_may_have_more_windows_than_others(planted: Planted, kind: str) -> None:
    task, each = fits_of(planted, kind, 10)
    view = View(planted.view)
    # Of every third subject one window is left out.
    kept = np.flatnonzero((view.window_subject % 3 > 0) | (view.window_number > 0))
    clips = torch.from_numpy(view.clips(kept))
    tuner = Tuner(encoder_of(planted, "vit"), clips, view.window_subject[kept], {**OPTIONS, "steps": 4})
    if kind == "film":
        task = dataclasses.replace(task, y=task.y[kept], owner=task.owner[kept])
    assert_as_alone(tuner, task, each)


def test_perceptrons_are_trained_together_too(planted: Planted) -> None:
    task, each = fits_of(planted, "group", 10)
    view = View(planted.view)
    series = torch.from_numpy(view.series_windows())
    assert_as_alone(Tuner(Perceptron(series[0].numel(), 0), series, view.window_subject, OPTIONS), task, each)


@pytest.mark.parametrize("kind", ["group", "film"])
def test_what_fills_a_batch_up_weighs_nothing(planted: Planted, kind: str) -> None:
    tuner = tuner_of(planted, "full")
    task, cell = task_and_cell(planted, kind)
    target, windows = tuner.target(task)[task.rows(cell.train)], tuner.windows(task, cell.train)
    head = Head(task.kind, tuner.start[windows], tuner.member(windows, cell.train), target, 1.0)
    subjects = cell.train[:3]
    own, rows = tuner.windows(task, subjects), task.rows(subjects)
    weight = torch.full((len(rows),), 1 / len(rows))
    batch = Batch(torch.from_numpy(own), tuner.member(own, subjects), tuner.target(task)[rows], weight)
    more = filled(batch, len(own) + 3, 5, task.kind == "state")
    assert more.member.shape == (len(own) + 3, 5)
    with torch.no_grad():
        losses = [
            Objective(head)(tuner.start[one.windows], one.member, one.target, one.weight)
            for one in (batch, more)
        ]
        expected = head.objective(head(tuner.start[own], batch.member), batch.target)
    torch.testing.assert_close(losses[0], expected)
    torch.testing.assert_close(losses[1], expected)


def test_on_a_processor_fits_are_trained_one_after_the_other(planted: Planted) -> None:
    assert at_once(encoder_of(planted, "vit"), 16, torch.device("cpu")) == 1
    assert tuner_of(planted, "full").at_once == 1


def test_rounding_does_not_move_the_head_from_its_optimum(planted: Planted) -> None:
    """In a batch of all labelled subjects the head's gradient is zero but for rounding, at the first step."""
    tuner = tuner_of(planted, "full", options={**OPTIONS, "batch_subjects": 16})
    task, cell = task_and_cell(planted, "group")
    found = {}
    for step, [(_, head)] in tuner.run_together(task, [Fit(cell.train, ("x",), 1.0)], Plan(1e-2, 1, 1)):
        found[step] = [weight.detach().clone() for weight in head.parameters()]
    for before, after in zip(found[0], found[1], strict=True):
        assert float((after - before).norm()) < 1e-3 * 1e-2 * HEAD_RATE
