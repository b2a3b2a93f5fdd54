"""The smallest detectable gain from the number of subjects alone: known errors, and a sentence a claim."""

import math
from pathlib import Path
from typing import Any

import pytest

from transferscale.errors import UserError
from transferscale.study.beforehand import check_label_counts, detectable_gains
from transferscale.study.dataset import Dataset
from transferscale.study.detectable import ASSUMED, Answers, detectable_gain, standard_error
from transferscale.study.load import load_study
from transferscale.study.show import summary
from transferscale.study.study import Study

PEOPLE = "participant_id\tAge\tgroup\tscanner\n" + "".join(
    f"sub-{i}\t{'n/a' if i == 0 else i}\t{'ill' if i % 4 == 0 else 'hale'}\t{i % 2}.0\n" for i in range(40)
)
TASKS = {
    "group": {"target": "group", "kind": "classification", "metric": "auroc"},
    "half": {
        "target": "group",
        "kind": "classification",
        "metric": "balanced_accuracy",
        "where": {"scanner": 0},
    },
    "age": {"target": "Age", "kind": "regression", "metric": "r"},
    "film": {"target": "window", "kind": "state", "metric": "accuracy"},
}


@pytest.fixture(autouse=True)
def _in_the_repository(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """The demo with another dataset and a claim on each of its tasks."""
    (tmp_path / "participants.tsv").write_text(PEOPLE)
    return _with(load_study("config/config.yaml").spec(), tmp_path, {"volumes": 16, "count": 5})


def _with(content: dict[str, Any], folder: Path, windows: dict[str, int]) -> Study:
    dataset = {
        "dataset": "mine",
        "root": str(folder),
        "recordings": {"kind": "series", "pattern": "{subject}.npy", "tr_s": 2},
        "windows": windows,
        "tasks": TASKS,
    }
    full = {**content["transfer"]["read_outs"]["full"], "tasks": None}
    claims = [
        {"task": task, "depth": 2, "n_labels": 16, "metric": options["metric"], "sesoi": 0.05}
        for task, options in TASKS.items()
    ]
    transfer = {**content["transfer"], "read_outs": {"full": full}}
    return load_study(
        {
            **content,
            "datasets": [dataset],
            "transfer": transfer,
            "verdict": claims,
            "known_answers": [],
            "behaviour": None,
        }
    )


def test_the_error_of_an_area_is_that_of_hanley_and_mcneil() -> None:
    # Their variance, spelt out for 24 against 24 at 0.75: Q1 = 0.6, Q2 = 9/14.
    variance = (0.75 * 0.25 + 23 * (0.6 - 0.5625) + 23 * (9 / 14 - 0.5625)) / 24**2
    assert ASSUMED["auroc"] == 0.75
    assert standard_error("auroc", Answers(48, (24, 24))) == pytest.approx(math.sqrt(variance))


def test_the_errors_of_shares_and_correlations_are_the_textbooks() -> None:
    assert standard_error("accuracy", Answers(75, (50, 25))) == pytest.approx(0.05)
    recalls = math.sqrt(0.75 * 0.25 / 50), math.sqrt(0.75 * 0.25 / 25)
    assert standard_error("balanced_accuracy", Answers(75, (50, 25))) == pytest.approx(
        math.hypot(*recalls) / 2
    )
    assert standard_error("r", Answers(103)) == pytest.approx((1 - 0.3**2) / 10)
    assert standard_error("r2", Answers(103)) == pytest.approx(2 * math.sqrt(0.1) * 0.9 / 10)


@pytest.mark.parametrize("metric", ASSUMED)
def test_four_times_the_subjects_detect_half_the_gain(metric: str) -> None:
    few, many = (detectable_gain(standard_error(metric, Answers(2 * n, (n, n)))) for n in (400, 1600))
    assert many == pytest.approx(few / 2, rel=0.01)


@pytest.mark.parametrize(
    ("metric", "answers"),
    [
        ("auroc", Answers(10, (10, 0))),
        ("auroc", Answers(10, (10,))),
        ("balanced_accuracy", Answers(5, (5, 0))),
        ("accuracy", Answers(0)),
        ("r", Answers(3)),
    ],
)
def test_without_enough_answers_nothing_is_detected(metric: str, answers: Answers) -> None:
    assert math.isinf(detectable_gain(standard_error(metric, answers)))


def test_every_claim_says_what_its_subjects_can_show_and_by_which_assumption(study: Study) -> None:
    group, half, age, film = detectable_gains(study)
    assert group.startswith(
        "mine/group: with 40 subjects (30 hale, 10 ill) tested, the smallest detectable gain in auroc is about "
    )
    assert "Hanley & McNeil 1982, were scratch at 0.75 and correlated 0.5 with video" in group
    assert group.endswith("more than the smallest effect of interest 0.05")
    assert "20 subjects (10 hale, 10 ill)" in half
    assert "with 39 subjects tested" in age
    assert "40 subjects and 5 windows of each, counted as independent, tested" in film
    assert f"{detectable_gain(math.sqrt(0.75 * 0.25 / 200)):.2g}" in film


def test_windows_that_only_the_recordings_tell_are_not_guessed(study: Study) -> None:
    film = _with(study.spec(), Path(study.datasets[0].root), {"volumes": 16})
    assert "cannot be told before the recordings are read" in detectable_gains(film)[3]


def test_simulated_subjects_are_those_of_the_simulation() -> None:
    (sentence,) = detectable_gains(load_study("config/config.yaml"))
    assert "with 48 subjects (24 of one class, 24 of the other) tested" in sentence


def test_a_study_shows_it_and_says_so_where_the_data_is_not_there_yet(study: Study) -> None:
    assert "beforehand: mine/group: with 40 subjects" in summary(study)
    gone: Dataset = study.datasets[0].model_copy(update={"root": "nowhere"})
    assert "beforehand: the smallest detectable gains cannot be told yet: nowhere" in summary(
        study.model_copy(update={"datasets": [gone]})
    )


def test_a_label_count_that_no_fold_has_is_refused_before_anything_runs(study: Study) -> None:
    # 40 people in 4 folds: 30 to learn from.
    def labels(*counts: int) -> Study:
        return study.model_copy(
            update={"transfer": study.transfer.model_copy(update={"labels": [*counts, "all"]})}
        )

    check_label_counts(labels(8, 30))
    with pytest.raises(
        UserError, match=r"31 labelled subjects .* at most 30 training subjects \(40 subjects in 4"
    ):
        check_label_counts(labels(8, 31))


def test_conditions_that_the_table_can_tell_count(study: Study) -> None:
    dataset = study.datasets[0].model_copy(update={"include": ["scanner == 0", "n_volumes > 10"]})
    fewer = study.model_copy(update={"datasets": [dataset]})
    assert "with 20 subjects" in detectable_gains(fewer)[0]
