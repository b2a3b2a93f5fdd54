"""State of a dataset's folder: whether anything that is read from it changed since the last run.

Snakemake asks for it while it plans, before any check and in every job of a cluster, so no file is opened but a
participants table that holds paths, what cannot be found is passed over, and files that are not read (pictures,
reports) do not count.
"""

import glob
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from transferscale.artefacts import fingerprint
from transferscale.errors import UserError
from transferscale.medical.participants import read_participants

# Keys of the sections whose values are paths under root, with placeholders or without.
PATHS = ("pattern", "stack", "events", "mask", "confounds", "atlas", "coordinates")
MESHES = ("left", "right")
# Endings of what is read in a BIDS tree.
READ = (".nii", ".nii.gz", ".gii", ".tsv", ".json")


def state_of(spec: Mapping[str, Any], view: Mapping[str, Any]) -> str:
    """Fingerprint of the names, sizes and times of change of all files that a dataset is read from.

    Parameters
    ----------
    spec
        ``Grid.recordings_spec``.
    view
        Its ``view`` section, which may name meshes.
    """
    root = Path(spec["root"])
    states: dict[str, list[int]] = {}
    for path in _files(root, spec, view):
        try:
            state = (root / path).stat()
        except OSError:  # a link to nowhere, or gone while it was listed
            states[path] = []
        else:
            states[path] = [state.st_size, state.st_mtime_ns]
    return fingerprint(states, length=20)


def _files(root: Path, spec: Mapping[str, Any], view: Mapping[str, Any]) -> set[str]:
    """Paths under root."""
    recordings: Mapping[str, Any] = spec["recordings"]
    named = (
        [recordings.get(key) for key in PATHS] + [view.get(key) for key in MESHES] + [spec["participants"]]
    )
    found = {path for pattern in named if pattern for path in _fitting(root, pattern)}
    if recordings.get("path_column"):
        found |= _by_column(root, spec)
    # Repetition times and what confounds are stand in JSON files beside the recordings and above them.
    folders = {Path(path).parent for path in found}
    folders |= {above for folder in folders for above in folder.parents}
    found |= {
        str(folder / name) for folder in folders for name in _listed(root / folder) if name.endswith(".json")
    }
    if spec["recordings"]["kind"] == "bids":
        found |= set(_tree(root, ""))
        if recordings["raw"]:
            found |= set(_tree(root, recordings["raw"]))
    return found


def _fitting(root: Path, pattern: str) -> list[str]:
    """Paths that fit, placeholders standing for anything."""
    anything = re.sub(r"\{\w*\}", "*", pattern.replace("[", "[[]"))
    return glob.glob(anything, root_dir=root)  # noqa: PTH207


def _by_column(root: Path, spec: Mapping[str, Any]) -> set[str]:
    try:
        table = read_participants(root / spec["participants"], spec["subject_column"])
        table.require(spec["recordings"]["path_column"], "recordings.path_column")
    except UserError:  # for the check to tell
        return set()
    paths = (row[spec["recordings"]["path_column"]] for row in table.rows.values())
    return {path for path in paths if path}


def _listed(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208


def _tree(root: Path, top: str) -> Iterator[str]:
    """Files at the top of a BIDS dataset and under its subjects' folders."""
    for name in _listed(root / top):
        path = str(Path(top) / name)
        if name.endswith(READ):
            yield path
        elif name.startswith("sub-"):
            for folder, _, files in os.walk(root / path, followlinks=True):
                under = os.path.relpath(folder, root)
                yield from (f"{under}/{file}" for file in files if file.endswith(READ))
