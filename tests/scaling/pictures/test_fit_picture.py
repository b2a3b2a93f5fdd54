"""Pictures of fits show the points, the law, its interval, what was held out and where it breaks."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.scaling.pictures.conftest import BREAK
from tests.scaling.pictures.marks import dashed, filled, hollow, marks, ranges, texts, uprights
from transferscale.scaling.fits.fit import Fit, fit
from transferscale.scaling.pictures.fit import picture
from transferscale.scaling.pictures.slices import MOST, slices_of

X = np.geomspace(10, 1e4, 9)


def test_every_point_is_drawn_and_held_out_ones_are_hollow(broken: Fit) -> None:
    panel = picture([broken]).panels[0]
    assert [row["y"] for row in filled(panel)] == pytest.approx(broken.values)
    assert [row["x"] for row in hollow(panel)] == pytest.approx(broken.held_points[:, 0])


def test_the_law_is_dashed_beyond_the_fitted_points_as_far_as_three_times_or_the_held_out(
    broken: Fit,
) -> None:
    (beyond,) = dashed(picture([broken]).panels[0])
    ends = [row["x"] for row in beyond["rows"]]
    assert min(ends) == pytest.approx(broken.points.max())
    assert max(ends) == pytest.approx(max(3 * broken.points.max(), broken.held_points.max()))


def test_the_band_is_that_of_the_fit(broken: Fit) -> None:
    (band,) = marks(picture([broken]).panels[0], "area")
    x = np.array([row["x"] for row in band["rows"]])
    _, low, high = broken.curve(x)
    assert [row["low"] for row in band["rows"]] == pytest.approx(low, rel=1e-6)
    assert [row["high"] for row in band["rows"]] == pytest.approx(high, rel=1e-6)


def test_a_break_is_marked_with_its_interval(broken: Fit) -> None:
    panel = picture([broken]).panels[0]
    assert uprights(panel) == [pytest.approx(broken.params["d1"])]
    assert uprights(panel)[0] == pytest.approx(BREAK, rel=0.2)
    assert [tuple(span) for span in ranges(panel)] == [pytest.approx(broken.intervals["d1"])]
    assert texts(panel)[0].startswith("break 19.6k (")


def test_a_break_that_is_not_identified_says_so_and_has_no_interval(broken: Fit) -> None:
    unsure = replace(broken, identified={**broken.identified, "d1": False})
    panel = picture([unsure]).panels[0]
    assert texts(panel)[0].endswith("not identified")
    assert not ranges(panel)


def test_law_exponent_and_warnings_stand_above_the_plot() -> None:
    found = fit(X, 3 * X**-0.3 * np.exp(0.01 * np.cos(X)), "power", bootstrap=60, group={"depth": "4"})
    panel = picture([replace(found, warnings=["one", "two"])]).panels[0]
    assert panel.title == "depth 4"
    assert panel.lines[0].startswith("power: c 0.3 (0.2")
    assert panel.lines[1].endswith("; 2 warnings")
    assert panel.notes == ["one", "two"]


def test_without_intervals_there_is_no_band_and_no_word_of_one() -> None:
    found = fit(X, 3 * X**-0.3, "power", bootstrap=0)
    drawn = picture([found])
    assert not marks(drawn.panels[0], "area")
    assert "95 %" not in " ".join([*drawn.lines, *drawn.panels[0].lines])


def test_losses_have_logarithmic_axes_and_scores_linear_ones_in_their_own_unit() -> None:
    loss = picture([fit(X, 3 * X**-0.3, "power", bootstrap=0)]).panels[0].plane
    assert (loss.x.log, loss.y.log) == (True, True)
    score = picture([fit(X, 1 - 0.6 * X**-0.2, "power", bootstrap=0)]).panels[0]
    assert (score.plane.x.log, score.plane.y.log) == (True, False)
    assert [row["y"] for row in filled(score)] == pytest.approx(1 - 0.6 * X**-0.2)


def test_from_loss_to_error_the_law_goes_on_towards_smaller_losses() -> None:
    loss = np.linspace(2, 4, 12)
    found = fit(loss, 0.1 + 0.8 / (1 + np.exp(-3 * (loss - 3))), "sigmoid-link", bootstrap=0)
    panel = picture([found]).panels[0]
    assert not panel.plane.x.log
    (beyond,) = dashed(panel)
    assert max(row["x"] for row in beyond["rows"]) == pytest.approx(2)


def test_every_group_has_a_panel_and_axes_that_differ_are_told() -> None:
    fits = [fit(X * s, 3 * X**-0.3, "power", bootstrap=0, group={"site": f"s{s}"}) for s in (1, 2, 1e6)]
    drawn = picture(fits)
    assert [panel.title for panel in drawn.panels] == ["s1", "s2", "s1000000.0"]
    assert drawn.lines[-1] == "The x axes differ between the panels."
    assert len({panel.plane.y for panel in drawn.panels}) == 1


@pytest.mark.parametrize(
    ("law", "columns", "values"), [("finetune", ("params", "subjects"), 5), ("transfer", ("D_F", "N"), 5)]
)
def test_a_law_of_two_scales_is_cut_at_values_of_the_second(
    law: str, columns: tuple[str, str], values: int
) -> None:
    first, second = (a.ravel() for a in np.meshgrid(np.geomspace(1e6, 1e9, 7), 8.0 * 2 ** np.arange(values)))
    y = 0.3 + 40 / (first**0.15 * second**0.3) if law == "finetune" else 0.5 * first**0.2 * second**0.3
    found = fit(np.c_[first, second], y, law, held=first > 5e8, bootstrap=0, names=(columns, "loss"))
    cut, observed = picture([found]).panels
    assert {text.split()[0] for text in texts(cut)} == {columns[1]}
    assert len(texts(cut)) == values
    # The law is exact, so the points lie on the diagonal, and on their curves without being moved.
    assert all(row["x"] == pytest.approx(row["y"], rel=1e-3) for row in filled(observed) + hollow(observed))
    assert sorted(row["y"] for row in filled(cut) + hollow(cut)) == pytest.approx(sorted(y))
    assert len(hollow(cut)) == values


def test_many_values_of_a_second_scale_are_binned_and_residuals_stay() -> None:
    rng = np.random.default_rng(0)
    points = np.exp(rng.uniform(np.log(1e6), np.log(1e10), (80, 2)))
    noise = np.exp(0.02 * rng.standard_normal(80))
    y = (1.8 + 400 / points[:, 0] ** 0.34 + 2000 / points[:, 1] ** 0.36) * noise
    found = fit(points, y, "chinchilla", bootstrap=0, names=(("N", "D"), "loss"))
    cuts = slices_of(found.points)
    assert len(cuts.value) == MOST
    panel = picture([found]).panels[0]
    assert any("moved along the law" in line for line in panel.lines)
    drawn = {round(row["x"]): row["y"] for row in filled(panel)}
    for at in (0, 40):
        curve = found.predict(cuts.cut(int(cuts.place[at]), found.points[at, :1]))[0]
        residual = found.values[at] / found.predict(found.points[at : at + 1])[0]
        assert drawn[round(found.points[at, 0])] / curve == pytest.approx(residual, rel=1e-6)


@pytest.mark.real_data
def test_four_digit_addition_shows_its_break_and_its_held_out_points(real_data: Path) -> None:
    with (real_data / "scaling/bnsl/four_digit_addition.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    x, y = (np.array([float(row[name]) for row in rows]) for name in ("train_size", "test_ce"))
    held = np.array([row["split"] != "fit" for row in rows])
    panel = picture([fit(x, y, "broken", held=held, bootstrap=100)]).panels[0]
    assert len(hollow(panel)) == 3
    assert texts(panel)[0].startswith("break 613 (")
