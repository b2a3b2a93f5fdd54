"""What a file holds, from its header or first lines: volumes, one image, a matrix, a stack of matrices."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.medical.add.layouts import VOLUMES, ending
from transferscale.medical.readers.packed import what_is_it

TR_NAMES = ("repetitiontime", "repetition_time", "tr", "t_r", "tr_s")
Shape = tuple[int, ...]


def shapes(path: Path) -> dict[str, Shape]:
    """Name -> shape of the arrays of numbers in a file; name is empty where a file holds one. Nothing if unreadable."""
    try:
        return _shapes(path)
    except Exception:
        # Whatever a library says of a file that is not what its ending says: it is no recording.
        return {}


def _shapes(path: Path) -> dict[str, Shape]:
    end = ending(path.name)
    if end in VOLUMES:
        import nibabel

        return {"": tuple(int(size) for size in nibabel.load(path).shape)}
    if end == ".npy":
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        return {"": array.shape} if array.dtype.kind in "fiu" else {}
    if end == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name].shape for name in arrays.files if arrays[name].dtype.kind in "fiu"}
    if end == ".mat":
        from scipy.io import whosmat

        return {
            name: tuple(shape)
            for name, shape, kind in whosmat(path)
            if kind not in ("char", "cell", "struct")
        }
    return _text_shape(path)


def _text_shape(path: Path) -> dict[str, Shape]:
    """Shape of a text matrix whose second line (after comments) is numbers; its rows are counted, not read."""
    with path.open(encoding="utf-8-sig") as stream:
        lines = [line for line in stream if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) < 2:
        return {}
    cells = lines[1].replace(",", " ").split()
    [float(cell) for cell in cells]
    headed = False
    try:
        [float(cell) for cell in lines[0].replace(",", " ").split()]
    except ValueError:
        headed = True
    return {"": (len(lines) - headed, len(cells))}


def is_recording(path: Path) -> bool:
    """Whether a file holds one recording: a 4-D image, or a matrix of more than one column."""
    found = shapes(path).values()
    if ending(path.name) in VOLUMES:
        return any(len(shape) == 4 and shape[3] > 1 for shape in found)
    return any(len(shape) == 2 and min(shape) > 1 for shape in found)


def why_not(path: Path) -> str:
    """Why a file is no recording of its own, in a few words."""
    found = list(shapes(path).values())
    if not found:
        return what_is_it(path) or "cannot be read as its ending says"
    told = " and ".join(" x ".join(map(str, shape)) for shape in found)
    if is_recording(path):
        return f"{told}, but no subject in its path or in a table"
    return f"{told}, not {'4-D' if ending(path.name) in VOLUMES else 'a matrix of samples x columns'}"


def stacked(path: Path) -> dict[str, Shape]:
    """Name -> shape of the stacks (people, samples, columns) in a file of series."""
    if ending(path.name) not in (".npy", ".npz", ".mat"):
        return {}
    return {name: shape for name, shape in shapes(path).items() if len(shape) == 3}


def words(path: Path) -> dict[str, list[str]]:
    """Name -> values of the arrays of text in an .npz file."""
    if ending(path.name) != ".npz":
        return {}
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name].tolist() for name in arrays.files if arrays[name].dtype.kind == "U"}


def stated_tr(path: Path, root: Path) -> tuple[float, str] | None:
    """Seconds between samples and the file that says so: a JSON beside the file, or of its task in the root (BIDS),
    or a number in the .npz file itself; ``None`` where nothing says."""
    stem = path.name.removesuffix(ending(path.name))
    for candidate in (path.with_name(stem + ".json"), *sorted(root.glob("task-*.json"))):
        found = _from_json(candidate)
        if found is not None:
            return found, candidate.relative_to(root).as_posix()
    if ending(path.name) == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            for name in arrays.files:
                if name.lower() in TR_NAMES and arrays[name].size == 1 and float(arrays[name]) > 0:
                    return float(arrays[name]), f"{path.relative_to(root).as_posix()}, '{name}'"
    return None


def _from_json(path: Path) -> float | None:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict):
        return None
    for key, number in content.items():
        if not isinstance(number, int | float) or isinstance(number, bool) or number <= 0:
            continue
        if key.lower() in TR_NAMES:
            return float(number)
        if key.lower() == "samplingfrequency":
            return 1 / float(number)
    return None
