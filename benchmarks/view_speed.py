"""Preparing views of volumes beside nibabel reading the same files; memory; and loading windows for training.

    python -m benchmarks.view_speed [--rounds 5] [--out docs/benchmarks/view-speed.md]

One core, one thread, files in the page cache. The runs are 64 x 64 x 40 x 300 int16, packed by gzip at nibabel's own
level: a head of grey matter, noise of 2 % and drift inside, weaker noise outside, 3 x 3 x 4 mm in MNI space.

"Preparing" is all of `medical view` for one recording: reading and unpacking with the checksum compared, projection,
24 motion confounds regressed out together with discrete cosines, z-scoring, windows of 16 volumes, writing clips,
series and moments. "nibabel" is `np.asarray(nibabel.load(path).dataobj)`. In one run, taking turns; the share is
nibabel's time over that of preparing, so above 100 % preparing is the faster. Imports and the first recording, which
builds the weights that all others share, stand apart. Peak memory is that of a fresh process that builds the whole view
(VmHWM), imports included, over one run as float32. Windows are loaded as `View.clips` does it, 32 at random a time.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from benchmarks.machine import heading, publish
from threadpoolctl import threadpool_limits

from transferscale.artefacts import resident_peak_mb
from transferscale.study.dataset import Dataset
from transferscale.tables import write_table

SHAPE, VOLUMES, TR_S, SIZE = (64, 64, 40), 300, 2.0, 104
VIEWS = ("roi", "flatmap", "mosaic", "volume")
SUBJECTS = (1, 2, 4)
RUN_MB = float(np.prod(SHAPE)) * VOLUMES * 4 / 1e6
PARCELS = 400
BATCH, LOAD_S = 32, 2.0
MOTION = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]


def write_runs(root: Path, subjects: int) -> list[dict[str, Any]]:
    """Write runs, masks, confounds and a label image; return the rows of their recordings table."""
    root.mkdir(parents=True)
    affine = np.diag([3.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = [-94.5, -110.0, -74.0]
    i, j, k = np.indices(SHAPE)
    head = ((i - 31.5) / 24) ** 2 + ((j - 31.0) / 30) ** 2 + ((k - 19.5) / 19) ** 2 < 1
    nibabel.Nifti1Image(head.astype(np.uint8), affine).to_filename(root / "mask.nii.gz")
    labels = np.where(head, 1 + (i // 6 + 11 * (j // 7) + 110 * (k // 10)) % PARCELS, 0)
    nibabel.Nifti1Image(labels.astype(np.int16), affine).to_filename(root / "atlas.nii.gz")
    rng = np.random.default_rng(0)
    mean = np.where(head, rng.uniform(4000, 12000, SHAPE), rng.uniform(20, 120, SHAPE))
    rows = []
    for number in range(subjects):
        name = f"sub-{number:02d}"
        drift = 1 + 0.01 * np.sin(np.arange(VOLUMES) / 40)
        run = np.empty((*SHAPE, VOLUMES), dtype=np.int16, order="F")
        for volume in range(VOLUMES):
            noise = 1 + 0.02 * rng.standard_normal(SHAPE, dtype=np.float32)
            run[..., volume] = mean * drift[volume] * noise
        image = nibabel.Nifti1Image(run, affine)
        image.header.set_zooms((3.0, 3.0, 4.0, TR_S))
        image.to_filename(root / f"{name}.nii.gz")
        write_confounds(root / f"{name}_confounds.tsv", rng)
        files = {"image": f"{name}.nii.gz", "mask": "mask.nii.gz", "confounds": f"{name}_confounds.tsv"}
        rows.append(
            {
                "dataset": "speed",
                "subject": name,
                **dict.fromkeys(("session", "task", "run", "site", "reason"), ""),
                "family_group": name,
                "path": files["image"],
                "part": None,
                "stretch": None,
                "files": json.dumps(files),
                "n_volumes": VOLUMES,
                "tr_s": TR_S,
                "space": "MNI152NLin2009cAsym",
                "orientation": "RAS",
                "status": "ok",
            }
        )
    return rows


def write_confounds(path: Path, rng: np.random.Generator) -> None:
    """Six motion parameters with their derivatives and squares."""
    columns = {}
    for name in MOTION:
        walk = np.cumsum(rng.standard_normal(VOLUMES)) * 0.02
        step = np.concatenate([[np.nan], np.diff(walk)])
        columns |= {name: walk, f"{name}_derivative1": step}
        columns |= {f"{name}_power2": walk**2, f"{name}_derivative1_power2": step**2}
    lines = ["\t".join(columns)]
    for row in np.stack(list(columns.values()), axis=1):
        lines.append("\t".join("n/a" if np.isnan(cell) else f"{cell:.8g}" for cell in row))
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".json").write_text("{}")


def spec_of(root: Path, view: str) -> dict[str, Any]:
    """``Grid.view_spec`` of the runs."""
    dataset = Dataset.model_validate(
        {
            "dataset": "speed",
            "root": str(root),
            "participants": None,
            "recordings": {
                "kind": "nifti",
                "pattern": "{subject}.nii.gz",
                "mask": "mask.nii.gz",
                "confounds": "{subject}_confounds.tsv",
                "atlas": "atlas.nii.gz",
            },
            "clean": {"detrend": True, "high_pass_hz": 0.008, "confounds": {"strategy": ["motion"]}},
            "view": view,
            "windows": {"volumes": 16},
            "tasks": {"x": {"target": "x", "kind": "classification", "metric": "auroc"}},
        }
    ).spec()
    keys = ("dataset", "root", "stretches", "recordings", "clean", "view", "windows")
    tubelet = {"frames": 2, "size": 8}
    return {"verb": 0, "size": SIZE, "tubelet": tubelet, **{key: dataset[key] for key in keys}}


def speed(root: Path, rows: list[dict[str, Any]], rounds: int) -> list[str]:
    """Rows of the table of speed: nibabel and every view, taking turns."""
    started = time.perf_counter()
    from transferscale.medical.prepared import Preparer

    imports = time.perf_counter() - started
    first: dict[str, float] = {}
    preparers = {}
    with tempfile.TemporaryDirectory() as store:
        for view in VIEWS:
            preparers[view] = Preparer(spec_of(root, view), Path(store) / view)
            preparers[view].store.mkdir()
            started = time.perf_counter()
            preparers[view].prepare(rows[0])
            first[view] = time.perf_counter() - started
    times: dict[str, list[float]] = {name: [] for name in ("nibabel", *VIEWS)}
    for turn in range(rounds):
        row = rows[turn % len(rows)]
        started = time.perf_counter()
        np.asarray(nibabel.load(root / row["path"]).dataobj)
        times["nibabel"].append(time.perf_counter() - started)
        for view, preparer in preparers.items():
            with tempfile.TemporaryDirectory() as store:
                preparer.store = Path(store)
                started = time.perf_counter()
                preparer.prepare(row)
                times[view].append(time.perf_counter() - started)
    alone = statistics.median(times["nibabel"])
    lines = [
        "| | s a run | MB/s unpacked | nibabel's time over it | range over turns | first recording, s |",
        "|---|---|---|---|---|---|",
        f"| nibabel reads | {alone:.2f} | {RUN_MB / 2 / alone:.0f} | 100 % | | |",
    ]
    for view in VIEWS:
        shares = [n / t for n, t in zip(times["nibabel"], times[view], strict=True)]
        took = statistics.median(times[view])
        lines.append(
            f"| view {view} | {took:.2f} | {RUN_MB / 2 / took:.0f} | {100 * statistics.median(shares):.0f} % | "
            f"{100 * min(shares):.0f} to {100 * max(shares):.0f} % | {first[view]:.2f} |"
        )
    return [*lines, "", f"Imports of the verb: {imports:.2f} s."]


def memory(folder: Path, root: Path, rows: list[dict[str, Any]]) -> list[str]:
    """Rows of the table of memory: a fresh process a view and number of subjects."""
    lines = [
        f"| peak memory over one run as float32 ({RUN_MB:.0f} MB) | "
        + " | ".join(f"{n} subject{'s' * (n > 1)}" for n in SUBJECTS)
        + " |",
        "|---" * (len(SUBJECTS) + 1) + "|",
    ]
    for view in VIEWS:
        cells = []
        for subjects in SUBJECTS:
            place = folder / f"{view}-{subjects}"
            place.mkdir()
            write_table(place / "recordings.parquet", "recordings", rows[:subjects])
            (place / "spec.json").write_text(json.dumps(spec_of(root, view)))
            command = [sys.executable, "-m", "benchmarks.view_speed", "--build", str(place)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            peak = float(done.stdout.split()[-1]) * 1.048576
            cells.append(f"{peak / RUN_MB:.2f} ({peak:.0f} MB)")
        lines.append(f"| view {view} | " + " | ".join(cells) + " |")
    return lines


def build_alone(place: Path) -> None:
    """Build a view in this process and print its peak memory in MB."""
    from transferscale.medical.view import build

    spec = json.loads((place / "spec.json").read_text())
    with threadpool_limits(1):
        build(spec, place / "recordings.parquet", place / spec["view"]["kind"], threads=1)
    print(resident_peak_mb())


def loading(folder: Path) -> list[str]:
    """Rows of the table of loading, from the views that the measurement of memory left."""
    from transferscale.medical.reading import View

    lines = ["| | clip | windows/s |", "|---|---|---|"]
    for view in VIEWS:
        data = View(folder / f"{view}-{SUBJECTS[-1]}" / view)
        rng = np.random.default_rng(0)
        data.clips()
        loaded, started = 0, time.perf_counter()
        while time.perf_counter() - started < LOAD_S:
            loaded += len(data.clips(rng.integers(0, len(data), BATCH)))
        rate = loaded / (time.perf_counter() - started)
        shape = " x ".join(map(str, data.store.shape))
        lines.append(f"| view {view} | {shape}, {data.series.shape[1]} columns | {rate:,.0f} |")
    return lines


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        build_alone(options.build)
        return
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(1):
        folder = Path(temporary)
        rows = write_runs(folder / "root", SUBJECTS[-1])
        packed = sum((folder / "root" / row["path"]).stat().st_size for row in rows) / len(rows) / 1e6
        lines = [
            "# Preparing views",
            "",
            heading("--rounds", str(options.rounds)) + f", load {os.getloadavg()[0]:.1f} when it began",
            "",
            (__doc__ or "").split("\n\n", 2)[2].strip(),
            "",
            f"A run is {packed:.0f} MB packed, {RUN_MB / 2:.0f} MB unpacked.",
            "",
            *speed(folder / "root", rows, options.rounds),
            "",
            *memory(folder, folder / "root", rows),
            "",
            *loading(folder),
        ]
    publish(lines, options.out)


if __name__ == "__main__":
    main()
