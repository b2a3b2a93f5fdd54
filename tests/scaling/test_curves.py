"""The curves of a study: every outcome laid out against scale, and fitted as anybody's table is."""

from pathlib import Path

import pytest

from tests.scaling.results_folder import demo, fill
from transferscale.scaling.curves import arm_curves, chance_level, fitted, scale_curves
from transferscale.study.study import Study
from transferscale.tables import read_table


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = demo(tmp_path_factory.mktemp("results"))
    fill(made)
    return made


def _rows(study: Study, path: str, name: str) -> list[dict]:
    return read_table(Path(study.folder) / path, name).to_pylist()


def test_every_curve_is_fitted_with_and_without_a_floor(study: Study) -> None:
    laws = _rows(study, "scaling/laws.parquet", "laws")
    curves = {(row["group"], row["law"]) for row in laws}
    # parameters, compute, six depths, three tasks; three rungs are too few for a floor on one depth only where
    # they coincide
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
    assert all("independent runs (clusters): 1, too few for an interval" in r["warnings"] for r in deep)


def test_a_perfect_score_is_left_out_of_its_law_by_name(study: Study) -> None:
    scores = _rows(study, "scaling/scores.parquet", "scores")
    for row in scores:
        if (row["task"], row["depth"]) == ("group", 6):
            row["value"] = 1.0
    rows, left_out = scale_curves(study, _rows(study, "tables/checkpoints.parquet", "checkpoints"), scores)
    assert [s for s in left_out if s.startswith("demo/group: error (auroc)") and "1 of 6 points" in s]
    assert len([r for r in rows if r["curve"].startswith("demo/group: error (auroc)")]) == 5


def test_arms_stand_side_by_side_and_share_their_pairs(study: Study) -> None:
    rows, _ = arm_curves(
        study,
        _rows(study, "tables/checkpoints.parquet", "checkpoints"),
        _rows(study, "scaling/scores.parquet", "scores"),
    )
    by_scale = [
        r for r in rows if "~ params_encoder, ridge" in r["curve"] and r["curve"].startswith("demo/group")
    ]
    assert {r["family"] for r in by_scale} == {"video", "random"}
    pairs = {family: {r["pair"] for r in by_scale if r["family"] == family} for family in ("video", "random")}
    assert pairs["video"] == pairs["random"]
    by_labels = [r for r in rows if "~ n_train, full, depth 2" in r["curve"]]
    assert {"video", "scratch", "connectivity"} >= {r["family"] for r in by_labels}


def test_the_reports_fits_are_those_of_the_table(study: Study) -> None:
    found, _ = fitted(Path(study.folder) / "tables/curves.parquet")
    laws = _rows(study, "scaling/laws.parquet", "laws")
    told = {(r["group"], r["law"], r["parameter"]): r["value"] for r in laws}
    assert told == {(f.group["curve"], f.law, p): v for f in found for p, v in f.params.items()}


def test_chance_is_a_half_nothing_or_the_dummys() -> None:
    dummy = [{"arm": "dummy", "value": 0.125}]
    assert [chance_level(m, dummy) for m in ("auroc", "r", "accuracy")] == [0.5, 0.0, 0.125]
    assert chance_level("accuracy", []) == 0.0
