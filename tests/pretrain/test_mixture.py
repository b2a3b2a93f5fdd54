"""Parts of a mixture take turns by place alone, evenly."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transferscale.pretrain.mixture import given_until, turns, whole_shares

SHARES = st.lists(st.integers(1, 10**6), min_size=1, max_size=5)


@given(SHARES, st.integers(0, 10**11), st.integers(1, 200))
def test_any_stretch_continues_the_counts_before_it(shares: list[int], first: int, length: int) -> None:
    part, before = turns(np.arange(first, first + length), shares)
    counts = given_until(first, shares)
    for here, count in zip(part, before, strict=True):
        assert count == counts[here]
        counts[here] += 1
    assert counts == given_until(first + length, shares)
    assert sum(counts) == first + length


@given(SHARES, st.integers(1, 10**11))
def test_no_part_is_further_from_its_share_than_a_clip_a_part(shares: list[int], place: int) -> None:
    for count, share in zip(given_until(place, shares), shares, strict=True):
        assert abs(count - place * share / sum(shares)) <= len(shares)


def test_equal_parts_alternate() -> None:
    part, before = turns(np.arange(6), [1, 1])
    assert part.tolist() == [0, 1, 0, 1, 0, 1] or part.tolist() == [1, 0, 1, 0, 1, 0]
    assert before.tolist() == [0, 0, 1, 1, 2, 2]


def test_weights_become_whole_shares_of_the_same_proportions() -> None:
    assert whole_shares([0.3, 0.1]) == [750_000, 250_000]
    assert whole_shares([1.0, 1e-12]) == [1_000_000, 1]
