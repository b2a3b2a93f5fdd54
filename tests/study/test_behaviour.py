"""The section `behaviour` spells out jobs, says what it leaves out, and refuses what makes no sense."""

import copy
import itertools
from typing import Any

import pytest
import yaml

from transferscale.errors import UserError
from transferscale.study.grid import Grid
from transferscale.study.load import load_study

ASKED = {
    "depths": [1, 2],
    "labels": [8, "all"],
    "seeds": 3,
    "tasks": ["demo/group"],
    "corruptions": ["noise", "hemisphere"],
    "radii": [0.05, 0.1],
    "sites": True,
    "continual": [["demo/group", "demo/trait"]],
}


@pytest.fixture
def content(root, monkeypatch):
    monkeypatch.chdir(root)
    found = yaml.safe_load((root / "config/config.yaml").read_text())
    found["behaviour"] = copy.deepcopy(ASKED)
    return found


def other(root, **changes: Any) -> dict[str, Any]:
    """The demo's dataset under another name."""
    dataset = yaml.safe_load((root / "config/datasets/demo.yaml").read_text())
    return {**dataset, "dataset": "other", **changes}


def test_arms_go_with_the_read_outs_that_can_start_from_them(content) -> None:
    cells = Grid(load_study(content)).behaviour_cells()
    arms = {(cell.read_out, cell.reader.arm) for cell in cells}
    assert arms == {
        ("ridge", "video"),
        ("ridge", "random"),
        ("ridge", "raw:linear"),
        ("full", "video"),
        ("full", "scratch"),
    }
    # Depths 1 and 2 have three seeds each.
    assert sum(cell.read_out == "full" and cell.n_labels == "8" for cell in cells) == 12
    assert len({cell.path for cell in cells}) == len(cells)


def test_no_prediction_of_the_section_lies_where_an_ordinary_one_lies(content) -> None:
    grid = Grid(load_study(content))
    paths = [c.path for c in itertools.chain(grid.cells(), grid.behaviour_cells(), grid.continual_cells())]
    assert len(set(paths)) == len(paths)


def test_a_spec_holds_the_conditions_and_how_the_read_out_trains(content) -> None:
    grid = Grid(load_study(content))
    cells = {(c.read_out, c.n_labels, c.reader.reader_id): c for c in grid.behaviour_cells()}
    spec = grid.behaviour_spec(cells["full", "8", "scratch.vit-d2.s1"])
    assert (spec["corruptions"], spec["radii"], spec["sites"]) == (["noise", "hemisphere"], [0.05, 0.1], True)
    assert list(spec["tasks"]) == ["group"]
    assert spec["first_draw"] == 1
    assert spec["model"]["depth"] == 2
    assert spec["options"]["steps"] == content["transfer"]["read_outs"]["full"]["steps"]
    frozen = grid.behaviour_spec(cells["ridge", "8", "raw-linear"])
    assert frozen["options"]["steps"] == 0
    assert frozen["model"] is None
    assert frozen["first_draw"] == 0


def test_asking_for_one_more_rung_or_label_count_leaves_the_specs_of_others_alone(content) -> None:
    before = Grid(load_study(content))
    content["behaviour"]["labels"] = [8, 16, "all"]
    content["behaviour"]["rungs"] = [1, "last"]
    after = Grid(load_study(content))
    known = {cell.path: after.behaviour_spec(cell) for cell in after.behaviour_cells()}
    assert all(known[cell.path] == before.behaviour_spec(cell) for cell in before.behaviour_cells())


def test_sites_are_not_left_out_where_all_are_labelled_and_it_is_said(content) -> None:
    grid = Grid(load_study(content))
    assert not any(grid.behaviour_spec(c)["sites"] for c in grid.behaviour_cells() if c.n_labels == "all")
    assert any("sites left out with all subjects labelled" in sentence for sentence in grid.left_out())


def test_tasks_in_sequence_alone_make_no_other_job(content) -> None:
    content["behaviour"] |= {"corruptions": [], "radii": [], "sites": False}
    grid = Grid(load_study(content))
    assert grid.behaviour_cells() == []
    assert grid.continual_cells()
    content["behaviour"]["radii"] = [0.05]
    assert Grid(load_study(content)).behaviour_cells()


