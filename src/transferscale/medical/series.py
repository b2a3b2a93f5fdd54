"""Parcellated series of one recording: a matrix of volumes x parcels in .npy, .csv, .tsv, .txt or .1D."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": None, ".1d": None}


class UnreadableError(Exception):
    """A recording cannot be used; the message is the reason that the quarantine table shows."""


def read_series(path: Path) -> Float64:
    """Read a series (volumes, parcels).

    Text files may have one header line; lines that start with ``#`` are comments (AFNI's .1D).

    Raises
    ------
    UnreadableError
        If the file is no such matrix, or holds a value that is not finite.
    """
    try:
        data = np.load(path, allow_pickle=False) if path.suffix == ".npy" else _read_text(path)
    except FileNotFoundError:
        raise UnreadableError("no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableError(
            f"{what_is_it(path) or 'not a readable series'} ({str(error).splitlines()[0]})"
        ) from None
    if not isinstance(data, np.ndarray):
        raise UnreadableError("holds several arrays; save one array (volumes x parcels) a file")
    if data.ndim != 2 or 0 in data.shape:
        raise UnreadableError(f"shape {data.shape} is not volumes x parcels")
    if data.dtype.kind not in "fiu":
        raise UnreadableError(f"holds {data.dtype}, not real numbers")
    matrix: Float64 = data.astype(np.float64)
    bad = int(np.count_nonzero(~np.isfinite(matrix)))
    if bad:
        raise UnreadableError(f"{bad} values are not finite")
    return matrix


def _read_text(path: Path) -> Float64:
    if path.suffix.lower() not in DELIMITERS:
        raise ValueError(f"unknown ending '{path.suffix}', valid are .npy {' '.join(DELIMITERS)}")
    delimiter = DELIMITERS[path.suffix.lower()]
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith("#")]
    if not lines:
        raise ValueError("empty")
    cells = [line.split(delimiter) for line in lines]
    start = 0 if _numeric(cells[0]) else 1
    return np.array([[float(cell) for cell in line] for line in cells[start:]], dtype=np.float64)


def _numeric(cells: list[str]) -> bool:
    try:
        [float(cell) for cell in cells]
    except ValueError:
        return False
    return True


def what_is_it(path: Path) -> str:
    """A few words for a file that is no recording at all: a failed download, a pointer, an empty file."""
    if path.is_symlink() and not path.exists():
        return "a broken link, as git-annex leaves it before 'datalad get'"
    with path.open("rb") as stream:
        head = stream.read(200).lstrip()
    if not head:
        return "an empty file"
    if head.startswith(b"<"):
        return "a web page, not a recording: the download failed"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file: run 'git lfs pull'"
    return ""
