"""A size's loss between its runs."""

import numpy as np
import pytest

from transferscale.scaling.minima.along import at_budget, between, covers

PLACES = np.log([1.0, 2.0, 4.0, 8.0, 16.0])


def test_a_curve_goes_through_its_runs() -> None:
    for i, place in enumerate(PLACES):
        assert between(PLACES, float(place)) == pytest.approx(np.eye(5)[i])


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_parabola_in_the_logarithm_is_met_exactly(count: int) -> None:
    own = PLACES[:count]
    curve = 1 - 0.3 * own + 0.05 * own**2
    for at in np.linspace(own[0], own[-1], 17):
        assert between(own, float(at)) @ curve == pytest.approx(1 - 0.3 * at + 0.05 * at**2, abs=1e-12)


def test_two_runs_are_joined_by_a_line_and_one_is_itself() -> None:
    assert between(PLACES[:2], float(PLACES[:2].mean())) == pytest.approx([0.5, 0.5])
    assert between(PLACES[:1], float(PLACES[0])) == pytest.approx([1.0])


def test_a_loss_with_a_floor_is_met_ten_times_nearer_than_by_lines() -> None:
    curve = np.log(0.3 + np.exp(-0.6 * PLACES))
    at = np.linspace(PLACES[0], PLACES[-1], 41)
    truth = np.log(0.3 + np.exp(-0.6 * at))
    ours = np.array([between(PLACES, float(place)) @ curve for place in at])
    lines = np.interp(at, PLACES, curve)
    assert np.abs(ours - truth).max() < 0.1 * np.abs(lines - truth).max()
    assert np.abs(ours - truth).max() < 5e-4


def test_repeated_runs_count_as_their_mean_in_any_order() -> None:
    weights = between(np.log([4.0, 1.0, 4.0, 2.0]), float(np.log(4.0)))
    assert weights == pytest.approx([0.5, 0, 0.5, 0], abs=1e-12)


def test_only_sizes_with_runs_on_both_sides_take_part_and_trunks_are_averaged() -> None:
    log_n = np.log([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    log_c = np.log([1.0, 4.0, 1.0, 4.0, 2.0, 8.0, 5.0, 9.0])
    trunk = ["a", "a", "b", "b", "c", "c", "d", "d"]
    sizes, weights, trunks = at_budget(log_n, log_c, trunk, float(np.log(2.0)))
    assert np.exp(sizes) == pytest.approx([1.0, 2.0])
    assert trunks.tolist() == [2, 1]
    assert weights[0] == pytest.approx([0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0])
    assert weights[1] == pytest.approx([0, 0, 0, 0, 1, 0, 0, 0], abs=1e-12)
    assert not covers(log_c[:2], float(np.log(4.1)))
