"""Whether losses fall, and what is noise."""

from typing import Any

import numpy as np
import pytest

from tests.scaling.rungs.test_prediction import rows
from transferscale.scaling.rungs.monotone import CLIPS, SIZE, Runs, steps, summary


def spoiled(depth: int, rung: int, factor: float, noise: float = 0.003) -> list[dict[str, Any]]:
    """A ladder in which the loss of one size and rung is higher than it should be."""
    return [
        {
            **row,
            "heldout_loss": row["heldout_loss"]
            * (factor if (row["depth"], row["rung"]) == (depth, rung) else 1),
        }
        for row in rows(noise)
    ]


def test_a_ladder_on_a_surface_falls_everywhere() -> None:
    found = steps(rows(0.001))
    assert [(one.along, one.steps, one.rises, one.beyond) for one in summary(rows(0.001))] == [
        (SIZE, 25, 0, 0),
        (CLIPS, 24, 0, 0),
    ]
    assert all(one.limit is not None and one.change < 0 for one in found)


def test_a_rise_beyond_noise_is_named_in_both_directions() -> None:
    table = spoiled(4, 3, 1.25)
    rises = [one for one in steps(table) if one.beyond]
    assert [one.words for one in rises] == ["rung 3, depth 3 to 4", "depth 4, rung 2 to 3"]
    assert not all(one.holds for one in summary(table))


def test_a_rise_within_noise_is_counted_and_does_not_count() -> None:
    # From depth 5 to 6 the loss falls by about 3 %; noise of 10 % turns some steps round.
    size = next(one for one in summary(rows(0.1, 2)) if one.along == SIZE)
    assert size.rises > 0
    assert size.beyond == 0
    assert size.holds


def test_along_a_trunk_what_its_seed_did_better_stays() -> None:
    found = steps(rows(0.03))
    in_size = next(one for one in found if one.along == SIZE and one.start == 1)
    in_clips = next(one for one in found if one.along == CLIPS and one.at == 1)
    assert in_clips.limit is not None
    assert in_size.limit is not None
    assert in_clips.limit < in_size.limit


def flat(seed: int, luck: float, rung: float, quieter: float = 1.0) -> list[dict[str, Any]]:
    """A ladder that learns nothing: noise of trunks and of their rungs alone, ``quieter`` times with every rung."""
    source = np.random.default_rng(seed)
    trunks: dict[str, float] = {}
    out = []
    for row in rows():
        own = trunks.setdefault(row["trunk"], luck * source.standard_normal())
        error = quieter ** (row["rung"] - 1) * (own + rung * source.standard_normal())
        out.append({**row, "heldout_loss": float(np.exp(error))})
    return out


@pytest.mark.parametrize("quieter", [1.0, 0.6])
@pytest.mark.parametrize(("luck", "rung"), [(0.0, 0.02), (0.014, 0.014), (0.02, 0.004)])
def test_of_a_hundred_steps_that_change_nothing_one_or_two_are_false_alarms(
    luck: float, rung: float, quieter: float
) -> None:
    tables = [flat(seed, luck, rung, quieter) for seed in range(300)]
    found = [one for table in tables for one in steps(table)]
    for along in (SIZE, CLIPS):
        beyond = [one.beyond for one in found if one.along == along]
        assert 0.003 < np.mean(beyond) < 0.03
    # Small budgets are the noisiest: there too.
    assert np.mean([one.beyond for one in found if (one.along, one.at) == (SIZE, 1)]) < 0.035


def test_a_ladder_that_learns_nothing_seldom_clearly_falls() -> None:
    whole = [one.clear for seed in range(200) for one in summary(flat(seed, 0.014, 0.014, 0.6))]
    assert np.mean(whole) < 0.05
    assert all(one.clear and one.holds for one in summary(rows(0.01)))


def test_a_weak_fall_with_size_is_seen_through_the_noise_of_small_budgets() -> None:
    """2 % from depth 1 to 6, beside noise of 3 % at the first rung that is 0.4 % at the last."""
    clear = 0
    for seed in range(20):
        table = [
            {**row, "heldout_loss": row["heldout_loss"] * 0.98 ** ((row["depth"] - 1) / 5)}
            for row in flat(seed, 0.02, 0.02, 0.6)
        ]
        clear += next(one.clear for one in summary(table) if one.along == SIZE)
    assert clear >= 14


def test_from_first_to_last_rungs_count_by_their_noise() -> None:
    table = flat(0, 0.01, 0.01, 0.6)
    [(noise, runs)] = [(one.size_noise(), one) for one in (Runs(table),)]
    weights = np.array([1 / noise.sd[rung] ** 2 for rung in range(1, 6)])
    lines = [np.mean(runs.at(rung)[6]) - np.mean(runs.at(rung)[1]) for rung in range(1, 6)]
    size = next(one for one in summary(table) if one.along == SIZE)
    assert size.fall == pytest.approx(np.average(lines, weights=weights))
    assert weights[4] > 4 * weights[0]


def test_without_replicates_nothing_is_judged() -> None:
    single = [row for row in rows(0.01) if row["seed"] == 0]
    found = steps(single)
    assert {one.limit for one in found} == {None}
    assert not any(one.beyond for one in found)
    assert not any(one.judged for one in summary(single))
