"""Average accuracy, backward transfer and forgetting are what their authors define, with people resampled together."""

from dataclasses import replace

import numpy as np
import pytest

from transferscale.scaling.behaviour.cells import ConditionCell
from transferscale.scaling.behaviour.sequences import above_chance, joint_weights, rows, summaries
from transferscale.scaling.gains.scores import Evaluation
from transferscale.study.reader import Reader

ORDER = [("d", "one"), ("d", "two"), ("d", "three")]


def cell(task: str, stage: int, level: float, subjects: range = range(24), seed: int = 0) -> ConditionCell:
    """A two-class task whose scores are its class times ``level`` plus noise that is the subject's own."""
    rng = np.random.default_rng(seed)
    noise, people = rng.standard_normal(40), np.array(list(subjects))
    truth = (people // 2 % 2).astype(float)
    z = (level * (2 * truth - 1) + noise[people])[:, None].repeat(2, axis=1)
    return ConditionCell(
        task=task,
        arm="scratch",
        kind="classification",
        n_labels="8",
        n_train=8.0,
        subjects=tuple(f"{i:03d}" for i in subjects),
        family=np.arange(len(people)) // 2,
        columns=np.array([[0, 0, 0], [0, 1, 0]]),
        subject_of=np.arange(len(people)),
        truth=truth,
        predicted=(z > 0).astype(float),
        score=np.stack([-z, z], 1),
        fold=np.zeros(z.shape, dtype=np.int64),
        dataset="d",
        view="roi",
        read_out="full",
        reader=Reader("scratch", family="vit", depth=2, seed=0),
        condition="continual:1",
        severity=stage,
    )


def scored(stage: int, task: str, score: float) -> Evaluation[ConditionCell]:
    return Evaluation(cell(task, stage, 1.0), "auroc", np.array([score]), np.full((3, 1), score))


def test_the_three_quantities_are_those_of_their_papers() -> None:
    # Rows of the matrix R of Lopez-Paz & Ranzato, above chance: .5 -> 0, 1 -> 1.
    R = [[0.9], [0.7, 0.8], [0.6, 0.85, 1.0]]
    table = {
        (k + 1, ORDER[i]): scored(k + 1, ORDER[i][1], value)
        for k, row in enumerate(R)
        for i, value in enumerate(row)
    }
    found = {name: values[0, 0] for name, values in summaries(table, ORDER, 3).items()}
    assert found["average"] == pytest.approx((0.2 + 0.7 + 1.0) / 3)
    assert found["backward_transfer"] == pytest.approx(((0.2 - 0.8) + (0.7 - 0.6)) / 2)
    assert found["forgetting"] == pytest.approx(((0.8 - 0.2) + (0.6 - 0.7)) / 2)
    assert set(summaries(table, ORDER, 1)) == {"average"}


def test_scores_count_from_chance_to_perfect() -> None:
    assert above_chance(scored(1, "one", 0.75), np.array([0.5, 0.75, 1.0])).tolist() == [0, 0.5, 1]
    states = replace(scored(1, "one", 0.75), metric="accuracy")
    assert above_chance(states, np.array([0.5, 1.0])).tolist() == [0, 1]  # two classes


def study_of(metric: str = "auroc"):  # type: ignore[no-untyped-def]
    """What is asked of a study here: the metric of a task."""

    class Asked:
        def task(self, dataset: str, task: str):  # type: ignore[no-untyped-def]
            return type("Task", (), {"metric": metric})

    return Asked()


def test_a_network_that_stays_forgets_exactly_nothing_and_one_that_loses_a_task_says_so() -> None:
    kept = [cell("one", 1, 1.0), cell("one", 2, 1.0), cell("two", 2, 1.0, range(8, 32), seed=1)]
    lost = [cell("one", 1, 3.0), cell("one", 2, 0.0), cell("two", 2, 3.0, range(8, 32), seed=1)]
    for cells, expected in ((kept, 0.0), (lost, None)):
        found = {(r["stage"], r["quantity"], r["task"]): r for r in rows(study_of(), cells)}
        forgetting, backward = found[2, "forgetting", ""], found[2, "backward_transfer", ""]
        assert backward["value"] == pytest.approx(-forgetting["value"])
        if expected is not None:
            assert (forgetting["value"], forgetting["low"], forgetting["high"]) == (0, 0, 0)
        else:
            assert forgetting["low"] > 0.2
        assert found[1, "score", "one"]["tasks"] == "d/one > d/two"
        assert found[2, "average", ""]["n_subjects"] == 32  # 24 and 24, of whom 16 are in both


def test_people_of_two_tasks_are_drawn_once_with_their_families() -> None:
    cells = [cell("one", 1, 1.0), cell("two", 2, 1.0, range(8, 32), seed=1)]
    weights = joint_weights(cells)
    one, two = weights["d", "one"], weights["d", "two"]
    np.testing.assert_array_equal(one[:, 8:], two[:, :16])
    np.testing.assert_array_equal(one[:, ::2], one[:, 1::2])
    assert one.mean() == pytest.approx(1, abs=0.02)
