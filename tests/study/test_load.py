"""A study is loaded, completed and checked; every complaint names the file, the key and the nearest valid name."""

import copy

import pytest
import yaml
from benchmarks.relative import of_factor

from transferscale.errors import UserError
from transferscale.study.checks import check_inputs
from transferscale.study.grid import Grid
from transferscale.study.load import load_dataset, load_study
from transferscale.study.show import summary


@pytest.fixture
def content(root, monkeypatch):
    monkeypatch.chdir(root)
    return yaml.safe_load((root / "config/config.yaml").read_text())


def change(content, key, value):
    """A copy of the study with one dotted key changed (or removed, for None)."""
    changed = copy.deepcopy(content)
    *path, last = key.split(".")
    section = changed
    for part in path:
        section = section[int(part) if part.isdigit() else part]
    if value is None:
        del section[last]
    else:
        section[last] = value
    return changed


@pytest.mark.parametrize(
    "path", ["config/config.yaml", "config/studies/pixar.yaml", "config/studies/relative.yaml"]
)
def test_shipped_studies_load_and_survive_a_round_trip(root, monkeypatch, path):
    monkeypatch.chdir(root)
    study = load_study(path)
    assert load_study(study.spec()) == study


def test_placeholders_are_filled(content):
    study = load_study(content)
    assert study.datasets[0].root == "results/demo/simulated/demo"


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("pretrain.vit.dephts", [1], r"unknown key 'pretrain.vit.dephts'; did you mean 'depths'\?"),
        ("corpus.sources.0.fiels", 3, r"unknown key 'corpus.sources.0.fiels'; did you mean 'files'\?"),
        ("transfer.read_outs.full.lables", [8], r"unknown key .*lables'; did you mean 'labels'\?"),
        ("transfer.read_outs.ridge.penalties", [1.0, 0.0], "penalties.1': .* greater than 0"),
        ("transfer.read_outs.full.learning_rates", [0.01, 0.01], "0.01 stands twice; delete one"),
        ("corpus.name", None, "key 'corpus.name' is missing"),
        ("corpus.name", "a/b", "key 'corpus.name'"),
        ("pretrain.vit.depths", [3, 1], "depths must rise"),
        ("pretrain.budgets.first", 10, "less than one step"),
        ("pretrain.tubelet", {"frames": 3, "size": 8}, "not divisible by pretrain.tubelet"),
        ("corpus.clip.frames", 20, "windows.volumes 16 but corpus.clip.frames is 20"),
        ("transfer.labels", [16, 8], "label counts must rise"),
        ("transfer.read_outs.full.depths", [7], "full.depths has 7"),
        ("transfer.read_outs.full.rungs", [9], "full.rungs has 9"),
        ("transfer.read_outs.full.tasks", ["demo/grup"], r"no task 'grup'; did you mean 'group'\?"),
        ("verdict.0.task", "grup", r"no task 'grup'; did you mean 'group'\?"),
        ("verdict.0.depth", 3, "depth 3 is not run with full"),
        ("verdict.0.n_labels", 8, "n_labels 8 is not run with full"),
        (
            "verdict.0.reference",
            "random",
            "the reference of read-out 'full' without pretraining is 'scratch'",
        ),
        ("verdict.0.metric", "r2", "metric 'r2' does not fit"),
        ("datasets", ["nowhere.yaml"], r"nowhere.yaml: no such file \(key 'datasets.0'"),
        ("study", None, "key 'study' is missing"),
        ("study", "my study", "key 'study'"),
        ("results", "my results", "key 'results'"),
        (
            "corpus.sources.0.kind",
            "syntetic",
            r"unknown kind 'syntetic'; did you mean 'synthetic'",
        ),
        ("corpus.sources.0.kind", None, "key 'corpus.sources.0.kind' is missing"),
        ("transfer.labels", [8, 1], r"key 'transfer.labels.1': "),
        ("pretrain.vit.seeds", {7: 3}, "seeds names depth 7"),
        ("pretrain.vit", None, "pretrain names no family; give it one of vit, convnet"),
        ("pretrain.vit.attention", "axial", "key 'pretrain.vit.attention'"),
        (
            "pretrain.convnet",
            {"depths": [1], "attention": "joint"},
            "unknown key 'pretrain.convnet.attention'",
        ),
        (
            "pretrain.objective",
            "mea",
            r"key 'pretrain.objective.name': unknown name 'mea'; did you mean 'mae'\?",
        ),
        ("pretrain.objective", {"mask_ratio": 0.5}, "key 'pretrain.objective.name' is missing"),
        (
            "pretrain.objective",
            {"name": "jepa", "momentun": 0.9},
            r"unknown key 'pretrain.objective.momentun'; did you mean 'momentum'\?",
        ),
        (
            "pretrain.objective",
            {"name": "mae", "mask_ratio": 2},
            r"key 'pretrain.objective.mask_ratio': .* found 2",
        ),
        (
            "pretrain.tubelet",
            {"frames": 2, "size": 32},
            "'mae' hides whole tubes, but a clip of size 32 has one",
        ),
        (
            "pretrain.warmup",
            0.8,
            r"budgets.first 640 leaves nothing between the warm-up of 512 clips .* and the decay",
        ),
        ("pretrain.budgets.ratio", float("inf"), r"key 'pretrain.budgets.ratio': .* finite"),
        ("pretrain.learning_rate", float("nan"), r"key 'pretrain.learning_rate': .* finite"),
        (
            "pretrain.objective",
            ["mae"],
            r"key 'pretrain.objective': write one objective, as in mae, or \{name",
        ),
        ("pretrain.vit.seeds", "three", "key 'pretrain.vit.seeds': write a number of seeds, or one by depth"),
        ("pretrain.vit.depths", [1, 1], "depths must rise and not repeat"),
        ("pretrain.gpus", 4, "key 'pretrain.gpus'"),
        ("controls", ["static", "static"], "key 'controls': 'static' stands twice; delete one"),
        ("pretrain.controls", {"depths": [2, 1]}, "key 'pretrain.controls.depths': depths must rise"),
        ("pretrain.controls", {"depths": [2], "rungs": [1, 1]}, "pretrain.controls.rungs': 1 stands twice"),
        (
            "pretrain.medical",
            {"datasets": ["demo", "demo"], "depths": [1]},
            "key 'pretrain.medical.datasets': 'demo' stands twice",
        ),
        (
            "pretrain.medical",
            {"datasets": ["demo"], "depths": [1], "arms": ["fmri", "fmri"]},
            "key 'pretrain.medical.arms': 'fmri' stands twice",
        ),
        (
            "pretrain.medical",
            {"datasets": ["demo"], "depths": [1], "arms": ["fmri"], "with_corpus": 0.5},
            r"key 'pretrain.medical': with_corpus is the share .* 'video\+fmri', which arms lacks",
        ),
        (
            "pretrain.overfit",
            {"depths": [1, 1], "fraction": 0.05, "budget": 9999},
            "key 'pretrain.overfit.depths': depths must rise",
        ),
        (
            "transfer.read_outs.full.rungs",
            [3, "last"],
            "full.rungs: 'last' is rung 3, which stands there too",
        ),
        ("transfer.baselines", ["dummy", "dummy"], "key 'transfer.baselines': 'dummy' stands twice"),
        ("pretrain.accumulate", 5, "batch 32 cannot be taken in pretrain.accumulate 5 equal parts"),
        ("pretrain.fractions", [0.5], "pretrain.fractions and pretrain.fraction_runs go together"),
        ("pretrain.controls", {"depths": [4]}, "controls and pretrain.controls go together"),
        ("controls", ["static"], "controls and pretrain.controls go together"),
        (
            "pretrain.medical",
            {"datasets": ["dem"], "depths": [1]},
            r"no dataset 'dem'; did you mean 'demo'\?",
        ),
        ("pretrain.medical", {"datasets": ["demo"], "depths": [9]}, "pretrain.medical.depths has 9"),
        (
            "pretrain.medical",
            {"datasets": ["demo"], "depths": [1], "rungs": [4]},
            "pretrain.medical.rungs has 4",
        ),
        (
            "pretrain.overfit",
            {"depths": [1], "fraction": 0.0015, "budget": 9999},
            "pretrain.overfit.fraction: 0.0015 is no multiple of 0.001",
        ),
        (
            "pretrain.overfit",
            {"depths": [1], "fraction": 0.05, "budget": 160},
            "overfit.budget 160 leaves nothing between the warm-up of 128 clips",
        ),
        (
            "pretrain.overfit",
            {"depths": [7], "fraction": 0.05, "budget": 9999},
            "pretrain.overfit.depths has 7",
        ),
        (
            "pretrain.overfit",
            {"family": "convnet", "depths": [1], "fraction": 0.05, "budget": 9999},
            "pretrain.overfit.family is 'convnet', but pretrain.convnet is missing",
        ),
        ("corpus.name", "motion-f250", "ends like the name of a control corpus, a fraction or a fold"),
        ("corpus.name", "demo", "also the name of a dataset"),
        ("verdict.0.family", "convnet", "family 'convnet' is not in pretrain"),
        (
            "datasets",
            None,
            "key 'datasets' is missing; a study gives 'datasets', 'transfer' and 'verdict', or",
        ),
        ("transfer", None, "key 'transfer' is missing"),
        ("verdict", None, "key 'verdict' is missing"),
    ],
)
def test_a_mistake_gives_one_sentence(content, key, value, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        load_study(change(content, key, value), named="my.yaml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(("my.yaml", "nowhere.yaml"))


def test_budgets_that_leave_no_step_for_a_phase_are_told(content):
    content = change(change(content, "pretrain.budgets.first", 45), "pretrain.warmup", 0.75)
    with pytest.raises(
        UserError, match=r"budgets.first 45: the trunk to 36 clips .* leave no step of 32 clips"
    ):
        load_study(content)


def pretraining_alone(content):
    return {
        k: v
        for k, v in content.items()
        if k not in ("datasets", "transfer", "verdict", "behaviour", "plan", "known_answers")
    }


def test_a_study_of_pretraining_alone_survives_a_round_trip(content):
    study = load_study(pretraining_alone(content))
    assert study.datasets == study.verdict == []
    assert load_study(study.spec()) == study
    assert "no dataset: pretraining alone" in summary(study)
    check_inputs(study)
    grid = Grid(study)
    assert grid.cells() == grid.left_out() == grid.claim_cells() == []
    with pytest.raises(UserError, match="key 'plan' needs 'datasets', 'transfer' and 'verdict'"):
        load_study({**pretraining_alone(content), "plan": content["plan"]})


def test_an_objective_may_be_its_name_alone(content):
    short = load_study(change(content, "pretrain.objective", "next"))
    assert short == load_study(change(content, "pretrain.objective", {"name": "next"}))
    assert short.pretrain.objective.context == 0.5


def test_objectives_that_the_clips_do_not_allow_are_told(content):
    flat = change(
        change(content, "pretrain.tubelet", {"frames": 16, "size": 8}), "pretrain.objective", "next"
    )
    with pytest.raises(
        UserError, match="'next' needs two time steps of tokens, but a clip of 16 frames has one"
    ):
        load_study(flat)
    supervised = change(content, "pretrain.objective", "supervised")
    load_study(supervised)  # the synthetic source has labels
    supervised["corpus"]["sources"].append({"kind": "folder", "path": "videos"})
    with pytest.raises(UserError, match="'supervised' needs labels; set 'labels' of every folder"):
        load_study(supervised)
    supervised["corpus"]["sources"][1]["labels"] = "folder"
    load_study(supervised)
    supervised["pretrain"]["medical"] = {"datasets": ["demo"], "depths": [1]}
    with pytest.raises(UserError, match="recordings have no labels to pretrain on"):
        load_study(supervised)


def test_weights_are_given_to_all_sources_or_to_none(content):
    content["corpus"]["sources"].append({"kind": "folder", "path": "videos", "weight": 1})
    with pytest.raises(UserError, match="give every source a weight, or none"):
        load_study(content)
    content["corpus"]["sources"][0]["weight"] = 2
    load_study(content)
    content["pretrain"]["medical"] = {"datasets": ["demo"], "depths": [1]}
    with pytest.raises(UserError, match=r"pretrain\.medical\.with_corpus is missing"):
        load_study(content)


def test_a_family_in_which_a_claim_is_not_run_is_told(content):
    content["pretrain"]["convnet"] = {"depths": [1]}
    content["verdict"][0]["family"] = "convnet"
    with pytest.raises(UserError, match=r"depth 2 is not run with full \(depths \[\]\)"):
        load_study(content)


def test_placeholders_of_label_tables_are_filled(content):
    content["corpus"]["sources"].append({"kind": "folder", "path": "v", "labels": "{data_root}/labels.csv"})
    assert load_study(content).corpus.sources[1].labels == "../shared/data/labels.csv"


def test_a_datasets_file_can_be_listed_twice_with_other_keys(content):
    file = "config/datasets/demo.yaml"
    content["datasets"] = [file, {"file": file, "dataset": "other", "simulate": {"seed": 5}}]
    demo, other = load_study(content).datasets
    assert (other.dataset, other.simulate.seed) == ("other", 5)
    assert other.simulate.model_copy(update={"seed": demo.simulate.seed}) == demo.simulate
    assert other.tasks == demo.tasks
    content["datasets"][1]["simulate"] = {"sead": 5}
    told = r"demo\.yaml, as changed under 'datasets\.1': unknown key 'simulate\.sead'; did you mean 'seed'"
    with pytest.raises(UserError, match=told):
        load_study(content)


def test_a_dataset_is_simulated_into_a_folder_of_its_own(root, monkeypatch):
    monkeypatch.chdir(root)
    roots = [dataset.root for dataset in load_study("config/studies/relative.yaml").datasets]
    assert roots[0] == "results/relative/simulated/middling"
    assert len(set(roots)) == len(roots) > 1


def test_the_study_of_relative_scaling_moves_one_number_at_a_time(root, monkeypatch):
    monkeypatch.chdir(root)
    study = load_study("config/studies/relative.yaml")
    levels = {factor: sorted(of_factor(study, factor).values()) for factor in ("states", "latents", "snr")}
    assert levels == {"states": [2, 3, 4, 6, 8], "latents": [1, 2, 4, 8, 16], "snr": [0.15, 0.3]}
    (one, _), (other, _) = (
        [study.dataset(name.partition("/")[0]).simulate for name in tasks]
        for tasks in study.behaviour.continual
    )
    assert other == one.model_copy(update={"similarity": other.similarity})
    assert one.mixtures == 2
    assert one.similarity < other.similarity
    assert study.families["vit"].seeds.at(study.verdict[0].depth) >= 3
    with pytest.raises(UserError, match="--factor sates: no such factor; did you mean 'states'"):
        of_factor(study, "sates")


def test_a_mistake_in_a_dataset_names_the_datasets_file(root, tmp_path, content):
    text = (root / "config/datasets/demo.yaml").read_text().replace("volumes: 16", "volums: 16")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(
        UserError, match=r"mine\.yaml: unknown key 'windows\.volums'; did you mean 'volumes'\?"
    ):
        load_study(change(content, "datasets", [str(tmp_path / "mine.yaml")]))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: {c: 1, c: 2}", r"not valid YAML at line 2 \(key 'c' stands twice; delete one\)"),
        ("a: [", "not valid YAML at line"),
        ("- 1", "expected a mapping"),
        ("", "expected a mapping"),
    ],
)
def test_a_file_that_is_no_study_is_named(tmp_path, text, sentence):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"x\.yaml: {sentence}"):
        load_study(path)


def test_a_window_of_a_state_task_must_be_the_target(root, tmp_path):
    text = (root / "config/datasets/demo.yaml").read_text().replace("kind: regression", "kind: state")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match=r"mine\.yaml: key 'tasks\.trait'"):
        load_dataset(tmp_path / "mine.yaml")
