"""Which arms are read out how: what is pretrained beside the ladder, in which folds, and what is left out aloud."""

from typing import Any

import pytest

from tests.study.test_trunks import BESIDE
from transferscale.errors import UserError
from transferscale.study.cells import cells, frozen, left_out, tasks_for, trained
from transferscale.study.grid import Grid
from transferscale.study.load import load_study
from transferscale.study.reader import Reader
from transferscale.study.study import Study

RANDOM = {"reference": "random"}
FULL: dict[str, Any] = {"depths": [1, 3, 4], "labels": [16], "steps": 4}


@pytest.fixture
def content(root, monkeypatch) -> dict[str, Any]:
    monkeypatch.chdir(root)
    study = load_study("config/config.yaml").spec()
    study["controls"], study["behaviour"] = ["static", "noise"], None
    study["pretrain"] |= BESIDE
    study["known_answers"], study["verdict"] = [], [{**study["verdict"][0], "read_out": "ridge"} | RANDOM]
    study["datasets"][0]["confounds"] = ["site"]
    return study


def study_of(content: dict[str, Any], **transfer: Any) -> Study:
    return Study.model_validate({**content, "transfer": {**content["transfer"], **transfer}})


def arms(readers: list[Reader]) -> set[str]:
    return {reader.arm_name for reader in readers}


def test_every_checkpoint_is_read_out_frozen_and_every_arm_has_its_name(content):
    study = study_of(content, baselines=["tangent", "confounds", "raw:linear"])
    found = frozen(study, "demo")
    assert {r for r in found if r.corpus} == set(Grid(study).checkpoints())
    assert arms(found) == {
        *("video", "video:0.125", "video:0.25", "video:0.02", "control:static", "control:noise"),
        *("fmri", "video+fmri", "random", "tangent", "confounds", "raw:linear"),
    }
    assert all(Reader.parse(r.reader_id) == r for r in found)


def test_the_folds_of_an_arm_make_one_group_and_seeds_another(content):
    found = [r for r in frozen(study_of(content), "demo") if r.arm == "fmri"]
    assert {r.fold for r in found} == {0, 1, 2, 3}
    assert {r.group for r in found} == {"fmri.demo.mae.vit-d3.r3"}
    assert Reader.parse("video+fmri.a-b+c-k0.mae.vit-d2.s1.r3").group == "video+fmri.a-b+c.mae.vit-d2.r3"
    assert Reader.parse("raw-mlp.s2") == Reader("raw:mlp", seed=2)
    assert (Reader.parse("raw-mlp.s2").group, Reader("raw:mlp", seed=2).reader_id) == (
        "raw-mlp",
        "raw-mlp.s2",
    )


def test_an_arm_that_saw_a_folds_training_subjects_is_asked_for_that_fold_of_that_task_alone(content):
    study = study_of(content)
    grid = Grid(study)
    specs = [grid.fit_spec(cell) for cell in cells(study) if cell.reader.arm in ("fmri", "video+fmri")]
    assert specs
    assert {spec["fold"] for spec in specs} == {0, 1, 2, 3}
    assert all(list(spec["tasks"]) == ["group"] for spec in specs)
    assert any("arms fmri, video+fmri on demo: trait, null" in sentence for sentence in left_out(study))


def test_a_read_out_trains_the_arms_that_it_names_where_they_are_pretrained(content):
    full = {**FULL, "arms": ["video", "control", "fmri", "video+fmri", "raw:mlp"], "depths": [1, 3, 4]}
    study = study_of(content, read_outs={"full": full})
    found = trained(study, "full", "demo")
    assert arms(found) == {
        *("video", "scratch", "control:static", "control:noise", "fmri", "video+fmri", "raw:mlp")
    }
    assert {r.depth for r in found if r.arm == "control"} == {4}
    assert len([r for r in found if r.arm == "raw:mlp"]) == 3
    probe = study_of(content, read_outs={"attentive": {**FULL, "depths": [2]}})
    assert arms(trained(probe, "attentive", "demo")) == {"video", "random"}
    assert trained(probe, "full", "demo") == []


