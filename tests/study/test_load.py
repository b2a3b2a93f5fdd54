"""A study is loaded, completed and checked; every complaint names the file, the key and the nearest valid name."""

import copy

import pytest
import yaml

from transferscale.errors import UserError
from transferscale.study.load import load_dataset, load_study


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


@pytest.mark.parametrize("path", ["config/config.yaml", "config/studies/pixar.yaml"])
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
        ("verdict.0.reference", "random", "a frozen read-out's reference is 'random'"),
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
    ],
)
def test_a_mistake_gives_one_sentence(content, key, value, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        load_study(change(content, key, value), named="my.yaml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(("my.yaml", "nowhere.yaml"))


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
