"""Minima of a ladder on a known surface."""

from dataclasses import replace

import numpy as np
import pytest

from tests.scaling.minima.planted import Surface, ladder, size
from transferscale.errors import UserError
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.fits.points import Points
from transferscale.scaling.minima.along import at_budget
from transferscale.scaling.minima.isoflop import Isoflop, isoflop
from transferscale.scaling.minima.noise import Noise

SURFACE = Surface()
NAMES = ("n", "c", "d")
# Budgets that four sizes or more reach.
BUDGETS = (7e11, 1.2e12, 2e12, 3.5e12)


def minima(noise: float = 0.0, seed: int = 0, **options: object) -> Isoflop:
    return isoflop(ladder(SURFACE, noise, seed), NAMES, "loss", Outcome(), **{"bootstrap": 200, **options})


def test_without_noise_minima_lie_where_the_surface_says() -> None:
    found = minima(budgets=BUDGETS)
    for one in found.budgets:
        n, loss = SURFACE.best(one.compute)
        assert one.loss == pytest.approx(loss, rel=2e-3)
        assert one.surface_n == pytest.approx(n, rel=0.02)
        assert one.surface_loss == pytest.approx(loss, rel=1e-4)
        if not one.side:
            assert one.n == pytest.approx(n, rel=0.05)
            # Of a fitted surface without noise the parabola makes what it makes of the ladder.
            assert one.bias == pytest.approx(one.n / one.surface_n, rel=1e-3)


def test_a_minimum_is_bracketed_exactly_where_the_best_size_has_a_worse_one_on_either_side() -> None:
    for one in minima(0.01, 3).budgets:
        best = int(np.argmin(one.losses))
        side = {0: "smaller", len(one.losses) - 1: "larger"}.get(best, "")
        assert one.side == side
        assert one.answer == ("not bracketed" if side else "bracketed")
        if side:
            assert one.n == one.sizes[best]
            assert f"{one.n:.3g}" in one.words
        else:
            assert one.sizes[best - 1] < one.n < one.sizes[best + 1]


@pytest.mark.parametrize(("changed", "side"), [({"b": 1e-3}, "smaller"), ({"a": 3e4}, "larger")])
def test_a_ladder_on_one_side_of_its_optimum_says_on_which(changed: dict[str, float], side: str) -> None:
    surface = Surface(**changed) if side == "larger" else Surface(a=0.01)
    found = isoflop(ladder(surface, 0.002), NAMES, "loss", Outcome(), bootstrap=100)
    assert {one.side for one in found.budgets} == {side}
    assert all(one.p_bracketed is not None and one.p_bracketed < 0.5 for one in found.budgets)
    assert all(one.open in ({"smaller": "low", "larger": "high"}[side], "both") for one in found.budgets)
    assert found.allocation is None
    assert any("minima are not bracketed" in warning for law in found.frontier for warning in law.warnings)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    inside = []
    for seed in range(24):
        for one in minima(0.01, seed, budgets=BUDGETS, bootstrap=100).budgets:
            n, loss = SURFACE.best(one.compute)
            assert one.n_low is not None
            assert one.n_high is not None
            assert one.loss_low is not None
            assert one.loss_high is not None
            inside.append((one.n_low <= n <= one.n_high, one.loss_low <= loss <= one.loss_high))
    of_size, of_loss = np.mean(inside, axis=0)
    assert 0.9 <= of_size <= 1
    assert 0.9 <= of_loss <= 1


def _lowest(points: Points, compute: float) -> float:
    """Log of the lowest loss of any one trunk at a budget."""
    runs = np.log(np.column_stack([points.x[:, :2], points.y]))
    trunks = np.array(points.cluster)
    found = []
    for name in np.unique(trunks):
        n, c, y = runs[trunks == name].T
        found += (at_budget(n, c, [name] * len(n), float(np.log(compute)))[1] @ y).tolist()
    return min(found)


def test_the_frontier_is_free_of_the_luck_of_the_lowest_checkpoint() -> None:
    luck, bias = [], []
    for seed in range(12):
        points = ladder(SURFACE, 0.02, seed, seeds_of=(6,) * 6)
        for one in isoflop(points, NAMES, "loss", Outcome(), budgets=BUDGETS, bootstrap=0).budgets:
            _, loss = SURFACE.best(one.compute)
            luck.append(_lowest(points, one.compute) - np.log(loss))
            bias.append(np.log(one.loss / loss))
    assert np.mean(luck) < -0.02
    assert abs(np.mean(bias)) < 0.004


