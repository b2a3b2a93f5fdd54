"""Kind ``series``: series of parcels or channels, a matrix of volumes (samples) x columns a recording."""

import re
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError, nearest
from transferscale.medical.participants import Participants
from transferscale.medical.readers import patterns
from transferscale.medical.readers.entities import entity
from transferscale.medical.readers.packed import unreadable, what_is_it
from transferscale.medical.recording import Facts, Float32, Float64, Found, Int64, Parcels, UnreadableError

ARRAYS = (".npy", ".npz", ".mat")
TEXTS = (".csv", ".tsv", ".txt", ".1D")
# A first line of so many whole numbers in order is a header: what pandas and AFNI write for want of names.
NUMBERED = 8
# Share by which the steps of a column of seconds may differ, for they are rounded: 0.33, 0.67, 1.
EVEN = 0.05


@dataclass(frozen=True)
class Matrix:
    """A series as it stands in its file.

    Attributes
    ----------
    values
        (volumes, columns).
    names
        Of the columns, ``None`` where the file has none.
    counter
        Whether the first column counts volumes or seconds: a text whose first column rises in even steps while
        others do not.
    """

    values: Float64
    names: list[str] | None
    counter: bool = False


def read_series(path: Path, array: str | None = None) -> Matrix:
    """Read a series (volumes, columns).

    Text is separated as its ending says (.csv by commas, else semicolons; .tsv by tabs; .txt and .1D by blanks,
    tabs or commas). A first line that is no numbers holds the columns' names, as does the last comment (``#``)
    before the numbers where it has as many words (AFNI, ABIDE). An unnamed first column, which pandas writes, is
    left out. A byte-order mark and Windows line ends work.

    Parameters
    ----------
    path
        .npy, .npz, .mat (up to version 7), .csv, .tsv, .txt or .1D.
    array
        Name of the array in an .npz or .mat file, for one that holds several.

    Raises
    ------
    UnreadableError
        If the file is no such matrix, or holds a value that is not finite.
    """
    try:
        if path.suffix in ARRAYS:
            matrix = Matrix(_real(_read_array(path, array), 2, "volumes x columns"), None)
        else:
            matrix = _read_text(path)
    except FileNotFoundError:
        raise UnreadableError(what_is_it(path) if path.is_symlink() else "no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise unreadable(path, "not a readable series", error) from None
    bad = int(np.count_nonzero(~np.isfinite(matrix.values)))
    if bad:
        raise UnreadableError(f"{bad} values are not finite")
    return matrix


def _real(data: npt.NDArray[Any], dimensions: int, named: str) -> Float64:
    if data.dtype.kind not in "fiu":
        raise UnreadableError(f"holds {data.dtype}, not real numbers")
    if data.ndim != dimensions or 0 in data.shape:
        raise UnreadableError(f"shape {data.shape} is not {named}")
    return np.ascontiguousarray(data, dtype=np.float64)


def _read_array(path: Path, array: str | None) -> npt.NDArray[Any]:
    """The array of a file; that of an .npy file is mapped and not read."""
    if path.suffix == ".npy":
        data: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return data
    if path.suffix == ".npz":
        return _read_npz(path, array)
    arrays = _read_mat(path)
    return arrays[_chosen(arrays, array)]


def _chosen(names: Collection[str], array: str | None) -> str:
    if array is None and len(names) == 1:
        return next(iter(names))
    if array is None:
        told = ", ".join(f"'{name}'" for name in sorted(names))
        raise UnreadableError(f"holds {len(names)} arrays ({told}); set recordings.array")
    if array not in names:
        raise UnreadableError(
            f"holds no array '{array}', which recordings.array names; {nearest(array, names)}"
        )
    return array


def _read_npz(path: Path, array: str | None) -> npt.NDArray[Any]:
    """The array that is meant; the others, which may be lists of names, stay unread."""
    with np.load(path, allow_pickle=False) as archive:
        data: npt.NDArray[Any] = archive[_chosen(archive.files, array)]
        return data


def _read_mat(path: Path) -> dict[str, npt.NDArray[Any]]:
    from scipy.io import loadmat

    try:
        content = loadmat(path)
    except NotImplementedError:
        raise UnreadableError("a MATLAB 7.3 file, which is HDF5; save it with -v7") from None
    except FileNotFoundError:
        raise
    except Exception as error:  # damaged files fail in many ways, and scipy has no error for them all
        raise ValueError(f"not a MATLAB file: {error}") from None
    return {
        name: value
        for name, value in content.items()
        if not name.startswith("__") and isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
    }


def _read_text(path: Path) -> Matrix:
    if path.suffix.lower() not in [ending.lower() for ending in TEXTS]:
        raise ValueError(f"unknown ending '{path.suffix}', valid are {' '.join((*ARRAYS, *TEXTS))}")
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    comments = [line.lstrip() for line in lines if line.lstrip().startswith("#")]
    lines = [line for line in lines if not line.lstrip().startswith("#")]
    if not lines:
        raise ValueError("empty")
    mark = _mark(path.suffix.lower(), lines[0])
    cells = [[cell.strip().strip('"') for cell in re.split(mark, line.strip("\r\n "))] for line in lines]
    if any(len(line) > 1 for line in cells) and not any(line[-1] for line in cells):
        # A blank or tab at the end of every line.
        cells = [line[:-1] for line in cells]
    names: list[str] | None = None
    if not _numeric(cells[0]) or _numbered(cells[0]):
        names, cells = cells[0], cells[1:]
        if names[0] == "" and len(names) > 1:
            names, cells = names[1:], [line[1:] for line in cells]
    elif comments:
        told = [word.lstrip("#") for word in comments[-1].split()]
        told = [word for word in told if word]
        names = told if len(told) == len(cells[0]) else None
    if not cells:
        raise ValueError("a header and no numbers")
    ragged = next((n for n, line in enumerate(cells, start=1) if len(line) != len(cells[0])), None)
    if ragged is not None or (names is not None and len(names) != len(cells[0])):
        raise ValueError(f"row {ragged or 1} has another number of cells than the first line")
    values = np.array([[_number(cell) for cell in line] for line in cells], dtype=np.float64)
    return Matrix(values, names, counter=_counts(values))


def _counts(values: Float64) -> bool:
    """Whether the first column, and not every column, rises in even steps, but for rounding."""
    if len(values) < NUMBERED or values.shape[1] < 2:
        return False
    steps = np.diff(values, axis=0)
    usual = np.median(steps, axis=0)
    even = (np.abs(steps - usual) <= EVEN * usual).all(axis=0) & (usual > 0)
    return bool(even[0] and not even.all())


def _mark(ending: str, line: str) -> str:
    """Regular expression of what separates cells."""
    if ending == ".tsv":
        return "\t"
    if ending == ".csv":
        return "," if "," in line else ";" if ";" in line else "\t" if "\t" in line else ","
    return r"\s*,\s*" if "," in line else r"\s+"


def _number(cell: str) -> float:
    return np.nan if cell.lower() in ("", "n/a", "na") else float(cell)


def _numeric(cells: list[str]) -> bool:
    try:
        return bool([_number(cell) for cell in cells]) and any(cells)
    except ValueError:
        return False


def _numbered(cells: list[str]) -> bool:
    told = cells[1:] if cells[0] == "" else cells
    return len(told) >= NUMBERED and any(
        told == [str(first + i) for i in range(len(told))] for first in (0, 1)
    )


@dataclass(frozen=True)
class Series:
    """A series in memory: it is small.

    Attributes
    ----------
    geometry
        Its columns.
    values
        (volumes, columns).
    """

    geometry: Parcels
    values: Float64

    @property
    def n_volumes(self) -> int:
        """Volumes."""
        return len(self.values)

    def blocks(self, inside: Int64 | None = None) -> Iterator[Float32]:
        """The series as one block."""
        yield (self.values if inside is None else self.values[:, inside]).astype(np.float32)


class SeriesReader:
    """Reader of kind ``series``."""

    def __init__(
        self, recordings: Mapping[str, Any], root: Path, participants: Participants | None = None
    ) -> None:
        self._recordings, self._root, self._participants = recordings, root, participants
        self._stacked: npt.NDArray[Any] | None = None
        self._coordinates: Float64 | None = None

    def find(self, subjects: Sequence[str] | None) -> list[Found]:
        """Recordings by pattern, by column, or one a subject of a stack."""
        if self._recordings["stack"] is None:
            return patterns.find(self._recordings, self._root, self._participants, subjects, ("events",))
        path, key = self._recordings["stack"], "key 'recordings.stack'"
        if subjects is None:
            raise UserError(f"{key}: a stack has no names; the dataset needs 'participants' in its order")
        try:
            number = len(self._stack())
        except UnreadableError as error:
            raise UserError(f"{self._root / path}: {key}: {error}") from None
        if number != len(subjects):
            raise UserError(
                f"{self._root / path}: {key}: holds {number} series, the participants table {len(subjects)} "
                "subjects; they must be the same, in the same order"
            )
        files = {"image": path}
        if self._recordings["events"]:
            files["events"] = self._recordings["events"]
        found = [Found(s, task=entity("task", path), files=files, part=i) for i, s in enumerate(subjects)]
        return sorted(found, key=patterns.order)

    def describe(self, found: Found) -> Facts:
        """Facts; the series is read whole."""
        matrix = self._matrix(found)
        series = self._series(matrix)
        if not np.ptp(series.values, axis=0).any():
            raise UnreadableError("every parcel is constant")
        counter = "its first column counts volumes or seconds and is left out" if self._drops(matrix) else ""
        shape = (series.geometry.number,)
        return Facts(series.n_volumes, self._recordings["tr_s"], shape, "parcels", note=counter)

    def open(self, found: Found) -> Series:
        """The series, its columns those of ``recordings.columns``; by default all but one that counts volumes."""
        return self._series(self._matrix(found))

    def _matrix(self, found: Found) -> Matrix:
        if found.part is None:
            return read_series(self._root / found.files["image"], self._recordings["array"])
        values = _real(np.asarray(self._stack()[found.part]), 2, "volumes x columns")
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            raise UnreadableError(f"{bad} values are not finite")
        return Matrix(values, None)

    def _drops(self, matrix: Matrix) -> bool:
        return matrix.counter and self._recordings["columns"] is None

    def _series(self, matrix: Matrix) -> Series:
        values = matrix.values[:, self._kept(matrix)]
        return Series(Parcels(values.shape[1], self._places(values.shape[1])), values)

    def _stack(self) -> npt.NDArray[Any]:
        if self._stacked is None:
            path = self._root / self._recordings["stack"]
            try:
                stacked = _read_array(path, self._recordings["array"])
            except FileNotFoundError:
                raise UnreadableError("no such file; correct the path under root") from None
            except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
                raise unreadable(path, "not a readable array", error) from None
            if stacked.ndim != 3 or 0 in stacked.shape:
                raise UnreadableError(f"shape {stacked.shape} is not subjects x volumes x columns")
            self._stacked = stacked
        return self._stacked

    def _kept(self, matrix: Matrix) -> list[int]:
        columns = self._recordings["columns"]
        if columns is None:
            return list(range(int(self._drops(matrix)), matrix.values.shape[1]))
        if matrix.names is None:
            raise UnreadableError("has no header, so recordings.columns cannot choose; delete that key")
        for name in columns:
            if name not in matrix.names:
                raise UnreadableError(
                    f"no column '{name}', which recordings.columns names; {nearest(name, matrix.names)}"
                )
        return [matrix.names.index(name) for name in columns]

    def _places(self, number: int) -> Float64 | None:
        if self._recordings["coordinates"] is None:
            return None
        path = self._root / self._recordings["coordinates"]
        if self._coordinates is None:
            self._coordinates = read_coordinates(path)
        if len(self._coordinates) != number:
            raise UserError(
                f"{path}: key 'recordings.coordinates': {len(self._coordinates)} rows, the series have {number} "
                "columns; it needs one row a column, in their order"
            )
        return self._coordinates


def read_coordinates(path: Path) -> Float64:
    """Coordinates (columns, 3) in MNI mm from a table with columns x, y, z, or of three columns without a header.

    Raises
    ------
    UserError
        If the table cannot be read or has no such columns.
    """
    named = f"{path}: key 'recordings.coordinates'"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{named}: no such file; correct the path under root") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{named}: cannot be read ({error})") from None
    lines = [line for line in text.splitlines() if line.strip()]
    mark = "\t" if lines and "\t" in lines[0] else "," if lines and "," in lines[0] else r"\s+"
    rows = [[cell.strip() for cell in re.split(mark, line.strip())] for line in lines]
    header = [cell.lower() for cell in rows[0]] if rows else []
    if not {"x", "y", "z"} <= set(header) and not (len(header) == 3 and _numeric(header)):
        raise UserError(f"{named}: needs columns x, y, z (MNI, mm)")
    at = [header.index(axis) for axis in "xyz"] if "x" in header else [0, 1, 2]
    try:
        points = np.array([[float(row[i]) for i in at] for row in rows["x" in header :]], dtype=np.float64)
    except (ValueError, IndexError):
        raise UserError(f"{named}: x, y and z must be numbers in every row") from None
    if not len(points) or not np.all(np.isfinite(points)):
        raise UserError(f"{named}: x, y and z must be finite numbers, one row a column")
    return points
