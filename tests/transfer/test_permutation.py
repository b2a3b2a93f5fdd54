"""Permuted labels: the same for every arm, as balanced as before, and nothing to find for anybody."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transfer.planted import Planted, auroc
from transferscale.artefacts import canonical_json
from transferscale.cli import app
from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.models.build import build
from transferscale.models.checkpoint import save_model
from transferscale.study.reader import Reader
from transferscale.tables import read_table
from transferscale.transfer import baselines
from transferscale.transfer.features import extract
from transferscale.transfer.permutation import permute
from transferscale.transfer.task import Cell, Task, cells, load_task

SEEDS = range(16)
RANDOM = Reader("random", family="vit", depth=1, seed=0)
VIDEO = Reader("video", "motion", "mae", "vit", 1, 0, 1)
SCRATCH = Reader("scratch", family="vit", depth=1, seed=0)
TASKS = ("group", "score", "film")
CHANCE = {"group": 0.5, "score": 0.0, "film": 0.25}
# Four standard errors of the mean over the seeds, whose scores have SDs of 0.13, 0.19 and 0.045.
ROUGHLY = {"group": 0.13, "score": 0.19, "film": 0.045}


@pytest.fixture(scope="module")
def fit(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, float]]:
    """Score of every task of a reader, by the command line, with the labels as they are or permuted."""
    folder = tmp_path_factory.mktemp("readers")
    spec = planted.grid.model_spec("vit", 1)
    save_model(folder / "rung", build(spec, 7), None, {"model": spec})
    for reader in (RANDOM, VIDEO):
        checkpoint = folder / "rung" if reader.corpus else None
        extract(planted.grid.features_spec("small", reader), planted.view, checkpoint, folder / reader.arm, 1)
    for arm in ("connectivity", "raw:linear", "spectrum", "drift"):
        baselines.extract(planted.grid.features_spec("small", Reader(arm)), planted.view, folder / arm)

    def scores(reader: Reader, read_out: str, *flags: str) -> dict[str, float]:
        given = planted.spec(read_out, reader, 16, draws=1)
        given["tasks"] = {name: given["tasks"][name] for name in TASKS}
        command = ["transfer", "fit", "--spec", canonical_json(given), "--out", str(folder / "p.parquet")]
        command += ["--view", str(planted.view), "--recordings", str(planted.recordings)]
        command += ["--splits", str(planted.splits)]
        command += ["--features", str(folder / reader.arm)] if read_out == "ridge" else []
        done = CliRunner().invoke(app, [*command, *flags], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return {name: score(folder / "p.parquet", name, bool(flags)) for name in TASKS}

    return scores


def score(path: Path, task: str, permuted: bool) -> float:
    """AUROC, r or accuracy of a table of one draw."""
    rows = [row for row in read_table(path, "predictions").to_pylist() if row["task"] == task]
    assert {row["condition"] for row in rows} == {"permuted" if permuted else "clean"}
    truth, predicted = (np.array([row[name] for row in rows]) for name in ("y_true", "y_pred"))
    if task == "group":
        return auroc(np.array([row["y_score"][-1] for row in rows]), truth == 1)
    found = np.corrcoef(truth, predicted)[0, 1] if task == "score" else np.mean(truth == predicted)
    return float(found)


@pytest.mark.parametrize(
    ("reader", "read_out", "finds"),
    [
        (VIDEO, "ridge", TASKS),
        (RANDOM, "ridge", TASKS),
        (Reader("connectivity"), "ridge", ("group", "film")),
        (Reader("raw:linear"), "ridge", TASKS),
        (Reader("spectrum"), "ridge", ("film",)),
        (Reader("drift"), "ridge", ("score", "film")),
        (SCRATCH, "full", ("group", "film")),
    ],
    ids=["video", "random", "connectivity", "raw:linear", "spectrum", "drift", "full"],
)
def test_every_arm_finds_what_is_planted_and_nothing_once_labels_are_permuted(
    fit: Callable[..., dict[str, float]], reader: Reader, read_out: str, finds: tuple[str, ...]
) -> None:
    own = fit(reader, read_out)
    for task in finds:
        assert own[task] > CHANCE[task] + 0.2
    nulls = [fit(reader, read_out, "--permute-labels", str(seed)) for seed in SEEDS]
    for task in TASKS:
        mean = np.mean([null[task] for null in nulls])
        assert abs(mean - CHANCE[task]) < ROUGHLY[task], task


def test_a_study_on_permuted_labels_says_so_in_every_spec_and_others_keep_theirs(planted: Planted) -> None:
    study = planted.study
    null = study.model_copy(update={"transfer": study.transfer.model_copy(update={"permute_labels": 3})})
    changed = Planted(planted.folder, null)
    for read_out, reader in (("ridge", RANDOM), ("full", SCRATCH)):
        assert {task["permute_labels"] for task in changed.spec(read_out, reader, 16)["tasks"].values()} == {
            3
        }
        assert not any(
            "permute_labels" in task for task in planted.spec(read_out, reader, 16)["tasks"].values()
        )


def loaded(planted: Planted, name: str, **changes: Any) -> tuple[Task, list[Cell]]:
    """A task, and its cells at 4 labels."""
    view, spec = View(planted.view), planted.spec("ridge", RANDOM, 4)
    task = load_task(name, {**spec["tasks"][name], **changes}, planted.recordings, view)
    return task, list(cells(task, spec, Splits(planted.splits), view))


@pytest.mark.parametrize("name", ["group", "three", "score", "few"])
def test_folds_and_draws_hold_the_labels_that_they_held(planted: Planted, name: str) -> None:
    task, own = loaded(planted, name)
    permuted, moved = loaded(planted, name, permute_labels=1)
    assert not np.array_equal(task.y, permuted.y, equal_nan=True)
    for before, after in zip(own, moved, strict=True):
        for side in ("train", "test"):
            assert Counter(task.y[getattr(before, side)]) == Counter(permuted.y[getattr(after, side)])
        assert not set(after.train) & set(after.test)


@settings(max_examples=30, deadline=None)
@given(
    labels=st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), min_size=2, max_size=30),
    seed=st.integers(0, 99),
)
def test_labels_are_permuted_among_those_who_have_one(labels: list[float], seed: int) -> None:
    y, subjects = np.array(labels), [f"sub-{i}" for i in range(len(labels))]
    task = Task("x", "classification", ["a", "b", "c"], y, np.arange(len(y)))
    permuted = permute(task, seed, subjects)
    assert permuted.place is not None
    assert np.array_equal(np.isnan(permuted.y), np.isnan(y))
    np.testing.assert_array_equal(permuted.y[permuted.place], y)
    np.testing.assert_array_equal(permute(task, seed, subjects).y, permuted.y)


@settings(max_examples=30, deadline=None)
@given(
    states=st.lists(
        st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=1, max_size=6), min_size=1, max_size=5
    ),
    seed=st.integers(0, 99),
)
def test_states_are_permuted_within_each_subject(states: list[list[float]], seed: int) -> None:
    owner = np.repeat(np.arange(len(states)), [len(one) for one in states])
    task = Task("x", "state", ["a", "b"], np.concatenate(states), owner)
    subjects = [f"sub-{i}" for i in range(len(states))]
    if all(len({state for state in one if state == state}) < 2 for one in states):
        with pytest.raises(UserError, match=r"transfer\.permute_labels: task 'x'"):
            permute(task, seed, subjects)
        return
    permuted = permute(task, seed, subjects)
    for subject in range(len(states)):
        own = owner == subject
        assert np.array_equal(np.isnan(permuted.y[own]), np.isnan(task.y[own]))
        assert Counter(permuted.y[own & ~np.isnan(task.y)]) == Counter(task.y[own & ~np.isnan(task.y)])