def test_the_exponent_of_the_best_size_is_recovered() -> None:
    at = np.log(BUDGETS)
    truth = float(np.polyfit(at, np.log([SURFACE.best(c)[0] for c in BUDGETS]), 1)[0])
    grows = minima(0.004, 1, budgets=BUDGETS).allocation
    assert grows is not None
    assert grows.low is not None
    assert grows.high is not None
    assert grows.low <= truth <= grows.high
    assert grows.surface_a == pytest.approx(truth, abs=0.1)


def test_without_a_column_of_data_it_is_c_over_6n() -> None:
    points = ladder(replace(SURFACE, cost=6.0))
    two = replace(points, x=points.x[:, :2])
    with_d, without = (
        isoflop(one, NAMES[: one.x.shape[1]], "loss", Outcome(), bootstrap=0) for one in (points, two)
    )
    assert [one.n for one in with_d.budgets] == pytest.approx([one.n for one in without.budgets])
    assert with_d.surface.params == pytest.approx(without.surface.params)


def test_the_order_of_the_rows_has_no_say() -> None:
    points = ladder(SURFACE, 0.01)
    order = np.random.default_rng(0).permutation(len(points.y))
    mixed = replace(
        points,
        x=points.x[order],
        y=points.y[order],
        cluster=tuple(points.cluster[i] for i in order),
    )
    a, b = (isoflop(one, NAMES, "loss", Outcome(), bootstrap=50) for one in (points, mixed))
    assert [one.n_high for one in a.budgets] == [one.n_high for one in b.budgets]


def test_two_trunks_have_no_interval_and_say_so() -> None:
    points = ladder(SURFACE, 0.01)
    names = tuple("one" if name < "d3" else "two" for name in points.cluster)
    found = isoflop(replace(points, cluster=names), NAMES, "loss", Outcome(), bootstrap=50)
    assert {(one.n_low, one.loss_high, one.p_bracketed) for one in found.budgets} == {(None, None, None)}
    assert "independent runs (clusters): 2, too few for an interval" in found.warnings


def test_budgets_that_too_few_sizes_reach_are_named_and_the_others_told() -> None:
    found = minima(budgets=(1e10, 1.2e12))
    assert [one.compute for one in found.budgets] == [1.2e12]
    assert any("budget 1e+10: 0 sizes ('n') have runs on both sides" in one for one in found.left_out)
    with pytest.raises(UserError, match=r"budget 1e\+10: 0 sizes"):
        minima(budgets=(1e10,))
    with pytest.raises(UserError, match="--budget 0: a budget is a number of FLOPs above zero"):
        minima(budgets=(0.0,))


def test_sizes_at_budgets_that_do_not_overlap_are_one_sentence() -> None:
    points = ladder(SURFACE)
    kept = (points.x[:, 2] < 2500) & np.isin(points.x[:, 0], [size(1), size(4), size(6)])
    few = replace(
        points,
        x=points.x[kept],
        y=points.y[kept],
        cluster=tuple(np.array(points.cluster)[kept]),
        held=points.held[kept],
        row=points.row[kept],
    )
    with pytest.raises(UserError, match="no compute budget lies within the runs of 3 sizes"):
        isoflop(few, NAMES, "loss", Outcome(), bootstrap=0)


def test_the_noise_of_trunks_and_rungs_is_told_apart() -> None:
    rng = np.random.default_rng(0)
    member = np.repeat(np.arange(200), 5)
    residual = 0.03 * rng.standard_normal(200)[member] + 0.01 * rng.standard_normal(1000)
    found = Noise.of(residual, member)
    assert found.trunk == pytest.approx(0.03, rel=0.1)
    assert found.rung == pytest.approx(0.01, rel=0.1)
    assert found.widened == pytest.approx(1.0, abs=0.02)
    drawn = found.draws(member, [f"t{i}" for i in range(200)], 50, 0)
    means = drawn.reshape(50, 200, 5).mean(2)
    assert means.std() == pytest.approx(np.hypot(0.03, 0.01 / np.sqrt(5)), rel=0.1)
    assert (drawn[:, :5] == found.draws(member, [f"t{i}" for i in range(200)], 50, 0)[:, :5]).all()
