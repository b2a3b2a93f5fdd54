"""Statistics of clips: those that natural video is known by, and two that describe a single clip.

Pure functions of luminance arrays. Targets are those of natural clips (docs/design, corpus); how each is
defined is said here, because the numbers depend on it.
"""

import numpy as np
import numpy.typing as npt

Clips = npt.NDArray[np.uint8] | npt.NDArray[np.float64]

TARGETS = {"spectrum_slope": -3.4, "gradient_kurtosis": 30.0, "frame_difference": 0.14}


def summary(clips: Clips) -> dict[str, float | None]:
    """Statistics of natural video of clips (clips, frames, height, width); null where undefined."""
    values = {
        "spectrum_slope": spectrum_slope(clips),
        "gradient_kurtosis": gradient_kurtosis(clips),
        "frame_difference": frame_difference(clips),
    }
    return {name: round(value, 6) if np.isfinite(value) else None for name, value in values.items()}


def spectrum_slope(clips: Clips) -> float:
    """Exponent of the spatial power spectrum, power ~ frequency ** slope; mean over clips.

    Every fourth frame, less its mean, under a Hann window; power averaged over the clip's frames and over
    rings of equal frequency; least squares on logarithms from 2 cycles a picture to the Nyquist frequency.
    Clips without contrast have no slope and are left out.

    Parameters
    ----------
    clips
        (clips, frames, height, width), height = width.
    """
    size = clips.shape[-1]
    hann = np.hanning(size)
    cycles = np.fft.fftfreq(size) * size
    ring = np.rint(np.hypot(cycles[:, None], cycles)).astype(int)
    counts = np.bincount(ring.ravel())[: size // 2]
    k = np.arange(2, size // 2)
    slopes = []
    for clip in clips:
        frames = clip[::4].astype(np.float64)
        frames -= frames.mean((-1, -2), keepdims=True)
        power = (np.abs(np.fft.fft2(frames * hann[:, None] * hann)) ** 2).mean(0)
        radial = np.bincount(ring.ravel(), power.ravel())[: size // 2] / counts
        # Below rounding of 8-bit levels there is no signal, only the logarithm of almost nothing.
        if frames.std() > 0.25 and (radial[2:] > 0).all():
            slopes.append(np.polyfit(np.log(k), np.log(radial[2:]), 1)[0])
    return float(np.mean(slopes)) if slopes else float("nan")


def gradient_kurtosis(clips: Clips) -> float:
    """Kurtosis (3 for a Gaussian) of neighbouring pixels' differences in units of the clip's SD, pooled."""
    moments = np.zeros(5)
    for clip in clips:
        values = clip.astype(np.float64)
        spread = values.std()
        if spread == 0:
            continue
        for axis in (-1, -2):
            steps = np.diff(values / spread, axis=axis).ravel()
            squares = steps * steps
            moments += [steps.size, steps.sum(), squares.sum(), squares @ steps, squares @ squares]
    if moments[0] == 0:
        return float("nan")
    m1, m2, m3, m4 = moments[1:] / moments[0]
    variance = m2 - m1**2
    return (
        float((m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4) / variance**2) if variance > 0 else float("nan")
    )


def frame_difference(clips: Clips) -> float:
    """Mean over clips of :func:`motion`."""
    return float(np.mean([motion(clip) for clip in clips])) if len(clips) else float("nan")


def motion(clip: Clips) -> float:
    """Mean absolute difference of consecutive frames in units of the clip's SD; 0 without contrast.

    Parameters
    ----------
    clip
        (frames, height, width).
    """
    values = clip.astype(np.float64)
    spread = values.std()
    return float(np.abs(np.diff(values, axis=0)).mean() / spread) if spread > 0 and len(values) > 1 else 0.0


def sharpness(picture: Clips) -> float:
    """Variance of the Laplacian (4 neighbours), in grey levels squared.

    Parameters
    ----------
    picture
        (height, width), at least 3 x 3.
    """
    p = picture.astype(np.float64)
    laplacian = p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * p[1:-1, 1:-1]
    return float(laplacian.var())
