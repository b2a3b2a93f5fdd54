"""A dataset laid out as clips: the view that every arm, checkpoint or baseline, reads.

The folder of a view holds

- ``shard-*.npy`` and ``store.json``: the clip store, float32, (windows, volumes, size, size), a shard a recording;
- ``windows.parquet``: table ``windows``; its row is the window's row in the clip store;
- ``series.npy``: the cleaned columns of all recordings below one another, float32, (volumes, columns): parcels of view
  roi, pixels of the others;
- ``series.json``: which rows of it are which recording, and what was left out there;
- ``moments.npy``: of every recording and column the mean as recorded and the SD that it was divided by, float32,
  (recordings, 2, columns);
- ``layout.npy``: the column painted at each pixel, -1 where none, int32, (size, size);
- ``recordings.parquet``, ``quarantine.parquet``: table ``recordings`` of what is in the view, which splits are made of,
  and of what the index let pass but cannot be read to its end;
- ``view.json``: the contract: units, orientation, repetition times, cleaning, layout rule.

Every recording is prepared once (:mod:`transferscale.medical.prepared`); its shard is a hard link to what was
prepared, so the clips lie on the disk once. No more than one recording a thread is in memory, and the folder does not
depend on threads or chunks.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.artefacts import (
    Stopwatch,
    atomic,
    read_json,
    remove_leftovers,
    write_json,
    write_provenance,
)
from transferscale.clips.rows import write_rows
from transferscale.clips.store import write_store
from transferscale.errors import UserError
from transferscale.medical import layout as blocks
from transferscale.medical.chunks import chunk_of
from transferscale.medical.prepared import Preparer
from transferscale.medical.readers import stretch_of
from transferscale.medical.recording import UnreadableError
from transferscale.tables import read_table, write_table

Row = dict[str, Any]
KEYS = ("subject", "session", "run", "site", "family_group")
# What series.json says of a recording.
FACTS = (
    "tr_s",
    "voxels_left_out",
    "constant_columns",
    "constant_parcels",
    "scrubbed",
    "degrees_of_freedom",
    "events_past_end",
)


def build(
    spec: Mapping[str, Any], recordings: Path, out: Path, threads: int, quarantine: Path | None = None
) -> None:
    """Read, clean and lay out every usable recording.

    A recording that cannot be read to its end, or has nothing that varies, is quarantined: what the index read of it
    was whole.

    Parameters
    ----------
    spec
        ``study.grid.Grid.view_spec``.
    recordings
        The recordings table.
    out
        Folder to write, replaced as a whole.
    threads
        Recordings read at once; the result does not depend on it.
    quarantine
        What the index quarantined, which counts for ``max_quarantined``.

    Raises
    ------
    UserError
        If too many recordings are quarantined, or the clip is too small for the view.
    """
    watch = Stopwatch()
    rows = _rows(recordings)
    if spec["view"]["kind"] == "flatmap" and any(not row["space"] for row in rows):
        warning = f"dataset '{spec['dataset']}': files that name no space are taken to be in MNI space by view flatmap"
        print(f"warning: {warning}", file=sys.stderr)
    preparer = Preparer(spec, store_of(out.parent, spec))
    rows, folders, bad = _prepare(preparer, rows, threads)
    _check_share(spec, rows, bad, quarantine)
    entries = [read_json(folder / "about.json") for folder in folders]
    _check_alike(rows, entries, spec)
    with atomic(out) as folder:
        folder.mkdir(parents=True)
        windows = _write_windows(folder, rows, entries, folders, spec)
        _write_series(folder, rows, entries, folders)
        shutil.copyfile(folders[0] / "layout.npy", folder / "layout.npy")
        write_table(folder / "recordings.parquet", "recordings", rows)
        write_table(folder / "quarantine.parquet", "recordings", bad)
        write_json(folder / "view.json", _contract(spec, rows, entries))
    _forget(preparer.store, folders)
    write_provenance(
        out,
        watch,
        recordings=len(rows),
        quarantined=len(bad),
        subjects=len({row["subject"] for row in rows}),
        windows=windows,
        recordings_with_constant_parcels=sum(bool(entry["constant_columns"]) for entry in entries),
        voxels_left_out=sum(entry["voxels_left_out"] for entry in entries),
        scrubbed=sum(len(entry["scrubbed"]) for entry in entries),
        events_past_end=sum(entry["events_past_end"] for entry in entries),
    )


def build_part(spec: Mapping[str, Any], recordings: Path, out: Path, threads: int) -> None:
    """Prepare the recordings of one chunk of the subjects, so that :func:`build` finds them done.

    Parameters
    ----------
    spec
        ``study.grid.Grid.part_spec``: the view's, with ``chunk`` and ``chunks``.
    recordings
        The recordings table.
    out
        JSON to write into the store's folder: recording -> its folder in the store.
    threads
        Recordings read at once.
    """
    watch = Stopwatch()
    rows = [row for row in _rows(recordings) if chunk_of(row["subject"], spec["chunks"]) == spec["chunk"]]
    store = store_of(out.parent.parent, spec)
    good, folders, bad = _prepare(Preparer(spec, store), rows, threads)
    write_json(out, {_name(row): folder.name for row, folder in zip(good, folders, strict=True)})
    write_provenance(out, watch, recordings=len(good), quarantined=len(bad))


def store_of(dataset: Path, spec: Mapping[str, Any]) -> Path:
    """Folder of the prepared recordings of a view, in the dataset's folder of results."""
    return dataset / ".prepared" / str(spec["view"]["kind"])


