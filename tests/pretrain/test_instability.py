"""Spikes and explosions are flagged, noise is not."""

import numpy as np
import pytest

from transferscale.pretrain.instability import Instability


def curve(steps: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient norm of a healthy run: noise of five per cent about a falling curve."""
    rng = np.random.default_rng(0)
    loss = (0.3 + np.arange(1, steps + 1) ** -0.3) * np.exp(0.05 * rng.normal(size=steps))
    return loss, np.exp(0.5 * rng.normal(size=steps))


def flags(loss: np.ndarray, norm: np.ndarray, warmup: int = 100) -> str:
    found = Instability(warmup, 0)
    for step, (one, other) in enumerate(zip(loss, norm, strict=True), 1):
        found.see(step, float(one), float(other))
    return found.flags(False)


def test_a_healthy_run_has_no_flags() -> None:
    assert flags(*curve()) == ""


def test_a_spike_and_an_explosion_are_flagged_at_their_step() -> None:
    loss, norm = curve()
    loss[[700, 1500]] *= 3
    norm[1200] *= 100
    assert flags(loss, norm) == "gradient-explosion x1 from step 1201; loss-spike x2 from step 701"


def test_what_happens_in_the_warm_up_is_no_flag() -> None:
    loss, norm = curve()
    loss[50] *= 10
    assert flags(loss, norm) == ""


def test_a_collapse_is_told_beside() -> None:
    found = Instability(0, 0)
    assert found.flags(True) == "collapse"


@pytest.mark.parametrize("cut", [400, 701, 1000])
def test_a_resumed_run_has_the_flags_of_an_undisturbed_one(cut: int) -> None:
    loss, norm = curve()
    loss[700] *= 3
    first, again = Instability(100, 0), Instability(100, 0)
    for step in range(1, cut + 1):
        first.see(step, float(loss[step - 1]), float(norm[step - 1]))
    again.load_state_dict(first.state_dict())
    for step in range(cut + 1, 2001):
        again.see(step, float(loss[step - 1]), float(norm[step - 1]))
    assert again.flags(False) == flags(loss, norm) == "loss-spike x1 from step 701"


def test_the_next_rung_keeps_the_statistics_and_not_the_flags() -> None:
    loss, norm = curve()
    loss[700] *= 3
    first, following = Instability(100, 0), Instability(100, 1000)
    for step in range(1, 1001):
        first.see(step, float(loss[step - 1]), float(norm[step - 1]))
    following.load_state_dict(first.state_dict())
    assert following.flags(False) == ""
    assert following.mean == first.mean
