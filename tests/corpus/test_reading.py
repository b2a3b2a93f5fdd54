"""The two readers give the same pictures, and only audited frames."""

from pathlib import Path

import numpy as np
import pytest

from transferscale.corpus.motion import film
from transferscale.corpus.reading import DECORD_REFUSES, PyAVReader, luminance, square
from transferscale.corpus.synth import encode

pytest.importorskip("decord")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reading") / "film.mp4"
    pictures = film(seed=3, number=1, frames=40, fps=16, size=96)
    encode(pictures[:, :64], 16, path)  # 96 wide, 64 high
    return path


def test_decord_and_pyav_agree_within_two_grey_levels(video: Path) -> None:
    frames = np.array([0, 3, 4, 20, 39])
    for size in (20, 32, 64):
        by_decord, by_pyav = (
            square(str(video), backend, 96, 64, 40, size).take(frames).astype(int)
            for backend in ("decord", "pyav")
        )
        assert by_decord.shape == (5, size, size)
        assert np.abs(by_decord - by_pyav).max() <= 2


def test_the_crop_is_the_centre_of_the_film(video: Path) -> None:
    drawn = film(seed=3, number=1, frames=40, fps=16, size=96)[:, :64, 16:80].astype(int)
    read = square(str(video), "decord", 96, 64, 40, 64).take(np.arange(40)).astype(int)
    assert np.abs(read - drawn).mean() < 4


def test_a_width_that_decord_refuses_is_read_by_pyav(video: Path) -> None:
    reader = square(str(video), "decord", 96, 64, 40, 16)
    assert 24 in DECORD_REFUSES
    assert isinstance(reader.reader, PyAVReader)
    assert reader.take(np.arange(3)).shape == (3, 16, 16)


def test_pyav_goes_back_by_decoding_anew(video: Path) -> None:
    reader = square(str(video), "pyav", 96, 64, 40, 32)
    late, early = reader.take(np.array([30, 31])), reader.take(np.array([2, 30]))
    assert np.array_equal(early[1], late[0])
    assert not np.array_equal(early[0], early[1])


@pytest.mark.parametrize("backend", ["decord", "pyav"])
def test_frames_beyond_the_audit_are_refused(video: Path, backend: str) -> None:
    with pytest.raises(IndexError, match=r"30 were audited"):
        square(str(video), backend, 96, 64, 30, 32).take(np.array([29, 30]))


def test_blocks_are_the_whole_video_in_order(video: Path) -> None:
    reader = square(str(video), "decord", 96, 64, 40, 32)
    assert np.array_equal(np.concatenate(list(reader.blocks())), reader.take(np.arange(40)))


def test_luminance_of_grey_is_grey_and_of_colours_is_bt601() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    assert np.array_equal(luminance(grey), np.arange(256))
    primaries = np.eye(3, dtype=np.uint8) * np.uint8(255)
    assert luminance(primaries).tolist() == [76, 150, 29]
