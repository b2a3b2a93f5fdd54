"""Kind ``nifti``: 4D NIfTI volumes, found by a pattern, streamed a few volumes at a time."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.medical.confounds import rows_and_motion
from transferscale.medical.participants import Participants
from transferscale.medical.readers import patterns
from transferscale.medical.readers.entities import entity
from transferscale.medical.readers.packed import check_whole, drain, fill, unpacked, unreadable, what_is_it
from transferscale.medical.readers.repetition import repetition_time
from transferscale.medical.readers.sidecars import Sidecars, sidecar_tr
from transferscale.medical.recording import Facts, Float32, Float64, Found, Grid, Int64, UnreadableError

Bool = npt.NDArray[np.bool_]

ENDINGS = (".nii", ".nii.gz")
TO_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}
# Bytes of a block as stored: large enough that no volume pays for the call, small beside one run.
BLOCK = 2**23
# Millimetres by which the corners of one grid may differ from another's that is the same.
GRID_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Header:
    """What the header of an image says.

    Attributes
    ----------
    shape
        (i, j, k, volumes).
    affine
        (4, 4) voxel indices as stored to RAS+ millimetres.
    tr_s
        Repetition time in seconds, ``None`` where the header has none.
    dtype
        Of a value as stored, with its byte order.
    offset
        Byte at which the first volume starts, unpacked.
    slope, inter
        A value is slope * stored + inter.
    """

    shape: tuple[int, int, int, int]
    affine: Float64
    tr_s: float | None
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float

    @property
    def n_volumes(self) -> int:
        """Length of the fourth axis."""
        return self.shape[3]

    @property
    def orientation(self) -> str:
        """Axis codes as stored, as in ``LAS``."""
        import nibabel

        return "".join(nibabel.aff2axcodes(self.affine))


def read_header(path: Path) -> Header:
    """Read the header and check that the file is whole, without reading the volumes where that can be
    avoided.

    Raises
    ------
    UnreadableError
        If the file is no 4D NIfTI of real numbers, is truncated, or does not say which side is left.
    """
    import nibabel

    image = _load(path)
    if not isinstance(image, nibabel.Nifti1Image | nibabel.Nifti2Image) or not path.name.endswith(ENDINGS):
        raise UnreadableError(f"{type(image).__name__} is not a 4D NIfTI image (.nii or .nii.gz)")
    if len(image.shape) != 4:
        raise UnreadableError(f"the image has {len(image.shape)} dimensions {image.shape}, not 4")
    if 0 in image.shape:
        raise UnreadableError(f"the image is empty, its shape is {image.shape}")
    header = image.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        raise UnreadableError("the header does not say which side is left (sform_code and qform_code are 0)")
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnreadableError(f"holds {dtype}, not real numbers of at most 64 bits")
    affine = np.asarray(image.affine, dtype=np.float64)
    if not np.all(np.isfinite(affine)) or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise UnreadableError("the header's affine is singular, so no voxel has a place")
    check_whole(path, int(image.dataobj.offset) + int(np.prod(image.shape, dtype=np.int64)) * dtype.itemsize)
    unit = header.get_xyzt_units()[1]
    tr_s = float(header.get_zooms()[3]) * TO_SECONDS.get(unit, 0.0)
    shape = tuple(int(length) for length in image.shape)
    return Header(
        (shape[0], shape[1], shape[2], shape[3]),
        affine,
        tr_s if tr_s > 0 else None,
        dtype,
        int(image.dataobj.offset),
        float(image.dataobj.slope),
        float(image.dataobj.inter),
    )


def _load(path: Path) -> Any:
    """An image of any format, its values unread."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        return nibabel.load(path)
    except FileNotFoundError:
        raise UnreadableError(what_is_it(path) if path.is_symlink() else "no such file") from None
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error) as error:
        raise unreadable(path, "not a readable NIfTI", error) from None


