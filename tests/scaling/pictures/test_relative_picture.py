"""Pictures of requirements show what is measured, what is only bounded, and the law."""

from dataclasses import replace

import numpy as np
import pytest

from tests.scaling.pictures.marks import dashed, marks
from transferscale.scaling.pictures.relative import picture
from transferscale.scaling.plans.target import target_of
from transferscale.scaling.requirements.need import AT_LEAST, AT_MOST, UNKNOWN, Need
from transferscale.scaling.requirements.need_law import need_law
from transferscale.scaling.requirements.relative import Relative


def _need(place: float, bound: str = "", opened: str = "") -> Need:
    value = 1e15 * place**1.5
    logs = np.log(value) + np.r_[0.0, 0.05 * np.random.default_rng(int(place)).standard_normal(50)]
    side = {AT_LEAST: 1, AT_MOST: -1}.get(bound, 0)
    return Need(
        resource="compute",
        difficulty=f"{place:g}",
        place=place,
        value=value,
        low=0.9 * value,
        high=1.1 * value,
        open=opened,
        bound=bound,
        law="power",
        warnings=(),
        logs=logs,
        sides=np.full(len(logs), side),
    )


def _relative(needs: list[Need], ranked: bool = False) -> Relative:
    return Relative(
        group={},
        target=target_of("accuracy", 0.8),
        difficulty="classes",
        ranked=ranked,
        tolerance=0.02,
        needs=tuple(needs),
        laws=(need_law(needs, "compute", "classes", ranked),),
        best={},
        enough={},
        left_out=(),
    )


NEEDS = [_need(2), _need(4), _need(8), _need(16), _need(32, AT_LEAST, "high")]


def _shapes(panel) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for layer in marks(panel, "point"):
        if layer["size"] == 60:
            found.setdefault(layer["shape"], []).extend(row["x"] for row in layer["rows"])
    return found


def test_bounds_point_to_where_the_requirement_lies() -> None:
    needs = [_need(1, AT_MOST, "low"), *NEEDS]
    panel = picture([_relative(needs)]).panels[0]
    assert _shapes(panel) == {"triangle-down": [1], "circle": [2, 4, 8, 16], "triangle-up": [32]}


def test_the_law_runs_through_the_requirements() -> None:
    panel = picture([_relative(NEEDS)]).panels[0]
    (line,) = marks(panel, "line")
    assert not dashed(panel)
    for row in line["rows"]:
        assert row["y"] == pytest.approx(1e15 * row["x"] ** 1.5, rel=0.2)
    assert panel.lines[0].startswith("Twice as difficult takes 2.8")


def test_without_a_law_the_reason_stands_in_its_place() -> None:
    panel = picture([_relative(NEEDS[:2])]).panels[0]
    assert not marks(panel, "line")
    assert panel.lines[0].startswith("No law: ")


def test_a_requirement_that_is_not_identified_is_a_bar_without_a_mark() -> None:
    needs = [replace(NEEDS[0], bound=UNKNOWN, open="both"), *NEEDS[1:]]
    panel = picture([_relative(needs)]).panels[0]
    assert 2 not in [x for own in _shapes(panel).values() for x in own]
    bars = [row for layer in marks(panel, "rule") for row in layer["rows"] if row.get("x") == 2]
    assert len(bars) == 1


def test_ranks_are_named() -> None:
    needs = [replace(need, difficulty=name, place=place) for name, place, need in
             zip(("easy", "middle", "hard"), (1.0, 2.0, 3.0), NEEDS, strict=False)]  # fmt: skip
    plane = picture([_relative(needs, ranked=True)]).panels[0].plane
    assert not plane.x.log
    assert plane.x.ticks == ((1.0, "easy"), (2.0, "middle"), (3.0, "hard"))
