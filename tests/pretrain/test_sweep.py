"""A sweep of learning rates tells the best one, and says when it does not know it."""

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from tests.pretrain.moving_squares import CONFIG, write_corpus
from transferscale.cli import app
from transferscale.errors import UserError
from transferscale.pretrain.stacked import Together
from transferscale.pretrain.sweep import Sweep, as_csv, as_json, as_text, sweep, sweep_spec
from transferscale.study.load import load_study
from transferscale.tables import read_table

Run = Callable[..., Sweep]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("clips"), frames=16, size=32)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's study with a smaller batch and results of its own."""
    monkeypatch.chdir(CONFIG.parents[1])
    values = yaml.safe_load(CONFIG.read_text())
    values["pretrain"].update(batch=8, heldout_clips=12)
    values["results"] = "nowhere"
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def found(compared: np.ndarray, objective: str = "mae") -> Sweep:
    rates = 2e-3 * 2.0 ** np.arange(len(compared))
    probes = np.where(np.isfinite(compared), 0.5, np.nan)
    return Sweep("vit", 1, 16864, objective, 64, rates, compared, probes, "r2", 4e-3, "fp32, on CPU")


def test_every_rate_and_seed_is_trained_and_a_diverged_one_stops_no_other(
    study: Path, clips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sweep.parquet"
    made = sweep(
        load_study(study),
        None,
        1,
        (8e-3, 2e-3, 1e38),
        2,
        64,
        [clips / "clips"],
        [clips / "clips.parquet"],
        out,
    )
    assert list(made.rates) == [2e-3, 8e-3, 1e38]
    assert np.isfinite(made.losses[:2]).all()
    assert np.isinf(made.losses[2]).all()
    assert len(set(made.losses[:2].ravel())) == 4
    assert "(2 of 2 diverged)" in as_text(made)
    assert read_table(out, "sweep").to_pylist() == made.rows()
    assert made.rows()[0]["clips_seen"] == 64


def test_stacked_runs_give_the_same_sweep(study: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(together: int) -> np.ndarray:
        monkeypatch.setattr("transferscale.pretrain.sweep.at_once", lambda *_: together)
        files = [clips / "clips"], [clips / "clips.parquet"]
        return sweep(load_study(study), None, 1, (2e-3, 4e-3, 8e-3), 2, 64, *files, None).losses

    alone = run(1)
    stacks: list[int] = []
    whole = Together.run
    monkeypatch.setattr(Together, "run", lambda self: stacks.append(len(self.members)) or whole(self))
    # Four of the six at once, across the two seeds.
    np.testing.assert_allclose(run(4), alone, rtol=1e-4)
    assert stacks == [4, 2]


def test_a_run_is_the_first_rung_with_another_budget(study: Path) -> None:
    spec = sweep_spec(load_study(study), "vit", 2, 1000)
    assert (spec["warmup_clips"], spec["trunk_end"], spec["budget"]) == (200, 800, 1000)
    assert spec["model"]["depth"] == 2
    assert sweep_spec(load_study(study), None, 1, None)["budget"] == 640


def test_the_verdict_names_rate_interval_bracket_and_the_studys_rate() -> None:
    middle = np.array([[0.9, 0.8], [0.5, 0.52], [0.7, 0.8]])
    text = as_text(found(middle))
    assert "Best base learning rate: 4." in text
    low, high = found(middle).interval or (0.0, 0.0)
    assert 0 < low < found(middle).best < high
    assert f"(95 % interval over seeds: {low:.2e} to {high:.2e})" in text
    assert "It is bracketed by the rates tried." in text
    assert "The study's learning_rate of vit is 4.00e-03" in text
    edge = as_text(found(middle[1:]))
    assert "not bracketed: it is the lowest rate tried" in edge
    one = as_text(found(middle[:, :1]))
    assert "no interval: it takes two seeds" in one


def test_nothing_is_claimed_when_every_rate_diverged() -> None:
    made = found(np.full((3, 2), np.inf))
    assert "there is no best rate" in as_text(made)
    told = json.loads(as_json(made))
    assert told["best"] is None
    assert all(run["heldout_loss"] is None and run["diverged"] for run in told["runs"])


def test_json_and_csv_tell_the_same_runs() -> None:
    made = found(np.array([[0.9, 0.8], [0.5, math.inf], [0.7, 0.8]]))
    told, rows = json.loads(as_json(made)), list(csv.DictReader(io.StringIO(as_csv(made))))
    assert [run["learning_rate"] for run in told["runs"]] == [float(row["learning_rate"]) for row in rows]
    assert [row["heldout_loss"] for row in rows][3] == "inf"
    assert told["best"] == made.best == pytest.approx(8e-3)


def test_rates_of_jepa_are_told_apart_by_their_read_outs() -> None:
    # The collapsed network has the lowest loss and knows nothing.
    made = replace(
        found(np.array([[0.01, 0.01], [0.5, 0.5], [0.4, 0.4]]), "jepa"),
        probes=np.array([[0.0, 0.0], [0.6, 0.6], [0.3, 0.3]]),
    )
    assert 3e-3 < made.best < 7e-3
    assert "by the read-out, because losses of jepa do not compare" in as_text(made)


def test_the_study_may_give_a_family_a_rate_of_its_own(study: Path) -> None:
    values = yaml.safe_load(study.read_text())
    values["pretrain"]["convnet"] = {"depths": [1], "learning_rate": 7e-3}
    study.write_text(yaml.safe_dump(values))
    rates = [sweep_spec(load_study(study), family, 1, None)["learning_rate"] for family in ("vit", "convnet")]
    assert rates == [3e-3, 7e-3]


def test_mistakes_are_told_in_one_sentence(study: Path, clips: Path) -> None:
    def told(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["pretrain", "sweep", str(study), *arguments])
        assert isinstance(done.exception, UserError)
        return str(done.exception)

    given = ("--store", str(clips / "clips"), "--index", str(clips / "clips.parquet"))
    assert "run 'snakemake --configfile STUDY corpus_clips' first, or give --store and --index" in told()
    assert "--family: study 'demo' has no 'convnet'" in told("--family", "convnet", *given)
    assert "--rates: give at least 3 different rates above 0" in told("--rates", "1e-3,1e-3,2e-3", *given)
    assert (
        "--clips: 8 clips leave no step of 8 clips for the trunk or for the decay; give at least 40"
        in told("--clips", "8", *given)
    )
    assert "give one pair for each" in told("--store", str(clips / "clips"))
