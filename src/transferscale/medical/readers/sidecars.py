"""JSON and events files that apply to a recording: BIDS' inheritance."""

import json
from pathlib import Path
from typing import Any

from transferscale.medical.recording import UnreadableError


class Sidecars:
    """Files that apply to others; a folder is listed once.

    A file applies to those in its folder and below whose names have all its parts (BIDS specification, common
    principles, the inheritance principle).

    Parameters
    ----------
    top
        Folder at which the search ends.
    """

    def __init__(self, top: Path) -> None:
        self._top = top
        self._listed: dict[tuple[Path, str], list[tuple[frozenset[str], Path]]] = {}

    def applicable(self, path: str, tail: str) -> list[Path]:
        """Files whose last part is ``tail``, as in ``bold.json``, that apply to ``path``, the nearest first.

        Parameters
        ----------
        path
            Under top; neither it nor its folder need exist.
        tail
            Suffix and ending.
        """
        own = frozenset(Path(path).name.split("_")[:-1])
        found: list[Path] = []
        folder = self._top / Path(path).parent
        while True:
            here = [(parts, file) for parts, file in self._list(folder, tail) if parts <= own]
            found += [file for _, file in sorted(here, key=lambda pair: (-len(pair[0]), pair[1].name))]
            if folder == self._top or self._top not in folder.parents:
                return found
            folder = folder.parent

    def _list(self, folder: Path, tail: str) -> list[tuple[frozenset[str], Path]]:
        """Parts of the name before ``tail``, and the file, of all in a folder that end so."""
        key = (folder, tail)
        if key not in self._listed:
            names = sorted(folder.iterdir()) if folder.is_dir() else []
            split = [(file.name.split("_"), file) for file in names]
            self._listed[key] = [(frozenset(p[:-1]), file) for p, file in split if p[-1] == tail]
        return self._listed[key]


def sidecar_tr(candidates: list[Path]) -> float | None:
    """RepetitionTime in seconds from the first JSON that has one.

    Raises
    ------
    UnreadableError
        If a JSON before it is broken, or its RepetitionTime is no positive number.
    """
    for candidate in candidates:
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
