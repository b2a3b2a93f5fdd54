"""Clips for pretraining: which ones, in which order, flipped or not, on which scale.

Read from the memory-mapped clip store in the training process, which is far faster than a network of this
ladder takes them, so there are no worker processes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from transferscale.clips.store import ClipStore
from transferscale.errors import UserError
from transferscale.pretrain.counter import Bits, Draw, draw_bits, identify
from transferscale.tables import read_table

# Mean and SD are taken from at most this many training clips, spread evenly.
MOMENT_CLIPS = 1024

Batch = tuple[Float[Tensor, "batch time height width"], Draw]


@dataclass(frozen=True)
class Subset:
    """Some clips of a store.

    Attributes
    ----------
    rows
        Their rows in the store, (clips,).
    ids
        Their identities, (clips,).
    videos
        The video each was cut from, (clips,).
    """

    rows: npt.NDArray[np.int64]
    ids: Bits
    videos: list[str]

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, count: int) -> "Subset":
        """The first ``count`` clips."""
        return Subset(self.rows[:count], self.ids[:count], self.videos[:count])


@dataclass(frozen=True)
class Moments:
    """Mean and SD that bring clips to zero mean and unit SD."""

    mean: float
    sd: float

    def scale(self, clips: npt.NDArray[np.generic]) -> Float[Tensor, "batch time height width"]:
        """Stored clips as the network takes them."""
        return (torch.from_numpy(clips).float() - self.mean) / self.sd


def subset(store: ClipStore, index: Path, split: str) -> Subset:
    """Clips of a split that were not dropped, in the order of their nested rank: a prefix is a subset.

    Raises
    ------
    UserError
        If the index names a shard that the store lacks, or a row that the shard lacks.
    """
    table = read_table(index, "clips")
    rows: list[dict[str, Any]] = [
        row
        for row in table.select(
            ["clip_id", "video_id", "split", "fraction_rank", "shard", "offset", "dropped"]
        ).to_pylist()
        if row["split"] == split and not row["dropped"]
    ]
    rows.sort(key=lambda row: (row["fraction_rank"], row["clip_id"]))
    sizes = {name: len(shard) for name, shard in zip(store.names, store.shards, strict=True)}
    for row in rows:
        if not 0 <= row["offset"] < sizes.get(row["shard"], 0):
            raise UserError(
                f"{index}: clip '{row['clip_id']}' is at row {row['offset']} of {row['shard']}, which "
                f"the clip store {store.folder} lacks; make both again with 'transferscale corpus clips'"
            )
    return Subset(
        store.rows([row["shard"] for row in rows], [row["offset"] for row in rows]),
        identify([row["clip_id"] for row in rows]),
        [row["video_id"] for row in rows],
    )


def moments(store: ClipStore, clips: Subset) -> Moments:
    """Mean and SD of training clips; recordings (float) come z-scored and are left as they are.

    Raises
    ------
    UserError
        If all pixels are the same.
    """
    if store.dtype != np.uint8:
        return Moments(0.0, 1.0)
    chosen = clips.rows[np.unique(np.linspace(0, len(clips) - 1, MOMENT_CLIPS).astype(np.int64))]
    # A histogram sums integers, so the result does not depend on the order of summation.
    counts = np.zeros(256, dtype=np.int64)
    for part in np.array_split(chosen, max(1, len(chosen) // 64)):
        counts += np.bincount(store.take(part).ravel(), minlength=256)
    levels = np.arange(256)
    mean = float((counts * levels).sum() / counts.sum())
    sd = float(np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum()))
    if sd == 0:
        raise UserError(
            f"{store.folder}: all pixels of the training clips are the same; check the corpus' contact sheet"
        )
    return Moments(mean, sd)


class ClipStream:
    """Batches of step ``start``, ``start`` + 1, ...: endless passes over the clips, each in its own order."""

    def __init__(
        self, store: ClipStore, clips: Subset, scale: Moments, seed: int, batch: int, start: int = 0
    ) -> None:
        self.store, self.clips, self.scale = store, clips, scale
        self.seed, self.batch, self.start = seed, batch, start

    def __iter__(self) -> Iterator[Batch]:
        step = self.start
        while True:
            yield self.at(step)
            step += 1

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        place = np.arange(step * self.batch, (step + 1) * self.batch)
        visit, rank = np.divmod(place, len(self.clips))
        which = np.concatenate([self._order(int(epoch))[rank[visit == epoch]] for epoch in np.unique(visit)])
        draw = Draw(self.seed, visit, self.clips.ids[which])
        taken = self.store.take(self.clips.rows[which])
        flip = (draw.bits("flip", 1)[:, 0] & np.uint64(1)).astype(bool)
        taken[flip] = taken[flip][..., ::-1]
        return self.scale.scale(taken), draw

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        cached: tuple[int, npt.NDArray[np.int64]] = getattr(self, "_cached", (-1, np.empty(0, np.int64)))
        if cached[0] != epoch:
            visit = np.full(len(self.clips), epoch)
            order = np.argsort(draw_bits(self.seed, "order", visit, self.clips.ids, 1)[:, 0], kind="stable")
            self._cached = cached = (epoch, order)
        return cached[1]

    # Lightning asks a resumable loader for its state; this one is a function of the step, so it has none.
    def state_dict(self) -> dict[str, Any]:
        """No state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """No state."""
