"""Counter-based draws are functions of names."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transferscale.pretrain.counter import Draw, draw_bits, identify

IDS = identify([f"clip-{i}" for i in range(200)])


@given(st.permutations(range(20)))
def test_a_clip_draws_the_same_wherever_it_stands_in_a_batch(order: list[int]) -> None:
    visit = np.arange(20) % 3
    straight = draw_bits(0, "mask", visit, IDS[:20], 16)
    assert np.array_equal(draw_bits(0, "mask", visit[order], IDS[:20][order], 16), straight[order])


def test_seed_purpose_visit_and_clip_each_change_the_draw() -> None:
    zero, one = np.zeros(1, np.int64), np.ones(1, np.int64)
    draws = [
        draw_bits(0, "mask", zero, IDS[:1], 4),
        draw_bits(1, "mask", zero, IDS[:1], 4),
        draw_bits("heldout", "mask", zero, IDS[:1], 4),
        draw_bits(0, "flip", zero, IDS[:1], 4),
        draw_bits(0, "mask", one, IDS[:1], 4),
        draw_bits(0, "mask", zero, IDS[1:2], 4),
    ]
    assert len(np.unique(np.concatenate(draws))) == 24


def test_bits_are_even() -> None:
    bits = Draw(0, np.zeros(200, np.int64), IDS).bits("mask", 500)
    for position in (0, 1, 31, 63):
        share = ((bits >> np.uint64(position)) & np.uint64(1)).mean()
        assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(bits.size)
    # Ranks of a token within its clip, which are what masks are made of, are uniform too.
    first = np.argsort(np.argsort(bits, axis=1), axis=1)[:, 0]
    assert abs(first.mean() - 249.5) < 4 * 500 / np.sqrt(12 * 200)


def test_identities_do_not_depend_on_what_else_is_in_the_list() -> None:
    assert identify(["b"])[0] == identify(["a", "b", "c"])[1]
    assert identify(["a"])[0] == 0xCA978112CA1BBDCA  # SHA-256 of "a" begins with these bytes
