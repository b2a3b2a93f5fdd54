"""The picture of isoFLOP minima."""

from pathlib import Path

import pytest

from tests.scaling.minima.planted import Surface, as_csv, ladder
from tests.scaling.pictures.marks import hollow, marks, texts
from transferscale import scaling
from transferscale.scaling.minima.table import Isoflops
from transferscale.scaling.pictures.isoflop import draw_isoflop, picture


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Isoflops:
    path = tmp_path_factory.mktemp("picture") / "runs.csv"
    path.write_text(as_csv(ladder(Surface(), 0.006, 1, "vit"), ladder(Surface(e=0.35), 0.006, 2, "convnet")))
    return scaling.isoflop(
        path, "params", "flops", "loss", d="clips", group=["family"], cluster="trunk", bootstrap=100
    )


def test_a_group_has_its_curves_and_its_best_sizes_and_frontiers_stand_together(found: Isoflops) -> None:
    drawn = picture(found)
    assert [panel.title for panel in drawn.panels] == [
        "convnet: loss and size at equal compute",
        "convnet: best size and compute",
        "vit: loss and size at equal compute",
        "vit: best size and compute",
        "frontiers",
    ]


def test_every_minimum_is_drawn_where_it_is(found: Isoflops) -> None:
    drawn = picture(found)
    for one, panel in zip(found.groups, drawn.panels[1::2], strict=False):
        places = [(row["x"], row["y"]) for row in hollow(panel)]
        assert places == [(pytest.approx(b.compute), pytest.approx(b.n)) for b in one.budgets]


def test_minima_that_are_not_bracketed_point_to_where_the_optimum_lies(found: Isoflops) -> None:
    shapes = {"": "diamond", "smaller": "triangle-down", "larger": "triangle-up"}
    for one, panel in zip(found.groups, picture(found).panels[1::2], strict=False):
        drawn = [layer["shape"] for layer in marks(panel, "point")]
        assert drawn == [shapes[budget.side] for budget in one.budgets]
    sides = {budget.side for one in found.groups for budget in one.budgets}
    assert len(sides) > 1


def test_curves_are_named_by_their_budget(found: Isoflops) -> None:
    assert len(texts(picture(found).panels[0])) == 6


def test_files_of_every_kind_are_written(found: Isoflops, tmp_path: Path) -> None:
    for ending in ("svg", "png", "html"):
        draw_isoflop(found, tmp_path / f"minima.{ending}")
        assert (tmp_path / f"minima.{ending}").stat().st_size > 10_000
