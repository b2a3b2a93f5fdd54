"""Steps whose batch does not fit memory at once: cut into micro-batches, whose gradients are summed."""

from collections.abc import Iterator
from typing import Any, Protocol

from transferscale.errors import UserError
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.counter import Draw
from transferscale.pretrain.prefetch import prefetched


class Stream(Protocol):
    """Batches by step."""

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        ...


class MicroBatches:
    """The micro-batches of step ``start``, ``start`` + 1, ...: equal parts, so their mean loss is the batch's.

    Raises
    ------
    UserError
        If the parts would not be equal.
    """

    def __init__(self, stream: Stream, batch: int, parts: int, start: int) -> None:
        if batch % parts:
            raise UserError(
                f"pretrain.accumulate: a batch of {batch} does not divide into {parts} equal micro-batches"
            )
        self.stream, self.size, self.parts, self.start = stream, batch // parts, parts, start

    def __iter__(self) -> Iterator[Batch]:
        for batch in prefetched(self.stream.at, self.start):
            yield from self.cut(batch)

    def cut(self, batch: Batch) -> list[Batch]:
        """The micro-batches of a batch."""
        if self.parts == 1:
            return [batch]
        slices = [slice(i * self.size, (i + 1) * self.size) for i in range(self.parts)]
        return [part(batch, own) for own in slices]

    # Lightning asks a resumable loader for its state; this one is a function of the step, so it has none.
    def state_dict(self) -> dict[str, Any]:
        """No state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """No state."""


def part(batch: Batch, own: slice) -> Batch:
    """Some clips of a batch."""
    draw = Draw(batch.draw.seed, batch.draw.visit[own], batch.draw.ids[own])
    return Batch(batch.clip[own], draw, batch.label[own])
