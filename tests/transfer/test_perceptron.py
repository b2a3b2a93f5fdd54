"""Arm ``raw:mlp``: trained by the lines that train encoders, and able to see what a linear read-out cannot."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.transfer.planted import Planted
from transferscale.errors import UserError
from transferscale.study.reader import Reader
from transferscale.tables import read_table
from transferscale.transfer.finetune import fit
from transferscale.transfer.head import Head
from transferscale.transfer.perceptron import Perceptron
from transferscale.transfer.task import Cell, Task
from transferscale.transfer.tuner import Tuner

OPTIONS = {"steps": 20, "batch_subjects": 8, "learning_rates": [1e-2], "weight_decay": 0.05}
OPTIONS |= {"penalties": [0.1, 1.0, 10.0], "fixed_penalty": 1.0, "inner_folds": 3}


def exclusive_or() -> tuple[torch.Tensor, Task, Cell]:
    """Windows whose state is whether two columns agree in sign, 40 subjects with 8 windows each."""
    random = np.random.default_rng(0)
    signs = random.choice([-1.0, 1.0], (320, 2))
    series = random.standard_normal((320, 4, 6)).astype(np.float32)
    series[:, :, :2] += 1.5 * signs[:, None]
    owner = np.repeat(np.arange(40), 8)
    task = Task("agree", "state", ("no", "yes"), (signs.prod(1) > 0).astype(np.float64), owner)
    return torch.from_numpy(series), task, Cell(0, 0, 0, np.arange(20), np.arange(20, 40), 0)


def test_it_learns_an_exclusive_or_that_raw_linear_cannot() -> None:
    series, task, cell = exclusive_or()
    tuner = Tuner(Perceptron(24, 0), series, task.owner, OPTIONS)
    truth = task.y[task.rows(cell.test)]
    decision, _ = tuner.predict(tuner.fit(task, cell, ("x",)), task, cell)
    train = task.rows(cell.train)
    linear = Head("state", series[train], None, tuner.target(task)[train], 1.0)
    with torch.no_grad():
        plain = linear(series[task.rows(cell.test)], None).numpy()
    assert (decision.argmax(1) == truth).mean() > 0.9
    assert (plain.argmax(1) == truth).mean() < 0.65


def test_its_weights_depend_on_the_seed_alone_and_all_of_them_move() -> None:
    one, same, other = Perceptron(24, 0), Perceptron(24, 0), Perceptron(24, 1)
    assert torch.equal(one.first.weight, same.first.weight)
    assert not torch.equal(one.first.weight, other.first.weight)
    series, task, cell = exclusive_or()
    tuner = Tuner(one, series, task.owner, {**OPTIONS, "steps": 2})
    tuned = tuner.fit(task, cell, ("x",)).model.state_dict()
    assert all(not torch.equal(value, tuned[name]) for name, value in same.state_dict().items())


def test_its_table_has_the_rows_of_scratch_and_the_same_bytes_again(planted: Planted, tmp_path: Path) -> None:
    scratch = planted.spec("full", Reader("scratch", family="vit", depth=1, seed=0), 16)
    scratch["tasks"] = {name: scratch["tasks"][name] for name in ("group", "film")}
    perceptron = {**scratch, "reader": "raw-mlp.s0", "arm": "raw:mlp", "model": None}
    for name, spec in (("s", scratch), ("m", perceptron), ("again", perceptron)):
        fit(spec, None, planted.view, planted.recordings, planted.splits, tmp_path / name, 1)
    assert (tmp_path / "m").read_bytes() == (tmp_path / "again").read_bytes()
    one, other = (read_table(tmp_path / name, "predictions").to_pydict() for name in ("m", "s"))
    assert set(one["arm"]) == {"raw:mlp"}
    for column in ("task", "subject", "window", "fold", "draw", "y_true", "n_train"):
        assert one[column] == other[column]


def test_it_has_no_attention_to_adapt(planted: Planted, tmp_path: Path) -> None:
    spec = planted.spec("full", Reader("scratch", family="vit", depth=1, seed=0), 16)
    spec |= {"read_out": "fpt", "arm": "raw:mlp"}
    with pytest.raises(UserError, match="'raw:mlp' is trained in read-out full alone"):
        fit(spec, None, planted.view, planted.recordings, planted.splits, tmp_path / "p", 1)
