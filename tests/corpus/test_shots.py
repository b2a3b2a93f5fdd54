"""Hard cuts are found, motion and flashes are not taken for cuts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.corpus.photographs import PHOTOGRAPHS, photograph
from transferscale.corpus.shots import find_shots, hard_cuts

NAMES = [inside.split("/")[-1].split(".")[0] for _, inside, _ in PHOTOGRAPHS]


def pan(name: str, frames: int, step: int = 1) -> np.ndarray:
    """A view of 32 x 32 that moves over a photograph, (frames, 32, 32)."""
    photo = photograph(NAMES.index(name))[::4, ::4]
    return np.stack([photo[20:52, step * t : step * t + 32] for t in range(frames)])


def test_a_cut_between_two_scenes_is_found_at_its_frame() -> None:
    video = np.concatenate([pan("coffee", 30), pan("moon", 25), pan("chelsea", 20)])
    assert find_shots([video]) == [(0, 30), (30, 55), (55, 75)]


def test_blocks_do_not_change_what_is_found() -> None:
    video = np.concatenate([pan("coffee", 30), pan("moon", 25)])
    for size in (1, 7, 30, 31):
        blocks = [video[i : i + size] for i in range(0, len(video), size)]
        assert find_shots(blocks) == [(0, 30), (30, 55)]


def test_a_fast_pan_is_no_cut() -> None:
    assert find_shots([pan("astronaut", 24, step=4)]) == [(0, 24)]


def test_a_flash_is_no_cut() -> None:
    video = pan("coffee", 30).copy()
    video[12] = 255
    assert find_shots([video]) == [(0, 30)]


def test_a_single_frame_is_one_shot() -> None:
    assert find_shots([pan("coffee", 1)]) == [(0, 1)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 255)), max_size=40))
def test_cuts_lie_inside_and_apart(signs: list[tuple[float, float]]) -> None:
    jump, difference = (np.array([s[k] for s in signs], dtype=float) for k in (0, 1))
    cuts = hard_cuts(jump, difference)
    assert all(0 <= c < len(signs) for c in cuts)
    # A cut stands out from all its neighbours, so two never stand side by side.
    assert (np.diff(cuts) > 3).all()
