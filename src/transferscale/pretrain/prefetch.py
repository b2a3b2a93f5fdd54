"""Batches step by step; made one step ahead, in a thread, where the step leaves that thread a core."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TypeVar

import torch

Read = TypeVar("Read")


def in_turn(at: Callable[[int], Read], start: int, device: torch.device) -> Generator[Read]:
    """Endless batches of step ``start``, ``start`` + 1, ...

    On a GPU, or with several CPU threads, the next is made while the step of this one runs. One CPU thread is one job
    among others that keep every core busy: there a second thread gains nothing and costs the switching.
    """
    ahead = device.type != "cpu" or torch.get_num_threads() > 1
    yield from prefetched(at, start) if ahead else map(at, count(start))


def prefetched(at: Callable[[int], Read], start: int) -> Generator[Read]:
    """Endless batches of step ``start``, ``start`` + 1, ..., each made in a thread one step ahead.

    One thread suffices, because numpy and torch let go of the interpreter's lock; the batches are those of ``at``,
    whatever the thread does when.
    """
    with ThreadPoolExecutor(1, "clips") as maker:
        step, following = start, maker.submit(at, start)
        while True:
            batch, step = following.result(), step + 1
            following = maker.submit(at, step)
            yield batch
