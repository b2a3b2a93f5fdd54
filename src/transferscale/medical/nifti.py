"""4D NIfTI recordings: what the header says, whether the file is whole, and the mean of every parcel.

Orientation: image and label image are both brought to the nearest RAS axes before their grids are compared,
so that a recording stored left to right and one stored right to left give the same parcels.
"""

import gzip
import json
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.medical.series import UnreadableError, what_is_it

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

# Relative difference of two repetition times that is more than rounding.
TR_TOLERANCE = 0.01
# Seconds; outside of these a header has its unit wrong (milliseconds called seconds, as in old exports).
PLAUSIBLE_TR = (0.05, 60.0)
TO_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}


@dataclass(frozen=True)
class Header:
    """What the header of a recording says.

    Attributes
    ----------
    n_volumes
        Length of the fourth axis.
    tr_s
        Repetition time in seconds, ``None`` where the header has none.
    orientation
        Axis codes as stored, as in ``LAS``.
    """

    n_volumes: int
    tr_s: float | None
    orientation: str


def read_header(path: Path) -> Header:
    """Read the header and check that the file is whole, without reading the volumes where that can be
    avoided.

    Raises
    ------
    UnreadableError
        If the file is no 4D NIfTI, is truncated, or does not say which side is left.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.load(path)
    except FileNotFoundError:
        raise UnreadableError(what_is_it(path) if path.is_symlink() else "no such file") from None
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise UnreadableError(
            f"{what_is_it(path) or 'not a readable NIfTI'} ({str(error).splitlines()[0]})"
        ) from None
    if not isinstance(image, nibabel.Nifti1Image | nibabel.Nifti2Image):
        raise UnreadableError(f"{type(image).__name__} is not a 4D NIfTI image")
    if len(image.shape) != 4:
        raise UnreadableError(f"the image has {len(image.shape)} dimensions {image.shape}, not 4")
    header = image.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        raise UnreadableError("the header does not say which side is left (sform_code and qform_code are 0)")
    size = (
        int(image.dataobj.offset)
        + int(np.prod(image.shape, dtype=np.int64)) * header.get_data_dtype().itemsize
    )
    _check_whole(path, size)
    unit = header.get_xyzt_units()[1]
    tr_s = float(header.get_zooms()[3]) * TO_SECONDS.get(unit, 0.0)
    return Header(int(image.shape[3]), tr_s if tr_s > 0 else None, "".join(nibabel.aff2axcodes(image.affine)))


def _check_whole(path: Path, size: int) -> None:
    """Check that a file holds ``size`` bytes of header and volumes.

    A gzip stream ends with its length modulo 2^32, which spares reading it; where that does not agree (a
    truncated file, or one of several gzip members) it is read to its end.
    """
    if path.suffix != ".gz":
        if path.stat().st_size < size:
            raise UnreadableError(f"truncated: {path.stat().st_size} bytes, the header announces {size}")
        return
    with path.open("rb") as stream:
        stream.seek(-4, 2)
        (length,) = struct.unpack("<I", stream.read(4))
    if length == size % 2**32:
        return
    held = 0
    try:
        with gzip.open(path) as stream:
            while block := stream.read(2**20):
                held += len(block)
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableError(f"truncated or damaged ({error})") from None
    if held < size:
        raise UnreadableError(f"truncated: {held} bytes unpacked, the header announces {size}")


def sidecar_tr(path: Path, root: Path) -> float | None:
    """RepetitionTime in seconds from the JSON beside the image, else from the task's JSON in the root (BIDS).

    Raises
    ------
    UnreadableError
        If that JSON is broken or its RepetitionTime is no positive number.
    """
    stem = path.name.removesuffix(".gz").removesuffix(".nii")
    entities = stem.split("_")
    task = next((entity for entity in entities if entity.startswith("task-")), "")
    for candidate in (path.with_name(f"{stem}.json"), root / f"{task}_bold.json"):
        if not candidate.is_file():
            continue
        try:
            content: Any = json.loads(candidate.read_text(encoding="utf-8-sig"))
        except ValueError:
            raise UnreadableError(f"{candidate.name} is not valid JSON") from None
        if isinstance(content, dict) and "RepetitionTime" in content:
            found = content["RepetitionTime"]
            if not isinstance(found, int | float) or isinstance(found, bool) or not found > 0:
                raise UnreadableError(f"{candidate.name}: RepetitionTime {found!r} is not a positive number")
            return float(found)
    return None


def repetition_time(
    configured: float | None, sidecar: float | None, header: float | None
) -> tuple[float, str]:
    """The repetition time in seconds, by the first of configuration, JSON and header, and a note where they
    differ.

    Raises
    ------
    UnreadableError
        If none of them says, or the one that rules cannot be true.
    """
    named = [("recordings.tr_s", configured), ("the JSON", sidecar), ("the header", header)]
    said = [(name, tr) for name, tr in named if tr is not None]
    if not said:
        raise UnreadableError("no repetition time in JSON or header; set recordings.tr_s")
    (chosen, tr_s), *others = said
    if not PLAUSIBLE_TR[0] <= tr_s <= PLAUSIBLE_TR[1]:
        raise UnreadableError(f"{chosen} says TR {tr_s:g} s, which cannot be; set recordings.tr_s")
    odd = [f"{name} says {tr:g} s" for name, tr in others if abs(tr - tr_s) > TR_TOLERANCE * tr_s]
    return tr_s, f"TR {tr_s:g} s from {chosen}, though {' and '.join(odd)}" if odd else ""


def mean_displacement(path: Path) -> float | None:
    """Mean framewise displacement in mm from fMRIPrep's confounds table beside the image, ``None`` without
    one."""
    prefix = path.name.split("_space-")[0].split("_desc-")[0]
    table = path.with_name(f"{prefix}_desc-confounds_timeseries.tsv")
    if not table.is_file():
        return None
    header, *rows = (line.split("\t") for line in table.read_text(encoding="utf-8-sig").splitlines() if line)
    if "framewise_displacement" not in header:
        return None
    at = header.index("framewise_displacement")
    values = []
    for row in rows:
        try:
            values.append(float(row[at]))
        except (ValueError, IndexError):  # the first volume is n/a: there is none before it
            continue
    finite = [v for v in values if np.isfinite(v)]
    return float(np.mean(finite)) if finite else None


@dataclass
class Atlas:
    """A label image, in RAS axes.

    Attributes
    ----------
    path
        The file, for messages.
    labels
        Label of every voxel (x, y, z), 0 outside.
    affine
        Voxel indices to millimetres.
    numbers
        The labels, rising; parcel ``p`` of a series is label ``numbers[p]``.
    """

    path: Path
    labels: Int32
    affine: Float64
    numbers: Int32
    _on_grid: dict[tuple[bytes, tuple[int, ...]], Int32] = field(default_factory=dict)

    @property
    def centroids(self) -> Float64:
        """Centre of every parcel in millimetres (parcels, 3)."""
        where = np.argwhere(self.labels > 0)
        rows = np.searchsorted(self.numbers, self.labels[tuple(where.T)])
        sums = np.stack([np.bincount(rows, where[:, axis], len(self.numbers)) for axis in range(3)], axis=1)
        voxels = sums / np.bincount(rows, minlength=len(self.numbers))[:, None]
        millimetres: Float64 = voxels @ self.affine[:3, :3].T + self.affine[:3, 3]
        return millimetres

    def on_grid(self, affine: Float64, shape: tuple[int, ...]) -> Int32:
        """Labels on another RAS grid, by the nearest voxel; the label image itself where the grids agree.

        Raises
        ------
        UserError
            If no parcel lies inside that grid.
        """
        key = (affine.tobytes(), shape)
        if key not in self._on_grid:
            self._on_grid[key] = self._resampled(affine, shape)
        return self._on_grid[key]

    def _resampled(self, affine: Float64, shape: tuple[int, ...]) -> Int32:
        if shape == self.labels.shape and np.allclose(affine, self.affine, atol=1e-3):
            return self.labels
        import nibabel
        from nilearn.image import resample_img

        image = nibabel.Nifti1Image(self.labels, self.affine)
        moved = resample_img(
            image, affine, shape, interpolation="nearest", force_resample=True, copy_header=True
        )
        labels: Int32 = np.asarray(moved.dataobj).astype(np.int32)
        if not labels.any():
            raise UserError(
                f"{self.path}: no parcel lies inside the recordings' grid; is it in another space?"
            )
        return labels


def read_atlas(path: Path) -> Atlas:
    """Read a label image.

    Raises
    ------
    UserError
        If the file is missing, is no 3D NIfTI of whole numbers, or has no label above 0.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; key 'recordings.atlas' must name a label image under root"
        ) from None
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{path}: key 'recordings.atlas': not a readable label image ({error})") from None
    values = np.asarray(image.dataobj)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim != 3:
        raise UserError(f"{path}: key 'recordings.atlas': {values.ndim} dimensions; a label image has 3")
    labels = np.rint(values).astype(np.int32)
    if not np.all(np.isfinite(values)) or np.any(np.abs(values - labels) > 1e-3) or labels.min() < 0:
        raise UserError(f"{path}: key 'recordings.atlas': values must be whole numbers from 0")
    numbers = np.unique(labels[labels > 0]).astype(np.int32)
    if not len(numbers):
        raise UserError(f"{path}: key 'recordings.atlas': no label above 0")
    return Atlas(path, labels, np.asarray(image.affine, dtype=np.float64), numbers)