@dataclass(frozen=True)
class Volumes:
    """The volumes of a file, never all in memory.

    Attributes
    ----------
    path
        The file.
    header
        Its header.
    geometry
        The grid, as stored.
    """

    path: Path
    header: Header
    geometry: Grid

    @property
    def n_volumes(self) -> int:
        """Volumes."""
        return self.header.n_volumes

    def blocks(self, inside: Int64 | None = None) -> Iterator[Float32]:
        """Consecutive volumes, (volumes, voxels) float32; the checksum of a packed file is compared at its end.

        Values are those of nibabel: scaled in float64 where the header scales, then rounded to float32.
        """
        header = self.header
        voxels = int(np.prod(header.shape[:3], dtype=np.int64))
        together = max(1, BLOCK // (voxels * header.dtype.itemsize))
        stored = np.empty((min(together, header.n_volumes), voxels), header.dtype)
        with unpacked(self.path) as stream:
            fill(stream, memoryview(bytearray(header.offset)))
            for first in range(0, header.n_volumes, together):
                block = stored[: min(together, header.n_volumes - first)]
                fill(stream, memoryview(block.view(np.uint8).reshape(-1)))  # type: ignore[arg-type]
                yield self._values(block if inside is None else block.take(inside, axis=1))
            drain(stream)

    def _values(self, block: npt.NDArray[Any]) -> Float32:
        slope, inter = self.header.slope, self.header.inter
        with np.errstate(over="ignore"):
            if (slope, inter) == (1.0, 0.0):
                return block.astype(np.float32)
            return (block.astype(np.float64) * slope + inter).astype(np.float32)


def open_volumes(root: Path, found: Found) -> Volumes:
    """The volumes of a recording with its mask, if it has one.

    Raises
    ------
    UnreadableError
        If image or mask cannot be used.
    """
    path = root / found.files["image"]
    header = read_header(path)
    mask = read_mask(root / found.files["mask"], header) if "mask" in found.files else None
    return Volumes(path, header, Grid(header.shape[:3], header.affine, mask))


def read_mask(path: Path, header: Header) -> Bool:
    """Mask (voxels,) in the order of the image's file, whichever way round the mask is stored.

    Raises
    ------
    UnreadableError
        If it is unreadable, empty, or on another grid than the image.
    """
    from nibabel.orientations import io_orientation, ornt_transform

    try:
        mask = _load(path)
        turn = ornt_transform(io_orientation(mask.affine), io_orientation(header.affine))
        mask = mask.as_reoriented(turn)
        values = np.asarray(mask.dataobj)
    except UnreadableError as error:
        raise UnreadableError(f"mask {path.name}: {error}") from None
    except (OSError, EOFError, ValueError, AttributeError, zlib.error) as error:
        raise UnreadableError(f"mask {path.name} cannot be read ({error})") from None
    values = values[..., 0] if values.ndim == 4 and values.shape[3] == 1 else values
    if values.shape != header.shape[:3] or not _same_grid(mask.affine, header):
        raise UnreadableError(
            f"mask {path.name} is on another grid: {values.shape}, the image has {header.shape[:3]}"
            + (" but lies elsewhere" if values.shape == header.shape[:3] else "")
        )
    inside: Bool = (np.nan_to_num(values) > 0).ravel(order="F")
    if not inside.any():
        raise UnreadableError(f"mask {path.name} is empty")
    return inside


def _same_grid(affine: Float64, header: Header) -> bool:
    far = np.array([*header.shape[:3], 1.0])
    corners = np.stack([[0.0, 0, 0, 1], far], axis=1)
    return bool(np.abs((affine - header.affine) @ corners).max() < GRID_TOLERANCE)


def describe_image(root: Path, found: Found, tr_s: float | None, jsons: list[Path], space: str) -> Facts:
    """Facts of a recording of volumes; volumes are read until one differs from the first.

    Raises
    ------
    UnreadableError
        If it cannot be used.
    """
    signal = open_volumes(root, found)
    header = signal.header
    chosen, note = repetition_time(tr_s, sidecar_tr(jsons), header.tr_s)
    fd = None
    if "confounds" in found.files:
        fd = rows_and_motion(root / found.files["confounds"], header.n_volumes)
    odd = _look(signal)
    return Facts(
        header.n_volumes,
        chosen,
        header.shape[:3],
        space,
        header.orientation,
        fd,
        "; ".join(part for part in (note, odd) if part),
    )


def _look(signal: Volumes) -> str:
    """A note on voxels that are not finite in the first volumes.

    Raises
    ------
    UnreadableError
        If no voxel has finite values that change, or one of the first volumes has none that is finite.
    """
    inside = None if signal.geometry.mask is None else np.flatnonzero(signal.geometry.mask)
    first: Float32 | None = None
    note = ""
    for block in signal.blocks(inside):
        if first is None:
            first = block[0]
            finite = np.isfinite(block)
            if finite.any() and not finite.any(axis=1).all():
                empty = int(np.flatnonzero(~finite.any(axis=1))[0])
                raise UnreadableError(f"volume {empty} has no finite value (the first is 0)")
            bad = int(np.count_nonzero(~finite.all(axis=0)))
            note = f"{bad} voxels are not finite in the first volumes and are left out" if bad else ""
        if np.any(np.isfinite(block) & np.isfinite(first) & (block != first)):
            return note
    raise UnreadableError("every voxel is constant or not finite")


class NiftiReader:
    """Reader of kind ``nifti``."""

    def __init__(
        self, recordings: Mapping[str, Any], root: Path, participants: Participants | None = None
    ) -> None:
        self._recordings, self._root, self._participants = recordings, root, participants
        self._sidecars = Sidecars(root)

    def find(self, subjects: Sequence[str] | None) -> list[Found]:
        """Recordings by pattern or column, each with fMRIPrep's confounds beside it where none are named."""
        found = patterns.find(
            self._recordings, self._root, self._participants, subjects, ("mask", "confounds", "events")
        )
        return [self._with_confounds(each) for each in found]

    def _with_confounds(self, found: Found) -> Found:
        if found.problem or "confounds" in found.files:
            return found
        image = Path(found.files["image"])
        prefix = image.name.split("_space-")[0].split("_desc-")[0]
        table = image.with_name(f"{prefix}_desc-confounds_timeseries.tsv")
        if not (self._root / table).is_file():
            return found
        return replace(found, files={**found.files, "confounds": table.as_posix()})

    def describe(self, found: Found) -> Facts:
        """Facts from header, JSON, mask, confounds and the first volumes."""
        path = found.files["image"]
        last = Path(path).name.rsplit("_", 1)[-1].removesuffix(".gz").removesuffix(".nii")
        jsons = self._sidecars.applicable(path, f"{last}.json")
        return describe_image(self._root, found, self._recordings["tr_s"], jsons, entity("space", path))

    def open(self, found: Found) -> Volumes:
        """The volumes."""
        return open_volumes(self._root, found)
