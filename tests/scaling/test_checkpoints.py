"""The study's laws: one table from every checkpoint's model.json, and every curve fitted or named."""

from pathlib import Path

import pytest

from tests.scaling.results_folder import demo, fill
from transferscale.artefacts import read_json, write_json
from transferscale.errors import UserError
from transferscale.scaling.checkpoints import chance_level, checkpoints, study_fits
from transferscale.study.grid import Grid
from transferscale.study.study import Study
from transferscale.tables import read_table


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = demo(tmp_path_factory.mktemp("results"))
    fill(made)
    return made


def _rows(study: Study, path: str, name: str) -> list[dict]:
    return read_table(Path(study.folder) / path, name).to_pylist()


def test_every_checkpoint_of_the_study_is_a_row(study: Study) -> None:
    rows = _rows(study, "tables/checkpoints.parquet", "checkpoints")
    assert [row["reader_id"] for row in rows] == [reader.reader_id for reader in Grid(study).checkpoints()]
    assert rows[0]["path"] == "pretrain/motion/mae/vit-d1/seed0/rung1"


def test_every_curve_is_fitted_with_and_without_a_floor(study: Study) -> None:
    laws = _rows(study, "scaling/laws.parquet", "laws")
    curves = {(row["group"], row["law"]) for row in laws}
    # parameters, compute, six depths, three tasks
    assert len({group for group, _ in curves}) == 11
    assert len(curves) == 22
    first = [r for r in laws if r["group"].startswith("heldout_loss ~ params") and r["law"] == "power"]
    assert [r["parameter"] for r in first] == ["b", "c"]
    assert all(r["low"] <= r["value"] <= r["high"] and r["identified"] for r in first)
    assert all(r["rmsle_holdout"] is not None for r in first)


def test_a_single_trunk_has_no_interval_and_identifies_nothing(study: Study) -> None:
    laws = _rows(study, "scaling/laws.parquet", "laws")
    deep = [r for r in laws if r["group"] == "heldout_loss ~ clips_seen, depth 6"]
    assert {(r["low"], r["identified"]) for r in deep} == {(None, False)}
    assert all("independent runs: 1, too few for an interval" in r["warnings"] for r in deep)


def test_a_perfect_score_is_left_out_of_its_law_by_name(study: Study) -> None:
    scores = _rows(study, "scaling/scores.parquet", "scores")
    for row in scores:
        if (row["task"], row["depth"]) == ("group", 6):
            row["value"] = 1.0
    _, left_out = study_fits(study, _rows(study, "tables/checkpoints.parquet", "checkpoints"), scores)
    assert [s for s in left_out if s.startswith("demo/group: error (auroc)") and "1 of 6 points" in s]


def test_chance_is_a_half_nothing_or_the_dummys() -> None:
    dummy = [{"arm": "dummy", "value": 0.125}]
    assert [chance_level(m, dummy) for m in ("auroc", "r", "accuracy")] == [0.5, 0.0, 0.125]
    assert chance_level("accuracy", []) == 0.0


def test_a_model_json_that_lacks_a_column_is_one_sentence(study: Study, tmp_path: Path) -> None:
    path = Path(study.folder) / Grid(study).checkpoints()[0].folder / "model.json"
    facts = read_json(path)
    try:
        write_json(path, {key: value for key, value in facts.items() if key != "heldout_loss"})
        with pytest.raises(UserError, match="key 'heldout_loss' is missing; pretrain this checkpoint again"):
            checkpoints(study, tmp_path / "c.parquet")
    finally:
        write_json(path, facts)
