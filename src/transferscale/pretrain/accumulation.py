"""Steps whose batch does not fit memory at once: cut into micro-batches, whose gradients are summed."""

from transferscale.errors import UserError
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.counter import Draw


def check_parts(batch: int, parts: int) -> None:
    """Refuse micro-batches that would not be equal, because their mean loss would not be the batch's.

    Raises
    ------
    UserError
        If they would not.
    """
    if batch % parts:
        raise UserError(
            f"pretrain.accumulate: a batch of {batch} does not divide into {parts} equal micro-batches"
        )


def micro_batches(batch: Batch, parts: int) -> list[Batch]:
    """The ``parts`` micro-batches of a batch, in its order."""
    if parts == 1:
        return [batch]
    size = len(batch.clip) // parts
    return [part(batch, slice(i * size, (i + 1) * size)) for i in range(parts)]


def part(batch: Batch, own: slice) -> Batch:
    """Some clips of a batch."""
    draw = Draw(batch.draw.seed, batch.draw.visit[own], batch.draw.ids[own])
    return Batch(batch.clip[own], draw, batch.label[own])
