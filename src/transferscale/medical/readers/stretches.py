"""Runs cut into stretches, each a recording of its own: how the single run of a single person can be tested.

The stretches of a run have the same number of consecutive volumes; what remains at the end is in none. Whatever is
done to a recording is done to a stretch alone: its trend, its filter, its rows of the confounds table, its mean and SD,
its windows. So nothing is computed over two stretches and no window lies in two. What neighbours do share is the slow
noise of scanner and body at their common edge: scores speak of other minutes of the run, and of nobody else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from transferscale.medical.confounds import rows_and_motion
from transferscale.medical.recording import (
    Facts,
    Float32,
    Found,
    Geometry,
    Grid,
    Int64,
    Reader,
    Signal,
    Stretch,
    UnreadableError,
)


def stretches(n_volumes: int, number: int) -> list[Stretch]:
    """Stretches of a run, from the first volume on.

    Examples
    --------
    >>> [(s.first, s.volumes) for s in stretches(78, 4)]
    [(0, 19), (19, 19), (38, 19), (57, 19)]
    """
    volumes = n_volumes // number
    return [Stretch(k + 1, k * volumes, volumes, n_volumes) for k in range(number)]


@dataclass(frozen=True)
class Cut:
    """A stretch of a signal.

    Attributes
    ----------
    whole
        The run.
    stretch
        Which of its volumes.
    """

    whole: Signal
    stretch: Stretch

    @property
    def geometry(self) -> Geometry:
        """That of the run."""
        return self.whole.geometry

    @property
    def n_volumes(self) -> int:
        """Volumes of the stretch."""
        return self.stretch.volumes

    def blocks(self, inside: Int64 | None = None) -> Iterator[Float32]:
        """The blocks of the run, as far as they lie in the stretch.

        The run is read to its end, where the checksum of a packed file stands.
        """
        low, high = self.stretch.first, self.stretch.first + self.stretch.volumes
        volume = 0
        for block in self.whole.blocks(inside):
            own = block[max(0, low - volume) : max(0, high - volume)]
            volume += len(block)
            if len(own):
                yield own


class StretchReader:
    """A reader whose recordings are cut.

    Parameters
    ----------
    reader
        Of the runs.
    root
        Folder of the dataset.
    number
        Stretches of a run.
    """

    def __init__(self, reader: Reader, root: Path, number: int) -> None:
        self._reader, self._root, self._number = reader, root, number

    def find(self, subjects: Sequence[str] | None) -> list[Found]:
        """Every stretch of every run; a run that cannot be used is one recording with a problem."""
        return [each for found in self._reader.find(subjects) for each in self._cut(found)]

    def _cut(self, found: Found) -> list[Found]:
        if found.problem:
            return [found]
        try:
            n_volumes = self._reader.describe(found).n_volumes
        except UnreadableError as error:
            return [replace(found, problem=str(error))]
        if n_volumes < self._number:
            return [replace(found, problem=f"{n_volumes} volumes are too few for {self._number} stretches")]
        return [replace(found, stretch=stretch) for stretch in stretches(n_volumes, self._number)]

    def describe(self, found: Found) -> Facts:
        """Facts of the stretch; its volumes are read until one differs from its first."""
        facts, signal = self._reader.describe(found), self.open(found)
        _check_varies(signal)
        stretch, note = signal.stretch, facts.note
        left = stretch.of - self._number * stretch.volumes
        if stretch.number == self._number and left:
            last = "the last volume of the run is" if left == 1 else f"the last {left} volumes of the run are"
            note = "; ".join(part for part in (note, f"{last} in no stretch") if part)
        fd = facts.mean_fd
        if "confounds" in found.files:
            fd = rows_and_motion(self._root / found.files["confounds"], stretch.volumes, stretch)
        return replace(facts, n_volumes=stretch.volumes, mean_fd=fd, note=note)

    def open(self, found: Found) -> Cut:
        """The stretch's signal."""
        whole, stretch = self._reader.open(found), found.stretch
        if stretch is None or whole.n_volumes != stretch.of:
            raise UnreadableError(f"has {whole.n_volumes} volumes, not those that were cut; index again")
        return Cut(whole, stretch)


def _check_varies(signal: Cut) -> None:
    """Refuse a stretch without one feature that has finite values that change."""
    mask = signal.geometry.mask if isinstance(signal.geometry, Grid) else None
    first: Float32 | None = None
    for block in signal.blocks(None if mask is None else np.flatnonzero(mask)):
        first = block[0] if first is None else first
        if np.any(np.isfinite(block) & np.isfinite(first) & (block != first)):
            return
    raise UnreadableError("every value of this stretch is constant or not finite")
