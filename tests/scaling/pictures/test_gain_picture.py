"""Pictures of gains show the label curves, the gain and what it is judged by."""

from pathlib import Path

import pytest

from tests.scaling.pictures.marks import dashed, filled, hollow, layers, marks, texts
from tests.scaling.planted_predictions import table_rows, write_csv
from transferscale.scaling.gains.table import Gains, gain_table
from transferscale.scaling.pictures.gain import picture


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Gains:
    rows = table_rows({"video": 0.6, "scratch": 0.0, "connectivity": 0.3})
    table = write_csv(tmp_path_factory.mktemp("table") / "predictions.csv", rows)
    return gain_table(table, "video", "scratch", "auroc", against=["connectivity"], sesoi=0.05)


def test_label_curves_gain_and_multiplier_stand_beside_each_other(found: Gains) -> None:
    drawn = picture(found)
    assert drawn.columns == len(drawn.panels) == 3
    assert [panel.plane.y.title for panel in drawn.panels] == ["auroc", "gain in auroc", "data multiplier"]
    assert set(texts(drawn.panels[0])) == {"video", "scratch", "connectivity"}
    assert set(texts(drawn.panels[1])) == {"over scratch", "over connectivity"}


def test_every_gain_has_its_interval(found: Gains) -> None:
    panel = picture(found).panels[1]
    assert sorted(row["y"] for row in filled(panel)) == pytest.approx(
        sorted(r["estimate"] for r in found.rows)
    )
    bars = [row for layer in marks(panel, "rule") for row in layer["rows"] if "low" in row]
    assert sorted(row["low"] for row in bars) == pytest.approx(sorted(row["low"] for row in found.rows))
    assert sorted(row["high"] for row in bars) == pytest.approx(sorted(row["high"] for row in found.rows))


def test_a_gain_is_judged_by_zero_the_smallest_effect_and_what_could_be_detected(found: Gains) -> None:
    panel = picture(found).panels[1]
    rows = [row for layer in layers(panel) for row in layer["rows"]]
    assert {"y": 0} in rows
    assert {"y": -0.05, "y2": 0.05} in rows
    (line,) = dashed(panel)
    told = [row["detectable_before"] for row in found.rows if row["reference"] == "scratch"]
    assert [row["y"] for row in line["rows"]] == pytest.approx(told)


def test_a_multiplier_that_is_only_bounded_is_a_hollow_triangle(found: Gains) -> None:
    panel = picture(found).panels[2]
    bounded = [row for row in found.rows if row["bound"]]
    assert bounded
    assert len(hollow(panel)) == len(bounded)
    assert not marks(panel, "line")


def test_ticks_are_the_label_counts(found: Gains) -> None:
    assert [label for _, label in picture(found).panels[0].plane.x.ticks] == ["8", "16", "32"]


def test_verdicts_and_warnings_are_told(found: Gains) -> None:
    panel = picture(found).panels[1]
    assert panel.lines[0] == "Over scratch at n = 32: helps."
    assert set(panel.notes) == {warning for row in found.rows for warning in row["warnings"]}


def test_one_label_count_makes_two_panels_and_all_is_told_with_its_number(tmp_path: Path) -> None:
    rows = [
        {**row, "n_labels": "all", "n_train": 31}
        for row in table_rows({"video": 0.6, "scratch": 0.0}, labels=[32])
    ]
    drawn = picture(gain_table(write_csv(tmp_path / "all.csv", rows), "video", "scratch", "auroc"))
    assert len(drawn.panels) == 2
    assert drawn.panels[0].plane.x.ticks == ((31.0, "all (31)"),)