def _rows(recordings: Path) -> list[Row]:
    rows: list[Row] = read_table(recordings, "recordings").to_pylist()
    if not rows:
        raise UserError(f"{recordings}: no recording; index the dataset again")
    return sorted(
        rows, key=lambda row: (row["subject"], row["session"], row["run"], row["path"], row["part"] or 0)
    )


def _prepare(
    preparer: Preparer, rows: Sequence[Row], threads: int
) -> tuple[list[Row], list[Path], list[Row]]:
    """The rows that could be prepared, the folder of each, and the rows that could not, with the reason."""
    store = preparer.store
    store.mkdir(parents=True, exist_ok=True)
    for folder in (store.parent, store):
        remove_leftovers(folder)
    # Rows of one file under two names share a folder, which one thread prepares.
    places = [preparer.folder(row) for row in rows]
    todo = list(dict(zip(places, rows, strict=True)).items())

    def prepare(item: tuple[Path, Row]) -> str:
        try:
            preparer.prepare(item[1])
        except UnreadableError as error:
            return str(error)
        return ""

    # The first alone: it imports nilearn, and builds the weights that the others share.
    problems = [prepare(item) for item in todo[:1]]
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        problems += pool.map(prepare, todo[1:])
    why = {place: problem for (place, _), problem in zip(todo, problems, strict=True)}
    good = [(row, place) for row, place in zip(rows, places, strict=True) if not why[place]]
    bad = [
        {**row, "status": "quarantined", "reason": why[place]}
        for row, place in zip(rows, places, strict=True)
        if why[place]
    ]
    return [row for row, _ in good], [place for _, place in good], bad


def _check_share(
    spec: Mapping[str, Any], good: Sequence[Row], bad: Sequence[Row], quarantine: Path | None
) -> None:
    """Refuse a view with nothing in it, or with more quarantined than the dataset allows, those of the index among
    them; else name what is left out."""
    if not bad:
        return
    first = f"{Path(spec['root']) / bad[0]['path']}: {bad[0]['reason']}"
    if not good:
        raise UserError(
            f"dataset '{spec['dataset']}': no recording can be read to its end; the first, {first}"
        )
    before = [] if quarantine is None else read_table(quarantine, "recordings").to_pylist()
    number = len(bad) + sum(row["status"] == "quarantined" for row in before)
    if number > spec["max_quarantined"] * (number + len(good)):
        raise UserError(
            f"dataset '{spec['dataset']}': {number} of {number + len(good)} recordings cannot be used, above "
            f"max_quarantined {spec['max_quarantined']:g}; repair them or raise it ({len(bad)} only when read to "
            f"their end; the first, {first})"
        )
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    print(f"warning: left out of the view: {first}{more}", file=sys.stderr)


def _check_alike(rows: Sequence[Row], entries: Sequence[Row], spec: Mapping[str, Any]) -> None:
    """Refuse recordings whose columns do not mean the same."""
    for row, entry in zip(rows, entries, strict=True):
        if entry["layout"] != entries[0]["layout"] or entry["columns"] != entries[0]["columns"]:
            odd = [k for k, v in entries[0]["about"].items() if entry["about"].get(k) != v] or [
                "number of columns"
            ]
            raise UserError(
                f"dataset '{spec['dataset']}': {row['path']} cannot share view {spec['view']['kind']} with "
                f"{rows[0]['path']}: they differ in {', '.join(odd)}; bring them to one space, or make two datasets"
            )


