"""Pictures of plans show the frontier, the cheapest way, the runs, and what is extrapolated."""

import numpy as np
import pytest

from tests.scaling.pictures.marks import dashed, marks, ranges, texts
from transferscale.scaling.pictures.plan import picture
from transferscale.scaling.plans.cost import given_rate, prices_of
from transferscale.scaling.plans.plan import Plan, plan
from transferscale.scaling.plans.target import target_of
from transferscale.scaling.plans.ways import LEAST, Question, Runs


def _runs(arm: str, compute: list[float], counts: tuple[int, ...] = (8, 16, 32, 64, 128)) -> Runs:
    levels, numbers, seeds = np.array(compute), np.array(counts, dtype=float), np.arange(3)
    flops, subjects, seed = (axis.ravel() for axis in np.meshgrid(levels, numbers, seeds, indexing="ij"))
    fall = np.where(flops > 0, (np.maximum(flops, 1) / 1e15) ** -0.12, 1.0)
    rng = np.random.default_rng(len(flops))
    error = (0.08 + 0.9 * fall * subjects**-0.35) * np.exp(0.02 * rng.standard_normal(len(flops)))
    cluster = tuple(f"{int(s)} {c:g}" for s, c in zip(seed, flops, strict=True))
    return Runs(arm, flops, subjects, 1 - 0.5 * error, cluster)


ARMS = [_runs("video", [1e15, 1e16, 1e17, 1e18]), _runs("scratch", [0.0])]


@pytest.fixture(scope="module")
def priced() -> Plan:
    rate = given_rate(1e14)
    return plan(ARMS, Question(target_of("auroc", 0.85), rate, prices_of(rate, 2, 50), bootstrap=100))


def _points(panel, shape: str) -> list[dict]:
    return [row for layer in marks(panel, "point") if layer["shape"] == shape for row in layer["rows"]]


def test_the_frontier_is_that_of_the_plan(priced: Plan) -> None:
    panel = picture([priced]).panels[0]
    video = next(option for option in priced.options if option.arm == "video")
    expected = {
        way.flops.value: way.subjects.value for way in video.frontier if way.subjects.value is not None
    }
    drawn = {row["x"]: row["y"] for row in _points(panel, "square")}
    assert sorted(drawn) == pytest.approx(sorted(expected))
    assert [drawn[x] for x in sorted(drawn)] == pytest.approx([expected[x] for x in sorted(expected)])


def test_the_cheapest_way_is_marked_with_its_cost(priced: Plan) -> None:
    panel = picture([priced]).panels[0]
    way = next(option for option in priced.options if option.arm == priced.best).way(LEAST)
    (mark,) = _points(panel, "diamond")
    assert (mark["x"], mark["y"]) == (pytest.approx(way.flops.value), pytest.approx(way.subjects.value))
    assert any(text.startswith("cheapest: ") for text in texts(panel))


def test_runs_are_hollow_where_they_miss_the_target(priced: Plan) -> None:
    panel = picture([priced]).panels[0]
    runs = ARMS[0]
    circles = [layer for layer in marks(panel, "point") if layer["shape"] == "circle"]
    counts = {layer["fill"] == "#ffffff": len(layer["rows"]) for layer in circles}
    assert counts == {True: int((runs.score < 0.85).sum()), False: int((runs.score >= 0.85).sum())}


def test_what_is_extrapolated_is_shaded_and_dashed(priced: Plan) -> None:
    panel = picture([priced]).panels[0]
    assert any(low == pytest.approx(1e18) for low, _ in ranges(panel))
    beyond = [layer for layer in dashed(panel) if layer["color"] != "#202124"]
    assert beyond
    assert all(layer["rows"][-1]["x"] > 1e18 for layer in beyond)


def test_labelling_alone_has_its_own_curve_that_meets_the_target(priced: Plan) -> None:
    panel = picture([priced]).panels[1]
    scratch = next(option for option in priced.options if option.arm == "scratch")
    (mark,) = _points(panel, "diamond")
    assert (mark["x"], mark["y"]) == (pytest.approx(scratch.frontier[0].subjects.value), 0.85)


def test_arms_without_pretraining_have_that_curve_alone() -> None:
    found = plan(ARMS[1:], Question(target_of("auroc", 0.8), bootstrap=0))
    (panel,) = picture([found]).panels
    assert panel.plane.x.title == "labelled subjects"
    assert panel.lines == [f"{found.words}."]


def test_one_label_count_leaves_the_score_against_compute() -> None:
    runs = _runs("video", [1e15, 1e16, 1e17, 1e18], (64,))
    (panel,) = picture([plan([runs], Question(target_of("auroc", 0.88), bootstrap=0))]).panels
    assert panel.plane.x.title == "pretraining FLOPs"


def test_a_target_out_of_reach_is_drawn_without_a_frontier() -> None:
    found = plan(ARMS, Question(target_of("auroc", 0.99), bootstrap=100))
    panels = picture([found]).panels
    assert not _points(panels[0], "square")
    assert "not reachable" in panels[0].lines[0]
