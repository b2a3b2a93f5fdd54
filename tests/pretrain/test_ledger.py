"""The ledger has a row for every checkpoint, and the table of training curves is ready for the transition analysis."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.pretrain.moving_squares import CONFIG, write_corpus
from tests.pretrain.rungs import clips_of
from transferscale.artefacts import read_json, write_json
from transferscale.cli import app
from transferscale.errors import UserError
from transferscale.pretrain import ledger
from transferscale.pretrain.rung import run
from transferscale.study.grid import Grid
from transferscale.study.load import load_study, read_yaml
from transferscale.study.study import Study
from transferscale.tables import read_table

RUNGS = 2


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two depths of two rungs on the corpus, and one depth on a control corpus of which the last rung counts."""
    home = tmp_path_factory.mktemp("study")
    content = read_yaml(CONFIG)
    for key in ("datasets", "transfer", "verdict", "behaviour", "plan", "known_answers", "question"):
        content.pop(key, None)
    content["corpus"]["clip"] = {"frames": 4, "size": 16, "stride": 2}
    content |= {"study": "small", "results": str(home / "results"), "controls": ["static"]}
    content["pretrain"] = {
        "objective": {"name": "mae", "mask_ratio": 0.75},
        "vit": {"depths": [1, 2]},
        "budgets": {"first": 400, "ratio": 2, "rungs": RUNGS},
        "tubelet": {"frames": 2, "size": 4},
        "batch": 8,
        "heldout_clips": 12,
        "controls": {"depths": [1], "rungs": ["last"]},
    }
    made = load_study(content, "small")
    corpus, grid, folder = write_corpus(home / "corpus"), Grid(made), Path(made.folder)
    for depth, label in ((1, "motion"), (2, "motion"), (1, "motion-static")):
        previous = None
        for rung in range(1, RUNGS + 1):
            spec = grid.rung_spec("vit", depth, 0, rung, label)
            out = folder / grid.checkpoint("vit", depth, 0, rung, label).folder
            run(spec, clips_of(corpus), previous, out, 1)
            previous = out / "trunk.ckpt"
    write_json(folder / "study.json", made.spec())
    return made


@pytest.fixture(scope="module")
def tables(study: Study) -> dict[str, list[dict[str, Any]]]:
    """The ledger and the training curves, from the command line."""
    folder = Path(study.folder)
    paths = {name: folder / f"{name}.parquet" for name in ("ledger", "training")}
    done = CliRunner().invoke(
        app,
        [
            *("pretrain", "ledger", "--study", str(folder / "study.json")),
            *("--out", str(paths["ledger"]), "--training", str(paths["training"])),
        ],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    return {name: read_table(path, name).to_pylist() for name, path in paths.items()}


def test_every_checkpoint_has_a_row_with_what_it_cost(
    study: Study, tables: dict[str, list[dict[str, Any]]]
) -> None:
    rows = tables["ledger"]
    assert [row["reader_id"] for row in rows] == [reader.reader_id for reader in Grid(study).checkpoints()]
    assert [row["reader_id"] for row in rows if row["control"]] == ["control.motion-static.mae.vit-d1.s0.r2"]
    for row in rows:
        assert row["flops_counted"] == pytest.approx(row["flops_formula"], rel=0.01)
        assert row["params_nonembedding"] < row["params_encoder"] < row["params_total"]
        assert row["heldout_low"] < row["heldout_loss"] < row["heldout_high"]
        assert (row["device"], row["attempts"], row["energy_source"] in ("rapl", "assumed")) == (
            "cpu",
            1,
            True,
        )
        assert min(row["wall_s"], row["clips_per_second"], row["energy_j"], row["peak_memory_mb"]) > 0


def test_the_training_table_has_every_step_of_every_trunk_once(
    tables: dict[str, list[dict[str, Any]]],
) -> None:
    rows = tables["training"]
    assert {row["trunk"] for row in rows} == {
        "video.motion.mae.vit-d1.s0",
        "video.motion.mae.vit-d2.s0",
        # Its first rung is no checkpoint of the study, but part of the course.
        "control.motion-static.mae.vit-d1.s0",
    }
    for trunk in {row["trunk"] for row in rows}:
        own = [row for row in rows if row["trunk"] == trunk]
        steps = [row["step"] for row in own if row["phase"] == "trunk"]
        assert steps == list(range(1, 81))
        assert [row["rung"] for row in own] == sorted(row["rung"] for row in own)
        probed = [row["step"] for row in own if row["heldout_loss"] is not None]
        assert probed == [1, 2, 3, 4, 5, 7, 10, 15, 22, 32, 47, 69]
        np.testing.assert_allclose(
            [row["flops"] / row["clips_seen"] for row in own], own[0]["flops"] / own[0]["clips_seen"]
        )


def test_transitions_are_read_from_it_as_it_is(study: Study, tables: dict[str, Any]) -> None:
    path = str(Path(study.folder) / "training.parquet")
    columns = ["--x", "clips_seen", "--y", "heldout_loss", "--train", "loss", "--group", "trunk"]
    done = CliRunner().invoke(
        app,
        ["scaling", "transitions", path, *columns, "--format", "json", "--bootstrap", "50"],
        catch_exceptions=False,
    )
    found = json.loads(done.stdout)
    assert {one["group"]["trunk"] for one in found} == {row["trunk"] for row in tables["training"]}
    assert all(one["verdict"] for one in found)


def test_a_checkpoint_from_a_cache_has_no_costs(study: Study, tables: dict[str, Any], tmp_path: Path) -> None:
    folder = Path(study.folder)
    sidecar = folder / tables["ledger"][0]["path"] / "model.json.prov.json"
    kept = sidecar.rename(tmp_path / "kept.json")
    try:
        ledger.run(study, tmp_path / "l.parquet", tmp_path / "t.parquet")
    finally:
        shutil.copy(kept, sidecar)
    rows = read_table(tmp_path / "l.parquet", "ledger").to_pylist()
    assert rows[0]["wall_s"] is None
    assert rows[1]["wall_s"] > 0


def test_a_model_json_of_an_older_release_is_one_sentence(
    study: Study, tables: dict[str, Any], tmp_path: Path
) -> None:
    path = Path(study.folder) / tables["ledger"][0]["path"] / "model.json"
    facts = read_json(path)
    try:
        write_json(path, {key: value for key, value in facts.items() if key != "effective_rank"})
        with pytest.raises(
            UserError, match="key 'effective_rank' is missing; pretrain this checkpoint again"
        ):
            ledger.run(study, tmp_path / "l.parquet", tmp_path / "t.parquet")
    finally:
        write_json(path, facts)