def _write_windows(
    folder: Path,
    rows: Sequence[Row],
    entries: Sequence[Row],
    folders: Sequence[Path],
    spec: Mapping[str, Any],
) -> int:
    volumes, size = spec["windows"]["volumes"], spec["size"]
    windows: list[Row] = []
    shards: list[tuple[str, int]] = []
    for row, entry, prepared in zip(rows, entries, folders, strict=True):
        shard = f"shard-{len(shards):05d}.npy"
        _link(prepared / "clips.npy", folder / shard)
        shards.append((shard, len(entry["windows"])))
        for offset, (number, start, trial_type) in enumerate(entry["windows"]):
            windows.append(
                {
                    "window_id": len(windows),
                    "recording": _name(row),
                    **{key: row[key] for key in KEYS},
                    "window": number,
                    "start": start,
                    "volumes": volumes,
                    "trial_type": trial_type,
                    "shard": shard,
                    "offset": offset,
                }
            )
    write_store(folder, (volumes, size, size), "float32", shards)
    write_table(folder / "windows.parquet", "windows", windows)
    return len(windows)


def _name(row: Row) -> str:
    """Name of a recording: its path, its row where a file holds several, and its stretch where runs are cut."""
    stretch = stretch_of(row)
    places = ["" if row["part"] is None else str(row["part"]), "" if stretch is None else stretch.name]
    return "#".join([row["path"], *(place for place in places if place)])


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _write_series(folder: Path, rows: Sequence[Row], entries: Sequence[Row], folders: Sequence[Path]) -> None:
    def loaded(name: str) -> Iterator[Any]:
        for prepared in folders:
            yield np.load(prepared / name, allow_pickle=False)

    total, columns = sum(entry["volumes"] for entry in entries), entries[0]["columns"]
    write_rows(folder / "series.npy", (total, columns), "float32", loaded("series.npy"))
    moments = (values[None] for values in loaded("moments.npy"))
    write_rows(folder / "moments.npy", (len(rows), 2, columns), "float32", moments)
    described, start = [], 0
    for row, entry in zip(rows, entries, strict=True):
        facts = {key: entry[key] for key in FACTS if key in entry}
        own = {
            "recording": _name(row),
            "subject": row["subject"],
            "start": start,
            "volumes": entry["volumes"],
        }
        described.append({**own, "tr_in_s": row["tr_s"], **facts})
        start += entry["volumes"]
    write_json(folder / "series.json", described)


def _contract(spec: Mapping[str, Any], rows: Sequence[Row], entries: Sequence[Row]) -> Row:
    """Content of view.json."""
    clean, about = spec["clean"], dict(entries[0]["about"])
    what = "parcel" if spec["view"]["kind"] == "roi" else "pixel"
    return {
        "dataset": spec["dataset"],
        "view": spec["view"]["kind"],
        "options": dict(spec["view"]),
        "shape": [spec["windows"]["volumes"], spec["size"], spec["size"]],
        "axes": "window, volume, row from top to bottom, column from left to right",
        "masked": sum("mask" in json.loads(row["files"]) for row in rows),
        "units": f"standard deviations of the {what} within its recording"
        if clean["standardize"]
        else "as recorded",
        "normalisation": "a recording at a time, so no statistic is shared between subjects; moments.npy: mean as "
        "recorded and SD after cleaning, of the volumes kept",
        "empty_pixels": float(blocks.EMPTY),
        "orientation": "RAS: left is left; the files' own axes are turned by their affines",
        "stored_orientation": sorted({row["orientation"] for row in rows}),
        "space": sorted({row["space"] or "unknown" for row in rows}),
        "tr_in_s": sorted({row["tr_s"] for row in rows}),
        "tr_s": sorted({entry["tr_s"] for entry in entries}),
        "cleaning": {
            **clean,
            "order": "discard, detrend, filter and confounds (nilearn.signal.clean), scrubbed volumes bridged, "
            "resample, standardise",
            "scope": "a recording at a time",
        },
        "confounds": sorted({name for entry in entries for name in entry["confounds"]}),
        "windows": dict(spec["windows"]),
        "events_past_end": sum(entry["events_past_end"] for entry in entries),
        "columns": entries[0]["columns"],
        # Side of the squares of pixels whose means stand for regions (View.regions); parcels are regions themselves.
        "token": spec["tubelet"]["size"] if "tubelet" in spec else None,
        "layout_rule": about.pop("rule"),
        **about,
    }


def _forget(store: Path, used: Sequence[Path]) -> None:
    """Delete prepared recordings that the view does not use any more."""
    names = {folder.name for folder in used}
    for folder in store.iterdir():
        if folder.is_dir() and folder.name not in names and not folder.name.startswith("."):
            shutil.rmtree(folder)
