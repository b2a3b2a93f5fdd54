"""The last rung foretold from those before it, and held against what it measured."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.scaling.minima.planted import SEEDS, Surface, size
from tests.scaling.results_folder import fill, pretraining_alone
from transferscale.artefacts import read_json
from transferscale.errors import UserError
from transferscale.scaling.rungs.hindsight import run as hold_against
from transferscale.scaling.rungs.hindsight import tests as hindsight
from transferscale.scaling.rungs.prediction import Prediction, predictions, run
from transferscale.study.study import Study
from transferscale.tables import read_table

SURFACE = Surface()
LAST, CLIPS = 5, 16000


def rows(noise: float = 0.0, seed: int = 0, rungs: int = LAST, unique: int = CLIPS) -> list[dict[str, Any]]:
    """A `ladder` table of one family, from a corpus of ``unique`` clips."""
    rng, out = np.random.default_rng(seed), []
    for depth, seeds in enumerate(SEEDS, 1):
        for number in range(seeds):
            luck = noise * rng.standard_normal()
            for rung in range(1, rungs + 1):
                clips = 1000 * 2 ** (rung - 1)
                error = luck + noise / 3 * rng.standard_normal()
                loss = float(SURFACE.loss(np.array(size(depth)), np.array(float(clips))) * np.exp(error))
                out.append(
                    {
                        "family": "vit",
                        "trunk": f"d{depth}-s{number}",
                        "depth": depth,
                        "seed": number,
                        "rung": rung,
                        "params_encoder": int(size(depth)),
                        "clips_seen": clips,
                        "clips_unique": min(clips, unique),
                        "heldout_loss": loss,
                    }
                )
    return out


def of(found: list[Prediction], predictor: str, law: str) -> dict[int, Prediction]:
    return {one.depth: one for one in found if (one.predictor, one.law) == (predictor, law)}


def test_without_noise_the_surface_and_the_curves_with_a_floor_are_exact() -> None:
    found, _, refused = predictions(rows(), LAST, CLIPS)
    assert not refused
    for predictor, law in (("surface", "chinchilla"), ("depth curve", "power-floor")):
        for depth, one in of(found, predictor, law).items():
            truth = float(SURFACE.loss(np.array(size(depth)), np.array(float(CLIPS))))
            assert one.value == pytest.approx(truth, rel=1e-3)


def test_the_last_rung_has_no_say_in_what_is_foretold_of_it() -> None:
    before = [row for row in rows(0.01) if row["rung"] < LAST]
    spoiled = [{**row, "heldout_loss": 99.0} if row["rung"] == LAST else row for row in rows(0.01)]
    told = [asdict(one) for one in predictions(before, LAST, CLIPS, 50)[0]]
    assert told == [asdict(one) for one in predictions(spoiled, LAST, CLIPS, 50)[0]]


def test_guesses_are_the_loss_of_the_rung_before_and_the_best_so_far() -> None:
    table = rows(0.01)
    found, _, _ = predictions(table, LAST, CLIPS)
    fourth = [row["heldout_loss"] for row in table if (row["depth"], row["rung"]) == (1, 4)]
    assert of(found, "last value", "")[1].value == pytest.approx(np.exp(np.mean(np.log(fourth))))
    best = min(row["heldout_loss"] for row in table if row["rung"] < LAST)
    assert {one.value for one in of(found, "best small", "").values()} == {best}
    assert all(one.low is None for one in found if not one.law)


def test_a_size_with_one_trunk_has_an_interval_from_the_surface_and_none_from_its_own_curve() -> None:
    found, _, _ = predictions(rows(0.01), LAST, CLIPS)
    assert of(found, "depth curve", "power")[1].low is not None
    assert of(found, "depth curve", "power")[4].low is None
    assert all(
        one.low is not None and one.low < one.value for one in of(found, "surface", "chinchilla").values()
    )


def test_new_runs_lie_inside_the_surfaces_interval_as_often_as_it_says() -> None:
    inside = runs = 0
    for seed in range(15):
        table = rows(0.01, seed)
        told = [asdict(one) for one in predictions(table, LAST, CLIPS, bootstrap=100)[0]]
        surface = next(row for row in hindsight(told, table) if row["predictor"] == "surface")
        inside, runs = inside + surface["inside"], runs + surface["bounded"]
    assert runs == 150
    assert 0.9 <= inside / runs <= 1


def test_errors_are_those_of_the_definition() -> None:
    table = rows(0.01)
    found = [asdict(one) for one in predictions(table, LAST, CLIPS)[0]]
    tested = {(row["predictor"], row["law"]): row for row in hindsight(found, table)}
    told = {one["depth"]: one["value"] for one in found if one["predictor"] == "surface"}
    last = [row for row in table if row["rung"] == LAST]
    ratio = np.array([told[row["depth"]] / row["heldout_loss"] for row in last])
    surface = tested["surface", "chinchilla"]
    assert surface["runs"] == len(last) == 10
    assert surface["rmsle"] == pytest.approx(np.sqrt(np.mean(np.log(ratio) ** 2)))
    assert surface["relative_error"] == pytest.approx(np.abs(ratio - 1).mean())
    assert surface["bias"] == pytest.approx(np.exp(np.log(ratio).mean()) - 1)
    assert surface["beats_guesses"] is True
    assert tested["last value", ""]["beats_guesses"] is None
    # The loss still falls: who guesses that it stays is too high throughout.
    assert tested["last value", ""]["bias"] > 0.03


def test_two_rungs_before_the_last_are_too_few_for_a_floor_and_that_is_told() -> None:
    found, _, refused = predictions(rows(0.0, rungs=3), 3, 4000)
    assert of(found, "surface", "chinchilla")
    assert of(found, "depth curve", "power")
    assert not of(found, "depth curve", "power-floor")
    assert len(refused) == 6
    assert all(one.startswith("vit, depth ") and "power-floor" in one for one in refused)


def test_without_a_rung_before_nothing_is_foretold() -> None:
    assert predictions(rows(rungs=1), 1, 1000) == ([], [], [])
    assert hindsight([], rows(rungs=1)) == []


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = pretraining_alone(tmp_path_factory.mktemp("results"))
    fill(made)
    return made


def test_a_study_foretells_every_size_of_every_family(study: Study, tmp_path: Path) -> None:
    tables = Path(study.folder) / "tables"
    run(study, tables / "earlier.parquet", tmp_path / "prediction.parquet")
    hold_against(tmp_path / "prediction.parquet", tables / "checkpoints.parquet", tmp_path / "test.parquet")
    told = read_table(tmp_path / "prediction.parquet", "rung_prediction").to_pylist()
    assert {(row["family"], row["depth"]) for row in told} == {
        (family, depth) for family in ("vit", "convnet") for depth in range(1, 7)
    }
    assert {(row["rung"], row["clips_seen"]) for row in told} == {(5, 16000)}
    tested = read_table(tmp_path / "test.parquet", "rung_test").to_pylist()
    surfaces = [row for row in tested if row["predictor"] == "surface"]
    assert [row["family"] for row in surfaces] == ["vit", "convnet"]
    assert all(row["relative_error"] < 0.01 and row["beats_guesses"] for row in surfaces)
    assert len(read_json(tmp_path / "prediction.parquet.prov.json")["fits"]) == 26


def test_a_table_with_the_last_rung_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"holds checkpoints of rung 5, the one to predict; gather .*--before-last"
    ):
        run(study, Path(study.folder) / "tables" / "checkpoints.parquet", tmp_path / "prediction.parquet")


def test_a_size_without_its_last_rung_is_one_sentence() -> None:
    table = rows(0.01)
    found = [asdict(one) for one in predictions(table, LAST, CLIPS)[0]]
    short = [row for row in table if (row["depth"], row["rung"]) != (3, LAST)]
    with pytest.raises(UserError, match="family vit, depth 3: predicted, but no checkpoint of rung 5"):
        hindsight(found, short)


def test_a_last_rung_that_repeats_more_than_those_before_it_is_warned_of_and_told_afterwards() -> None:
    table = rows(0.01, unique=6000)
    found = [asdict(one) for one in predictions(table, LAST, CLIPS, 50)[0]]
    assert {one["epochs_fitted"] for one in found} == {8000 / 6000}
    for one in found:
        assert (
            "the last rung sees 6000 clips 2.7 times, those before it up to 1.3 times" in one["warnings"][0]
        )
    assert {(row["epochs"], row["epochs_fitted"]) for row in hindsight(found, table)} == {
        (16000 / 6000, 8 / 6)
    }
    once = [asdict(one) for one in predictions(rows(0.01), LAST, CLIPS, 50)[0]]
    assert not any("the last rung sees" in words for one in once for words in one["warnings"])


def test_what_the_last_rung_repeats_is_not_guessed_from_rungs_that_repeat_nothing() -> None:
    table = rows(0.01, unique=10000)
    found = [asdict(one) for one in predictions(table, LAST, CLIPS, 50)[0]]
    assert not any("the last rung sees" in words for one in found for words in one["warnings"])
    assert {(row["epochs"], row["epochs_fitted"]) for row in hindsight(found, table)} == {(1.6, 1.0)}
