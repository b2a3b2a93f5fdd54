"""Children: order, hangs, crashes."""

import os
import signal
import time

import pytest

from transferscale.corpus.children import Failure, each


def square(item: int) -> int:
    time.sleep(0.03 * (item % 3))
    return item * item


def misbehave(item: str) -> str:
    if item == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)
    if item == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "raise":
        raise ValueError("no\nsuch frame")
    return item.upper()


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_items_whatever_the_threads(threads: int) -> None:
    items = list(range(40))
    assert list(each(square, items, threads, lambda _: 30.0)) == [i * i for i in items]


def test_a_hang_a_crash_and_an_error_cost_their_item_alone() -> None:
    items = ["a", "hang", "b", "crash", "c", "raise", "d"]
    patience = {"hang": 1.0}
    answers = list(each(misbehave, items, 2, lambda item: patience.get(item, 30.0)))
    assert [a for a in answers if not isinstance(a, Failure)] == ["A", "B", "C", "D"]
    reasons = {i: a.reason for i, a in zip(items, answers, strict=True) if isinstance(a, Failure)}
    assert "did not finish within 1 s" in reasons["hang"]
    assert "crashed" in reasons["crash"]
    assert reasons["raise"] == "ValueError: no such frame"


def test_leaving_early_leaves_no_child_behind() -> None:
    from multiprocessing import active_children

    answers = each(misbehave, ["a", "hang", "b"], 2, lambda _: 60.0)
    assert next(answers) == "A"
    answers.close()
    assert active_children() == []


def test_nothing_to_do_starts_nothing() -> None:
    assert list(each(square, [], 4, lambda _: 1.0)) == []