def test_what_a_view_or_a_dataset_does_not_know_is_left_out_and_said(content, root) -> None:
    blind = other(root, site_column=None, view={"kind": "roi", "order": "table"})
    content["datasets"] = [content["datasets"][0], blind]
    content["transfer"]["read_outs"]["full"]["tasks"] = ["demo/group"]
    content["verdict"][0]["dataset"] = "demo"
    content["known_answers"][0]["dataset"] = "demo"
    content["behaviour"]["tasks"] = None
    grid = Grid(load_study(content))
    assert {"demo", "other"} == {cell.dataset for cell in grid.behaviour_cells()}
    spec = grid.behaviour_spec(next(c for c in grid.behaviour_cells() if c.dataset == "other"))
    assert (spec["corruptions"], spec["sites"]) == (["noise"], False)
    said = grid.left_out()
    assert "a missing hemisphere on other (its view does not tell hemispheres apart)" in said
    assert "sites left out on other (it has no site_column)" in said


def test_a_task_goes_onto_the_task_that_asks_the_same(content, root) -> None:
    renamed = other(root)
    renamed["tasks"] = {"patient": renamed["tasks"]["group"], "trait": renamed["tasks"]["trait"]}
    content["datasets"].append(renamed)
    content["verdict"][0]["dataset"] = "demo"
    content["known_answers"][0]["dataset"] = "demo"
    content["behaviour"]["onto"] = [{"from": "demo/group", "to": "other"}]
    study = load_study(content)
    assert load_study(study.spec()) == study  # also by its alias
    grid = Grid(study)
    spec = grid.behaviour_spec(grid.behaviour_cells()[0])
    assert [(one["task"], one["dataset"]) for one in spec["onto"]] == [("group", "other")]
    assert spec["onto"][0]["asks"]["target"] == "group"


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("depths", [1, 9], "behaviour.depths has 9, which no ladder of pretrain has"),
        ("rungs", [7], r"behaviour.rungs has 7, but pretrain.budgets.rungs is 3"),
        ("rungs", [3, "last"], "'last' is rung 3, which stands there too"),
        ("tasks", ["demo/groop"], "has no task 'groop'; did you mean 'group'"),
        ("arms", ["scratch"], "none that read-out 'ridge' can start from"),
        ("corruptions", ["nois"], "input should be 'tr', 'noise'"),
        ("radii", [0.1, 0.05], "radii must rise"),
        ("draws", 7, "behaviour.draws times seeds is 21; at most 20"),
        ("labels", ["all"], "equally many labels with and without a site"),
        ("onto", [{"from": "demo/group", "to": "demo"}], "is of dataset 'demo' itself"),
        ("onto", [{"from": "demo/group", "to": "demos"}], "no dataset 'demos'; did you mean 'demo'"),
        ("continual", [["demo/group"]], "at least 2 items"),
        ("continual", [["demo/group", "demo/treit"]], "no task 'treit'; did you mean 'trait'"),
        ("continual", [["demo/group", "demo/group"]], "stands twice"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(content, key, value, sentence) -> None:
    content["behaviour"][key] = value
    with pytest.raises(UserError, match=sentence):
        load_study(content)


def test_full_needs_to_be_told_how_to_train(content) -> None:
    del content["transfer"]["read_outs"]["full"]
    content["verdict"] = [{**content["verdict"][0], "read_out": "ridge", "reference": "random"}]
    with pytest.raises(
        UserError, match=r"behaviour.read_outs has 'full', but the study has no transfer.read_outs.full"
    ):
        load_study(content)


@pytest.mark.parametrize(
    ("changes", "key", "value", "sentence"),
    [
        ({"view": "flatmap"}, "onto", [{"from": "demo/group", "to": "other"}], "different views"),
        ({"tasks": {"age": {"target": "trait", "kind": "regression", "metric": "r2", "transform": "log"}}},
         "onto", [{"from": "demo/trait", "to": "other"}], "no task with the target, kind, transform and classes"),
        ({"hold_out": "sites"}, "continual", [["demo/group", "other/group"]], "holds out sites, so its folds"),
    ],
)  # fmt: skip
def test_other_datasets_that_do_not_fit_are_refused(content, root, changes, key, value, sentence) -> None:
    content["datasets"].append(other(root, **changes))
    content["verdict"][0]["dataset"] = "demo"
    content["known_answers"][0]["dataset"] = "demo"
    content["behaviour"][key] = value
    with pytest.raises(UserError, match=sentence):
        load_study(content)


def test_sites_and_hemispheres_that_no_dataset_knows_are_refused(content, root) -> None:
    content["datasets"] = [
        other(root, dataset="demo", site_column=None, view={"kind": "roi", "order": "table"})
    ]
    with pytest.raises(
        UserError, match=r"behaviour.sites: no dataset has sites to leave out .'demo': it has no"
    ):
        load_study(content)
    content["behaviour"] |= {"sites": False, "corruptions": ["hemisphere"]}
    with pytest.raises(UserError, match="no dataset's view tells hemispheres apart"):
        load_study(content)
