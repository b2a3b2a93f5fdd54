"""Noise of single runs, rung by rung."""

import numpy as np
import pytest

from transferscale.scaling.fits.student import critical
from transferscale.scaling.rungs.noise import by_rung, pooled

CLIPS = {rung: 1000.0 * 2**rung for rung in range(1, 6)}


def seeds(sd: dict[int, float], each: int, seed: int = 0) -> dict[int, list[list[float]]]:
    """Two sizes with ``each`` seeds at every rung, and one with a single one."""
    source = np.random.default_rng(seed)
    return {r: [*(own * source.standard_normal((2, each))).tolist(), [1.0]] for r, own in sd.items()}


def test_noise_is_the_spread_of_seeds_pooled() -> None:
    variance, freedom = pooled([[0.0, 2.0], [5.0], [1.0, 2.0, 3.0]])
    assert freedom == 3
    assert variance == pytest.approx((2 + 2) / 3)
    assert pooled([[1.0], [2.0]]) == (0.0, 0)


def test_many_seeds_tell_the_noise_of_every_rung() -> None:
    sd = {1: 0.02, 2: 0.01, 3: 0.03, 4: 0.002, 5: 0.01}
    found = by_rung(seeds(sd, 2000), CLIPS, 3998)
    assert found.sd == pytest.approx(sd, rel=0.08)


def test_few_seeds_follow_the_trend_over_the_rungs() -> None:
    sd = {rung: 0.02 * 0.6 ** (rung - 1) for rung in range(1, 6)}
    found = [by_rung(seeds(sd, 3, seed), CLIPS, 4).sd for seed in range(200)]
    alone = [np.sqrt(pooled(own)[0]) for seed in range(200) for own in [seeds(sd, 3, seed)[3]]]
    for rung, truth in sd.items():
        assert np.sqrt(np.mean([one[rung] ** 2 for one in found])) == pytest.approx(truth, rel=0.2)
    # Steadier than what the rung tells on its own.
    assert np.std(np.log([one[3] for one in found])) < 0.7 * np.std(np.log(alone))


def test_a_rung_without_several_seeds_has_the_noise_of_the_trend() -> None:
    groups = seeds({1: 0.02, 2: 0.01, 4: 0.0025, 5: 0.00125}, 500)
    groups = {1: groups[1], 2: groups[2], 3: [[0.0], [1.0]], 4: groups[4], 5: groups[5]}
    assert by_rung(groups, CLIPS, 998).sd[3] == pytest.approx(0.005, rel=0.1)


def test_noise_reaches_as_far_as_the_trunks_let_it() -> None:
    found = by_rung(seeds(dict.fromkeys(CLIPS, 0.01), 3), CLIPS, 4)
    reach = found.reach(2, 0.5)
    assert reach == pytest.approx(critical(0.05, 4) * found.sd[2] * np.sqrt(0.5))
    assert by_rung({1: [[0.1], [0.2]]}, CLIPS, 0).reach(1, 1.0) is None


def test_seeds_that_agree_exactly_have_no_noise() -> None:
    assert by_rung({1: [[0.1, 0.1]], 2: [[0.3, 0.3]]}, CLIPS, 1).reach(2, 1.0) == 0
