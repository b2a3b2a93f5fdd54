"""Memory of transfer's jobs against what the workflow asks a scheduler for.

    python -m benchmarks.transfer_memory [--subjects 100] [--windows 8] [--depths 1 3] [--out ...]

Every job is a process of its own on noise laid out as in the studies: windows of 16 x 32 x 32, 64 parcels, two folds,
and two steps where something trains, which take as much memory as many. "Peak" is the job's own in its provenance file
(resident set, files that are mapped included), "asked" is `mem_mb` of the rule (`study/memory.py`), a quarter above the
estimate. Asked should be above the peak, so that no scheduler ends a job, and below three times it, so that little lies
idle.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.machine import heading, publish

from transferscale.artefacts import canonical_json
from transferscale.medical.index import index
from transferscale.medical.size import size_of
from transferscale.medical.split import split
from transferscale.medical.view import build
from transferscale.study.cells import Cell
from transferscale.study.grid import Grid
from transferscale.study.load import load_study
from transferscale.study.memory import behaviour_mb, continual_mb, features_mb, shape_of, trained_mb
from transferscale.study.reader import Reader
from transferscale.study.study import Study

VOLUMES, PARCELS, SIZE, FOLDS = 16, 64, 32, 2
TASKS = {
    "group": {"target": "group", "kind": "classification", "metric": "auroc", "classes": ["a", "b"]},
    "score": {"target": "score", "kind": "regression", "metric": "r"},
}


def study_of(root: Path, depths: list[int]) -> Study:
    """A study that asks for every kind of job."""
    trained = {
        "depths": depths,
        "labels": [16, "all"],
        "steps": 2,
        "batch_subjects": 8,
        "learning_rates": [1e-3],
    }
    dataset = {
        "dataset": "noise",
        "root": str(root),
        "recordings": {"kind": "series", "pattern": "series/{subject}.npy", "tr_s": 2.0},
        "clean": {"standardize": False},
        "windows": {"volumes": VOLUMES},
        "tasks": TASKS,
    }
    behaviour = {"depths": depths, "labels": ["all"], "read_outs": ["full"], "arms": ["scratch"]}
    behaviour |= {"tasks": ["noise/group"], "corruptions": ["noise"], "radii": [0.1]}
    behaviour |= {"continual": [["noise/group", "noise/score"]]}
    content = {
        "study": "noise",
        "results": str(root / "results"),
        "corpus": {
            "name": "motion",
            "sources": [{"kind": "synthetic", "files": 8, "seconds": 2, "fps": 8, "size": SIZE}],
            "clip": {"frames": VOLUMES, "size": SIZE, "stride": 1},
        },
        "pretrain": {"vit": {"depths": depths}, "budgets": {"first": 1000, "rungs": 1}},
        "datasets": [dataset],
        "transfer": {
            "labels": [16, "all"],
            "folds": FOLDS,
            "read_outs": {
                "ridge": {},
                "full": {**trained, "arms": ["video", "raw:mlp"]},
                "attentive": trained,
            },
        },
        "behaviour": behaviour,
        "verdict": {"task": "group", "depth": depths[0], "n_labels": 16, "metric": "auroc", "sesoi": 0.05},
    }
    return load_study(content)


def laid_out(root: Path, subjects: int, windows: int, depths: list[int]) -> Study:
    """Noise on disk, its view and its folds."""
    rng = np.random.default_rng(0)
    (root / "series").mkdir(parents=True)
    rows = ["participant_id\tgroup\tscore"]
    for i in range(subjects):
        series = rng.standard_normal((windows * VOLUMES, PARCELS), dtype=np.float32)
        np.save(root / "series" / f"sub-{i:03d}.npy", series)
        rows.append(f"sub-{i:03d}\t{'ab'[i % 2]}\t{rng.standard_normal():.3f}")
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")
    study = study_of(root, depths)
    grid = Grid(study)
    index(grid.recordings_spec("noise"), root / "recordings.parquet", root / "quarantine.parquet")
    build(grid.view_spec("noise"), root / "recordings.parquet", root / "roi", 1)
    (root / "recordings.parquet").rename(root / "roi" / "recordings.parquet")
    split(grid.split_spec("noise"), root / "roi" / "recordings.parquet", root / "splits.json")
    return study


def jobs(study: Study, root: Path, depth: int) -> Iterator[tuple[str, int, list[str]]]:
    """Name, memory asked, and command of the jobs of a depth."""
    grid, view = Grid(study), root / "roi"
    shown, shape = size_of(view), shape_of(grid.model_spec("vit", depth))
    beside = ["--view", str(view), "--recordings", str(view / "recordings.parquet")]
    beside += ["--splits", str(root / "splits.json")]
    random = Reader("random", family="vit", depth=depth, seed=0)
    spec: dict[str, Any] = grid.features_spec("noise", random)
    asked = features_mb(shape, shown)
    yield f"features, depth {depth}", asked, ["features", *_spec(spec), "--view", str(view)]
    readers = {"full": "scratch", "attentive": "random"}
    for read_out, n in (("full", "16"), ("full", "all"), ("attentive", "all")):
        reader = Reader(readers[read_out], family="vit", depth=depth, seed=0)
        spec = grid.fit_spec(Cell("noise", "roi", read_out, reader, n))
        asked = trained_mb(spec, shape, shown)
        yield f"{read_out}, depth {depth}, n = {n}", asked, ["fit", *_spec(spec), *beside]
    for cell in grid.behaviour_cells():
        if cell.reader.depth == depth:
            spec = grid.behaviour_spec(cell)
            asked = behaviour_mb(spec, shape, shown, [], FOLDS)
            yield f"behaviour, depth {depth}", asked, ["behave", *_spec(spec), *beside]
    for sequence in grid.continual_cells():
        if sequence.reader.depth == depth:
            spec = grid.continual_spec(sequence)
            asked = continual_mb(spec, shape, [shown], FOLDS)
            yield f"sequence of two tasks, depth {depth}", asked, ["continual", *_spec(spec), str(view)]


def perceptron(study: Study, root: Path) -> tuple[str, int, list[str]]:
    """The job of arm ``raw:mlp``."""
    spec = Grid(study).fit_spec(Cell("noise", "roi", "full", Reader("raw:mlp", seed=0), "all"))
    view = root / "roi"
    beside = ["--recordings", str(view / "recordings.parquet"), "--splits", str(root / "splits.json")]
    asked = trained_mb(spec, None, size_of(view))
    return "full, raw:mlp, n = all", asked, ["fit", *_spec(spec), "--view", str(view), *beside]


def peak(root: Path, command: list[str]) -> float:
    """Peak memory of a job in megabytes."""
    out = root / "out"
    words = [sys.executable, "-m", "transferscale", "transfer", *command, "--out", str(out)]
    subprocess.run(words, check=True, capture_output=True)
    return float(json.loads((root / "out.prov.json").read_text())["peak_memory_mb"]) * 2**20 / 1e6


def _spec(spec: dict[str, Any]) -> list[str]:
    return ["--spec", canonical_json(spec)]


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subjects", type=int, default=100)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "noise"
        study = laid_out(root, given.subjects, given.windows, given.depths)
        every = [job for depth in given.depths for job in jobs(study, root, depth)]
        for name, asked, command in [*every, perceptron(study, root)]:
            found = peak(root, command)
            rows.append(f"| {name} | {found:,.0f} | {asked:,} | {asked / found:.1f} |")
            print(rows[-1], file=sys.stderr, flush=True)
    words = ["--subjects", str(given.subjects), "--windows", str(given.windows)]
    lines = [
        "# Memory of transfer",
        "",
        heading(*words, "--depths", *map(str, given.depths)),
        "",
        (__doc__ or "").split("\n\n", 2)[2].strip(),
        "",
        "| job | peak, MB | asked, MB | asked / peak |",
        "|---|---|---|---|",
        *rows,
    ]
    publish(lines, given.out)


if __name__ == "__main__":
    main()
