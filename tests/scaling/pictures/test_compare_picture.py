"""Pictures of comparisons show every family, where they cross, and what lies beyond the data."""

import numpy as np
import pytest

from tests.scaling.pictures.marks import dashed, filled, hollow, marks, ranges, texts, uprights
from transferscale.scaling.comparisons.compare import Comparison, compare
from transferscale.scaling.fits.points import Points
from transferscale.scaling.pictures.compare import picture
from transferscale.scaling.pictures.palette import ARMS


def _points(factor: float, exponent: float, largest: float = 1e8) -> Points:
    seeds, scales = 10, np.geomspace(1e5, largest, 6)
    x, seed = np.tile(scales, seeds), np.repeat(np.arange(seeds), len(scales))
    rng = np.random.default_rng(int(factor))
    y = factor * x**-exponent * np.exp(0.01 * rng.standard_normal(len(x)))
    names = tuple(map(str, seed))
    return Points({}, x[:, None], y, names, names, None, np.zeros(len(x), dtype=bool), np.arange(len(x)), ())


@pytest.fixture(scope="module")
def crossing() -> Comparison:
    """Curves that cross at (30 / 8) ** (1 / 0.1), or 5.5e5."""
    families = {"video": _points(30, 0.26), "convnet": _points(8, 0.16, 3e7)}
    return compare(families, "power", bootstrap=100, names=("params", "loss"), target=1e9)


def test_the_crossover_is_marked_with_its_interval(crossing: Comparison) -> None:
    found = crossing.pairs[0].crossover
    panel = picture([crossing]).panels[0]
    assert found.x in [pytest.approx(x) for x in uprights(panel)]
    assert (pytest.approx(found.low), pytest.approx(found.high)) in ranges(panel)
    (mark,) = [row for row in hollow(panel) if "leads from" in row["told"]]
    assert mark["x"] == pytest.approx(found.x)
    assert mark["y"] == pytest.approx(crossing.fits["video"].predict(np.array([found.x]))[0], rel=1e-6)
    assert any(text.startswith("video leads from 5") for text in texts(panel))


def test_every_family_has_its_points_its_band_and_its_name(crossing: Comparison) -> None:
    panel = picture([crossing]).panels[0]
    assert len(filled(panel)) == sum(fit.n for fit in crossing.fits.values())
    assert len(marks(panel, "area")) == 2
    assert {"video", "convnet"} <= set(texts(panel))
    assert ARMS["video"][0] in {layer["color"] for layer in marks(panel, "line")}


def test_what_lies_beyond_all_points_is_shaded_and_the_curves_are_dashed_beyond_their_own(
    crossing: Comparison,
) -> None:
    panel = picture([crossing]).panels[0]
    assert any(
        low == pytest.approx(1e8) and high == pytest.approx(panel.plane.x.high) for low, high in ranges(panel)
    )
    starts = sorted(layer["rows"][0]["x"] for layer in dashed(panel))
    assert starts == [pytest.approx(3e7), pytest.approx(1e8)]


def test_the_target_is_marked(crossing: Comparison) -> None:
    panel = picture([crossing]).panels[0]
    assert "target 1e9" in texts(panel)
    assert pytest.approx(1e9) in uprights(panel)


def test_families_that_do_not_cross_have_no_mark_and_the_verdict_says_so() -> None:
    found = compare({"a": _points(30, 0.2), "b": _points(60, 0.2)}, "power", bootstrap=100)
    drawn = picture([found])
    assert not hollow(drawn.panels[0])
    assert "none in range" in drawn.panels[0].lines[0].lower()
    assert "diamond" not in " ".join(drawn.lines)


def test_of_many_families_only_crossovers_in_the_range_are_marked() -> None:
    families = {f"f{i}": _points(10 + 8 * i, 0.15 + 0.02 * i) for i in range(5)}
    found = compare(families, "power", bootstrap=40)
    panel = picture([found]).panels[0]
    crossed = [pair for pair in found.pairs if pair.crossover.answer == "crossover"]
    assert len(hollow(panel)) == len(crossed)
    assert len(set(families) & set(texts(panel))) == 5
    assert panel.lines[-1].startswith(f"10 pairs: {len(crossed)} cross")
