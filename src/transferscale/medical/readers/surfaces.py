"""Recordings on the cortical surface: pairs of GIFTI files, and CIFTI dense series.

Both become :class:`Surface` geometry, left vertices before right ones; what a CIFTI file holds below the cortex is
left out.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import numpy as np

from transferscale.medical.confounds import rows_and_motion
from transferscale.medical.readers.packed import unreadable, what_is_it
from transferscale.medical.readers.repetition import repetition_time
from transferscale.medical.readers.sidecars import sidecar_tr
from transferscale.medical.recording import Facts, Float32, Found, Int64, Surface, UnreadableError

# Vertices of a hemisphere -> space, for files whose name does not tell.
SPACES = {10242: "fsaverage5", 40962: "fsaverage6", 163842: "fsaverage", 32492: "fsLR"}
HEMISPHERES = ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT")
# Values of a block; a CIFTI file is read a few vertices at a time, for that is how it lies on the disk.
BLOCK = 2**21
# FreeSurfer writes the TimeStep of a GIFTI file in milliseconds, others in seconds.
MILLISECONDS_FROM = 60.0
HEAD = 2**18


@dataclass(frozen=True)
class Pair:
    """GIFTI files of both hemispheres.

    Attributes
    ----------
    left, right
        The files.
    geometry
        Whole hemispheres.
    n_volumes
        Volumes.
    """

    left: Path
    right: Path
    geometry: Surface
    n_volumes: int

    def blocks(self, inside: Int64 | None = None) -> Iterator[Float32]:
        """The run as one block (volumes, vertices): GIFTI is XML and cannot be read in parts."""
        size = self.geometry.size
        wanted = np.arange(2 * size) if inside is None else inside
        block = np.empty((self.n_volumes, len(wanted)), dtype=np.float32)
        cut = int(np.searchsorted(wanted, size))
        block[:, :cut] = _gifti(self.left, self.n_volumes, size)[:, wanted[:cut]]
        block[:, cut:] = _gifti(self.right, self.n_volumes, size)[:, wanted[cut:] - size]
        yield block


@dataclass(frozen=True)
class GiftiHead:
    """What the first lines of a GIFTI file say."""

    n_volumes: int
    vertices: int
    tr_s: float | None


def read_gifti_head(path: Path) -> GiftiHead:
    """Volumes, vertices and TimeStep of a GIFTI file, and whether its end is there; values stay unread.

    Raises
    ------
    UnreadableError
        If it is no GIFTI series or is truncated.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD).decode("utf-8", "replace")
            stream.seek(max(0, path.stat().st_size - 256))
            tail = stream.read()
    except FileNotFoundError:
        raise UnreadableError(
            what_is_it(path) if path.is_symlink() else f"{path.name}: no such file"
        ) from None
    arrays = re.search(r'<GIFTI\b[^>]*\bNumberOfDataArrays="(\d+)"', head)
    first = re.search(r"<DataArray\b[^>]*>", head)
    if arrays is None or first is None:
        raise UnreadableError(what_is_it(path) or f"{path.name} is not a GIFTI file")
    if b"</GIFTI>" not in tail:
        raise UnreadableError(f"truncated: {path.name} lacks its end")
    sides = [int(side) for side in re.findall(r'\bDim\d="(\d+)"', first[0])]
    together = len(sides) == 2 and sides[1] > 1 and int(arrays[1]) == 1
    step = re.search(r"TimeStep\W.{0,60}?<Value>\W*(?:CDATA\[)?\s*([0-9.eE+-]+)", head, re.DOTALL)
    tr_s = float(step[1]) if step else 0.0
    tr_s /= 1000.0 if tr_s > MILLISECONDS_FROM else 1.0
    return GiftiHead(sides[1] if together else int(arrays[1]), sides[0], tr_s if tr_s > 0 else None)


