"""Predictions written down beforehand: what is judged, by which interval, and what is said of what is not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from transferscale.cli.scaling.fit import fit as verb
from transferscale.errors import UserError
from transferscale.scaling.fits.fit import Fit, fit
from transferscale.scaling.fits.objectives import Huber
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.fits.preregister import (
    FORMAT,
    Judged,
    held,
    judge,
    preregister,
    read_preregistration,
)

X = np.repeat(np.geomspace(1e5, 1e8, 7), 3)
NOISE = np.random.default_rng(1).normal(0, 0.02, len(X))
LOSS = (1.2 + 60 * X**-0.3) * np.exp(NOISE)
AT = np.array([[1e9]])
CURVE = 1.2 + 60 * 1e9**-0.3


def _fit(law: str = "power-floor", runs: Any = (), bootstrap: int = 200, **options: Any) -> Fit:
    """The planted runs, and further ones at the registered scale."""
    x, y = np.r_[X, [1e9] * len(runs)], np.r_[LOSS, runs]
    return fit(x, y, law, bootstrap=bootstrap, names=(["params"], "loss"), **options)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("registered") / "prediction.json"
    preregister([_fit("power-floor"), _fit("power")], AT, path)
    return path


def _held(path: Path, runs: Any = (), law: str = "power-floor", **options: Any) -> Judged:
    return held(read_preregistration(path), _fit(law, runs, 0, **options), path)


def test_a_single_run_is_judged_by_the_interval_of_one(path: Path) -> None:
    (one,) = _held(path, [CURVE]).predictions
    assert (one["runs"], one["inside"], one["held"]) == (1, 1, True)
    assert one["observed"] == CURVE
    assert (one["mean_low"], one["mean_high"]) == (one["low"], one["high"])
    (one,) = _held(path, [1.01 * one["high"]]).predictions
    assert (one["inside"], one["held"]) == (0, False)


def test_a_scale_without_runs_is_not_observed(path: Path) -> None:
    judged = _held(path)
    (one,) = judged.predictions
    assert (one["runs"], one["observed"], one["held"]) == (0, None, None)
    assert not judged.warnings


def test_the_mean_of_several_runs_is_judged_by_the_interval_of_their_mean(path: Path) -> None:
    (one,) = _held(path).predictions
    runs = one["value"] * np.exp([0.01, -0.01, 0.02])
    (one,) = _held(path, runs).predictions
    assert (one["runs"], one["inside"], one["held"]) == (3, 3, True)
    assert one["observed"] == pytest.approx(np.exp(np.log(runs).mean()))
    assert one["low"] < one["mean_low"] < one["law_low"] < one["value"]
    assert one["value"] < one["law_high"] < one["mean_high"] < one["high"]


def test_runs_that_lie_inside_one_by_one_may_fail_together(path: Path) -> None:
    (one,) = _held(path, []).predictions
    runs = np.full(6, one["high"] * 0.999)
    (one,) = _held(path, runs).predictions
    assert one["inside"] == 6
    assert one["held"] is False


@pytest.mark.parametrize("outcome", [Outcome(), Outcome(True, 3.0, 1.0)])
@pytest.mark.parametrize("runs", [2, 5, 50])
def test_the_interval_of_a_mean_is_that_of_its_draws(tmp_path: Path, runs: int, outcome: Outcome) -> None:
    values = outcome.value(LOSS / 2)
    fitted = fit(X, values, "power", outcome=outcome, names=(["params"], "loss"), bootstrap=1000)
    preregister([fitted], AT, tmp_path / "p.json")
    seen = outcome.value(np.full(runs, CURVE / 2))
    later = fit(
        np.r_[X, [1e9] * runs],
        np.r_[values, seen],
        "power",
        outcome=outcome,
        names=(["params"], "loss"),
        bootstrap=0,
    )
    (one,) = held(read_preregistration(tmp_path / "p.json"), later, tmp_path / "p.json").predictions
    drawn = fitted.draws(AT)
    assert drawn is not None
    log = np.tile(np.log(outcome.error(drawn[:, 0])), 50)
    spread = fitted.rmsle_fit * np.sqrt(fitted.n / (fitted.n - 2))
    log = log + spread / np.sqrt(runs) * np.random.default_rng(0).standard_normal(len(log))
    wanted = np.sort(outcome.value(np.exp(np.quantile(log, [0.025, 0.975]))))
    width = wanted[1] - wanted[0]
    assert one["mean_low"] == pytest.approx(wanted[0], abs=0.08 * width)
    assert one["mean_high"] == pytest.approx(wanted[1], abs=0.08 * width)


def test_every_law_is_judged_by_its_own_prediction(path: Path) -> None:
    registered = read_preregistration(path)
    judged, left_out = judge(registered, [_fit("power", [CURVE], 0), _fit("power-floor", [CURVE], 0)], path)
    assert not left_out
    values = {one["law"]: one["predictions"][0]["value"] for one in registered["fits"]}
    assert [one.predictions[0]["value"] for one in judged if one] == [values["power"], values["power-floor"]]
    # Without its floor the law misses what was planted.
    assert [one.predictions[0]["held"] for one in judged if one] == [False, True]


def test_a_law_that_was_not_registered_is_a_sentence_and_no_other_is_judged_for_it(path: Path) -> None:
    registered = read_preregistration(path)
    judged, left_out = judge(registered, [_fit("m2", [CURVE], 0), _fit("power", [CURVE], 0)], path)
    assert judged[0] is None
    assert judged[1] is not None
    assert left_out == [
        f"{path}: law 'm2' for this table was not registered, only 'power-floor', 'power'; give --law as it was then",
        f"{path}: law 'power-floor' for this table was registered and is not fitted here; fit it as well",
    ]
    with pytest.raises(UserError, match="law 'm2' for this table was not registered"):
        judge(registered, [_fit("m2", [CURVE], 0)], path)


def test_other_options_than_the_registered_are_refused(path: Path) -> None:
    registered = read_preregistration(path)
    for other, sentence in (
        (
            _fit("power", bootstrap=0, objective=Huber(0.01)),
            "with objective 'sum of squared residuals of log y'",
        ),
        (_fit("power", bootstrap=0, outcome=Outcome(True, 9.0, 8.0)), "with outcome 'loss', not '9 - loss'"),
        (_fit("power", bootstrap=0, group={"arch": "vit"}), "holds no prediction of 'loss' for arch vit"),
    ):
        with pytest.raises(UserError, match=sentence):
            held(registered, other, path)


def test_registered_points_that_are_gone_or_changed_are_counted(path: Path) -> None:
    registered = read_preregistration(path)
    changed = LOSS.copy()
    changed[[0, 5]] *= 1.001
    later = fit(
        np.r_[X[:-1], 1e9],
        np.r_[changed[:-1], CURVE],
        "power-floor",
        names=(["params"], "loss"),
        bootstrap=0,
    )
    assert held(registered, later, path).warnings == [
        f"3 of 21 registered points are no longer in the table as they were when {path} was written"
    ]


def test_points_are_counted_as_often_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    twice = fit(np.r_[X, X[0]], np.r_[LOSS, LOSS[0]], "power", names=(["params"], "loss"), bootstrap=100)
    preregister([twice], AT, path)
    (warning,) = held(read_preregistration(path), _fit("power", bootstrap=0), path).warnings
    assert warning.startswith("1 of 22 registered points are no longer")


def test_a_point_held_out_later_is_still_in_the_table(path: Path) -> None:
    top = X.max() == X
    judged = held(read_preregistration(path), _fit("power-floor", bootstrap=0, held=top), path)
    assert not judged.warnings


def test_a_file_that_was_changed_or_is_of_another_format_is_refused(path: Path, tmp_path: Path) -> None:
    body = json.loads(path.read_text())
    for change, sentence in (
        ({"written": "2001-01-01T00:00:00+00:00"}, "changed after it was written"),
        ({"format": FORMAT[:-1] + "1"}, "format 'transferscale preregistration 1', where this version reads"),
        ({"format": "a letter"}, "not a preregistration"),
    ):
        (tmp_path / "p.json").write_text(json.dumps(body | change))
        with pytest.raises(UserError, match=sentence):
            read_preregistration(tmp_path / "p.json")


def test_what_cannot_be_registered_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exists"):
        preregister([_fit("power")], AT, path)
    with pytest.raises(UserError, match="needs intervals"):
        preregister([_fit("power", bootstrap=0)], AT, tmp_path / "p.json")
    with pytest.raises(UserError, match="not beyond the fitted points"):
        preregister([_fit("power")], AT / 10, tmp_path / "p.json")
    with pytest.raises(UserError, match="law 'power' for this table is fitted twice"):
        preregister([_fit("power"), _fit("power")], AT, tmp_path / "p.json")
    assert not (tmp_path / "p.json").exists()


# -- the command line ------------------------------------------------------------------------------------------------


def _table(folder: Path, name: str, runs: Any = (), dropped: int = 0) -> Path:
    rows = [f"{x:.17g},{y:.17g}" for x, y in zip([*X, *[1e9] * len(runs)], [*LOSS, *runs], strict=True)]
    path = folder / name
    path.write_text("\n".join(["params,loss", *rows[dropped:]]) + "\n")
    return path


def _run(table: Path, *arguments: str) -> Result:
    told = ["--x", "params", "--y", "loss", "--starts", "5", *arguments]
    return CliRunner().invoke(verb, [str(table), *told])


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verb")
    laws = ("--law", "power", "--law", "power-floor", "--bootstrap", "200")
    ran = _run(_table(folder, "runs.csv"), *laws, "--at", "1e9", "--preregister", str(folder / "p.json"))
    assert ran.exit_code == 0, ran.output
    return folder / "p.json"


def test_the_verb_prints_every_run_and_the_verdict_of_their_mean(registered: Path, tmp_path: Path) -> None:
    table = _table(tmp_path, "later.csv", [CURVE, CURVE * 1.01])
    options = ("--law", "power-floor", "--bootstrap", "0", "--preregistered", str(registered))
    ran = _run(table, *options)
    (line,) = [line for line in ran.stdout.splitlines() if "preregistered at" in line]
    assert ", 2 of 2 runs inside; their mean 1.326" in line
    assert line.endswith("for a mean of 2: held")
    assert "not judged: " in ran.stderr
    assert "law 'power' for this table was registered and is not fitted here" in ran.stderr
    (found,) = json.loads(_run(table, *options, "--format", "json").stdout)
    (one,) = found["preregistered"]
    assert {"observed", "held", "runs", "inside", "mean_low", "mean_high"} <= one.keys()
    assert "not judged" not in _run(table, *options, "--law", "power").stderr


def test_the_verb_warns_of_a_table_in_which_registered_points_are_gone(
    registered: Path, tmp_path: Path
) -> None:
    table = _table(tmp_path, "later.csv", [CURVE], dropped=2)
    ran = _run(table, "--law", "power-floor", "--bootstrap", "0", "--preregistered", str(registered))
    assert "warning: 2 of 21 registered points are no longer in the table as they were" in ran.stdout


def test_the_verb_refuses_a_law_that_was_not_registered(registered: Path, tmp_path: Path) -> None:
    ran = _run(
        _table(tmp_path, "l.csv"), "--law", "m2", "--bootstrap", "0", "--preregistered", str(registered)
    )
    assert isinstance(ran.exception, UserError)
    assert "law 'm2' for this table was not registered, only 'power', 'power-floor'" in str(ran.exception)


@pytest.mark.parametrize("breaks", ["²", "many", "1.5"])
def test_a_number_of_breaks_that_is_none_is_refused(tmp_path: Path, breaks: str) -> None:
    ran = _run(_table(tmp_path, "l.csv"), "--law", "broken", "--breaks", breaks)
    assert isinstance(ran.exception, UserError)
    assert str(ran.exception) == f"--breaks: '{breaks}' is neither a whole number nor 'auto'"
