"""`pretrain ledger`: what every checkpoint of a study is and cost, and the course of every training.

The ledger varies from run to run (time, device, memory, energy), so no rule but the page reads it.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, read_json, write_provenance
from transferscale.errors import UserError
from transferscale.study.grid import Grid
from transferscale.study.reader import Reader
from transferscale.study.study import Study
from transferscale.tables import TABLES, read_table, write_table

# Columns of the ledger that the sidecar of model.json tells.
COSTS = (
    "wall_s",
    "attempts",
    "clips_per_second",
    "device",
    "host",
    "threads",
    "peak_memory_mb",
    "energy_j",
    "energy_source",
    "compiled",
)


def run(study: Study, ledger: Path, training: Path) -> None:
    """Write tables ``ledger`` and ``training`` of a study's checkpoints.

    Raises
    ------
    UserError
        If a checkpoint or a curve is missing.
    """
    watch, folder, grid = Stopwatch(), Path(study.folder), Grid(study)
    readers = grid.checkpoints()
    facts = {reader.reader_id: _facts(folder / reader.folder / "model.json") for reader in readers}
    rows = [
        {**_columns("checkpoints", facts[reader.reader_id]), **_costs(folder / reader.folder)}
        for reader in readers
    ]
    courses = [row for reader in grid.rungs() for row in training_rows(folder, reader)]
    write_table(ledger, "ledger", rows)
    write_table(training, "training", courses)
    for path in (ledger, training):
        write_provenance(path, watch, checkpoints=len(rows), rows=len(courses))


def training_rows(folder: Path, reader: Reader) -> list[dict[str, Any]]:
    """Rows of table ``training`` of one rung: its curve with the names and sizes of its checkpoint."""
    facts = _facts(folder / reader.folder / "model.json")
    flops = facts["flops_formula"] / facts["clips_seen"]
    shared = {
        key: facts[key]
        for key in ("reader_id", "corpus", "control", "fraction", "objective", "family", "depth", "seed")
    }
    more = {"trunk": replace(reader, rung=0).reader_id, "probe_metric": facts["probe_metric"]}
    sizes = {key: facts[key] for key in ("rung", "fold", "params_encoder")}
    curve = read_table(folder / reader.folder / "curve.parquet", "curve").to_pylist()
    return [{**shared, **more, **sizes, **row, "flops": flops * row["clips_seen"]} for row in curve]


def _facts(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(path)
    missing = [key for key in (*TABLES["checkpoints"].columns, "probe_metric") if key not in found]
    if missing:
        raise UserError(f"{path}: key '{missing[0]}' is missing; pretrain this checkpoint again")
    return found


def _columns(table: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in TABLES[table].columns}


def _costs(folder: Path) -> dict[str, Any]:
    """What the sidecar tells; nothing where there is none, as for a checkpoint that came from a cache."""
    path = folder / "model.json.prov.json"
    found = read_json(path) if path.exists() else {}
    return {name: found.get(name) for name in COSTS}
