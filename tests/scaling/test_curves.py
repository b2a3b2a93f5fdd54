"""The curves of a study: every outcome laid out against scale, and fitted as anybody's table is."""

from pathlib import Path

import pytest

from tests.scaling.results_folder import analyse, demo, fill, pretraining_alone
from transferscale.scaling.curves import arm_curves, chance_level, compared, fitted, scale_curves
from transferscale.study.study import Study
from transferscale.tables import read_table
from transferscale.versions import STAGE_VERSION

GOLDEN = {
    "scaling fit": [0.07306923227409232, 0.06594995644689317, 0.08048205069442611],
    "scaling compare": [0.402, 0.176],
    "scaling plan": [13.0, 8.0, 0.0],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = demo(tmp_path_factory.mktemp("results"), few_depths=True)
    fill(made)
    analyse(made)
    return made


def _rows(study: Study, path: str, name: str) -> list[dict]:
    return read_table(Path(study.folder) / path, name).to_pylist()


def test_every_curve_is_fitted_with_and_without_a_floor(study: Study) -> None:
    laws = _rows(study, "scaling/laws.parquet", "laws")
    curves = {(row["group"], row["law"]) for row in laws}
    # parameters, compute, three depths, three tasks; three rungs are too few for a floor on one depth only where
    # they coincide
    assert len({group for group, _ in curves}) == 8
    assert len(curves) == 16
    first = [r for r in laws if r["group"].startswith("heldout_loss ~ params") and r["law"] == "power"]
    assert [r["parameter"] for r in first] == ["b", "c"]
    assert all(r["low"] <= r["value"] <= r["high"] and r["identified"] for r in first)
    assert all(r["rmsle_holdout"] is not None for r in first)


def test_a_single_trunk_has_no_interval_and_identifies_nothing(study: Study) -> None:
    laws = _rows(study, "scaling/laws.parquet", "laws")
    deep = [r for r in laws if r["group"] == "heldout_loss ~ clips_seen, vit, depth 3"]
    assert {(r["low"], r["identified"]) for r in deep} == {(None, False)}
    assert all("independent runs (clusters): 1, too few for an interval" in r["warnings"] for r in deep)


def test_a_perfect_score_is_left_out_of_its_law_by_name(study: Study) -> None:
    scores = _rows(study, "scaling/scores.parquet", "scores")
    for row in scores:
        if (row["task"], row["depth"]) == ("group", 3):
            row["value"] = 1.0
    rows, left_out = scale_curves(study, _rows(study, "tables/checkpoints.parquet", "checkpoints"), scores)
    assert [s for s in left_out if s.startswith("demo/group: error (auroc)") and "1 of 3 points" in s]
    assert len([r for r in rows if r["curve"].startswith("demo/group: error (auroc)")]) == 2


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


def test_the_reports_fits_are_those_of_the_rule(study: Study) -> None:
    found, refused = fitted(Path(study.folder) / "tables/curves.parquet")
    laws = _rows(study, "scaling/laws.parquet", "laws")
    told = [(r["group"], r["law"], r["parameter"], r["value"], r["low"], r["high"]) for r in laws]
    assert not refused
    assert told == [
        (f.group["curve"], f.law, name, value, *(f.intervals[name] or (None, None)))
        for f in found
        for name, value in f.params.items()
    ]
    assert {(f.x, f.y) for f in found if "~ clips_seen" in f.group["curve"]} == {
        (("clips_seen",), "heldout_loss")
    }


def test_the_reports_comparisons_are_those_of_the_rule(study: Study) -> None:
    found, left_out = compared(Path(study.folder) / "tables/arms.parquet")
    named = {"x_column": "", "y_column": "", "warnings": []}
    rows = [{**row, **named} for row in _rows(study, "scaling/crossovers.parquet", "crossovers")]
    assert rows == [{**row, **named} for one in found for row in one.rows()]
    assert {(one.x, one.y) for one in found} == {("n_train", "error"), ("params_encoder", "error")}
    # Fine-tuning was run with one label count.
    assert left_out
    assert all("n_train, full, depth" in sentence for sentence in left_out)
    assert all("column 'n_train' has one value" in sentence for sentence in left_out)


def test_families_have_curves_of_their_own_and_controls_and_fractions_none(tmp_path: Path) -> None:
    alone = pretraining_alone(tmp_path)
    fill(alone)
    checkpoints = _rows(alone, "tables/checkpoints.parquet", "checkpoints")
    rows, left_out = scale_curves(alone, checkpoints, [])
    assert not left_out
    assert {"static", ""} == {row["control"] for row in checkpoints}
    assert {0.25, 1.0} == {row["fraction"] for row in checkpoints}
    assert {row["family"] for row in rows if ", vit, " in row["curve"]} == {"vit"}
    for family in ("vit", "convnet"):
        own = [row for row in rows if row["curve"] == f"heldout_loss ~ clips_seen, {family}, depth 3"]
        assert [row["x"] for row in own] == [1000, 2000, 4000, 8000, 16000]
        assert {row["cluster"] for row in own} == {f"motion//mae/{family}-d3-s0"}


def test_chance_is_a_half_nothing_or_the_dummys() -> None:
    dummy = [{"arm": "dummy", "value": 0.125}]
    assert [chance_level(m, dummy) for m in ("auroc", "r", "accuracy")] == [0.5, 0.0, 0.125]
    assert chance_level("accuracy", []) == 0.0


def test_golden_numbers_change_only_with_the_versions(study: Study) -> None:
    (law,) = (
        row
        for row in _rows(study, "scaling/laws.parquet", "laws")
        if row["group"].startswith("heldout_loss ~ flops")
        and row["law"] == "power"
        and row["parameter"] == "c"
    )
    crossing = next(
        row
        for row in _rows(study, "scaling/crossovers.parquet", "crossovers")
        if row["p_b_better_at_target"] is not None
    )
    least = next(row for row in _rows(study, "scaling/plan.parquet", "plan") if row["status"] == "reachable")
    found = {
        "scaling fit": [law["value"], law["low"], law["high"]],
        "scaling compare": [crossing["p_none_in_range"], crossing["p_b_better_at_target"]],
        "scaling plan": [least["subjects"], least["subjects_low"], least["flops"]],
    }
    versions = {name: STAGE_VERSION[name] for name in found}
    assert versions == {"scaling fit": 1, "scaling compare": 1, "scaling plan": 1}
    for name, numbers in GOLDEN.items():
        assert found[name] == pytest.approx(numbers, rel=1e-6), (
            f"numbers moved: raise STAGE_VERSION of {name}"
        )
