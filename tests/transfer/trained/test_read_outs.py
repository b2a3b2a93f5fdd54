"""What each read-out that trains moves, and what it leaves alone."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from tests.transfer.planted import Planted
from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.models.build import build
from transferscale.models.encoder import VideoEncoder
from transferscale.study.reader import Reader
from transferscale.transfer.task import Cell, Task, cells, load_task
from transferscale.transfer.trained.attentive import AttentiveHead
from transferscale.transfer.trained.lora import Lora, adapters
from transferscale.transfer.trained.optimiser import Plan
from transferscale.transfer.trained.read_out import READ_OUTS, read_out
from transferscale.transfer.tuner import Fit, Tuner
from transferscale.versions import STAGE_VERSION

PENALTY = {"penalties": [0.1, 1.0, 10.0], "fixed_penalty": 1.0, "inner_folds": 3}
OPTIONS = {
    "steps": 2,
    "batch_subjects": 4,
    "learning_rates": [1e-2],
    "weight_decay": 0.05,
    "rank": 2,
    **PENALTY,
}
FAMILIES = ("vit", "convnet")
# First test scores of a fit of task `film`.
GOLDEN = {
    "full": [0.9302, -0.0985, 0.1482],
    "fpt": [0.9191, -0.0965, 0.1553],
    "lora": [0.9648, -0.1002, 0.0996],
    "attentive": [0.1835, 0.3614, 0.3089],
}


def encoder_of(planted: Planted, family: str, seed: int = 0) -> VideoEncoder:
    return build({**planted.grid.model_spec("vit", 1), "family": family}, seed).eval()


def tuner_of(
    planted: Planted, name: str, family: str = "vit", seed: int = 0, options: Mapping[str, Any] = OPTIONS
) -> Tuner:
    view = View(planted.view)
    clips = torch.from_numpy(view.clips())
    return Tuner(encoder_of(planted, family, seed), clips, view.window_subject, options, name)


def task_and_cell(planted: Planted, name: str) -> tuple[Task, Cell]:
    spec = planted.spec("full", Reader("scratch", family="vit", depth=1, seed=0), 16)
    view = View(planted.view)
    task = load_task(name, spec["tasks"][name], planted.recordings, view)
    return task, next(iter(cells(task, spec, Splits(planted.splits), view)))


def moved(before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]) -> set[str]:
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", READ_OUTS)
def test_before_the_first_step_the_network_says_what_the_encoder_says(
    planted: Planted, name: str, family: str
) -> None:
    encoder = encoder_of(planted, family)
    clips = torch.from_numpy(View(planted.view).clips(np.arange(3)))
    with torch.no_grad():
        assert torch.equal(read_out(name, OPTIONS).begin(encoder, ("x",))(clips), encoder(clips))


@pytest.mark.parametrize(
    ("family", "parts"),
    [
        ("vit", ("tokenizer.", "norm.", ".norm_attention.", ".norm_mlp.", ".norm_q.", ".norm_k.")),
        ("convnet", ("tokenizer.", "norm.", ".norm.", ".response.")),
    ],
)
def test_fpt_moves_norms_and_tokenizer_and_nothing_else(
    planted: Planted, family: str, parts: tuple[str, ...]
) -> None:
    tuner = tuner_of(planted, "fpt", family)
    task, cell = task_and_cell(planted, "group")
    [(model, _)] = tuner.train_together(task, [Fit(cell.train, ("x",), 1.0)], Plan(1e-2, 2, 2))
    before = tuner.encoder.state_dict()
    named = {n for n in before if n.startswith(parts[:2]) or any(part in n for part in parts[2:])}
    assert moved(before, model.state_dict()) == named
    assert len(named) < len(before)


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_moves_its_adapters_and_nothing_else(planted: Planted, family: str) -> None:
    tuner = tuner_of(planted, "lora", family)
    task, cell = task_and_cell(planted, "group")
    runs = {
        step: copy.deepcopy(m.state_dict())
        for step, [(m, _)] in tuner.run_together(task, [Fit(cell.train, (1,), 1.0)], Plan(1e-2, 2, 2))
    }
    every = set(runs[0])
    assert moved(runs[0], runs[2]) == {name for name in every if "lora_" in name}
    of_encoder = tuner.encoder.state_dict()
    kept = {name.replace(".base_layer", ""): value for name, value in runs[2].items() if "lora_" not in name}
    assert set(kept) == set(of_encoder)
    assert not moved(of_encoder, kept)


def test_lora_draws_its_adapters_by_the_fit_and_not_by_the_arm(planted: Planted) -> None:
    before = torch.random.get_rng_state()
    one, other = (Lora(2).begin(encoder_of(planted, "vit", seed), ("x",)) for seed in (0, 1))
    another = Lora(2).begin(encoder_of(planted, "vit"), ("y",))
    assert torch.equal(torch.random.get_rng_state(), before)
    drawn = [[first for first, _ in adapters(model)] for model in (one, other, another)]
    assert drawn[0]
    assert all(torch.equal(a, b) for a, b in zip(drawn[0], drawn[1], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(drawn[0], drawn[2], strict=True))


def test_a_first_step_of_lora_moves_what_a_matrix_says_as_far_at_any_rank(planted: Planted) -> None:
    # Adam's first step is the learning rate times the sign of the gradient: B x rate of each of `rank` inputs.
    reach = {}
    for rank in (1, 8):
        read = Lora(rank)
        model = read.begin(encoder_of(planted, "vit"), ("x",))
        of_b = [group["lr"] for group in read.groups(model, 1e-2, 0.05)[1::2]]
        reach[rank] = [rate * rank for rate in of_b]
    assert reach[1] == pytest.approx(reach[8])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["group", "three", "score", "film"])
def test_attentive_leaves_the_encoder_alone_and_lowers_its_objective(
    planted: Planted, family: str, kind: str
) -> None:
    tuner = tuner_of(planted, "attentive", family, options={**OPTIONS, "batch_subjects": 16})
    before = copy.deepcopy(tuner.encoder.state_dict())
    task, cell = task_and_cell(planted, kind)
    target, found = tuner.target(task)[task.rows(cell.train)], {}
    for step, [(model, head)] in tuner.run_together(task, [Fit(cell.train, ("x",), 1.0)], Plan(3e-3, 12, 12)):
        assert model is tuner.encoder
        assert isinstance(head, AttentiveHead)
        if step in (0, 12):
            with torch.no_grad():
                found[step] = float(head.objective(tuner.scores(model, head, task, cell.train), target))
    assert not moved(before, tuner.encoder.state_dict())
    assert found[12] < found[0]


@pytest.mark.parametrize("name", READ_OUTS)
def test_without_steps_the_head_is_the_optimum_on_the_encoder_as_it_is(planted: Planted, name: str) -> None:
    tuner = tuner_of(planted, name, options={**OPTIONS, "steps": 0, "learning_rates": [1e-3, 1e-2]})
    task, cell = task_and_cell(planted, "group")
    tuned = tuner.fit(task, cell, ("x",))
    assert tuned.choice["steps"] == 0
    scores = tuner.scores(tuned.model, tuned.head, task, cell.train)
    objective = tuned.head.objective(scores, tuner.target(task)[task.rows(cell.train)])
    weights = [*tuned.head.linear, *tuned.head.quadratic, tuned.head.bias]
    gradients = torch.autograd.grad(objective, weights)
    assert sum(float((g**2).sum()) for g in gradients) ** 0.5 < 2e-3


@pytest.mark.parametrize("name", READ_OUTS)
def test_scores_follow_clips_that_are_given_and_so_does_their_gradient(planted: Planted, name: str) -> None:
    tuner = tuner_of(planted, name)
    task, cell = task_and_cell(planted, "group")
    tuned = tuner.fit(task, cell, ("x",))
    clips = tuner.clips.clone().requires_grad_()
    given = tuner.scores(tuned.model, tuned.head, task, cell.test, clips)
    own = tuner.scores(tuned.model, tuned.head, task, cell.test)
    torch.testing.assert_close(given, own, atol=1e-4, rtol=1e-4)
    (gradient,) = torch.autograd.grad(given.sum(), clips)
    reached = gradient.flatten(1).abs().sum(1) > 0
    assert np.flatnonzero(reached.numpy()).tolist() == sorted(tuner.windows(task, cell.test).tolist())
    spoiled = tuner.scores(tuned.model, tuned.head, task, cell.test, -tuner.clips)
    assert not torch.allclose(spoiled, own, atol=1e-2)


@pytest.mark.parametrize("name", READ_OUTS)
def test_permuted_labels_give_chance_and_true_ones_do_not(planted: Planted, name: str) -> None:
    tuner = tuner_of(planted, name)
    task, cell = task_and_cell(planted, "film")

    def accuracy(asked: Task) -> float:
        decision, _ = tuner.predict(tuner.fit(asked, cell, ("x",)), asked, cell)
        return float((decision.argmax(1) == asked.y[asked.rows(cell.test)]).mean())

    random, mean = np.random.default_rng(0), []
    for _ in range(6):
        mean.append(
            accuracy(Task(task.name, task.kind, task.classes, random.permutation(task.y), task.owner))
        )
    chance = 1 / len(task.classes)
    assert abs(np.mean(mean) - chance) < 0.12
    assert accuracy(task) > chance + 0.2


def test_an_unknown_read_out_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"no read-out 'loar' that trains.*lora"):
        read_out("loar", OPTIONS)


@pytest.mark.parametrize("name", READ_OUTS)
def test_golden_numbers_change_only_with_the_version(planted: Planted, name: str) -> None:
    tuner = tuner_of(planted, name)
    task, cell = task_and_cell(planted, "film")
    decision, _ = tuner.predict(tuner.fit(task, cell, ("golden",)), task, cell)
    assert decision[0, :3].tolist() == pytest.approx(GOLDEN[name], abs=1e-3), (
        "numbers moved: raise STAGE_VERSION"
    )
    assert STAGE_VERSION["transfer fit"] == 3
