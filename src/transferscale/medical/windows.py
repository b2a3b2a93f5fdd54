"""Windows: the stretches of a recording that are laid out as clips."""

from collections.abc import Mapping
from typing import Any


def window_starts(n_volumes: int, windows: Mapping[str, Any]) -> list[int]:
    """First volumes of the windows that fit into a recording, at most ``count``.

    Parameters
    ----------
    n_volumes
        Volumes of the recording.
    windows
        Spec of the windows (``study.dataset.Windows``); ``step`` is ``volumes`` where it is ``None``.

    Examples
    --------
    >>> window_starts(168, {"volumes": 20, "start": 8, "step": 20, "count": 8})
    [8, 28, 48, 68, 88, 108, 128, 148]
    """
    volumes, start = int(windows["volumes"]), int(windows["start"])
    step, count = windows["step"] or volumes, windows["count"]
    starts = list(range(start, n_volumes - volumes + 1, step))
    return starts if count is None else starts[:count]
