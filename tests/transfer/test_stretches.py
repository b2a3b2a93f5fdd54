"""A single run of a single person: what comes again in it is decoded from its other stretches, and chance is not."""

from pathlib import Path

import numpy as np

from tests.transfer.planted import study
from transferscale.medical.index import index
from transferscale.medical.leaks import audit_view
from transferscale.medical.split import split
from transferscale.medical.view import build
from transferscale.study.cells import Cell
from transferscale.study.grid import Grid
from transferscale.study.reader import Reader
from transferscale.tables import read_table
from transferscale.transfer import baselines
from transferscale.transfer.fit import fit

VOLUMES, COLUMNS, TR_S, LAG_S = 400, 16, 2.0, 4.0
TRIALS, LENGTH = 38, 8


def accuracy(folder: Path, strength: float) -> float:
    """Accuracy for pictures shown in a run of noise that wanders slowly, with responses of a strength."""
    root, random = folder / "raw", np.random.default_rng(0)
    root.mkdir(parents=True)
    response = {kind: random.standard_normal((LENGTH, COLUMNS)) for kind in ("face", "house")}
    series = random.standard_normal((VOLUMES, COLUMNS))
    series += 0.2 * np.cumsum(random.standard_normal((VOLUMES, COLUMNS)), axis=0)
    lines = ["onset\tduration\ttrial_type"]
    for number, kind in enumerate(random.permutation(["face", "house"] * (TRIALS // 2)).tolist()):
        onset = 20 * number
        lines.append(f"{onset}\t16\t{kind}")
        at = int((onset + LAG_S) / TR_S)
        series[at : at + LENGTH] += strength * response[kind]
    np.save(root / "sub-02_run-1.npy", series)
    (root / "sub-02_run-1_events.tsv").write_text("\n".join(lines) + "\n")
    made = study(root)
    recordings = {
        "kind": "series",
        "pattern": "{subject}_run-{run}.npy",
        "events": "{subject}_run-{run}_events.tsv",
        "tr_s": TR_S,
    }
    dataset = made.datasets[0].model_validate(
        {
            "dataset": "alone",
            "root": str(root),
            "participants": None,
            "unit": "stretch",
            "stretches": 8,
            "recordings": recordings,
            "clean": {"detrend": True, "high_pass_hz": 0.01},
            "windows": {"volumes": LENGTH, "events": {"lag_s": LAG_S}},
            "tasks": {"seen": {"target": "trial_type", "kind": "state", "metric": "accuracy"}},
        }
    )
    grid = Grid(made.model_copy(update={"datasets": [dataset]}))
    tables = [folder / name for name in ("recordings.parquet", "splits.json")]
    index(grid.recordings_spec("alone"), tables[0], folder / "quarantine.parquet")
    build(grid.view_spec("alone"), tables[0], folder / "roi", 1)
    split(grid.split_spec("alone"), *tables)
    audit_view(tables[1], tables[0], folder / "roi", folder / "audit.json")
    reader = Reader.parse("raw-linear")
    baselines.extract(grid.features_spec("alone", reader), folder / "roi", folder / "features")
    spec = grid.fit_spec(Cell("alone", "roi", "ridge", reader, "all"))
    fit(spec, folder / "features", folder / "roi", *tables, folder / "predictions.parquet")
    found = read_table(folder / "predictions.parquet", "predictions").to_pydict()
    assert {name[:18] for name in found["subject"]} == {"sub-02_run-1_stret"}
    return float(np.mean(np.equal(found["y_true"], found["y_pred"])))


def test_a_planted_response_is_decoded_in_a_single_run(tmp_path: Path) -> None:
    assert accuracy(tmp_path, 0.3) > 0.85


def test_slow_noise_that_stretches_share_tells_nothing_of_pictures_in_random_order(tmp_path: Path) -> None:
    assert 0.25 < accuracy(tmp_path, 0.0) < 0.7
