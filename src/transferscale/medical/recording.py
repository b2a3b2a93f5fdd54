"""What a reader and a view agree on: a recording that was found, what its header says, and its signal.

A reader finds recordings and opens their signals; a view turns a signal's features into columns and columns into
pixels. Neither knows the other: between them stands :class:`Signal`, blocks of consecutive volumes by features, and its
geometry, which says what a feature is. A new kind of medical data is a reader (``docs/own-modality.md``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from transferscale.medical.participants import Participants

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class UnreadableError(Exception):
    """A recording cannot be used; the message is the reason that the quarantine table shows."""


def denied(error: OSError) -> str:
    """Why a recording is quarantined of which the disk refuses a file (no permission, a broken mount)."""
    name = Path(str(error.filename)).name if error.filename else "a file of it"
    return f"{name} cannot be read ({error.strerror or error})"


@dataclass(frozen=True)
class Stretch:
    """Consecutive volumes of a run that are a recording of their own.

    Attributes
    ----------
    number
        Of the stretches of its run, from 1.
    first
        Its first volume in the run, from 0.
    volumes
        How many it has.
    of
        Volumes of the run.
    """

    number: int
    first: int
    volumes: int
    of: int

    @property
    def name(self) -> str:
        """As in ``stretch-03``."""
        return f"stretch-{self.number:02d}"


@dataclass(frozen=True)
class Found:
    """A recording that was found, and nothing read of it yet.

    Attributes
    ----------
    subject, session, task, run
        Whose it is; BIDS entities, empty where there are none. ``subject`` has its ``sub-`` where files have it.
    files
        Role -> path under root: ``image``, and where there are ``right`` (the other hemisphere), ``mask``,
        ``confounds`` and ``events``.
    part
        Which recording of a file that holds several (row of a stack).
    problem
        Why it cannot be used, where that is known before reading (no file of a subject in the table, two masks).
    stretch
        Which volumes of the run it is, where runs are cut (``readers/stretches.py``); ``None``: all.
    """

    subject: str
    session: str = ""
    task: str = ""
    run: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    part: int | None = None
    problem: str = ""
    stretch: Stretch | None = None


@dataclass(frozen=True)
class Facts:
    """What a recording's headers and side tables say.

    Attributes
    ----------
    n_volumes
        Volumes (samples).
    tr_s
        Seconds from one to the next.
    shape
        Of one volume; recordings of different shapes go into one view only where they share a space.
    space
        Template or surface space, ``parcels`` for series, empty where unknown.
    orientation
        Axis codes of an image as stored, as in ``LAS``; empty for others.
    mean_fd
        Mean framewise displacement in mm, where known.
    note
        What the person should know though the recording is used (a header TR that the JSON contradicts).
    """

    n_volumes: int
    tr_s: float
    shape: tuple[int, ...]
    space: str = ""
    orientation: str = ""
    mean_fd: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Parcels:
    """Features are parcels or channels.

    Attributes
    ----------
    number
        How many.
    coordinates
        (parcels, 3) MNI millimetres, or ``None``.
    """

    number: int
    coordinates: Float64 | None = None


@dataclass(frozen=True)
class Grid:
    """Features are the voxels of a grid in the order of the file, the first axis fastest.

    Attributes
    ----------
    shape
        (i, j, k) as stored.
    affine
        (4, 4) voxel indices as stored to RAS+ millimetres. Views work in millimetres, so that a file stored left to
        right and one stored right to left give the same columns.
    mask
        (voxels,) inside the brain, or ``None`` where no mask came with the recording.
    """

    shape: tuple[int, int, int]
    affine: Float64
    mask: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Surface:
    """Features are vertices of the left hemisphere, then of the right.

    Attributes
    ----------
    space
        fsaverage5, fsLR, ...
    size
        Vertices of a whole hemisphere.
    left, right
        Which vertices there are, rising (a CIFTI file lacks the medial wall).
    """

    space: str
    size: int
    left: Int64
    right: Int64


Geometry: TypeAlias = Parcels | Grid | Surface


class Signal(Protocol):
    """A recording opened: its geometry, and its values block by block."""

    @property
    def geometry(self) -> Geometry:
        """What a feature is."""
        ...

    @property
    def n_volumes(self) -> int:
        """Volumes."""
        ...

    def blocks(self, inside: Int64 | None = None) -> Iterator[Float32]:
        """Consecutive blocks of volumes from the first to the last, each (volumes, features) float32.

        Parameters
        ----------
        inside
            Features wanted, rising; all by default. What is not wanted need not be converted.

        Raises
        ------
        UnreadableError
            If the file ends early or is damaged; blocks that came before are not to be used.
        """
        ...


class Reader(Protocol):
    """Finds, describes and opens the recordings of a dataset; made from its root and its ``recordings`` section."""

    def find(self, subjects: Sequence[str] | None) -> list[Found]:
        """Recordings, sorted by subject, session, task, run.

        Every one of ``subjects`` (of the participants table; ``None``: there is no table) without a file is in
        the list with a ``problem``; files of nobody in the table are in it too.

        Raises
        ------
        UserError
            If nothing is found at all, or the section does not fit what is there.
        """
        ...

    def describe(self, found: Found) -> Facts:
        """Facts from headers and side tables, volumes unread where that can be.

        Raises
        ------
        UnreadableError
            If it cannot be used; the message says why in a few words.
        """
        ...

    def open(self, found: Found) -> Signal:
        """The signal.

        Raises
        ------
        UnreadableError
            If it cannot be read.
        """
        ...


class Open(Protocol):
    """How a kind of recordings makes its reader."""

    def __call__(
        self, recordings: Mapping[str, Any], root: Path, participants: "Participants | None" = None
    ) -> Reader:
        """Reader of a ``recordings`` section (as JSON values) under ``root``, with the table of subjects."""
        ...
