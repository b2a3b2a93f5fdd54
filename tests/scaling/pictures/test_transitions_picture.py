"""Pictures of sharp changes show every break with its interval and width, the control, the delay, the forecast."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.scaling.pictures.marks import dashed, filled, hollow, marks, ranges, texts, uprights
from tests.scaling.planted_courses import BREAK, loss
from transferscale.scaling.changes.forecast import Forecast
from transferscale.scaling.changes.transitions import Transitions, transitions
from transferscale.scaling.pictures.transitions import draw_transitions, picture

X = np.geomspace(1e6, 1e10, 20)


@pytest.fixture(scope="module")
def found() -> Transitions:
    """A loss that breaks, and a smooth control."""
    noise = np.exp(0.01 * np.random.default_rng(0).standard_normal((2, len(X))))
    names = {"x": "params", "y": "loss", "control": "nll"}
    return transitions(
        X,
        loss(X, 2.0) * noise[0],
        control=loss(X, None) * noise[1],
        bootstrap=60,
        breaks=1,
        names=names,
        group={"task": "age"},
    )


def test_the_break_is_marked_with_its_interval_and_width(found: Transitions) -> None:
    metric, _ = picture([found]).panels
    (own,) = found.metric.breaks
    assert uprights(metric) == [pytest.approx(own.x)]
    assert (pytest.approx(own.interval[0]), pytest.approx(own.interval[1])) in ranges(metric)
    (bar,) = [row for layer in marks(metric, "rule") for row in layer["rows"] if "x2" in row]
    assert bar["x2"] / bar["x"] == pytest.approx(own.width, rel=1e-6)
    assert bar["x"] < own.x < bar["x2"]
    assert any(text.startswith("break 9") or text.startswith("break 1") for text in texts(metric))
    assert own.x == pytest.approx(BREAK, rel=0.2)


def test_the_control_stands_beside_the_metric_without_a_mark(found: Transitions) -> None:
    drawn = picture([found])
    metric, control = drawn.panels
    assert drawn.columns == 2
    assert (metric.title, control.title) == ("age: loss", "age: nll (control)")
    assert uprights(control) == []
    assert len(filled(metric)) == len(filled(control)) == len(X)
    assert len(marks(metric, "area")) == 1
    assert metric.lines[0].startswith("Sharp in the metric only, at ")


def test_training_is_hollow_and_the_threshold_is_a_line() -> None:
    steps, seeds = np.tile(np.geomspace(10, 1e5, 20), 2), np.repeat(np.arange(2), 20).tolist()
    one = transitions(
        steps,
        0.98 / (1 + (steps / 1e4) ** -4),
        cluster=seeds,
        train=0.99 / (1 + (steps / 200) ** -4),
        bootstrap=0,
        names={"y": "test_accuracy", "train": "train_accuracy"},
    )
    (panel,) = picture([one]).panels
    assert len(hollow(panel)) == 40
    assert "threshold 0.95" in texts(panel)
    assert panel.lines[-1].startswith("test_accuracy is ")


def test_a_forecast_is_shaded_and_the_curve_goes_on_dashed(found: Transitions) -> None:
    told = Forecast("coming", 1e10, 4.0, 0.8, 0.1, 2e10, (1.2e10, 3e10), "")
    panel = picture([replace(found, forecast=told)]).panels[0]
    assert pytest.approx(2e10) in uprights(panel)
    assert (pytest.approx(1.2e10), pytest.approx(3e10)) in ranges(panel)
    assert len(dashed(panel)) == 1
    assert any(text.startswith("coming: 2e10") for text in texts(panel))
    assert panel.lines[-1] == "Forecast: coming (probability ahead 0.8)."


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_files_are_drawn_and_always_the_same(found: Transitions, tmp_path: Path, ending: str) -> None:
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    draw_transitions([found], first)
    draw_transitions([found], second)
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 5000
