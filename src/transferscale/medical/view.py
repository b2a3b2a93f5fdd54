"""A dataset laid out as clips: the view that every arm, checkpoint or baseline, reads.

The folder of a view holds

- ``shard-*.npy`` and ``store.json``: the clip store, float32, (windows, volumes, size, size);
- ``windows.parquet``: table ``windows``; its row is the window's row in the clip store;
- ``series.npy``: the cleaned parcel series of all recordings below one another, float32, (volumes, parcels);
- ``series.json``: which rows of it are which recording;
- ``layout.npy``: the parcel painted at each pixel, -1 where none, int16, (size, size);
- ``view.json``: the contract: units, repetition time, cleaning, layout rule.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import Stopwatch, atomic, write_json, write_provenance
from transferscale.clips.store import ClipWriter
from transferscale.errors import UserError
from transferscale.medical import layout as roi
from transferscale.medical.cleaning import clean_run
from transferscale.medical.series import UnreadableError, read_series
from transferscale.medical.windows import window_starts
from transferscale.tables import read_table, write_table

Float32 = npt.NDArray[np.float32]
KEYS = ("subject", "session", "run", "site", "family_group")


@dataclass(frozen=True)
class Run:
    """One cleaned recording: ``series`` (volumes, parcels), and how many voxels and parcels were left out."""

    series: Float32
    voxels_left_out: int
    constant_parcels: list[int]


def build(spec: Mapping[str, Any], recordings: Path, out: Path, threads: int) -> None:
    """Read, clean and lay out every usable recording.

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

    Raises
    ------
    UserError
        If a recording cannot be read to its end, or the clip is too small for the parcels.
    """
    watch = Stopwatch()
    rows = read_table(recordings, "recordings").to_pylist()
    if not rows:
        raise UserError(f"{recordings}: no recording; index the dataset again")
    rows.sort(key=lambda row: (row["subject"], row["session"], row["run"], row["path"]))
    root, kind = Path(spec["root"]), spec["recordings"]["kind"]
    read, order, rule, parcels = _reader(spec, root)

    def load(row: Mapping[str, Any]) -> Run:
        try:
            series, left_out = read(root / row["path"])
        except UnreadableError as error:
            raise UserError(
                f"{root / row['path']}: {error}; move it away and index again, so that it is quarantined"
            ) from None
        constant = np.flatnonzero(np.ptp(series, axis=0) == 0)
        if len(constant) == series.shape[1]:
            raise UserError(f"{root / row['path']}: every parcel is constant; move it away and index again")
        return Run(clean_run(series, spec["clean"], row["tr_s"]), left_out, constant.tolist())

    # The first alone: it imports nilearn, once and in one thread.
    runs = [load(rows[0])]
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        runs += pool.map(load, rows[1:])
    parcels = parcels or runs[0].series.shape[1]
    layout = roi.paint(order or roi.table_order(parcels), spec["size"], f"dataset '{spec['dataset']}'")
    with atomic(out) as folder:
        folder.mkdir(parents=True)
        windows = _write_clips(folder, rows, runs, layout, spec)
        np.save(folder / "layout.npy", layout, allow_pickle=False)
        _write_series(folder, rows, runs)
        write_json(
            folder / "view.json",
            {
                "dataset": spec["dataset"],
                "view": spec["view"],
                "shape": [spec["windows"]["volumes"], spec["size"], spec["size"]],
                "axes": "window, volume, row from top to bottom, column from left to right",
                "units": "standard deviations of the parcel within its run"
                if spec["clean"]["standardize"]
                else "as recorded",
                "empty_pixels": float(roi.EMPTY),
                "tr_s": sorted({row["tr_s"] for row in rows}),
                "cleaning": {**spec["clean"], "filter": "discrete cosines", "scope": "a run at a time"},
                "windows": dict(spec["windows"]),
                "parcels": parcels,
                "parcel_rule": "mean over the finite voxels of a label, RAS axes"
                if kind == "nifti"
                else "as given",
                "layout_rule": rule,
                "block": "squares of floor(size / ceil(sqrt(parcels))) pixels from the upper left",
                "orientation": sorted({row["orientation"] for row in rows}),
            },
        )
    write_provenance(
        out,
        watch,
        recordings=len(rows),
        subjects=len({row["subject"] for row in rows}),
        windows=windows,
        recordings_with_constant_parcels=sum(bool(run.constant_parcels) for run in runs),
        voxels_left_out=sum(run.voxels_left_out for run in runs),
    )


Reader = Callable[[Path], tuple[npt.NDArray[np.float64], int]]


def _reader(spec: Mapping[str, Any], root: Path) -> tuple[Reader, list[list[int]] | None, str, int]:
    """How a recording is read; the order of its parcels in the grid (``None``: the table's), in words; their
    number."""
    if spec["recordings"]["kind"] == "series":
        return lambda path: (read_series(path), 0), None, roi.TABLE_RULE, 0
    from transferscale.medical import nifti

    atlas = nifti.read_atlas(root / spec["recordings"]["atlas"])
    order = roi.spatial_order(atlas.centroids)
    return lambda path: nifti.read_parcels(path, atlas), order, roi.SPATIAL_RULE, len(atlas.numbers)


def _write_clips(
    folder: Path, rows: list[dict[str, Any]], runs: list[Run], layout: roi.Int16, spec: Mapping[str, Any]
) -> int:
    volumes, size = spec["windows"]["volumes"], spec["size"]
    windows: list[dict[str, Any]] = []
    with ClipWriter(folder, (volumes, size, size), "float32") as writer:
        for row, run in zip(rows, runs, strict=True):
            for number, start in enumerate(window_starts(len(run.series), spec["windows"])):
                shard, offset = writer.add(roi.lay_out(run.series[start : start + volumes], layout))
                windows.append(
                    {
                        "window_id": len(windows),
                        "recording": row["path"],
                        **{key: row[key] for key in KEYS},
                        "window": number,
                        "start": start,
                        "volumes": volumes,
                        "shard": shard,
                        "offset": offset,
                    }
                )
    write_table(folder / "windows.parquet", "windows", windows)
    return len(windows)


def _write_series(folder: Path, rows: list[dict[str, Any]], runs: list[Run]) -> None:
    np.save(folder / "series.npy", np.concatenate([run.series for run in runs]), allow_pickle=False)
    entries, start = [], 0
    for row, run in zip(rows, runs, strict=True):
        entries.append(
            {
                "recording": row["path"],
                "subject": row["subject"],
                "start": start,
                "volumes": len(run.series),
                "tr_s": row["tr_s"],
                "voxels_left_out": run.voxels_left_out,
                "constant_parcels": run.constant_parcels,
            }
        )
        start += len(run.series)
    write_json(folder / "series.json", entries)
