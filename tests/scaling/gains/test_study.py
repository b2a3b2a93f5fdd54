"""Scores and gains: planted gains are found and covered, none is found where there is none."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.scaling.planted_predictions import pair_of_cells, predictions
from transferscale.errors import UserError
from transferscale.scaling.gains.comparison import compare
from transferscale.scaling.gains.pairs import paired
from transferscale.scaling.gains.scores import evaluate
from transferscale.scaling.gains.study import run
from transferscale.scaling.gains.study_cells import read_cells
from transferscale.study.cells import Cell as GridCell
from transferscale.study.load import load_study
from transferscale.study.study import Study
from transferscale.tables import read_table, write_table
from transferscale.versions import STAGE_VERSION

ROOT = Path(__file__).parents[3]


# The primary claim of the study below.
GOLDEN = {
    "arm_value": 0.9966666666666667,
    "detectable_before": 0.2598721637820665,
    "detectable": 0.26376059549706576,
    "estimate": 0.2450000000000001,
    "low": 0.08009034075757529,
    "high": 0.4467319645494593,
    "p_holm": 0.001999000499750125,
    "nb_low": -0.08495502281940079,
    "nb_high": 0.5780105783749563,
    "effective_data": 14.0,
    "multiplier_low": 1.875,
}


@pytest.fixture(scope="module")
def study() -> Study:
    """A small study: two depths, three tasks of three kinds, one claim each read-out can carry."""
    windows = {"volumes": 16}
    dataset = {
        "dataset": "toy",
        "root": "toy",
        "recordings": {"kind": "series", "pattern": "{subject}.npy", "tr_s": 2.0},
        "windows": windows,
        "tasks": {
            "group": {"target": "group", "kind": "classification", "metric": "auroc"},
            "trait": {"target": "trait", "kind": "regression", "metric": "r"},
            "film": {"target": "window", "kind": "state", "metric": "accuracy"},
        },
    }
    return load_study(
        {
            "study": "toy",
            "corpus": {"name": "motion", "sources": [{"kind": "synthetic"}]},
            "pretrain": {
                "vit": {"depths": [1, 2], "seeds": {"default": 3}},
                "budgets": {"first": 1000, "rungs": 1},
            },
            "datasets": [dataset],
            "transfer": {
                "labels": [8, 16, "all"],
                "draws": 3,
                "folds": 4,
                "read_outs": {
                    "full": {"depths": [2], "labels": [8, 16, "all"], "tasks": ["toy/group", "toy/trait"]}
                },
            },
            "verdict": [
                {"task": "group", "depth": 2, "n_labels": 16, "metric": "auroc", "sesoi": 0.05},
                {"task": "trait", "depth": 2, "n_labels": 16, "metric": "r", "sesoi": 0.05},
            ],
        }
    )


def quality(cell: GridCell, task: str) -> float:
    level = {"8": 0.3, "16": 0.6, "all": 1.0}[cell.n_labels]
    gain = 1.2 if cell.reader.arm == "video" and task == "group" else 0.0
    return level + gain


@pytest.fixture(scope="module")
def tables(study: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict], list[dict]]:
    folder = tmp_path_factory.mktemp("gains")
    rows = predictions(study, quality, np.random.default_rng(0), subjects=40)
    write_table(folder / "predictions.parquet", "predictions", rows)
    run(study, folder / "predictions.parquet", folder / "scores.parquet", folder / "gains.parquet")
    return (
        folder / "predictions.parquet",
        read_table(folder / "scores.parquet", "scores").to_pylist(),
        read_table(folder / "gains.parquet", "gains").to_pylist(),
    )


def test_a_planted_gain_helps_and_is_worth_more_subjects(tables: tuple) -> None:
    primary = {row["task"]: row for row in tables[2] if row["primary"]}
    group = primary["group"]
    assert group["verdict"] == "helps"
    assert group["low"] <= group["estimate"] <= group["high"]
    assert group["estimate"] == pytest.approx(group["arm_value"] - group["reference_value"])
    assert group["effective_data"] > 0
    assert group["multiplier"] > 1
    assert primary["trait"]["verdict"] in ("inconclusive", "equivalent")


def test_holm_is_over_the_primary_claims_alone(tables: tuple) -> None:
    primary = [row for row in tables[2] if row["primary"]]
    assert len(primary) == 2
    assert all(row["p_holm"] >= row["p_value"] for row in primary)
    assert {row["p_holm"] for row in tables[2] if not row["primary"]} == {None}


def test_every_video_cell_meets_its_own_reference_and_the_classical_baselines(tables: tuple) -> None:
    pairs = {(row["read_out"], row["reference"]) for row in tables[2]}
    assert pairs == {
        (read_out, reference)
        for read_out, own in (("ridge", "random"), ("full", "scratch"))
        for reference in (own, "connectivity", "raw:linear")
    }
    assert {row["arm"] for row in tables[2]} == {"video"}


def test_every_cell_is_scored_on_every_subject(tables: tuple) -> None:
    scores = tables[1]
    # (2 video + 2 random + 3 baselines) x 3 labels x 3 tasks x 2 metrics, and full: 2 x 3 x 2 tasks x 2
    # metrics; brier and ece of the one task that has probabilities besides
    assert len(scores) == 7 * 3 * 3 * 2 + 2 * 3 * 2 * 2 + (7 * 3 + 2 * 3) * 2
    calibrated = {row["task"] for row in scores if row["metric"] in ("brier", "ece")}
    assert calibrated == {"group"}
    assert {row["n_subjects"] for row in scores} == {40}
    full = [r for r in scores if r["read_out"] == "full" and r["n_labels"] == "16"]
    assert {(r["n_seeds"], r["n_draws"]) for r in full} == {(3, 3)}
    assert all(row["low"] <= row["value"] <= row["high"] for row in scores if row["arm"] != "dummy")


def test_a_dummy_ranks_nobody(tables: tuple) -> None:
    dummy = {(r["task"], r["metric"]): r["value"] for r in tables[1] if r["arm"] == "dummy"}
    assert dummy["group", "auroc"] == 0.5
    assert dummy["trait", "r"] == 0.0
    assert dummy["film", "accuracy"] == 0.25


def test_the_order_of_the_rows_changes_nothing(study: Study, tables: tuple, tmp_path: Path) -> None:
    table = pq.read_table(tables[0])
    shuffled = table.take(np.random.default_rng(5).permutation(table.num_rows))
    pq.write_table(shuffled, tmp_path / "predictions.parquet")
    run(study, tmp_path / "predictions.parquet", tmp_path / "scores.parquet", tmp_path / "gains.parquet")
    assert (tmp_path / "gains.parquet").read_bytes() == (tables[0].parent / "gains.parquet").read_bytes()
    assert (tmp_path / "scores.parquet").read_bytes() == (tables[0].parent / "scores.parquet").read_bytes()


def test_a_subject_that_was_not_tested_is_named(study: Study, tables: tuple, tmp_path: Path) -> None:
    rows = pq.read_table(tables[0]).to_pylist()
    gone = next(i for i, row in enumerate(rows) if row["subject"] == "sub-03" and row["n_labels"] == "8")
    write_table(tmp_path / "p.parquet", "predictions", rows[:gone] + rows[gone + 1 :])
    with pytest.raises(UserError, match="subject 'sub-03' is tested 0 times"):
        read_cells(tmp_path / "p.parquet")


def test_a_claim_without_predictions_is_an_error(study: Study, tables: tuple, tmp_path: Path) -> None:
    rows = [row for row in pq.read_table(tables[0]).to_pylist() if row["arm"] != "scratch"]
    write_table(tmp_path / "p.parquet", "predictions", rows)
    with pytest.raises(UserError, match="2 of 2 claims under 'verdict' have no predictions"):
        run(study, tmp_path / "p.parquet", tmp_path / "s.parquet", tmp_path / "g.parquet")


@pytest.mark.parametrize("reference", ["dummy", "connectivity"])
def test_a_claim_is_held_against_its_own_baseline(
    study: Study, tables: tuple, tmp_path: Path, reference: str
) -> None:
    claims = [claim.model_copy(update={"reference": reference}) for claim in study.verdict[:1]]
    held, told = study.model_copy(update={"verdict": claims}), []
    run(held, tables[0], tmp_path / "s.parquet", tmp_path / "g.parquet", tell=told.append)
    (row,) = (row for row in read_table(tmp_path / "g.parquet", "gains").to_pylist() if row["primary"])
    assert (row["task"], row["reference"]) == ("group", reference)
    (sentence,) = told
    assert f"over {reference}" in sentence


def test_two_families_are_told_apart(study: Study, tables: tuple, tmp_path: Path) -> None:
    content = study.spec()
    content["pretrain"]["convnet"] = {"depths": [2]}
    content["transfer"] |= {"labels": [8, 16], "read_outs": {}}
    content["verdict"] = [{**content["verdict"][0], "read_out": "ridge", "reference": "random"}]
    both = load_study(content)
    rows = predictions(both, lambda cell, task: 0.5, np.random.default_rng(0), subjects=24)
    write_table(tmp_path / "p.parquet", "predictions", rows)
    run(both, tmp_path / "p.parquet", tmp_path / "s.parquet", tmp_path / "g.parquet")
    found = read_table(tmp_path / "g.parquet", "gains").to_pylist()
    keys = [
        tuple(row[key] for key in ("task", "reader_group", "reference", "read_out", "n_labels", "metric"))
        for row in found
    ]
    assert len(set(keys)) == len(keys)
    assert {row["reader_group"] for row in found if row["depth"] == 2} == {
        "video.motion.mae.vit-d2.r1",
        "video.motion.mae.convnet-d2.r1",
    }


def test_a_whole_network_meets_the_perceptron_and_video_meets_fractions_and_published_weights(
    study: Study, tmp_path: Path
) -> None:
    content = study.spec()
    content["pretrain"] |= {"fractions": [0.5], "fraction_runs": {"depths": [2]}}
    full = content["transfer"]["read_outs"]["full"] | {"arms": ["video", "hub", "raw:mlp"], "labels": [16]}
    content["transfer"] |= {"labels": [16], "read_outs": {"full": full}}
    content["transfer"]["hub"] = [{"name": "net", "path": "net"}]
    content["verdict"] = content["verdict"][:1]
    wide = load_study(content)
    rows = predictions(wide, lambda cell, task: 0.5, np.random.default_rng(0), subjects=24)
    write_table(tmp_path / "p.parquet", "predictions", rows)
    run(wide, tmp_path / "p.parquet", tmp_path / "s.parquet", tmp_path / "g.parquet")
    pairs: dict[tuple[str, str], set[str]] = {}
    for row in read_table(tmp_path / "g.parquet", "gains").to_pylist():
        pairs.setdefault((row["arm"], row["read_out"]), set()).add(row["reference"])
    classical = {"connectivity", "raw:linear"}
    assert pairs == {
        ("video", "ridge"): {"random", "video:0.5", "hub:net", *classical},
        ("video", "full"): {"scratch", "raw:mlp", *classical},
        ("video:0.5", "ridge"): {"random", *classical},
        ("hub:net", "ridge"): classical,
        ("hub:net", "full"): classical,
    }


def test_what_could_be_detected_is_told_before_and_without_the_arm(
    study: Study, tables: tuple, tmp_path: Path
) -> None:
    rows = pq.read_table(tables[0]).to_pylist()
    for row in rows:
        if row["arm"] == "video":
            row["y_score"], row["y_pred"] = row["y_score"][::-1], -row["y_pred"]
    write_table(tmp_path / "p.parquet", "predictions", rows)
    told: list[list[str]] = []
    for predictions_of in (tables[0], tmp_path / "p.parquet"):
        told.append([])
        run(study, predictions_of, tmp_path / "s.parquet", tmp_path / "g.parquet", tell=told[-1].append)
    assert told[0] == told[1]
    assert [sentence.split(",")[0] for sentence in told[0]] == [
        "toy/group: smallest detectable gain in auroc over scratch",
        "toy/trait: smallest detectable gain in r over scratch",
    ]
    spoiled = read_table(tmp_path / "g.parquet", "gains")
    assert spoiled["detectable_before"].to_pylist() == [row["detectable_before"] for row in tables[2]]
    assert spoiled["estimate"].to_pylist() != [row["estimate"] for row in tables[2]]


def test_golden_numbers_change_only_with_the_version(tables: tuple) -> None:
    (row,) = (row for row in tables[2] if row["primary"] and row["task"] == "group")
    assert {key: row[key] for key in GOLDEN} == pytest.approx(GOLDEN, rel=1e-6), (
        "numbers moved: raise STAGE_VERSION"
    )
    assert STAGE_VERSION["scaling gain"] == 5


def _population_gain(gain: float) -> float:
    from scipy.stats import norm

    # z differs between the classes by 2 q with variance 1 in each; q has SD sqrt(0.02) over draws and seeds.
    q = np.random.default_rng(0).normal(0, np.sqrt(0.02), 200_000)
    return float(np.mean(norm.cdf(np.sqrt(2) * (0.5 + gain + q)) - norm.cdf(np.sqrt(2) * (0.5 + q))))


@pytest.mark.parametrize("gain", [0.0, 0.25])
def test_the_interval_covers_a_planted_gain_and_the_cross_check_is_the_more_cautious(gain: float) -> None:
    true, covered, checked, verdicts, trials = _population_gain(gain), 0, 0, [], 200
    estimates, errors = [], []
    rng = np.random.default_rng(7)
    for _ in range(trials):
        arm, reference = (evaluate(cell, "auroc", 400) for cell in pair_of_cells(rng, gain))
        row, drawn = compare(arm, reference, [reference], 0.05), paired(arm, reference).gains
        covered += row["low"] <= true <= row["high"]
        checked += row["nb_low"] <= true <= row["nb_high"]
        estimates.append(row["estimate"])
        errors.append(drawn.std())
        verdicts.append(row["verdict"])
    # 200 trials at 95 %: 0.90 is three standard errors below.
    assert covered / trials >= 0.90
    assert checked >= covered
    # What belongs to one subject in one column, here most of the noise, is counted twice (bootstrap.crossed).
    assert 0.85 <= np.mean(errors) / np.std(estimates) <= 1.4
    if gain == 0:
        assert verdicts.count("helps") / trials <= 0.06


def test_permuted_labels_pass_for_no_result(study: Study, tables: tuple, tmp_path: Path) -> None:
    rows = [{**row, "condition": "permuted"} for row in read_table(tables[0], "predictions").to_pylist()]
    paths = [tmp_path / name for name in ("p.parquet", "s.parquet", "g.parquet")]
    write_table(paths[0], "predictions", rows)
    with pytest.raises(UserError, match="no prediction under the condition 'clean'"):
        run(study, *paths)
    transfer = study.transfer.model_copy(update={"permute_labels": 5})
    run(study.model_copy(update={"transfer": transfer}), *paths)
    warnings = read_table(paths[2], "gains")["warnings"].to_pylist()
    assert {warning[0][:20] for warning in warnings} == {"LABELS ARE PERMUTED "}