def test_what_is_not_run_is_told(content):
    told = " / ".join(left_out(study_of(content, read_outs={"lora": {**FULL, "depths": [1]}})))
    for sentence in (
        "attentive probing (no transfer.read_outs.attentive)",
        "low-rank adapters (lora) at depths 2, 3, 4, 5, 6",
        "low-rank adapters (lora) of arms control, fmri, video+fmri",
        "full fine-tuning (no transfer.read_outs.full)",
    ):
        assert sentence in told


def test_baselines_about_subjects_are_not_asked_what_a_subject_was_doing(root, monkeypatch):
    monkeypatch.chdir(root)
    study = load_study("config/studies/pixar.yaml")
    assert "film" not in tasks_for(study, "ridge", "pixar", Reader("tangent"))
    assert "film" in tasks_for(study, "ridge", "pixar", Reader("connectivity"))


def test_a_claim_or_known_answer_on_a_task_that_its_baseline_is_not_asked_for_is_refused(content, root):
    content["transfer"]["baselines"] = ["tangent", "confounds", "connectivity"]
    tasks = content["datasets"][0]["tasks"]
    tasks["group"]["confounds"] = []
    tasks["film"] = {"target": "window", "kind": "state", "metric": "accuracy"}
    load_study(content)
    claim = {**content["verdict"][0], "reference": "confounds"}
    words = r"verdict: baseline 'confounds' is not asked for task 'demo/group' \(no confounds are named\)"
    with pytest.raises(UserError, match=words):
        load_study({**content, "verdict": [claim]})
    load_study({**content, "verdict": [{**claim, "task": "trait", "metric": "r"}]})
    known = {"task": "film", "arm": "tangent", "metric": "accuracy", "at_least": 0.5}
    with pytest.raises(
        UserError, match="known_answers: baseline 'tangent' is not asked for task 'demo/film'"
    ):
        load_study({**content, "known_answers": [known]})
    load_study({**content, "known_answers": [{**known, "arm": "connectivity"}]})


def test_a_dataset_without_tasks_about_subjects_leaves_confounds_to_the_others(content):
    film = {"film": {"target": "window", "kind": "state", "metric": "accuracy"}}
    states = {**content["datasets"][0], "dataset": "states", "tasks": film}
    content["datasets"].append(states)
    content["verdict"][0]["dataset"] = "demo"
    study = study_of(content, baselines=["confounds", "connectivity"])
    assert {cell.dataset for cell in cells(study) if cell.reader.arm == "confounds"} == {"demo"}
    assert "confounds on states: film (no confounds are named)" in left_out(study)
    content["datasets"][0]["confounds"] = []
    with pytest.raises(ValueError, match="no dataset names any for a task about subjects"):
        study_of(content, baselines=["confounds", "connectivity"])


@pytest.mark.parametrize(
    ("full", "words"),
    [
        ({"arms": ["hub"]}, "transfer.read_outs.full.arms has 'hub', but transfer.hub names no weights"),
        ({"arms": ["control"], "depths": [1]}, "has 'control', which is not pretrained at any of the depths"),
        ({"arms": ["control"], "rungs": [1]}, "has 'control', which is not pretrained at any of the depths"),
    ],
)
def test_an_arm_that_is_not_there_is_refused(content, full, words):
    with pytest.raises(ValueError, match=words):
        study_of(content, read_outs={"full": {**FULL, **full}})


def test_the_perceptron_is_trained_whole(content):
    with pytest.raises(ValueError, match="'raw:mlp' is trained whole"):
        study_of(content, read_outs={"lora": {**FULL, "arms": ["raw:mlp"]}})


def test_published_weights_are_an_arm_and_come_in_the_studys_geometry(content):
    study = study_of(content, hub=[{"name": "videomae-b", "path": "weights"}])
    reader = next(r for r in frozen(study, "demo") if r.published)
    assert (reader.arm_name, reader.reader_id, reader.folder) == (
        "hub:videomae-b",
        "hub-videomae-b",
        "hub/videomae-b",
    )
    assert Reader.parse("hub-videomae-b") == reader
    spec = Grid(study).hub_spec("videomae-b")
    assert (spec["path"], spec["frames"], spec["size"]) == ("weights", 16, 32)
    with pytest.raises(UserError, match="no weights 'videomae'; did you mean 'videomae-b'"):
        Grid(study).hub_spec("videomae")
