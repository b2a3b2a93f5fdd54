"""Windows: the stretches of a recording that are laid out as clips."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from transferscale.medical.timing import timing

if TYPE_CHECKING:
    from transferscale.medical.events import Event

Bool = npt.NDArray[np.bool_]

# Names of windows that are told apart by whether anything was shown (windows.events.pauses).
EVENT, PAUSE = "event", "pause"


@dataclass(frozen=True)
class Window:
    """A stretch of a cleaned run.

    Attributes
    ----------
    number
        Place in the recording: of regular windows the k of ``start + k * step``, kept where a neighbour is left out;
        of windows at events the number of the event among those used.
    start
        First volume.
    trial_type
        Event that it follows, ``event`` or ``pause`` where those are told apart, empty for regular windows.
    """

    number: int
    start: int
    trial_type: str = ""


def windows_of(
    n_volumes: int,
    windows: Mapping[str, Any],
    tr_s: float,
    kept: Bool | None,
    events: Sequence["Event"],
    *,
    max_scrubbed: float,
) -> list[Window]:
    """Windows that fit into a cleaned run, the first ``count`` of them.

    Parameters
    ----------
    n_volumes
        Volumes of the run.
    windows
        Spec of the windows (``study.view.Windows``); ``step`` is ``volumes`` where it is ``None``.
    tr_s
        Repetition time, seconds; needed for events alone.
    kept
        (volumes,) false where a volume was scrubbed; ``None``: none was.
    events
        Onsets in seconds from the first volume of the run; a window starts at the volume nearest to onset + lag.
    max_scrubbed
        Windows with a larger share of scrubbed volumes are left out.

    Examples
    --------
    >>> regular = {"volumes": 20, "start": 8, "step": 20, "count": 8, "events": None}
    >>> [w.start for w in windows_of(168, regular, 2.0, None, [], max_scrubbed=0.25)]
    [8, 28, 48, 68, 88, 108, 128, 148]
    """
    volumes = int(windows["volumes"])
    if windows["events"] is not None and windows["events"]["pauses"]:
        found = _events_and_pauses(n_volumes, volumes, windows["events"]["lag_s"], tr_s, events)
    elif windows["events"] is not None:
        found = _at_events(n_volumes, volumes, windows["events"], tr_s, events)
    else:
        start, step = int(windows["start"]), windows["step"] or volumes
        found = [Window(k, at) for k, at in enumerate(range(start, n_volumes - volumes + 1, step))]
    found = found[: windows["count"]]
    if kept is None:
        return found
    most = max_scrubbed * volumes
    return [w for w in found if np.count_nonzero(~kept[w.start : w.start + volumes]) <= most]


def _at_events(
    n_volumes: int, volumes: int, options: Mapping[str, Any], tr_s: float, events: Sequence["Event"]
) -> list[Window]:
    found: list[Window] = []
    for event in sorted(events, key=lambda event: (event.onset_s, event.trial_type)):
        if options["trial_types"] is not None and event.trial_type not in options["trial_types"]:
            continue
        start = math.floor((event.onset_s + options["lag_s"]) / tr_s + 0.5)
        if 0 <= start <= n_volumes - volumes:
            found.append(Window(len(found), start, event.trial_type))
    return found


def _events_and_pauses(
    n_volumes: int, volumes: int, lag_s: float, tr_s: float, events: Sequence["Event"]
) -> list[Window]:
    """Windows from the first volume on, each wholly in an event or wholly in a pause ``lag_s`` earlier.

    A pause is at least as long as a window: pictures that follow each other within less are one event.
    """
    seconds = (np.arange(n_volumes) + 0.5) * tr_s - lag_s
    shown = np.zeros(n_volumes, dtype=bool)
    end = -math.inf
    for event in sorted(events, key=lambda event: event.onset_s):
        start = event.onset_s if event.onset_s - end >= volumes * tr_s else end
        end = max(end, event.onset_s + event.duration_s)
        shown |= (seconds >= start) & (seconds < end)
    found: list[Window] = []
    at = 0
    while at <= n_volumes - volumes:
        within = shown[at : at + volumes]
        if within.any() != within.all():
            at += 1
            continue
        found.append(Window(len(found), at, EVENT if within.all() else PAUSE))
        at += volumes
    return found


def usable_windows(
    spec: Mapping[str, Any], n_volumes: int, tr_s: float, kept: Bool | None, events: Sequence["Event"]
) -> list[Window]:
    """Windows of a recording once it is cleaned; index and view ask alike.

    Parameters
    ----------
    spec
        With ``windows`` and ``clean``.
    n_volumes, tr_s
        Of the recording.
    kept
        (volumes of the recording,) false where scrubbed, or ``None``.
    events
        Onsets in seconds from the first volume of the recording.
    """
    time = timing(n_volumes, tr_s, spec["clean"])
    if not time.volumes:
        return []
    left = None if kept is None else kept[time.discard :][time.nearest()]
    late = time.discard * tr_s
    moved = [replace(event, onset_s=event.onset_s - late) for event in events]
    return windows_of(
        time.volumes,
        spec["windows"],
        time.tr_s,
        left,
        moved,
        max_scrubbed=spec["clean"]["max_scrubbed"],
    )
