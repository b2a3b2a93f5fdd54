"""Corruptions are the same for every arm, grow with severity, and touch what they say and nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transfer.planted import Planted
from transferscale.errors import UserError
from transferscale.medical.reading import View
from transferscale.study.behaviour import CORRUPTIONS, SEVERITIES
from transferscale.transfer.behaviour.corruption import SPIKE, Recorded
from transferscale.transfer.behaviour.shown import Shown

ROWS = np.arange(6, 18)


@pytest.fixture(scope="module")
def recorded(planted: Planted) -> Recorded:
    return Recorded.of(View(planted.view))


def windows_of(volumes: int = 16, columns: int = 10, left: int = 5) -> Recorded:
    """Two windows of a recording and one of another."""
    series = np.random.default_rng(0).standard_normal((3, volumes, columns)).astype(np.float32)
    spread = np.linspace(1, 2, columns, dtype=np.float32)[None].repeat(3, axis=0)
    return Recorded(series, spread, ["a", "a", "b"], [0, 1, 0], np.arange(columns) < left)


@pytest.mark.parametrize("normalisation", ["recording", "window", "column"])
def test_clean_columns_laid_out_are_the_clips_that_networks_are_trained_on(
    planted: Planted, normalisation: str
) -> None:
    view = View(planted.view, normalisation)
    painted = Shown("video", view)(torch.from_numpy(view.series_windows()))
    np.testing.assert_allclose(painted.numpy(), view.clips(), atol=1e-6)


@pytest.mark.parametrize("corruption", [c for c in CORRUPTIONS if c != "hemisphere"])
def test_a_window_is_corrupted_alike_whatever_is_corrupted_beside_it(
    recorded: Recorded, corruption: str
) -> None:
    together = recorded.corrupted(ROWS, corruption, 3)
    alone = np.concatenate([recorded.corrupted(ROWS[i : i + 1], corruption, 3) for i in range(len(ROWS))])
    np.testing.assert_array_equal(together, alone)
    assert not np.array_equal(together, recorded.series[ROWS])


@pytest.mark.parametrize("corruption", [c for c in CORRUPTIONS if c != "tr"])
def test_a_higher_severity_moves_a_window_further(corruption: str) -> None:
    of, rows = windows_of(volumes=20, columns=40, left=20), np.arange(3)
    moved = [np.linalg.norm(of.corrupted(rows, corruption, s) - of.series) for s in range(1, 6)]
    assert moved == sorted(moved)
    assert moved[0] > 0
    assert len(SEVERITIES[corruption]) == 5


def test_noise_has_the_stated_sd_in_units_of_each_column() -> None:
    of = windows_of(volumes=4000)
    added = of.corrupted(np.array([0]), "noise", 4)[0] - of.series[0]
    np.testing.assert_allclose(added.std(axis=0) / of.spread[0], SEVERITIES["noise"][3], rtol=0.1)


def test_a_spike_is_one_jump_of_all_columns_in_one_volume() -> None:
    of = windows_of()
    jump = (of.corrupted(np.arange(3), "spikes", 2) - of.series) / of.spread[:, None]
    hit = np.abs(jump).max(axis=2) > 1e-3
    assert hit.sum(axis=1).tolist() == [2, 2, 2]  # a tenth of 16 volumes, rounded up
    np.testing.assert_allclose(np.abs(jump[hit]), SPIKE, rtol=1e-4)
    assert (np.sign(jump[hit]) == np.sign(jump[hit][:, :1])).all()


def test_parcels_and_signs_are_the_same_in_all_windows_of_a_recording() -> None:
    of = windows_of(columns=20)
    gone = (of.corrupted(np.arange(3), "parcels", 3) == 0).all(axis=1)
    assert gone.sum(axis=1).tolist() == [6, 6, 6]
    assert (gone[0] == gone[1]).all()
    assert (gone[0] != gone[2]).any()
    flipped = (of.corrupted(np.arange(3), "sign", 5) == -of.series).all(axis=1)
    assert flipped.sum(axis=1).tolist() == [10, 10, 10]
    assert (flipped[0] == flipped[1]).all()


@settings(max_examples=20, deadline=None)
@given(severity=st.integers(1, 5), left=st.integers(1, 10))
def test_only_the_left_hemisphere_goes_missing(severity: int, left: int) -> None:
    of = windows_of(left=left)
    gone = (of.corrupted(np.arange(3), "hemisphere", severity) == 0).all(axis=1)
    assert not gone[:, left:].any()
    assert gone.sum(axis=1).tolist() == [round(SEVERITIES["hemisphere"][severity - 1] * left)] * 3


def test_a_shorter_repetition_time_slows_a_rhythm_down() -> None:
    time = np.arange(32)
    series = np.sin(2 * np.pi * time / 16)[None, :, None].astype(np.float32)
    of = Recorded(series, np.ones((1, 1), np.float32), ["a"], [0], None)
    slowed = of.corrupted(np.array([0]), "tr", 5)[0, :, 0]
    # Half the time in as many volumes, about the same middle: one period instead of two.
    np.testing.assert_allclose(slowed, np.sin(2 * np.pi * (15.5 + 0.5 * (time - 15.5)) / 16), atol=0.03)


def test_a_hemisphere_cannot_go_missing_where_none_is_known(recorded: Recorded) -> None:
    assert recorded.left is None
    with pytest.raises(UserError, match="does not tell hemispheres apart"):
        recorded.corrupted(ROWS, "hemisphere", 1)
