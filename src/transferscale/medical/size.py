"""How large a view is, for whoever has to plan a job on it before it opens it."""

import errno
import functools
from collections import Counter
from pathlib import Path

from transferscale.artefacts import read_json
from transferscale.errors import UserError
from transferscale.study.memory import Shown


def size_of(folder: Path | str) -> Shown:
    """What there is of a view.

    Raises
    ------
    FileNotFoundError
        If the view is not there yet, or what is there is broken or of another version, and is built anew.
    """
    try:
        # Built anew, it is another.
        return _size(Path(folder), Path(folder).stat().st_mtime_ns)
    except (OSError, UserError, KeyError):
        raise FileNotFoundError(errno.ENOENT, "no view of this version", str(folder)) from None


@functools.cache
def _size(folder: Path, built: int) -> Shown:
    from transferscale.tables import read_table

    about = read_json(folder / "view.json")
    volumes, height, width = (int(n) for n in about["shape"])
    subject = read_table(folder / "windows.parquet", "windows").column("subject").to_pylist()
    return Shown(len(subject), max(Counter(subject).values()), volumes, int(about["columns"]), height * width)
