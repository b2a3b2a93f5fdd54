"""Fine-tuning starts at the frozen read-out, goes down from there, and treats both arms alike."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.transfer.planted import Planted, auroc
from transferscale.artefacts import read_json
from transferscale.errors import UserError
from transferscale.ladder import Scale
from transferscale.medical.labels import labels
from transferscale.medical.reading import Splits, View
from transferscale.models.architecture import spec_of
from transferscale.models.build import build
from transferscale.models.checkpoint import save_model
from transferscale.study.reader import Reader
from transferscale.tables import read_table
from transferscale.transfer.features import token_grams
from transferscale.transfer.finetune import fit
from transferscale.transfer.head import Head
from transferscale.transfer.readout import Problem, fit_problems, targets
from transferscale.transfer.task import Cell, Task, cells, load_task
from transferscale.transfer.trained.optimiser import Plan, marks
from transferscale.transfer.trained.read_out import READ_OUTS
from transferscale.transfer.tuner import Fit, Tuner, subject_batches

SCRATCH = Reader("scratch", family="vit", depth=1, seed=0)
PENALTY = {"penalties": [0.1, 1.0, 10.0], "fixed_penalty": 1.0, "inner_folds": 3}
OPTIONS = {"steps": 6, "batch_subjects": 4, "learning_rates": [3e-3], "weight_decay": 0.05, **PENALTY}


@pytest.fixture(scope="module")
def tuner(planted: Planted) -> Tuner:
    view = View(planted.view)
    model = build(planted.grid.model_spec("vit", 1), 0).eval()
    return Tuner(model, torch.from_numpy(view.clips()), view.window_subject, OPTIONS)


def task_and_cell(planted: Planted, name: str) -> tuple[Task, Cell]:
    view, spec = View(planted.view), planted.spec("full", SCRATCH, 16)
    task = load_task(name, spec["tasks"][name], planted.recordings, view)
    return task, next(iter(cells(task, spec, Splits(planted.splits), view)))


@pytest.mark.parametrize("name", ["group", "three", "score", "film"])
def test_before_the_first_step_the_head_is_the_frozen_read_out(
    planted: Planted, tuner: Tuner, name: str
) -> None:
    task, cell = task_and_cell(planted, name)
    windows, test = tuner.windows(task, cell.train), tuner.windows(task, cell.test)
    rows = task.rows(cell.train)
    head = Head(
        task.kind,
        tuner.start[windows],
        tuner.member(windows, cell.train),
        tuner.target(task)[rows],
        0.3,
    )
    with torch.no_grad():
        ours = head.decision(head(tuner.start[test], tuner.member(test, cell.test)))
    view = View(planted.view)
    grams = token_grams(tuner.start, tuner.member(np.arange(len(view)), np.arange(len(view.subjects))))
    blocks = (
        [grams["window"]] if task.kind == "state" else [grams[f"subject-{b}"] for b in ("mean", "sd", "cov")]
    )
    target = targets(task.kind, task.y, len(task.classes))
    frozen = fit_problems(
        [blocks],
        task.kind,
        target,
        [Problem(rows, task.rows(cell.test))],
        {"penalties": [1.0], "fixed_penalty": 0.3},
    )[0]
    np.testing.assert_allclose(ours.numpy(), frozen.scores, atol=2e-3)


@pytest.mark.parametrize("name", ["group", "score", "film"])
def test_the_head_starts_where_its_own_gradient_is_zero(planted: Planted, tuner: Tuner, name: str) -> None:
    task, cell = task_and_cell(planted, name)
    windows = tuner.windows(task, cell.train)
    target = tuner.target(task)[task.rows(cell.train)]
    head = Head(task.kind, tuner.start[windows], tuner.member(windows, cell.train), target, 1.0)
    objective = head.objective(head(tuner.start[windows], tuner.member(windows, cell.train)), target)
    gradients = torch.autograd.grad(objective, list(head.parameters()))
    size = sum(float((g**2).sum()) for g in gradients) ** 0.5
    assert size < 1e-3 * (1 + float(head.squares().detach().sum()) ** 0.5)


@pytest.mark.parametrize("name", ["group", "score", "film"])
def test_training_lowers_the_objective(planted: Planted, tuner: Tuner, name: str) -> None:
    task, cell = task_and_cell(planted, name)
    target = tuner.target(task)[task.rows(cell.train)]
    found = {}
    for step, [(model, head)] in tuner.run_together(task, [Fit(cell.train, ("x",), 1.0)], Plan(3e-3, 12, 12)):
        if step in (1, 12):
            with torch.no_grad():
                found[step] = float(head.objective(tuner.scores(model, head, task, cell.train), target))
    assert found[12] < found[1]


def test_fine_tuning_leaves_the_encoder_it_starts_from_alone(planted: Planted, tuner: Tuner) -> None:
    before = copy.deepcopy(tuner.encoder.state_dict())
    task, cell = task_and_cell(planted, "group")
    [(tuned, _)] = tuner.train_together(task, [Fit(cell.train, ("x",), 1.0)], Plan(3e-3, 2, 2))
    for name, value in tuner.encoder.state_dict().items():
        assert torch.equal(value, before[name])
    assert any(not torch.equal(v, before[n]) for n, v in tuned.state_dict().items())


def test_batches_are_the_same_for_both_arms_and_spread_the_classes(planted: Planted) -> None:
    task, cell = task_and_cell(planted, "group")
    identity = (0, "group", 0, 0, 0)
    one, other = (subject_batches(task, cell.train, 4, identity) for _ in range(2))
    epoch = [next(one) for _ in range(4)]
    assert [batch.tolist() for batch in epoch] == [next(other).tolist() for _ in range(4)]
    assert sorted(np.concatenate(epoch).tolist()) == sorted(cell.train.tolist())
    shares = [task.y[batch].mean() for batch in epoch]
    assert max(shares) - min(shares) <= 0.25
    another = next(subject_batches(task, cell.train, 4, (1, "group", 0, 0, 0)))
    assert another.tolist() != epoch[0].tolist()


def test_the_learning_rate_warms_up_and_runs_out() -> None:
    plan = Plan(1.0, 20, 20)
    factors = [plan.factor(step) for step in range(20)]
    assert 0 < factors[0] < max(factors) <= 1
    assert 0 < factors[-1] < 0.1
    assert marks(20) == [5, 10, 20]
    assert marks(1) == [1]


def test_the_table_is_complete_reproducible_and_better_than_a_dummy(planted: Planted, tmp_path: Path) -> None:
    spec = planted.spec("full", SCRATCH, 16)
    spec["tasks"] = {name: spec["tasks"][name] for name in ("group", "film", "few")}
    for name in ("one", "two"):
        fit(spec, None, planted.view, planted.recordings, planted.splits, tmp_path / name, 1)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    table = read_table(tmp_path / "one", "predictions").to_pydict()
    rows = [i for i, task in enumerate(table["task"]) if task == "group"]
    assert set(table["task"]) == {"group", "film"}
    assert sorted(table["subject"][i] for i in rows) == sorted(
        labels(planted.recordings, spec["tasks"]["group"]).subjects
    )
    score = np.array([table["y_score"][i][1] for i in rows])
    assert auroc(score, np.array([table["y_true"][i] == 1 for i in rows])) > 0.7
    film = [
        table["y_true"][i] == table["y_pred"][i] for i, task in enumerate(table["task"]) if task == "film"
    ]
    assert np.mean(film) > 0.6


def test_a_reader_of_too_small_tasks_alone_has_an_empty_table(planted: Planted, tmp_path: Path) -> None:
    spec = planted.spec("full", SCRATCH, 16)
    spec["tasks"] = {"few": spec["tasks"]["few"]}
    fit(spec, None, planted.view, planted.recordings, planted.splits, tmp_path / "p", 1)
    assert len(read_table(tmp_path / "p", "predictions")) == 0
    assert "'few' of dataset 'small' is left out" in read_json(tmp_path / "p.prov.json")["left_out"][0]


def test_several_learning_rates_are_chosen_among_inside_the_training_subjects(
    planted: Planted, tuner: Tuner
) -> None:
    task, cell = task_and_cell(planted, "film")
    options = {**OPTIONS, "learning_rates": [1e-9, 1e-2]}
    other = Tuner(tuner.encoder, tuner.clips, tuner.owner, options)
    choice = other.fit(task, cell, ("x",)).choice
    assert choice["chosen"] == "inner folds, inner split"
    assert choice["learning_rate"] in options["learning_rates"]
    assert choice["steps"] in marks(6)
    changed = Task(task.name, task.kind, task.classes, task.y.copy(), task.owner)
    changed.y[task.rows(cell.test)] = 0
    assert other.fit(changed, cell, ("x",)).choice == choice


@pytest.mark.parametrize("name", ["group", "three", "score", "film"])
def test_the_penalty_of_the_head_is_the_one_that_the_frozen_read_out_chooses(
    planted: Planted, tuner: Tuner, name: str
) -> None:
    task, cell = task_and_cell(planted, name)
    view = View(planted.view)
    grams = token_grams(tuner.start, tuner.member(np.arange(len(view)), np.arange(len(view.subjects))))
    blocks = (
        [grams["window"]] if task.kind == "state" else [grams[f"subject-{b}"] for b in ("mean", "sd", "cov")]
    )
    held = [task.rows(own) for own in task.inner(cell.train, 3)]
    problem = Problem(task.rows(cell.train), task.rows(cell.test), held)
    options = {**PENALTY, "penalties": [0.01, 0.1, 1.0, 10.0, 100.0]}
    target = targets(task.kind, task.y, len(task.classes))
    frozen = fit_problems([blocks], task.kind, target, [problem], options)[0]
    still = Tuner(tuner.encoder, tuner.clips, tuner.owner, {**OPTIONS, **options, "steps": 0})
    tuned = still.fit(task, cell, ("x",))
    assert (tuned.choice["penalty"], tuned.choice["chosen"]) == (frozen.penalty, "inner folds")
    np.testing.assert_allclose(still.predict(tuned, task, cell)[0], frozen.scores, atol=2e-3)


def test_below_sixteen_subjects_the_penalty_is_fixed(planted: Planted, tuner: Tuner) -> None:
    task, cell = task_and_cell(planted, "group")
    few = dataclasses.replace(cell, train=cell.train[:15])
    choice = tuner.fit(task, few, ("x",)).choice
    assert choice == {"learning_rate": 3e-3, "steps": 6, "penalty": 1.0, "chosen": "fixed"}


@pytest.mark.parametrize("read_out", READ_OUTS)
def test_arms_differ_in_the_weights_they_start_from_alone(
    planted: Planted, tmp_path: Path, read_out: str
) -> None:
    model = planted.grid.model_spec("vit", 1)
    save_model(tmp_path / "rung", build(model, 7), None, {"model": model})
    video = planted.spec("full", Reader("video", "motion", "mae", "vit", 1, 0, 1), 16)
    untrained = planted.spec("full", SCRATCH, 16)
    for spec in (video, untrained):
        spec |= {"read_out": read_out, "tasks": {"group": spec["tasks"]["group"]}}
        spec["options"] = {**spec["options"], "rank": 2}
    for name, spec, checkpoint in (
        ("v", video, tmp_path / "rung"),
        ("again", video, tmp_path / "rung"),
        ("s", untrained, None),
    ):
        fit(spec, checkpoint, planted.view, planted.recordings, planted.splits, tmp_path / name, 1)
    assert (tmp_path / "v").read_bytes() == (tmp_path / "again").read_bytes()
    one, other = (read_table(tmp_path / name, "predictions").to_pydict() for name in ("v", "s"))
    assert set(one["arm"]) == {"video"}
    assert set(other["arm"]) == {"scratch"}
    assert set(one["read_out"]) == {read_out}
    for column in ("subject", "fold", "draw", "y_true", "n_train"):
        assert one[column] == other[column]
    assert one["y_score"] != other["y_score"]


def test_the_same_weights_are_the_same_arm_whatever_they_are_called(planted: Planted, tmp_path: Path) -> None:
    """Batches, queries and adapters are those of the fit: from equal weights, equal predictions."""
    model = planted.grid.model_spec("vit", 1)
    save_model(tmp_path / "rung", build(model, 0), None, {"model": model})
    video = planted.spec("full", Reader("video", "motion", "mae", "vit", 1, 0, 1), 16)
    untrained = planted.spec("full", SCRATCH, 16)
    for read_out in READ_OUTS:
        found = []
        for spec, checkpoint in ((video, tmp_path / "rung"), (untrained, None)):
            asked = {**spec, "read_out": read_out, "tasks": {"film": spec["tasks"]["film"]}}
            asked["options"] = {**spec["options"], "rank": 2}
            fit(asked, checkpoint, planted.view, planted.recordings, planted.splits, tmp_path / "p", 1)
            found.append(read_table(tmp_path / "p", "predictions").to_pydict()["y_score"])
        assert found[0] == found[1]


@pytest.mark.parametrize("positions", ["stored", "rotary"])
def test_published_weights_bring_their_shape_and_are_trained_like_any_other(
    planted: Planted, tmp_path: Path, positions: str
) -> None:
    shape = Scale(
        "vit", 2, 24, 2, 48, 8, 16, 2, 8, qk_norm=False, qkv_bias=True, final_norm=False, positions=positions
    )
    encoder = build(spec_of(shape), 0)
    if positions == "stored":
        encoder.positions.normal_(generator=torch.Generator().manual_seed(0))
    save_model(tmp_path / "hub", encoder, None, {"model": spec_of(shape)})
    spec = planted.spec("full", Reader("hub:net"), 16)
    spec["tasks"] = {"film": spec["tasks"]["film"]}
    for read_out in READ_OUTS:
        asked = {**spec, "read_out": read_out, "options": {**spec["options"], "rank": 2}}
        fit(asked, tmp_path / "hub", planted.view, planted.recordings, planted.splits, tmp_path / "p", 1)
        table = read_table(tmp_path / "p", "predictions").to_pydict()
        assert set(table["arm"]) == {"hub:net"}
        hits = [a == b for a, b in zip(table["y_true"], table["y_pred"], strict=True)]
        assert np.mean(hits) > 0.5


def test_a_diverging_fit_is_a_sentence(planted: Planted, tmp_path: Path) -> None:
    spec = planted.spec("full", SCRATCH, 16)
    spec["tasks"] = {"score": spec["tasks"]["score"]}
    spec["options"] = {**spec["options"], "learning_rates": [1e30]}
    with pytest.raises(UserError, match="diverged at learning rate"):
        fit(spec, None, planted.view, planted.recordings, planted.splits, tmp_path / "p", 1)
