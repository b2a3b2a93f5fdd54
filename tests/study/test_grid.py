"""The grid spells out the runs; a spec changes exactly when what the run depends on changes."""

import json

import pytest

from transferscale.study.cells import frozen
from transferscale.study.grid import Grid
from transferscale.study.load import load_study
from transferscale.study.reader import Reader
from transferscale.study.study import Study


@pytest.fixture
def study(root, monkeypatch) -> Study:
    monkeypatch.chdir(root)
    return load_study("config/config.yaml")


def with_changes(study: Study, section: str, **values: object) -> Grid:
    spec = study.spec()
    part = spec
    for key in section.split("."):
        part = part[key]
    part.update(values)
    return Grid(Study.model_validate(spec))


def specs(grid: Grid) -> dict[str, str]:
    """Path -> spec of every checkpoint, feature file and prediction table."""
    found = {r.folder: grid.rung_spec(r.family, r.depth, r.seed, r.rung) for r in grid.checkpoints()}
    for dataset in grid.study.datasets:
        found |= {
            f"{dataset.dataset}/{r.reader_id}": grid.features_spec(dataset.dataset, r)
            for r in frozen(grid.study, dataset.dataset)
        }
        found[f"{dataset.dataset}/splits"] = grid.split_spec(dataset.dataset)
    found |= {cell.path: grid.fit_spec(cell) for cell in grid.cells()}
    return {path: json.dumps(spec, sort_keys=True) for path, spec in found.items()}


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("pretrain.vit", {"depths": [1, 2, 3, 4, 5, 6, 8]}),
        ("pretrain.vit.seeds", {"default": 2}),
        ("pretrain.budgets", {"rungs": 4}),
        ("transfer", {"labels": [4, 8, 16, "all"]}),
        ("transfer", {"baselines": ["connectivity", "raw:linear", "spectrum", "drift", "dummy"]}),
    ],
)
def test_extending_a_study_adds_runs_and_changes_none(study, section, values):
    before, after = specs(Grid(study)), specs(with_changes(study, section, **values))
    # `full: rungs: [last]` moves with the number of rungs, so its old predictions are no longer asked for.
    kept = {path: spec for path, spec in before.items() if path in after}
    assert all(after[path] == spec for path, spec in kept.items())
    assert len(after) > len(before)
    gone = set(before) - set(after)
    assert all("/full/video" in path for path in gone)
    assert not gone or "rungs" in values


def test_changing_a_stage_changes_that_stage_alone(study):
    before = specs(Grid(study))
    after = specs(with_changes(study, "transfer.read_outs.full", steps=7))
    assert {path for path in before if before[path] != after[path]} == {p for p in before if "/full/" in p}
    after = specs(with_changes(study, "pretrain", learning_rate=0.1))
    assert {path for path in before if before[path] != after[path]} == {
        p for p in before if p.startswith("pretrain")
    }


def test_a_family_may_have_a_learning_rate_of_its_own(study):
    grid = with_changes(study, "pretrain", convnet={"depths": [1], "learning_rate": 0.01})
    rates = {family: grid.rung_spec(family, 1, 0, 1)["learning_rate"] for family in ("vit", "convnet")}
    assert rates == {"vit": 0.003, "convnet": 0.01}
    assert grid.rung_spec("vit", 1, 0, 1) == Grid(study).rung_spec("vit", 1, 0, 1)


def test_a_number_of_seeds_is_one_for_every_depth(study):
    grid = with_changes(study, "pretrain.vit", seeds=2)
    assert {(depth, seed) for _, depth, seed in grid.trunks()} == {
        (d, s) for d in range(1, 7) for s in (0, 1)
    }


def test_what_a_scheduler_is_asked_for_is_in_no_spec(study):
    assert specs(with_changes(study, "pretrain", gpus=1)) == specs(Grid(study))
    memory = [Grid(study).rung_memory_mb("vit", depth) for depth in (1, 2, 6)]
    assert memory == sorted(set(memory))
    assert 900 < memory[0] < memory[-1] < 2000


def test_a_trunk_on_recordings_says_whose_folds_it_keeps(study):
    grid = Grid(study)
    assert grid.rung_spec("vit", 1, 0, 1)["fold_task"] == ""
    assert grid.rung_spec("vit", 1, 0, 1, "demo-k1")["fold_task"] == "group"


def test_reader_names_can_be_read_back(study):
    readers = [cell.reader for cell in Grid(study).cells()]
    assert all(Reader.parse(r.reader_id) == r for r in readers)
    assert Reader.parse("video.a.mae.vit-d2.s1.r3").group == "video.a.mae.vit-d2.r3"


def test_rungs_continue_where_the_one_before_ended(study):
    grid = Grid(study)
    rungs = [grid.rung_spec("vit", 1, 0, k) for k in (1, 2, 3)]
    assert [r["trunk_start"] for r in rungs[1:]] == [r["trunk_end"] for r in rungs[:-1]]
    assert [r["budget"] for r in rungs] == [round(r["trunk_end"] / 0.8) for r in rungs]


def test_paired_seeds_of_a_trained_read_out_see_the_same_draws(study):
    grid = Grid(study)
    draws = {
        (c.reader.arm, c.reader.depth, c.reader.seed, c.n_labels): grid.fit_spec(c)["first_draw"]
        for c in grid.cells()
        if c.read_out == "full"
    }
    assert all(draws[("scratch", d, s, n)] == first for (_, d, s, n), first in draws.items())