def read_parcels(path: Path, atlas: Atlas) -> tuple[Float64, int]:
    """Mean over the voxels of every parcel (volumes, parcels), and the number of voxels left out.

    A voxel with a value that is not finite is left out of its parcel; a parcel without voxels is zero
    throughout.

    Raises
    ------
    UnreadableError
        If the volumes cannot be read.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.load(path)
        if path.suffix == ".gz":
            # Unpacked here: nibabel stops at the last volume and never compares the checksum behind it.
            image = type(image).from_bytes(gzip.decompress(path.read_bytes()))
        image = nibabel.as_closest_canonical(image)
        volumes = np.asarray(image.dataobj)
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise UnreadableError(f"cannot be read to its end ({error})") from None
    labels = atlas.on_grid(np.asarray(image.affine, dtype=np.float64), volumes.shape[:3])
    return parcel_means(volumes, labels, atlas.numbers)


def parcel_means(volumes: npt.NDArray[Any], labels: Int32, numbers: Int32) -> tuple[Float64, int]:
    """Mean of ``volumes`` (x, y, z, time) over each label of ``labels`` (x, y, z): (time, parcels).

    Returns the means and the number of labelled voxels left out because a value of theirs is not finite.
    """
    flat = labels.ravel(order="F")
    inside = np.flatnonzero(flat)
    voxels = volumes.reshape(-1, volumes.shape[3], order="F")[inside].astype(np.float64)
    parcel = np.searchsorted(numbers, flat[inside])
    whole = np.isfinite(voxels).all(axis=1)
    order = np.argsort(parcel[whole], kind="stable")
    voxels, parcel = voxels[whole][order], parcel[whole][order]
    counts = np.bincount(parcel, minlength=len(numbers))
    means = np.zeros((volumes.shape[3], len(numbers)))
    present = np.flatnonzero(counts)
    if len(present):
        first = np.concatenate([[0], np.cumsum(counts[present])[:-1]])
        means[:, present] = (np.add.reduceat(voxels, first, axis=0) / counts[present, None]).T
    return means, int(np.count_nonzero(~whole))
