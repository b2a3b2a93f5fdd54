"""Labels: one function reads them; who is left out is counted."""

import math
from typing import Any

import numpy as np
import pytest

from tests.medical.conftest import SmallSeries
from transferscale.errors import UserError
from transferscale.medical.labels import label_subjects, labels
from transferscale.study.dataset import Task

ROWS = [
    {
        "subject": f"sub-{i}",
        "site": "s",
        "family_group": f"sub-{i}",
        "participant.group": group,
        "participant.age": age,
        "participant.voxel": voxel,
    }
    for i, (group, age, voxel) in enumerate(
        [
            ("child", "4.5", "3"),
            ("adult", "30", "3.0"),
            ("child", None, "3.13"),
            (None, "7", "3"),
            ("teen", "15", "3"),
        ]
    )
]


def task(**keys: Any) -> dict[str, Any]:
    metric = {"classification": "auroc", "regression": "r", "state": "accuracy"}[keys["kind"]]
    return Task(metric=metric, **keys).spec()


def test_classes_are_sorted_and_the_last_is_positive() -> None:
    found = label_subjects(ROWS, task(target="group", kind="classification"), "x")
    assert found.classes == ["adult", "child", "teen"]
    assert found.subjects == ["sub-0", "sub-1", "sub-2", "sub-4"]
    assert found.y.tolist() == [1, 0, 1, 2]
    assert found.removed == {"where": 0, "missing": 1, "classes": 0}


def test_named_classes_keep_their_order_and_leave_the_others_out() -> None:
    found = label_subjects(ROWS, task(target="group", kind="classification", classes=["child", "adult"]), "x")
    assert found.y.tolist() == [0, 1, 0]
    assert found.removed == {"where": 0, "missing": 1, "classes": 1}


def test_a_condition_compares_numbers_as_numbers_and_text_as_text() -> None:
    number = label_subjects(ROWS, task(target="age", kind="regression", where={"voxel": 3.0}), "x")
    assert number.subjects == ["sub-0", "sub-1", "sub-3", "sub-4"]
    text = label_subjects(ROWS, task(target="age", kind="regression", where={"voxel": ["3", "3.13"]}), "x")
    assert text.subjects == ["sub-0", "sub-3", "sub-4"]
    assert text.removed == {"where": 1, "missing": 1, "classes": 0}


def test_the_logarithm_is_taken_where_asked() -> None:
    found = label_subjects(ROWS, task(target="age", kind="regression", transform="log"), "x")
    assert found.y.tolist() == [math.log(v) for v in (4.5, 30, 7, 15)]
    assert found.classes == []


def test_a_state_task_keeps_every_subject_and_leaves_the_target_to_the_windows() -> None:
    found = label_subjects(ROWS, task(target="window", kind="state"), "x")
    assert len(found.subjects) == 5
    assert np.isnan(found.y).all()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"target": "gruop", "kind": "classification"},
            "does not carry column 'gruop'; did you mean 'group'",
        ),
        (
            {"target": "group", "kind": "classification", "classes": ["child", "adlut"]},
            "no subject has class 'adlut'; did you mean 'adult'",
        ),
        ({"target": "group", "kind": "regression"}, "'child' of subject 'sub-0' is no number"),
        ({"target": "age", "kind": "regression", "where": {"voxel": "2"}}, "leaves no subject"),
        (
            {"target": "voxel", "kind": "regression", "where": {"group": "adult"}},
            "the same value for every subject",
        ),
        (
            {"target": "group", "kind": "classification", "where": {"voxel": "3.13"}},
            "only one class, 'child'",
        ),
        ({"target": "window", "kind": "state", "classes": ["0", "1"]}, "takes no 'classes'"),
    ],
)
def test_labels_that_do_not_fit_are_told_in_a_sentence(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        label_subjects(ROWS, task(**keys), "participants.tsv: key 'tasks.t'")
    assert str(caught.value).startswith("participants.tsv: key 'tasks.t'")


def test_zero_has_no_logarithm() -> None:
    rows = [{**row, "participant.age": "0"} for row in ROWS]
    with pytest.raises(UserError, match="has no logarithm"):
        label_subjects(rows, task(target="age", kind="regression", transform="log"), "x")


def test_labels_are_read_from_the_recordings_table(small_series: SmallSeries) -> None:
    it = small_series(site_column="site", family_column="family").index()
    found = labels(it.recordings, it.dataset.tasks["age"].spec())
    assert found.subjects == [f"sub-{i:02d}" for i in range(12)]
    assert found.y.tolist() == [20.0 + i for i in range(12)]
    assert found.families[:4] == ["f0", "f0", "f1", "f1"]
    assert found.sites[:4] == ["s0", "s1", "s2", "s0"]


def test_classes_that_differ_in_case_alone_are_refused() -> None:
    rows = [
        {"subject": f"sub-{i}", "family_group": "", "site": "", "status": "ok", "participant.group": group}
        for i, group in enumerate(["control", "Control", "patient"])
    ]
    task = {"target": "group", "kind": "classification", "where": {}, "classes": None, "transform": "none"}
    with pytest.raises(UserError, match="'Control' and 'control' differ in case"):
        label_subjects(rows, task, "table")
    assert label_subjects(rows, {**task, "classes": ["control", "patient"]}, "table").removed["classes"] == 1
