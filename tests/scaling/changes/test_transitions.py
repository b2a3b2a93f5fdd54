"""Sharp changes on anybody's table, and whether the metric alone has them."""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.scaling.planted_courses import BREAK, loss
from transferscale.cli.scaling.transitions import transitions as verb
from transferscale.errors import UserError
from transferscale.scaling.changes.table import backtest_groups, transitions_table
from transferscale.scaling.changes.transitions import Transitions, transitions
from transferscale.tables import read_table

DRAWS = 60
X = np.geomspace(1e6, 1e10, 20)


def _scores(seed: int = 0) -> tuple[Any, Any]:
    """An accuracy that jumps where a smooth loss passes 1.3, and that loss."""
    rng = np.random.default_rng(seed)
    nll = 3 * (X / 1e6) ** -0.15 * np.exp(0.01 * rng.standard_normal(len(X)))
    return 0.7 / (1 + np.exp((nll - 1.3) / 0.05)) + 0.25 + 0.004 * rng.standard_normal(len(X)), nll


def _write(path: Path, names: Sequence[str], *columns: Sequence[Any]) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([names, *zip(*columns, strict=True)])
    return path


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(verb, [*map(str, arguments), "--bootstrap", str(DRAWS)])


def _sentence(*arguments: str | Path) -> str:
    """What the verb says of an input that it refuses."""
    with pytest.raises(UserError) as error:
        CliRunner().invoke(verb, list(map(str, arguments)), catch_exceptions=False)
    return str(error.value)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two curves: `mirage` jumps in the metric alone, `short` has four points."""
    score, nll = _scores()
    path = tmp_path_factory.mktemp("transitions") / "runs.csv"
    rows = [*zip(["mirage"] * len(X), X, score, nll, strict=True)]
    rows += [*zip(["short"] * 4, X[:4], score[:4], nll[:4], strict=True)]
    return _write(path, ["task", "params", "accuracy", "nll"], *zip(*rows, strict=True))


@pytest.fixture(scope="module")
def mirage() -> Transitions:
    score, nll = _scores()
    names = {"x": "params", "y": "accuracy", "control": "nll"}
    return transitions(X, score, control=nll, chance=0.25, bootstrap=DRAWS, breaks=1, names=names)


# Verdicts.


def test_a_jump_of_the_metric_alone_is_not_credited_to_the_model(mirage: Transitions) -> None:
    assert mirage.metric.answer == "sharp"
    assert mirage.control is not None
    assert mirage.control.answer == "none"
    assert mirage.verdict.startswith("sharp in the metric only, at ")
    assert mirage.verdict.endswith("may come from the metric (Schaeffer et al. 2023)")


def test_a_jump_of_both_is_said_to_be_one_of_both() -> None:
    y = loss(X, 2.0) * np.exp(0.01 * np.random.default_rng(0).standard_normal(len(X)))
    found = transitions(X, 1 - y / 3, control=y, bootstrap=DRAWS, breaks=1)
    assert found.metric.breaks[0].interval[0] < BREAK < found.metric.breaks[0].interval[1]
    assert found.verdict.startswith("sharp in the metric, at ")
    assert ", and in the control, at " in found.verdict


def test_without_a_control_a_jump_is_not_explained() -> None:
    score, _ = _scores()
    found = transitions(X, score, chance=0.25, bootstrap=DRAWS, breaks=1)
    assert found.verdict.endswith("without a control it cannot be told from an artefact of the metric")


def test_a_smooth_curve_has_no_sharp_change() -> None:
    _, nll = _scores()
    assert transitions(X, nll, bootstrap=DRAWS, breaks=1).verdict == "no sharp change"


def test_few_points_are_not_identified() -> None:
    _, nll = _scores()
    found = transitions(X[:5], nll[:5], bootstrap=DRAWS)
    assert found.verdict == "not identified: there are 5 different x, and a test of a break needs 7"


def test_a_log_probability_is_a_control() -> None:
    score, nll = _scores()
    found = transitions(X, score, control=-nll, chance=0.25, bootstrap=DRAWS, breaks=1)
    assert found.control is not None
    assert found.control.course.error == pytest.approx(nll)


def test_few_clusters_are_told() -> None:
    _, nll = _scores()
    x, y, seeds = np.tile(X, 2), np.tile(nll, 2), np.repeat(["a", "b"], len(X)).tolist()
    found = transitions(x, y, cluster=seeds, bootstrap=0)
    assert "clusters: 2, fewer than 10, so the intervals are unreliable" in found.warnings


def test_the_same_input_gives_the_same_answer(mirage: Transitions) -> None:
    score, nll = _scores()
    names = {"x": "params", "y": "accuracy", "control": "nll"}
    order = np.random.default_rng(1).permutation(len(X))
    again = transitions(
        X[order], score[order], control=nll[order], chance=0.25, bootstrap=DRAWS, breaks=1, names=names
    )
    assert json.dumps(again.as_json()) == json.dumps(mirage.as_json())


# Delays.


def test_a_delay_on_the_metric_alone_may_come_from_it() -> None:
    steps, seeds = np.tile(np.geomspace(10, 1e5, 30), 3), np.repeat(np.arange(3), 30)
    late = 1e4 * 1.2**seeds
    found = transitions(
        steps,
        0.98 / (1 + (steps / late) ** -4),
        cluster=seeds.tolist(),
        train=0.99 / (1 + (steps / 200) ** -4),
        control=3 / (1 + (steps / 200) ** 1.5),
        control_train=3 / (1 + (steps / 200) ** 1.6),
        bootstrap=0,
    )
    assert found.delay is not None
    assert found.delay.late
    assert "late on the metric only, which may come from the metric" in found.verdict


# Tables.


def test_a_group_that_is_too_short_is_told_and_the_others_are_done(table: Path) -> None:
    found, refused = transitions_table(table, "params", "accuracy", group=["task"], bootstrap=0)
    assert [one.group["task"] for one in found] == ["mirage", "short"]
    assert refused == []
    bad = table.with_name("bad.csv")
    bad.write_text(table.read_text() + "odd,1e6,text,1\n")
    found, refused = transitions_table(bad, "params", "accuracy", group=["task"], bootstrap=0)
    assert len(found) == 2
    assert refused == [f"{bad}, task = odd: column 'accuracy' must hold numbers, found 'text' in row 25"]


def test_rows_without_a_control_are_left_out_of_both(tmp_path: Path) -> None:
    score, nll = _scores()
    path = _write(tmp_path / "t.csv", ["x", "y", "c"], X, score, [*nll[:-2], "", "nan"])
    (found,), _ = transitions_table(path, "x", "y", control="c", bootstrap=0)
    assert len(found.metric.course.x) == len(X) - 2
    assert found.warnings[0] == "2 rows were left out for want of a value of 'c'"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--x", "parms", "--y", "accuracy"), "column 'parms' is missing; did you mean 'params'?"),
        (("--x", "params", "--y", "task"), "column 'task' must hold numbers, found 'mirage' in row 1"),
        (("--x", "params", "--y", "accuracy", "--control", "accuracy"), "column 'accuracy' is named twice"),
        (
            ("--x", "params", "--y", "accuracy", "--control-train", "nll"),
            "--control-train goes with --control and --train",
        ),
        (("--x", "params", "--y", "accuracy", "--threshold", "0.5"), "name the training curve in --train"),
        (
            ("--x", "params", "--y", "accuracy", "--breaks", "7"),
            "--breaks: a change has 1 to 3 breaks, not 7",
        ),
        (
            ("--x", "params", "--y", "accuracy", "--ceiling", "0.1"),
            "exceeds the ceiling (0.1); give --ceiling",
        ),
        (
            ("--x", "params", "--y", "accuracy", "--group", "task", "--out", "t.csv", "--bootstrap", "0"),
            "name a .parquet file",
        ),
    ],
)
def test_bad_input_is_told_in_a_sentence(table: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in _sentence(table, *arguments)


def test_the_verb_prints_a_table_for_people(table: Path) -> None:
    result = _run(
        table,
        *[
            "--x",
            "params",
            "--y",
            "accuracy",
            "--control",
            "nll",
            "--chance",
            "0.25",
            "--group",
            "task",
            "--breaks",
            "1",
        ],
    )
    assert result.exit_code == 0, result.output
    assert "task mirage: accuracy ~ params, 20 points, 1e6 to 1e10" in result.stdout
    assert "sharp in the metric only" in result.stdout
    assert "accuracy: 1 break counts" in result.stdout
    assert "nll (control): no break counts" in result.stdout
    assert "task short: " in result.stdout


def test_json_csv_and_parquet_say_the_same(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    options = ["--x", "params", "--y", "accuracy", "--group", "task", "--breaks", "1"]
    (plain, short) = json.loads(_run(table, *options, "--format", "json", "--out", out).stdout)
    rows = read_table(out, "transitions").to_pylist()
    lines = list(csv.DictReader(_run(table, *options, "--format", "csv").stdout.splitlines()))
    assert [row["row"] for row in rows] == [line["row"] for line in lines] == ["break", "no break"]
    assert plain["metric"]["breaks"][0]["x"] == rows[0]["x"] == float(lines[0]["x"])
    assert short["verdict"] == rows[1]["verdict"] == lines[1]["verdict"]
    assert lines[0]["task"] == "mirage"
    assert out.with_name("t.parquet.prov.json").exists()


def test_a_forecast_on_many_groups_is_backtested(tmp_path: Path) -> None:
    rows = []
    for group in range(5):
        noise = np.exp(0.01 * np.random.default_rng(group).standard_normal(12))
        rows += [*zip([group] * 12, X[4:16], loss(X[4:16], 3.0) * noise, strict=True)]
    path = _write(tmp_path / "t.csv", ["task", "x", "loss"], *zip(*rows, strict=True))
    found, _ = transitions_table(path, "x", "loss", group=["task"], foretell=True, bootstrap=40, breaks=1)
    assert all(one.forecast is not None for one in found)
    assert backtest_groups(found[:4], 0) is None
    tested = backtest_groups(found, 0)
    assert tested is not None
    assert "known breaks" in tested.words


def test_the_command_line_knows_the_verb() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "transferscale", "scaling", "transitions", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--control-train" in result.stdout
