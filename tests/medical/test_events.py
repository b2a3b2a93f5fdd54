"""Events tables as they come."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferscale.medical.events import Event, read_events, within
from transferscale.medical.recording import UnreadableError

SECONDS = st.floats(-100, 1e5, allow_nan=False)
TYPE = st.text("abcdefg hij_-/;'", min_size=1, max_size=8).map(lambda text: f"t{text.strip()}")
EVENTS = st.lists(st.builds(Event, SECONDS, st.floats(0, 1e4), TYPE), max_size=6)


@given(
    events=EVENTS,
    newline=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["\t", ","]),
    bom=st.booleans(),
    packed=st.booleans(),
)
def test_what_was_written_is_read_in_order_of_onset(
    events: list[Event],
    newline: str,
    mark: str,
    bom: bool,
    packed: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = [["trial_type", "onset", "duration"]]
    rows += [[e.trial_type, repr(e.onset_s), repr(e.duration_s)] for e in events]
    content = (("\ufeff" if bom else "") + newline.join(mark.join(row) for row in rows)).encode()
    path = tmp_path_factory.mktemp("events") / ("e.tsv.gz" if packed else "e.tsv")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert read_events(path) == sorted(events, key=lambda event: event.onset_s)


def test_unknown_durations_and_types_are_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "e.tsv").write_text("onset\tduration\ttrial_type\n1\tn/a\tn/a\n\n2\t\tface\n")
    assert read_events(tmp_path / "e.tsv") == [Event(1, 0, ""), Event(2, 0, "face")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("time\tduration\n1\t2\n", r"e\.tsv: no column 'onset'"),
        ("", r"e\.tsv: no column 'onset'"),
        ("onset\tduration\nn/a\t2\n", r"e\.tsv: row 2: onset 'n/a' is no number of seconds"),
        ("onset\tduration\n1\tlong\n", r"e\.tsv: row 2: duration 'long' is no number of seconds"),
    ],
)
def test_a_table_that_will_not_do_says_why(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "e.tsv").write_text(text)
    with pytest.raises(UnreadableError, match=reason):
        read_events(tmp_path / "e.tsv")


@given(events=EVENTS, seconds=SECONDS)
def test_every_event_is_within_the_run_or_counted_as_past_it(events: list[Event], seconds: float) -> None:
    kept, late = within(events, seconds)
    assert len(kept) + late == len(events)
    assert all(event.onset_s < seconds for event in kept)
    assert [event for event in events if event.onset_s < seconds] == kept
