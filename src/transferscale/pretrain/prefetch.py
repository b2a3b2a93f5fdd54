"""Batches one step ahead: the next is made in a thread while the step of this one runs."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Read = TypeVar("Read")


def prefetched(at: Callable[[int], Read], start: int) -> Iterator[Read]:
    """Endless batches of step ``start``, ``start`` + 1, ...

    One thread suffices, because numpy and torch let go of the interpreter's lock; the batches are those of ``at``,
    whatever the thread does when.
    """
    with ThreadPoolExecutor(1, "clips") as maker:
        step, following = start, maker.submit(at, start)
        while True:
            batch, step = following.result(), step + 1
            following = maker.submit(at, step)
            yield batch
