"""Prepared recordings: each cleaned and laid out once, and kept under a name that says of what it was made.

The store lies beside the view (``.prepared/<kind>/<key>/``) and no rule declares it, so that a view that is built again
prepares only what is new. The key covers the options, the recording's row and the size and time of change of every file
it was read from: image, mask, confounds with their JSON, events, atlas, coordinates. One recording's folder holds

- ``clips.npy``: its windows as clips, float32 (windows, volumes, size, size); the view links to it;
- ``series.npy``: its cleaned columns, float32 (volumes, columns);
- ``moments.npy``: see :class:`transferscale.medical.cleaning.Cleaned`;
- ``layout.npy``: column shown at each pixel, int32 (size, size);
- ``about.json``: everything else, and the sizes of the other files: a folder with others is damaged, and made again.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.artefacts import atomic_once, fingerprint, read_json, write_json
from transferscale.clips.rows import write_rows
from transferscale.errors import UserError
from transferscale.medical.cleaning import Cleaned, clean_run
from transferscale.medical.events import Event, events_of
from transferscale.medical.layout import lay_out
from transferscale.medical.readers import found_of, open_reader
from transferscale.medical.recording import Grid, Reader, UnreadableError
from transferscale.medical.views import VIEWS
from transferscale.medical.views.projecting import columns_of
from transferscale.medical.windows import Window, usable_windows

Row = Mapping[str, Any]

# What of the view's spec a prepared recording depends on.
SPEC_KEYS = ("verb", "root", "recordings", "clean", "view", "windows", "size", "tubelet")


class Preparer:
    """Prepares the recordings of a dataset into a store.

    Parameters
    ----------
    spec
        ``Grid.view_spec``.
    store
        Folder of the prepared recordings.
    """

    def __init__(self, spec: Mapping[str, Any], store: Path) -> None:
        self.spec, self.store, self.root = spec, store, Path(spec["root"])
        self.reader: Reader = open_reader(spec["recordings"], self.root, None, spec["stretches"])
        named = (spec["recordings"].get("atlas"), spec["recordings"].get("coordinates"))
        flat = (spec["view"].get("left"), spec["view"].get("right"))
        self._shared = {
            **{key: spec[key] for key in SPEC_KEYS if key in spec},
            "files": [self._state(path) for path in (*named, *flat) if path],
        }

    def folder(self, row: Row) -> Path:
        """Where a recording is, or will be."""
        own = {key: row[key] for key in ("path", "part", "stretch", "n_volumes", "tr_s", "space")}
        files = [[role, *self._state(path)] for role, path in sorted(_read_from(self.root, row).items())]
        return self.store / fingerprint({**self._shared, "recording": own, "of": files}, length=20)

    def _state(self, path: str) -> list[Any]:
        try:
            state = (self.root / path).stat()
        except OSError as error:
            raise UserError(
                f"{self.root / path}: cannot be read ({error.strerror}); index the dataset again"
            ) from None
        return [path, state.st_size, state.st_mtime_ns]

    def prepare(self, row: Row) -> Path:
        """Clean and lay out one recording, unless that was done before; return its folder.

        Raises
        ------
        UnreadableError
            If it cannot be read to its end, or has no window left.
        UserError
            If it does not fit the view.
        """
        folder = self.folder(row)
        if is_whole(folder):
            return folder
        if folder.exists():
            shutil.rmtree(folder)
        with atomic_once(folder) as temporary:
            temporary.mkdir()
            self._write(row, temporary)
        return folder

    def _write(self, row: Row, folder: Path) -> None:
        spec, found = self.spec, found_of(row)
        signal = self.reader.open(found)
        kind = spec["view"]["kind"]
        named = f"dataset '{spec['dataset']}'"
        if kind == "flatmap" and isinstance(signal.geometry, Grid) and "MNI" not in (row["space"] or "MNI"):
            raise UserError(
                f"{named}: view flatmap samples volumes by their MNI coordinates, but {row['path']} is in space "
                f"{row['space']}; use outputs in an MNI space, or view mosaic"
            )
        projection = VIEWS[kind](signal.geometry, spec, named)
        columns, left_out = columns_of(signal, projection.weights)
        regressors = None
        if spec["clean"]["confounds"] is not None:
            from transferscale.medical.confounds import confounds_of

            table = found.files.get("confounds")
            path = None if table is None else self.root / table
            regressors = confounds_of(path, spec["clean"]["confounds"], signal.n_volumes, found.stretch)
        events: list[Event] = []
        past_end = 0
        if spec["windows"]["events"] is not None:
            path = self.root / found.files["events"]
            events, past_end = events_of(path, signal.n_volumes, row["tr_s"], found.stretch)
        cleaned = clean_run(columns, spec["clean"], row["tr_s"], regressors)
        if cleaned.constant.all():
            raise UnreadableError("every parcel is constant" if kind == "roi" else "every pixel is constant")
        kept = None if regressors is None else regressors.kept
        windows = usable_windows(spec, signal.n_volumes, row["tr_s"], kept, events)
        if not windows:
            raise UnreadableError("no window is left")
        _write_clips(folder / "clips.npy", cleaned, windows, projection.layout, spec)
        np.save(folder / "series.npy", cleaned.series, allow_pickle=False)
        np.save(folder / "moments.npy", cleaned.moments, allow_pickle=False)
        np.save(folder / "layout.npy", projection.layout, allow_pickle=False)
        constant = np.flatnonzero(cleaned.constant)
        write_json(
            folder / "about.json",
            {
                "layout": fingerprint([projection.layout.tobytes().hex(), dict(projection.about)]),
                "about": dict(projection.about),
                "columns": len(cleaned.constant),
                "volumes": len(cleaned.series),
                "tr_s": cleaned.tr_s,
                "windows": [[window.number, window.start, window.trial_type] for window in windows],
                "scrubbed": np.flatnonzero(~cleaned.kept).tolist(),
                "voxels_left_out": left_out,
                # Of a picture, hundreds of pixels outside the brain are constant: their number is enough.
                "constant_columns": len(constant),
                **({"constant_parcels": constant.tolist()} if kind == "roi" else {}),
                "degrees_of_freedom": cleaned.freedom,
                "events_past_end": past_end,
                "confounds": [] if regressors is None else list(regressors.names),
                "bytes": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
            },
        )


def is_whole(folder: Path) -> bool:
    """Whether a prepared recording is there, every file with the size that it was written with."""
    try:
        sizes: Mapping[str, int] = read_json(folder / "about.json")["bytes"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (UserError, OSError, KeyError):
        return False


def _read_from(root: Path, row: Row) -> dict[str, str]:
    """Role -> path under root of every file that a recording is prepared from."""
    files: dict[str, str] = json.loads(row["files"])
    if "confounds" in files:
        # It says which CompCor components are of which mask.
        described = Path(files["confounds"]).with_suffix(".json")
        if (root / described).is_file():
            files["confounds.json"] = described.as_posix()
    return files


def _write_clips(
    path: Path, cleaned: Cleaned, windows: Sequence[Window], layout: Any, spec: Mapping[str, Any]
) -> None:
    volumes, size = spec["windows"]["volumes"], spec["size"]
    clips = (
        lay_out(cleaned.series[window.start : window.start + volumes], layout)[None] for window in windows
    )
    write_rows(path, (len(windows), volumes, size, size), "float32", clips)
