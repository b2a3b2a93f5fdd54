"""A draw without some subjects keeps the classes of the ordinary one, stays nested and labels nobody of them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.transfer.behaviour.draws import without
from transferscale.transfer.task import Task


def task_of(y: np.ndarray, kind: str = "classification") -> Task:
    return Task("t", kind, ["a", "b"], y.astype(float), np.arange(len(y)))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), excluded=st.integers(0, 10), n=st.integers(2, 8))
def test_a_refilled_draw_keeps_classes_and_is_nested(seed: int, excluded: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 24)
    order, gone = rng.permutation(24), rng.permutation(24)[:excluded]
    drawn = without(task_of(y), order, n, gone)
    if drawn is None:
        wanted = np.bincount(y[order[:n]], minlength=2)
        assert (np.bincount(np.delete(y, gone), minlength=2) < wanted).any()
        return
    assert not set(drawn) & set(gone)
    assert len(set(drawn.tolist())) == n
    np.testing.assert_array_equal(y[drawn], y[order[:n]])
    np.testing.assert_array_equal(without(task_of(y), order, n - 1, gone), drawn[:-1])


def test_with_nobody_excluded_it_is_the_ordinary_draw() -> None:
    order = np.array([3, 1, 0, 2])
    np.testing.assert_array_equal(
        without(task_of(np.array([0, 1, 1, 0])), order, 3, np.empty(0, int)), order[:3]
    )


def test_all_labels_are_all_who_are_not_excluded() -> None:
    found = without(task_of(np.arange(4) % 2), np.array([3, 1, 0, 2]), "all", np.array([1]))
    np.testing.assert_array_equal(found, [0, 2, 3])
