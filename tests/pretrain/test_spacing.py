"""Curves are dense at first and evenly spaced in log step afterwards, whatever rung a step is in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transferscale.pretrain.spacing import EVERY, kept, probed


@given(st.integers(1, 12))
def test_probes_come_so_many_times_as_steps_grow_tenfold(per_decade: int) -> None:
    steps = [step for step in range(1, 20_001) if probed(step, per_decade)]
    assert {1, 10, 100, 1000, 10_000} <= set(steps)
    for low in (100, 1000):
        assert sum(low < step <= 10 * low for step in steps) == per_decade
    late = np.array([step for step in steps if step >= 100])
    np.testing.assert_allclose(np.diff(np.log10(late)), 1 / per_decade, atol=0.01)


def test_no_probes_are_no_probes() -> None:
    assert not any(probed(step, 0) for step in range(1, 2000))


def test_rows_are_all_kept_at_first_and_thinned_without_a_jump() -> None:
    steps = np.array([step for step in range(1, 200_001) if kept(step)])
    assert (steps[:EVERY] == np.arange(1, EVERY + 1)).all()
    assert len(steps) < EVERY * (1 + np.log(200)) + 10
    later = steps[steps > EVERY]
    # At 1,000 steps the distance is 1, at 100,000 it is 100.
    assert set(np.diff(later[later < 1500])) == {1, 2}
    assert np.median(np.diff(later[later > 90_000])) == np.round(np.median(later[later > 90_000]) / EVERY)
