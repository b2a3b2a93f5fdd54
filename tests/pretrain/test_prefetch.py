"""Batches made ahead are those that would have been made in time, and are made where that pays."""

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.pretrain.test_clip_stream import opened
from transferscale.errors import UserError
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.data import ClipStream
from transferscale.pretrain.prefetch import in_turn, prefetched


def test_batches_come_in_order_and_as_asked_for_one_by_one(corpus: Path) -> None:
    stream = ClipStream(opened(corpus), seed=3, batch=8, crop=0.5)
    ahead = itertools.islice(prefetched(stream.at, 4), 8)
    for step, batch in enumerate(ahead, start=4):
        expected = stream.at(step)
        assert np.array_equal(batch.draw.ids, expected.draw.ids)
        assert bool((batch.clip == expected.clip).all())


def test_an_error_comes_with_its_batch_and_not_before(corpus: Path) -> None:
    stream = ClipStream(opened(corpus), seed=0, batch=8, crop=1.0)

    def at(step: int) -> Batch:
        if step == 2:
            raise UserError("no step 2")
        return stream.at(step)

    batches = prefetched(at, 0)
    next(batches), next(batches)
    with pytest.raises(UserError, match="no step 2"):
        next(batches)


def test_nothing_runs_on_once_the_batches_are_no_longer_wanted(corpus: Path) -> None:
    batches = prefetched(ClipStream(opened(corpus), seed=0, batch=8, crop=1.0).at, 0)
    next(batches)
    assert any(thread.name.startswith("clips") for thread in threading.enumerate())
    batches.close()
    assert not any(thread.name.startswith("clips") for thread in threading.enumerate())


@pytest.mark.parametrize(("threads", "ahead"), [(1, False), (2, True)])
def test_a_thread_of_its_own_is_taken_where_the_step_has_several(threads: int, ahead: bool) -> None:
    makers: list[str] = []

    def at(step: int) -> int:
        makers.append(threading.current_thread().name)
        return step

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        batches = in_turn(at, 3, torch.device("cpu"))
        assert [next(batches) for _ in range(4)] == [3, 4, 5, 6]
        batches.close()
    finally:
        torch.set_num_threads(before)
    assert all(name.startswith("clips") == ahead for name in makers)
