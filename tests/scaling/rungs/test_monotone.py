"""Whether losses fall, and what is noise."""

from typing import Any

import numpy as np
import pytest

from tests.scaling.rungs.test_prediction import rows
from transferscale.scaling.rungs.monotone import CLIPS, SIZE, pooled, steps, summary


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
    assert [(one.along, one.steps, one.rises, one.beyond) for one in summary(found)] == [
        (SIZE, 25, 0, 0),
        (CLIPS, 24, 0, 0),
    ]
    assert all(one.limit is not None and one.change < 0 for one in found)


def test_a_rise_beyond_noise_is_named_in_both_directions() -> None:
    rises = [one for one in steps(spoiled(4, 3, 1.25)) if one.beyond]
    assert [one.words for one in rises] == ["rung 3, depth 3 to 4", "depth 4, rung 2 to 3"]
    assert not all(one.holds for one in summary(rises))


def test_a_rise_within_noise_is_counted_and_does_not_count() -> None:
    # From depth 5 to 6 the loss falls by about 3 %; noise of 10 % turns some steps round.
    found = steps(rows(0.1, 2))
    size = next(one for one in summary(found) if one.along == SIZE)
    assert size.rises > 0
    assert size.beyond == 0
    assert size.holds


def test_noise_is_the_spread_of_seeds_pooled() -> None:
    found = pooled([[0.0, 2.0], [5.0], [1.0, 2.0, 3.0]])
    assert found.freedom == 3
    assert found.sd == pytest.approx(np.sqrt((2 + 2) / 3))
    drawn = np.random.default_rng(0).normal(0, 0.05, (400, 3))
    assert pooled(drawn.tolist()).sd == pytest.approx(0.05, rel=0.05)


def test_along_a_trunk_what_its_seed_did_better_stays() -> None:
    found = steps(rows(0.03))
    in_size = next(one for one in found if one.along == SIZE and one.start == 1)
    in_clips = next(one for one in found if one.along == CLIPS and one.at == 1)
    assert in_clips.limit is not None
    assert in_size.limit is not None
    assert in_clips.limit < in_size.limit


def test_false_alarms_are_rare() -> None:
    flat = 0
    for seed in range(40):
        table = [
            {**row, "heldout_loss": float(np.exp(0.02 * draw))}
            for row, draw in zip(rows(), np.random.default_rng(seed).standard_normal(50), strict=True)
        ]
        flat += sum(one.beyond for one in steps(table) if one.along == SIZE)
    # At a true change of nothing, 2.5 % of the steps rise by more than noise.
    assert 0.005 < flat / (40 * 25) < 0.05


def test_a_ladder_that_learns_nothing_does_not_clearly_fall() -> None:
    held = 0
    for seed in range(20):
        draws = np.random.default_rng(seed).standard_normal(50)
        table = [
            {**row, "heldout_loss": float(np.exp(0.01 * draw))}
            for row, draw in zip(rows(), draws, strict=True)
        ]
        held += sum(one.holds for one in summary(steps(table)))
    assert held <= 1
    assert all(one.clear and one.holds for one in summary(steps(rows(0.01))))


def test_from_first_to_last_is_the_sum_of_a_lines_steps() -> None:
    found = steps(rows(0.01))
    size = next(one for one in summary(found) if one.along == SIZE)
    lines = [[one.change for one in found if (one.along, one.at) == (SIZE, rung)] for rung in range(1, 6)]
    assert size.fall == pytest.approx(np.mean([sum(line) for line in lines]))


def test_without_replicates_nothing_is_judged() -> None:
    single = [row for row in rows(0.01) if row["seed"] == 0]
    found = steps(single)
    assert {one.limit for one in found} == {None}
    assert not any(one.beyond for one in found)
    assert not any(one.judged for one in summary(found))
