"""What is trained beside the ladder: where it stands, what it reads, what its rungs depend on."""

from typing import Any

import pytest

from transferscale.study.grid import Grid
from transferscale.study.label import CorpusLabel
from transferscale.study.load import load_study
from transferscale.study.reader import Reader
from transferscale.study.show import summary
from transferscale.study.study import Study
from transferscale.study.trunks import fold_task, ladder_trunks, parts, trunks_beside

BESIDE: dict[str, Any] = {
    "convnet": {"depths": [1, 4]},
    "controls": {"depths": [4]},
    "fractions": [0.125, 0.25],
    "fraction_runs": {"depths": [2], "rungs": [1, "last"]},
    "medical": {"datasets": ["demo"], "depths": [3], "with_corpus": 0.75},
    "overfit": {"depths": [1], "fraction": 0.02, "budget": 20000, "weight_decay": 0.5},
}


@pytest.fixture
def content(root, monkeypatch) -> dict[str, Any]:
    monkeypatch.chdir(root)
    study = load_study("config/config.yaml").spec()
    study["controls"] = ["static", "noise"]
    study["pretrain"] |= BESIDE
    return study


@pytest.fixture
def study(content) -> Study:
    return Study.model_validate(content)


def trained(study: Study) -> dict[str, list[tuple[str, int, int, tuple[int, ...]]]]:
    found: dict[str, list[tuple[str, int, int, tuple[int, ...]]]] = {}
    for t in trunks_beside(study):
        found.setdefault(str(t.label), []).append((t.family, t.depth, t.seed, t.rungs))
    return found


def test_the_ladder_has_every_family_at_its_own_depths_and_seeds(study):
    trunks = [(t.family, t.depth, t.seed) for t in ladder_trunks(study)]
    assert len(trunks) == len(set(trunks)) == 10 + 2
    assert ("convnet", 4, 0) in trunks
    assert ("convnet", 2, 0) not in trunks
    assert list(Grid(study).trunks()) == trunks


def test_trunks_beside_the_ladder_stand_where_the_study_says(study):
    found = trained(study)
    assert found["motion-static"] == found["motion-noise"] == [("vit", 4, 0, (3,)), ("convnet", 4, 0, (3,))]
    assert found["motion-f125"] == found["motion-f250"] == [("vit", 2, seed, (1, 3)) for seed in range(3)]
    assert found["motion-f20"] == [("vit", 1, seed, (1,)) for seed in range(3)]
    folds = [f"{arm}-k{fold}" for arm in ("demo", "motion+demo") for fold in range(4)]
    assert all(found[label] == [("vit", 3, 0, (3,))] for label in folds)
    assert set(found) == {"motion-static", "motion-noise", "motion-f125", "motion-f250", "motion-f20", *folds}


def test_every_checkpoint_has_a_name_and_a_folder_of_its_own(study):
    readers = Grid(study).checkpoints()
    assert len({r.reader_id for r in readers}) == len({r.folder for r in readers}) == len(readers)


def test_the_reader_of_a_rung_is_the_one_that_the_grid_names(study):
    grid = Grid(study)
    for r in grid.checkpoints():
        spec = grid.rung_spec(r.family, r.depth, r.seed, r.rung, r.corpus)
        assert Reader.of_rung(spec) == r
        assert (spec["control"], spec["fraction"], spec["fold"]) == (r.control, r.fraction, r.fold)


def test_what_is_trained_beside_the_ladder_changes_no_rung_of_it(study, content):
    content["pretrain"] |= {"fractions": [], "fraction_runs": None, "overfit": None, "medical": None}
    before, after = Grid(Study.model_validate(content)), Grid(study)
    for r in before.checkpoints():
        args = (r.family, r.depth, r.seed, r.rung, r.corpus)
        assert before.rung_spec(*args) == after.rung_spec(*args)


def test_overfitting_has_its_own_budget_and_weight_decay(study):
    grid = Grid(study)
    plain, long = (grid.rung_spec("vit", 1, 0, 1, label) for label in ("", "motion-f20"))
    changed = {key for key in plain if plain[key] != long[key]}
    assert changed == {"corpus", "fraction", "parts", "budget", "trunk_end", "weight_decay"}
    assert (long["budget"], long["trunk_end"], long["weight_decay"]) == (20000, 16000, 0.5)


@pytest.mark.parametrize(
    ("label", "inputs"),
    [
        ("motion", [("corpus/motion/clips", "corpus/motion/clips.parquet")]),
        ("motion-f125", [("corpus/motion/clips", "corpus/motion/clips.parquet")]),
        ("motion-static", [("corpus/motion/controls/static", "corpus/motion/clips.parquet")]),
        ("demo-k2", [("medical/demo/roi", "corpus/demo-k2/clips.parquet")]),
        (
            "motion+demo-k2",
            [
                ("corpus/motion/clips", "corpus/motion/clips.parquet"),
                ("medical/demo/roi", "corpus/demo-k2/clips.parquet"),
            ],
        ),
    ],
)
def test_a_label_says_what_a_rung_reads(study, label, inputs):
    assert Grid(study).rung_inputs(label) == inputs
    assert len(Grid(study).rung_spec("vit", 1, 0, 1, label)["parts"]) == len(inputs)


def test_weights_are_shares_of_the_stream(content):
    content["corpus"]["sources"] = [
        {**content["corpus"]["sources"][0], "weight": 3},
        {"kind": "folder", "path": "videos", "weight": 1},
    ]
    study = Study.model_validate(content)
    unweighted = load_study("config/config.yaml")
    assert Grid(study).synth_spec() == Grid(unweighted).synth_spec()
    assert Grid(study).index_spec()["sources"][:1] == Grid(unweighted).index_spec()["sources"]
    mixed = parts(study, CorpusLabel.parse("motion+demo-k0"))
    assert [(p["name"], p["source"], p["weight"]) for p in mixed] == [
        ("motion/0:synthetic", "0:synthetic", 0.75 * 0.75),
        ("motion/1:folder", "1:folder", 0.75 * 0.25),
        ("demo-k0", None, 0.25),
    ]
    assert [p["weight"] for p in parts(study, CorpusLabel.parse("motion-f250"))] == [0.75, 0.25]
    assert [p["fraction"] for p in parts(study, CorpusLabel.parse("motion-f250"))] == [0.25, 0.25]
    assert len(Grid(study).rung_inputs("motion+demo-k0")) == 3
    assert [p["augment"] for p in mixed] == [True, True, False]


def test_folds_are_those_of_the_primary_claim_counted_over_repeats(study, content):
    assert fold_task(study, "demo") == "group"
    content["transfer"]["repeats"] = 2
    grid = Grid(Study.model_validate(content))
    assert sum(r.arm == "fmri" for r in grid.checkpoints()) == 8
    spec = grid.fold_spec("demo", 6)
    assert (spec["task"], spec["repeat"], spec["fold"]) == ("group", 1, 2)


def test_a_study_shows_what_it_trains_beside_the_ladder(study):
    text = summary(study)
    assert "36 checkpoints = 12 trunks (depths: vit 1, 2, 3, 4, 5, 6; convnet 1, 4) x 3 rungs" in text
    assert "beside it, on motion-f125: 6 checkpoints of 3 trunks" in text
    assert "vit of depth 2" in text