def _gifti(path: Path, n_volumes: int, vertices: int) -> Float32:
    """Values (volumes, vertices); those that a GIFTI file would take from another file stay unread."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        # Parsed from memory, it has no folder where nibabel would open ExternalFileName, which may be any file.
        image = nibabel.GiftiImage.from_bytes(path.read_bytes())
        arrays = [np.asarray(array.data, dtype=np.float32) for array in image.darrays]
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise UnreadableError(f"{path.name} cannot be read to its end ({error})") from None
    except (ExpatError, KeyError) as error:
        raise UnreadableError(f"{path.name} is damaged ({error})") from None
    values = arrays[0].T if len(arrays) == 1 and arrays[0].ndim == 2 else np.stack(arrays)
    if values.shape != (n_volumes, vertices):
        raise UnreadableError(f"{path.name} holds {values.shape} values, its first lines said otherwise")
    return values


def open_pair(root: Path, found: Found, space: str) -> tuple[Pair, float | None]:
    """Both hemispheres, and the repetition time their files tell.

    Raises
    ------
    UnreadableError
        If one cannot be read, or they do not belong together.
    """
    paths = root / found.files["image"], root / found.files["right"]
    left, right = (read_gifti_head(path) for path in paths)
    if left.n_volumes != right.n_volumes:
        raise UnreadableError(f"{left.n_volumes} volumes on the left, {right.n_volumes} on the right")
    if left.vertices != right.vertices:
        raise UnreadableError(f"{left.vertices} vertices on the left, {right.vertices} on the right")
    every = np.arange(left.vertices)
    space = space or SPACES.get(left.vertices, "")
    return Pair(*paths, Surface(space, left.vertices, every, every), left.n_volumes), left.tr_s


@dataclass(frozen=True)
class Dense:
    """The cortex of a CIFTI dense series.

    Attributes
    ----------
    image
        nibabel's, values unread.
    geometry
        Vertices that the file has.
    columns
        (vertices,) columns of the file, left vertices then right ones, each rising.
    n_volumes
        Volumes.
    """

    image: Any
    geometry: Surface
    columns: Int64
    n_volumes: int

    def blocks(self, inside: Int64 | None = None) -> Iterator[Float32]:
        """The run as one block (volumes, vertices): a CIFTI file lies on the disk vertex by vertex."""
        wanted = self.columns if inside is None else self.columns[inside]
        block = np.empty((self.n_volumes, len(wanted)), dtype=np.float32)
        for start, part in self._parts(wanted):
            block[:, start : start + part.shape[1]] = part
        yield block

    def changes(self) -> bool:
        """Whether any vertex has finite values that change; reads no further than it must."""
        return any(
            bool(np.any(np.isfinite(part).all(axis=0) & (np.ptp(part, axis=0) > 0)))
            for _, part in self._parts(self.columns)
        )

    def _parts(self, wanted: Int64) -> Iterator[tuple[int, Float32]]:
        step = max(1, BLOCK // self.n_volumes)
        for start in range(0, len(wanted), step):
            columns = wanted[start : start + step]
            low, high = int(columns.min()), int(columns.max()) + 1
            try:
                part = np.asarray(self.image.dataobj[:, low:high], dtype=np.float32)
            except (OSError, EOFError, ValueError, zlib.error) as error:
                raise UnreadableError(f"cannot be read to its end ({error})") from None
            yield start, part[:, columns - low]


def open_dense(root: Path, found: Found, space: str) -> tuple[Dense, float | None]:
    """The cortex of a dense series, and the repetition time of its series axis.

    Raises
    ------
    UnreadableError
        If the file is no dense series, is truncated, or has no cortex.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    path = root / found.files["image"]
    try:
        image = nibabel.load(path)
    except FileNotFoundError:
        raise UnreadableError(what_is_it(path) if path.is_symlink() else "no such file") from None
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise unreadable(path, "not a readable CIFTI file", error) from None
    if not isinstance(image, nibabel.Cifti2Image):
        raise UnreadableError(f"{type(image).__name__} is not a CIFTI file")
    axes = [image.header.get_axis(i) for i in range(image.ndim)]
    series, brain = axes[0], axes[-1]
    kinds = nibabel.cifti2.SeriesAxis, nibabel.cifti2.BrainModelAxis
    if len(axes) != 2 or not isinstance(series, kinds[0]) or not isinstance(brain, kinds[1]):
        raise UnreadableError("the CIFTI file is not a dense series (dtseries): time x grayordinates")
    sides, vertices, size = [], [], 0
    for name in HEMISPHERES:
        column = np.flatnonzero((brain.name == name) & brain.surface_mask)
        if not len(column):
            raise UnreadableError(f"the CIFTI file has no {name.removeprefix('CIFTI_STRUCTURE_')}")
        vertex = np.asarray(brain.vertex[column], dtype=np.int64)
        rising = np.argsort(vertex, kind="stable")
        sides.append(column[rising])
        vertices.append(vertex[rising])
        size = max(size, int(brain.nvertices[name]))
    offset = int(image.dataobj.offset) if hasattr(image.dataobj, "offset") else 0
    expected = offset + int(np.prod(image.shape)) * image.nifti_header.get_data_dtype().itemsize
    if path.stat().st_size < expected:
        raise UnreadableError(f"truncated: {path.stat().st_size} bytes, the header announces {expected}")
    tr_s = float(series.step) if series.unit == "SECOND" and series.step > 0 else None
    geometry = Surface(space or SPACES.get(size, ""), size, vertices[0], vertices[1])
    return Dense(image, geometry, np.concatenate(sides), int(series.size)), tr_s


def describe_surface(root: Path, found: Found, tr_s: float | None, jsons: list[Path], space: str) -> Facts:
    """Facts of a recording on the surface.

    Raises
    ------
    UnreadableError
        If it cannot be used.
    """
    signal: Pair | Dense
    if "right" in found.files:
        signal, told = open_pair(root, found, space)
    else:
        signal, told = open_dense(root, found, space)
        if not signal.changes():
            raise UnreadableError("every vertex is constant or not finite")
    chosen, note = repetition_time(tr_s, sidecar_tr(jsons), told)
    fd = None
    if "confounds" in found.files:
        fd = rows_and_motion(root / found.files["confounds"], signal.n_volumes)
    surface = signal.geometry
    shape = (len(surface.left) + len(surface.right),)
    return Facts(signal.n_volumes, chosen, shape, surface.space, "", fd, note)
