"""Hard cuts: where one shot of a video ends and the next begins.

Two signs must coincide: the histogram of luminance jumps, and the frame differs from the one before far more
than any neighbour differs from its own. The first alone fires on flashes, the second on sudden motion. On the
film of the real data (Tears of Steel) the thresholds find what the eye finds; fades and dissolves are not
looked for.
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

BINS = 32
# Share of the pixels that change their histogram bin; mean absolute difference in grey levels; ratio to
# neighbours.
JUMP, DIFFERENCE, RATIO = 0.3, 25.0, 1.5
NEIGHBOURS = 3


def find_shots(blocks: Iterable[npt.NDArray[np.uint8]]) -> list[tuple[int, int]]:
    """First frame and one past the last of every shot.

    Parameters
    ----------
    blocks
        Luminance frames (frames, height, width) in order, a block at a time.
    """
    jumps, differences = [], []
    last: npt.NDArray[np.uint8] | None = None
    frames = 0
    for block in blocks:
        run = block if last is None else np.concatenate([last, block])
        jump, difference = changes(run)
        jumps.append(jump)
        differences.append(difference)
        last = block[-1:]
        frames += len(block)
    edges = [0, *(hard_cuts(np.concatenate(jumps), np.concatenate(differences)) + 1), frames]
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def changes(frames: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Histogram jump (share of pixels) and mean absolute difference (grey levels) from frame to frame.

    Parameters
    ----------
    frames
        (frames, height, width).

    Returns
    -------
    tuple
        Two arrays of (frames - 1).
    """
    n, pixels = len(frames), frames[0].size
    bins = frames.reshape(n, pixels).astype(np.int64) * BINS // 256 + BINS * np.arange(n)[:, None]
    histogram = np.bincount(bins.ravel(), minlength=n * BINS).reshape(n, BINS) / pixels
    jump = np.abs(np.diff(histogram, axis=0)).sum(1) / 2
    signed = frames.astype(np.int16)
    return jump, np.abs(np.diff(signed, axis=0)).mean((1, 2))


def hard_cuts(jump: npt.NDArray[np.float64], difference: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Indices of the transitions that are cuts.

    Parameters
    ----------
    jump, difference
        As :func:`changes` gives them, (frames - 1).
    """
    n = len(difference)
    padded = np.pad(difference, NEIGHBOURS, mode="constant")
    around = np.stack([padded[k : k + n] for k in range(2 * NEIGHBOURS + 1) if k != NEIGHBOURS])
    usual = around.max(axis=0)
    return np.flatnonzero((jump > JUMP) & (difference > DIFFERENCE) & (difference > RATIO * usual))
