"""How many volumes a window has by default."""

import math
from collections.abc import Sequence

FRAMES = 16
# Below this many seconds a sample it is no fMRI: sixteen samples would be no time at all.
FAST_S = 0.25
FAST_FRAMES = 64
TUBELET_FRAMES = 2
# Share of the recordings that a window must fit into; a few that were broken off do not shorten all windows.
LONG_ENOUGH = 0.9


def even(volumes: int) -> int:
    """The next smaller number of volumes that are whole tubelets, at least one."""
    return max(TUBELET_FRAMES, volumes - volumes % TUBELET_FRAMES)


def usual(volumes: Sequence[int], tr_s: float) -> int:
    """Volumes of a window.

    Parameters
    ----------
    volumes
        Of the recordings.
    tr_s
        Shortest repetition time, seconds.

    Examples
    --------
    >>> usual([12, 200, 200, 200], 2.0), usual([12] + 9 * [200], 2.0)
    (12, 16)
    """
    return even(min(FAST_FRAMES if tr_s < FAST_S else FRAMES, shortest(volumes)))


def shortest(volumes: Sequence[int]) -> int:
    """Volumes of the shortest recording but for the tenth of them that are shorter still."""
    return sorted(volumes)[math.floor((1 - LONG_ENOUGH) * len(volumes) + 1e-9)]
