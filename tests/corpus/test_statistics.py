"""Statistics of clips, on signals whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.corpus.statistics import (
    frame_difference,
    gradient_kurtosis,
    motion,
    sharpness,
    spectrum_slope,
    summary,
)


def noise(exponent: float, clips: int = 40, size: int = 64) -> np.ndarray:
    """Gaussian noise with power ~ frequency ** -exponent, (clips, 4, size, size), grey levels."""
    rng = np.random.default_rng(0)
    f = np.fft.fftfreq(size)
    radius = np.hypot(f[:, None], f)
    radius[0, 0] = 1.0
    spectrum = np.fft.fft2(rng.normal(size=(clips, 4, size, size))) * radius ** (-exponent / 2)
    values = np.fft.ifft2(spectrum).real
    return values / values.std() * 30 + 128


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0])
def test_noise_of_a_power_law_has_its_slope(exponent: float) -> None:
    assert spectrum_slope(noise(exponent)) == pytest.approx(-exponent, abs=0.15)


def test_white_gaussian_noise_has_a_gradient_kurtosis_of_three() -> None:
    assert gradient_kurtosis(noise(0.0)) == pytest.approx(3.0, abs=0.05)


def test_kurtosis_is_that_of_scipy() -> None:
    from scipy.stats import kurtosis

    clip = np.random.default_rng(1).exponential(size=(1, 5, 16, 16))
    steps = [np.diff(clip / clip.std(), axis=axis).ravel() for axis in (-1, -2)]
    assert gradient_kurtosis(clip) == pytest.approx(kurtosis(np.concatenate(steps), fisher=False), rel=1e-9)


def test_an_edge_is_heavier_tailed_than_noise() -> None:
    clip = np.zeros((1, 4, 32, 32))
    clip[..., 16:] = 200.0
    # One step in 31 along rows, none along columns: kurtosis of a rare event, near 1 / frequency.
    assert gradient_kurtosis(clip) == pytest.approx(62, rel=0.05)


def test_alternating_frames_differ_by_two_standard_deviations() -> None:
    clip = np.tile(np.array([0.0, 200.0])[:, None, None], (4, 8, 8))
    assert motion(clip) == pytest.approx(2.0)


def test_a_still_clip_does_not_move() -> None:
    still = np.repeat(noise(2.0, clips=1)[0, :1], 6, axis=0)
    assert motion(still) == 0.0


@settings(max_examples=30, deadline=None)
@given(gain=st.floats(0.1, 5), offset=st.floats(-100, 100))
def test_motion_and_kurtosis_do_not_depend_on_brightness_and_contrast(gain: float, offset: float) -> None:
    clip = noise(2.0, clips=2, size=16)
    assert motion(gain * clip[0] + offset) == pytest.approx(motion(clip[0]), rel=1e-6)
    assert gradient_kurtosis(gain * clip + offset) == pytest.approx(gradient_kurtosis(clip), rel=1e-6)


def test_blur_lowers_sharpness() -> None:
    picture = noise(0.0, clips=1)[0, 0]
    blurred = (picture + np.roll(picture, 1, 0) + np.roll(picture, 1, 1)) / 3
    assert sharpness(blurred) < sharpness(picture) / 2
    assert sharpness(np.full((8, 8), 77, dtype=np.uint8)) == 0.0


def test_flat_clips_have_no_slope_and_are_told_as_null() -> None:
    flat = np.full((3, 4, 16, 16), 90, dtype=np.uint8)
    assert summary(flat) == {"spectrum_slope": None, "gradient_kurtosis": None, "frame_difference": 0.0}
    assert np.isnan(frame_difference(flat[:0]))
    mixed = np.concatenate([flat, noise(2.0, clips=3, size=16).astype(np.uint8)])
    assert summary(mixed)["spectrum_slope"] == summary(mixed[3:])["spectrum_slope"]
