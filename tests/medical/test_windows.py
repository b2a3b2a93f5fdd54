"""Windows: inside the recording, at the events, and none that is mostly scrubbed."""

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transferscale.medical.events import Event
from transferscale.medical.timing import timing
from transferscale.medical.windows import Window, usable_windows, windows_of
from transferscale.study.cleaning import Cleaning
from transferscale.study.view import Windows


def windows(**options: Any) -> dict[str, Any]:
    return Windows.model_validate(options).spec()


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 20), st.integers(1, 50), st.integers(1, 9))
def test_windows_lie_inside_the_recording(
    total: int, volumes: int, start: int, step: int, count: int
) -> None:
    spec = windows(volumes=volumes, start=start, step=step, count=count)
    starts = [window.start for window in windows_of(total, spec, 2.0, None, [], max_scrubbed=0)]
    assert starts == [start + k * step for k in range(len(starts))]
    assert len(starts) <= count
    assert all(s + volumes <= total for s in starts)
    assert len(starts) == count or start + len(starts) * step + volumes > total


def test_windows_do_not_overlap_by_default() -> None:
    found = windows_of(52, windows(volumes=16, start=4), 2.0, None, [], max_scrubbed=0)
    assert found == [Window(0, 4), Window(1, 20), Window(2, 36)]


def test_a_window_that_is_mostly_scrubbed_is_left_out_and_the_others_keep_their_numbers() -> None:
    kept = np.ones(30, dtype=bool)
    kept[10:15] = False
    found = windows_of(30, windows(volumes=10), 2.0, kept, [], max_scrubbed=0.4)
    assert [window.number for window in found] == [0, 2]
    assert len(windows_of(30, windows(volumes=10), 2.0, kept, [], max_scrubbed=0.5)) == 3


EVENTS = [
    Event(0.0, 9.0, "rest"),
    Event(20.0, 9.0, "face"),
    Event(40.9, 9.0, "house"),
    Event(90.0, 9.0, "face"),
]


def test_windows_follow_events_by_the_lag() -> None:
    found = windows_of(
        50, windows(volumes=4, events={"lag_s": 5.0}), 2.0, None, list(reversed(EVENTS)), max_scrubbed=0
    )
    # The volume nearest to onset + 5 s; half-way the later. The last has room for less than four volumes.
    assert found == [Window(0, 3, "rest"), Window(1, 13, "face"), Window(2, 23, "house")]


def test_events_can_be_chosen() -> None:
    spec = windows(volumes=2, events={"lag_s": 4.0, "trial_types": ["face"]})
    found = windows_of(50, spec, 2.0, None, EVENTS, max_scrubbed=0)
    assert found == [Window(0, 12, "face"), Window(1, 47, "face")]


@given(
    st.integers(0, 12),
    st.sampled_from([None, 0.5, 1.0, 3.0]),
    st.lists(st.floats(0, 110), max_size=6),
)
def test_windows_of_a_cleaned_run_show_the_time_of_their_events(
    discard: int, resample_s: float | None, onsets: list[float]
) -> None:
    clean = Cleaning(discard=discard, resample_s=resample_s).spec()
    spec = {"clean": clean, "windows": windows(volumes=5, events={"lag_s": 5.0})}
    found = usable_windows(spec, 60, 2.0, None, [Event(onset, 1.0, "x") for onset in onsets])
    time = timing(60, 2.0, clean)
    at = [discard * 2.0 + window.start * time.tr_s for window in found]
    wanted = sorted(onset + 5 for onset in onsets)
    for seconds in at:
        assert min(abs(seconds - onset) for onset in wanted) <= time.tr_s / 2 + 1e-9
    fits = [w for w in wanted if discard * 2.0 <= w and w <= discard * 2.0 + (time.volumes - 6) * time.tr_s]
    assert len(found) >= len(fits)


def test_a_recording_that_is_all_discarded_has_no_window() -> None:
    spec = {"clean": Cleaning(discard=10).spec(), "windows": windows(volumes=2)}
    assert usable_windows(spec, 8, 2.0, None, []) == []


def pauses(n_volumes: int, volumes: int, lag_s: float, *events: Event) -> list[Window]:
    spec = windows(volumes=volumes, events={"lag_s": lag_s, "pauses": True})
    return windows_of(n_volumes, spec, 2.0, None, list(events), max_scrubbed=0)


def test_windows_lie_in_an_event_or_in_a_pause() -> None:
    found = pauses(20, 3, 4.0, Event(8, 10, "face"), Event(26, 8, "house"))
    # Shown is from 12 to 22 s and from 30 to 38 s, four seconds late; between them a pause of four volumes.
    assert found == [
        Window(0, 0, "pause"),
        Window(1, 3, "pause"),
        Window(2, 6, "event"),
        Window(3, 11, "pause"),
        Window(4, 15, "event"),
    ]


def test_pictures_that_follow_each_other_within_a_window_are_one_event() -> None:
    train = [Event(at, 1, "face") for at in range(0, 12, 3)]
    found = [(window.start, window.trial_type) for window in pauses(12, 2, 0.0, *train)]
    assert found == [(0, "event"), (2, "event"), (5, "pause"), (7, "pause"), (9, "pause")]


@given(
    st.lists(st.tuples(st.floats(0, 90), st.floats(0, 30)), max_size=8),
    st.integers(1, 6),
    st.floats(0, 10),
)
def test_windows_of_a_pause_see_no_event_and_those_of_an_event_no_pause(
    shown: list[tuple[float, float]], volumes: int, lag_s: float
) -> None:
    events = [Event(onset, duration, "x") for onset, duration in shown]
    found = pauses(50, volumes, lag_s, *events)
    assert all(b.start >= a.start + volumes for a, b in pairwise(found))
    for window in found:
        for at in ((window.start + k + 0.5) * 2.0 - lag_s for k in range(volumes)):
            ends = [event.onset_s + event.duration_s for event in events if event.onset_s <= at]
            inside = bool(ends) and at < max(ends)
            if window.trial_type == "pause":
                assert not inside
            elif not inside:
                following = min(event.onset_s for event in events if event.onset_s > at)
                assert following - max(ends) < volumes * 2.0
