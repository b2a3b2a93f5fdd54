"""The clip store: a folder of .npy shards of one shape and type, read by memory map.

Notable:
- decoded once, then 75,000 clips/s from a warm cache on one core (16 x 64 x 64, uint8), against 30 from an mp4;
- a shard is a plain .npy file (clips, frames, height, width), so numpy alone reads it: no pickle, no reader of ours;
- ``store.json`` names shards and rows; the index beside the store (clips or windows table) says what each row is.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import read_json, write_json
from transferscale.errors import UserError

# About a quarter of a gigabyte: large enough to be few, small enough to copy and to write at once.
SHARD_BYTES = 256 * 2**20

# Shards mapped at once. A map holds a file open, and 1,024 of those is what a process is commonly allowed; a view has a
# shard a recording.
MOST_MAPPED = 512


class ClipWriter:
    """Write clips to a folder; use as a context manager, so that the last shard and ``store.json`` are written.

    Parameters
    ----------
    folder
        Folder of the store; made if missing. Write to a temporary folder and rename (``artefacts.atomic``).
    shape
        (frames, height, width) of every clip.
    dtype
        ``uint8`` for video luminance, ``float32`` for z-scored recordings.
    """

    def __init__(
        self, folder: Path, shape: tuple[int, int, int], dtype: str, shard_bytes: int = SHARD_BYTES
    ) -> None:
        self.folder, self.shape, self.dtype = Path(folder), shape, np.dtype(dtype)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.shard_rows = max(1, shard_bytes // (int(np.prod(shape)) * self.dtype.itemsize))
        self.buffer: list[npt.NDArray[np.generic]] = []
        self.shards: list[tuple[str, int]] = []

    @property
    def _name(self) -> str:
        return f"shard-{len(self.shards):05d}.npy"

    def add(self, clip: npt.NDArray[np.generic]) -> tuple[str, int]:
        """Append one clip (frames, height, width); return its shard and row there."""
        if clip.shape != self.shape or clip.dtype != self.dtype:
            raise ValueError(f"clip is {clip.dtype} {clip.shape}, the store holds {self.dtype} {self.shape}")
        place = (self._name, len(self.buffer))
        self.buffer.append(np.ascontiguousarray(clip))
        if len(self.buffer) == self.shard_rows:
            self._flush()
        return place

    def _flush(self) -> None:
        if self.buffer:
            np.save(self.folder / self._name, np.stack(self.buffer), allow_pickle=False)
            self.shards.append((self._name, len(self.buffer)))
            self.buffer = []

    def __enter__(self) -> "ClipWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
            write_store(self.folder, self.shape, self.dtype.name, self.shards)


def write_store(
    folder: Path, shape: tuple[int, int, int], dtype: str, shards: Sequence[tuple[str, int]]
) -> None:
    """Write the ``store.json`` of a folder that holds these shards (file, clips)."""
    named = [{"file": file, "rows": rows} for file, rows in shards]
    write_json(folder / "store.json", {"shape": list(shape), "dtype": dtype, "shards": named})


class Shards(Sequence[npt.NDArray[np.generic]]):
    """The shards of a store, memory maps (clips, frames, height, width), at most ``MOST_MAPPED`` of them at once."""

    def __init__(
        self,
        paths: list[Path],
        rows: list[int],
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
    ) -> None:
        self._paths, self._rows, self._shape, self._dtype = paths, rows, shape, dtype
        self._maps: dict[int, npt.NDArray[np.generic]] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: Any) -> Any:
        found = self._maps.get(number)
        if found is None:
            found = self._open(self._paths[number], self._rows[number])
            if len(self._maps) >= MOST_MAPPED:
                # The one mapped longest is given up; another thread may have done so just before.
                self._maps.pop(next(iter(self._maps)), None)
            self._maps[number] = found
        return found

    def _open(self, path: Path, rows: int) -> npt.NDArray[np.generic]:
        try:
            shard: npt.NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: not a readable clip shard ({error})") from None
        if shard.shape != (rows, *self._shape) or shard.dtype != self._dtype:
            expected = f"{self._dtype} {(rows, *self._shape)}"
            raise UserError(f"{path}: holds {shard.dtype} {shard.shape}, but store.json says {expected}")
        # Without the class memmap, whose indexing takes longer than the copy of a few clips.
        return np.asarray(shard)


class ClipStore:
    """Read a clip store by memory map.

    Attributes
    ----------
    shape
        (frames, height, width) of every clip.
    dtype
        Type of the stored values.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        about = read_json(self.folder / "store.json")
        self.shape: tuple[int, int, int] = tuple(about["shape"])
        self.dtype = np.dtype(about["dtype"])
        self.names = [shard["file"] for shard in about["shards"]]
        rows = [int(shard["rows"]) for shard in about["shards"]]
        self.starts = np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)
        self.shards = Shards([self.folder / name for name in self.names], rows, self.shape, self.dtype)
        # All are opened once here, so that a damaged one is told at the start and not in the middle of a training.
        for number in range(len(rows)):
            self.shards[number]

    def __len__(self) -> int:
        return int(self.starts[-1])

    def rows(self, shards: list[str], offsets: list[int]) -> npt.NDArray[np.int64]:
        """Row numbers over the whole store of the places that an index table names."""
        start = dict(zip(self.names, self.starts[:-1], strict=True))
        return np.array([start[s] + o for s, o in zip(shards, offsets, strict=True)], dtype=np.int64)

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.generic]:
        """Copy the clips at ``rows``: (clips, frames, height, width), in the order asked for."""
        which = np.searchsorted(self.starts, rows, side="right") - 1
        shards = np.unique(which)
        out: npt.NDArray[np.generic]
        if len(shards) == 1:
            out = self.shards[int(shards[0])][rows - self.starts[shards[0]]]
            return out
        out = np.empty((len(rows), *self.shape), dtype=self.dtype)
        for shard in shards:
            here = which == shard
            out[here] = self.shards[int(shard)][rows[here] - self.starts[shard]]
        return out
