"""The sentences say what the tables say, in the order in which a reader must hear it."""

from pathlib import Path
from typing import Any

import pytest

from tests.scaling.results_folder import demo
from transferscale.errors import UserError
from transferscale.report.verdict import against_controls, boxes, corpus_words, known_answers, sentences
from transferscale.study.study import Study

KNOWN = {"task": "group", "arm": "connectivity", "metric": "auroc", "at_least": 0.7, "source": "a paper"}


@pytest.fixture
def study() -> Study:
    return demo(Path("results"), known_answers=[KNOWN])


def gain(**changes: Any) -> dict[str, Any]:
    row = {
        "dataset": "demo",
        "task": "group",
        "metric": "auroc",
        "n_labels": "16",
        "n_train": 16.0,
        "n_subjects": 48,
        "arm_value": 0.71,
        "reference_value": 0.69,
        "detectable": 0.08,
        "estimate": 0.02,
        "low": -0.05,
        "high": 0.09,
        "low90": -0.04,
        "high90": 0.08,
        "p_holm": 0.5,
        "nb_low": None,
        "nb_high": None,
        "warnings": [],
        "verdict": "inconclusive",
        "primary": True,
    }
    return row | changes


def score(arm: str, value: float, n: str = "all") -> dict[str, Any]:
    return {"dataset": "demo", "task": "group", "arm": arm, "n_labels": n, "metric": "auroc", "value": value}


def test_the_smallest_detectable_gain_is_heard_before_the_gain(study: Study) -> None:
    (sentence,) = sentences(study, [gain()], [score("connectivity", 0.8, "16")])
    assert sentence.startswith("demo/group: pretraining on synthetic motion is INCONCLUSIVE here")
    assert "full fine-tuning from the depth-2 checkpoint scored AUROC 0.71, from scratch 0.69" in sentence
    assert "with 16 labelled subjects and 48 tested" in sentence
    assert 0 < sentence.index("smallest detectable gain 0.08") < sentence.index("gain +0.02")
    assert "95 % interval -0.05 to +0.09" in sentence
    assert sentence.endswith("beside it: connectivity 0.80.")


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("helps", "HELPS here"),
        ("hurts", "HURTS here"),
        ("equivalent", "makes NO DIFFERENCE THAT MATTERS here"),
        ("inconclusive", "is INCONCLUSIVE here"),
    ],
)
def test_every_verdict_has_its_words(study: Study, verdict: str, words: str) -> None:
    assert words in sentences(study, [gain(verdict=verdict)], [])[0]


def test_help_too_small_to_matter_is_said(study: Study) -> None:
    small = gain(verdict="helps", low=0.005, low90=0.008, high90=0.03, p_holm=0.01)
    assert "HELPS here, below the smallest effect of interest" in sentences(study, [small], [])[0]
    large = gain(verdict="helps", low=0.01, low90=0.02, high90=0.2, p_holm=0.01)
    assert "below the smallest" not in sentences(study, [large], [])[0]


def test_help_that_a_more_cautious_test_does_not_find_is_said(study: Study) -> None:
    row = gain(
        verdict="helps", low=0.01, high=0.2, p_holm=0.01, nb_low=-0.15, nb_high=0.22, warnings=["one draw"]
    )
    assert "does not find it (-0.15 to +0.22)" in sentences(study, [row], [])[0]
    (box,) = boxes(study, [row], [])
    assert box.headline.endswith("pretraining helps, but a more cautious test disagrees")
    assert box.warnings == ["one draw"]
    agreed = row | {"nb_low": 0.001}
    assert "cautious" not in sentences(study, [agreed], [])[0]


def test_help_that_does_not_survive_holm_is_said(study: Study) -> None:
    assert "does not survive Holm" in sentences(study, [gain(verdict="helps", p_holm=0.2)], [])[0]
    assert "Holm" not in sentences(study, [gain(verdict="helps", p_holm=0.01)], [])[0]


@pytest.mark.parametrize(
    ("changes", "headline", "meaning"),
    [
        ({}, "group: inconclusive", "neither show a difference"),
        ({"verdict": "equivalent"}, "group: no difference that matters", "smaller than the smallest effect"),
        ({"verdict": "hurts", "low90": -0.2, "p_holm": 0.01}, "group: pretraining hurts", ""),
        (
            {"verdict": "helps", "low90": 0.1, "high90": 0.2},
            "group: pretraining helps, but not after correction",
            "Holm",
        ),
        (
            {"verdict": "helps", "low90": 0.01, "high90": 0.03, "p_holm": 0.01},
            "group: pretraining helps, too little to matter",
            "below the smallest effect",
        ),
    ],
)
def test_a_headline_says_it_at_once(
    study: Study, changes: dict[str, Any], headline: str, meaning: str
) -> None:
    (box,) = boxes(study, [gain(**changes)], [score("connectivity", 0.8, "16")])
    assert box.headline == headline
    assert meaning in box.meaning
    assert bool(meaning) == bool(box.meaning)
    assert box.compared.startswith("Full fine-tuning from the depth-2 checkpoint scored AUROC 0.71")
    assert box.beside == "connectivity 0.80"


def test_controls_of_another_family_are_not_told() -> None:
    cell = {"read_out": "ridge", "depth": 2, "rung": 3, "arm": "video", "reference": "random"}
    rows = [
        gain(**cell, reader_group=f"video.motion.mae.{family}-d2.r3", primary=False)
        | {"reference": reference, "estimate": estimate}
        for family, reference, estimate in (
            ("vit", "random", 0.02),
            ("convnet", "control:static", 0.5),
            ("vit", "control:static", 0.1),
            ("vit", "connectivity", 0.3),
        )
    ]
    assert against_controls(rows[0], rows) == "control:static +0.10 (-0.05 to +0.09)"


def test_natural_video_is_never_credited_without_controls() -> None:
    folder = {"kind": "folder", "path": "videos"}
    mixed = demo(Path("r"), corpus={"name": "m", "sources": [folder, {"kind": "synthetic"}]})
    video = demo(Path("r"), corpus={"name": "v", "sources": [folder]})
    assert corpus_words(demo(Path("r"))) == "synthetic motion"
    for study in (mixed, video):
        assert "natural video is not credited without controls" in corpus_words(study)
    assert "mixed corpus" in corpus_words(mixed)


def test_a_known_answer_is_reached_or_the_run_is_wrong(study: Study) -> None:
    (reached,) = known_answers(study, [score("connectivity", 0.75)])
    (missed,) = known_answers(study, [score("connectivity", 0.65)])
    assert reached.reached
    assert "reaches the known 0.7 (a paper)" in reached.sentence
    assert not missed.reached
    assert "THE RUN IS WRONG" in missed.sentence


def test_a_known_answer_without_a_score_or_a_claim_without_a_gain_is_an_error(study: Study) -> None:
    with pytest.raises(UserError, match="no score of connectivity on demo/group"):
        known_answers(study, [score("connectivity", 0.8, "16")])
    with pytest.raises(UserError, match="no gain of demo/group"):
        sentences(study, [gain(primary=False)], [])
