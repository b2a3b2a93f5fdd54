"""Runs that are cut: stretches tile the run, and each has its own volumes, rows of confounds and faults."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.medical.fmriprep import write_confounds
from transferscale.medical.confounds import confounds_of, rows_and_motion
from transferscale.medical.events import Event, events_of
from transferscale.medical.readers import open_reader
from transferscale.medical.readers.stretches import Cut, stretches
from transferscale.medical.recording import Float32, Int64, Parcels, Stretch, UnreadableError
from transferscale.medical.windows import usable_windows
from transferscale.study.cleaning import Cleaning, Confounds
from transferscale.study.recordings import SeriesRecordings
from transferscale.study.view import Windows

VOLUMES, NUMBER = 43, 4


@given(n_volumes=st.integers(1, 2000), number=st.integers(1, 60))
def test_stretches_are_equal_follow_each_other_and_leave_less_than_a_volume_each(
    n_volumes: int, number: int
) -> None:
    found = stretches(n_volumes, number)
    assert [s.first for s in found] == [k * found[0].volumes for k in range(number)]
    assert len({s.volumes for s in found}) == 1
    assert 0 <= n_volumes - sum(s.volumes for s in found) < number


@dataclass(frozen=True)
class Blocks:
    """A signal that comes in blocks of given lengths."""

    values: Float32
    lengths: list[int]

    @property
    def geometry(self) -> Parcels:
        return Parcels(self.values.shape[1])

    @property
    def n_volumes(self) -> int:
        return len(self.values)

    def blocks(self, inside: Int64 | None = None) -> Iterator[Float32]:
        values = self.values if inside is None else self.values[:, inside]
        yield from np.split(values, np.cumsum(self.lengths)[:-1])


@given(lengths=st.lists(st.integers(1, 9), min_size=4, max_size=12), number=st.integers(1, 4))
def test_the_volumes_of_a_stretch_do_not_depend_on_the_blocks_they_come_in(
    lengths: list[int], number: int
) -> None:
    values = np.random.default_rng(0).standard_normal((sum(lengths), 3)).astype(np.float32)
    for stretch in stretches(len(values), number):
        cut = Cut(Blocks(values, lengths), stretch)
        assert cut.n_volumes == stretch.volumes
        own = np.concatenate(list(cut.blocks(np.array([0, 2]))))
        expected = values[stretch.first : stretch.first + stretch.volumes][:, [0, 2]]
        assert np.array_equal(own, expected)


def reader_of(root: Path, number: int = NUMBER) -> Any:
    recordings = SeriesRecordings(kind="series", pattern="{subject}.npy", tr_s=2.0).model_dump(mode="json")
    return open_reader(recordings, root, None, number)


def test_a_run_that_cannot_be_used_is_one_recording_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "sub-1.npy").write_text("<html>404</html>")
    np.save(tmp_path / "sub-2.npy", np.random.default_rng(0).standard_normal((3, 5)))
    one, two = reader_of(tmp_path).find(None)
    assert "web page" in one.problem
    assert two.problem == "3 volumes are too few for 4 stretches"


def test_the_rest_of_a_run_is_told_with_its_last_stretch(tmp_path: Path) -> None:
    np.save(tmp_path / "sub-1.npy", np.random.default_rng(0).standard_normal((VOLUMES, 5)))
    reader = reader_of(tmp_path)
    facts = [reader.describe(found) for found in reader.find(None)]
    assert [one.n_volumes for one in facts] == [10] * NUMBER
    assert [one.note for one in facts] == ["", "", "", "the last 3 volumes of the run are in no stretch"]


def test_a_stretch_without_signal_is_refused_and_the_others_are_not(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((VOLUMES, 5))
    values[20:30] = 7
    np.save(tmp_path / "sub-1.npy", values)
    reader = reader_of(tmp_path)
    found = reader.find(None)
    with pytest.raises(UnreadableError, match="every value of this stretch is constant"):
        reader.describe(found[2])
    assert [reader.describe(found[k]).n_volumes for k in (0, 1, 3)] == [10, 10, 10]


def test_a_run_of_another_length_than_was_cut_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "sub-1.npy", np.zeros((VOLUMES, 5)))
    found = reader_of(tmp_path).find(None)[0]
    np.save(tmp_path / "sub-1.npy", np.zeros((VOLUMES + 1, 5)))
    with pytest.raises(UnreadableError, match="has 44 volumes, not those that were cut"):
        reader_of(tmp_path).open(found)


# -- confounds and events --------------------------------------------------------------


def test_confounds_of_a_stretch_are_those_of_a_table_with_its_rows_alone(tmp_path: Path) -> None:
    path = tmp_path / "sub-01_desc-confounds_timeseries.tsv"
    write_confounds(path, VOLUMES, np.random.default_rng(0))
    frame = pd.read_csv(path, sep="\t")
    frame.loc[[12, 25], "framewise_displacement"] = 3.0
    frame.to_csv(path, sep="\t", index=False, na_rep="n/a")
    stretch = stretches(VOLUMES, 2)[1]
    alone = tmp_path / "sub-02_desc-confounds_timeseries.tsv"
    frame[stretch.first : stretch.first + stretch.volumes].to_csv(alone, sep="\t", index=False, na_rep="n/a")
    options = Confounds(strategy=["motion", "wm_csf", "scrub"], scrub_segment=2).model_dump(mode="json")
    own = confounds_of(path, options, stretch.volumes, stretch)
    expected = confounds_of(alone, options, stretch.volumes)
    assert own.values is not None
    assert np.array_equal(own.values, expected.values)  # type: ignore[arg-type]
    assert np.flatnonzero(~own.kept).tolist() == [25 - stretch.first]
    assert rows_and_motion(path, stretch.volumes, stretch) == rows_and_motion(alone, stretch.volumes)
    with pytest.raises(UnreadableError, match="has 43 rows, the image 40 volumes"):
        confounds_of(path, options, 20, Stretch(1, 0, 20, 40))


def windows(path: Path, number: int, lag_s: float, volumes: int = 3) -> list[list[tuple[int, str]]]:
    """Start and type of the windows of every stretch of a run of 40 volumes, every 2 s."""
    options = Windows.model_validate({"volumes": volumes, "events": {"lag_s": lag_s}})
    spec = {"clean": Cleaning().spec(), "windows": options.spec()}
    return [
        [
            (window.start, window.trial_type)
            for window in usable_windows(
                spec, stretch.volumes, 2.0, None, events_of(path, stretch.volumes, 2.0, stretch)[0]
            )
        ]
        for stretch in stretches(40, number)
    ]


def test_an_event_near_a_boundary_belongs_to_where_its_window_fits(tmp_path: Path) -> None:
    path = tmp_path / "events.tsv"
    # Boundaries are at 20, 40 and 60 s; windows begin 5 s after the onset and last 6 s.
    onsets = {"a": 8, "crosses": 12, "next": 16, "last": 69, "no room": 74}
    path.write_text(
        "onset\tduration\ttrial_type\n" + "".join(f"{at}\t1\t{name}\n" for name, at in onsets.items())
    )
    assert windows(path, 4, 5.0) == [[(7, "a")], [(1, "next")], [], [(7, "last")]]


@given(onsets=st.lists(st.integers(0, 790).map(lambda k: k / 10), unique=True, max_size=12))
def test_no_event_is_in_two_stretches_and_none_is_lost_but_at_a_boundary(
    onsets: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("events") / "events.tsv"
    path.write_text("onset\tduration\ttrial_type\n" + "".join(f"{at}\t1\tt{at}\n" for at in onsets))
    (whole,) = windows(path, 1, 5.0)
    cut = {kind: 10 * k + start for k, own in enumerate(windows(path, 4, 5.0)) for start, kind in own}
    # A window of three volumes crosses into the next ten where it starts at the eighth or ninth.
    assert cut == {kind: start for start, kind in whole if start % 10 <= 7}


def test_events_past_the_end_of_the_run_are_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "events.tsv"
    path.write_text("onset\tduration\ttrial_type\n1\t1\ta\n50\t1\tb\n90\t1\tc\n")
    found = [events_of(path, s.volumes, 2.0, s) for s in stretches(40, 4)]
    assert [number for _, number in found] == [1, 0, 0, 0]
    assert found[2][0] == [Event(-39, 1, "a"), Event(10, 1, "b")]
