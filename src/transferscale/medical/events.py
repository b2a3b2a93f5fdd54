"""Events of a run: what was shown or done, and when."""

import csv
import gzip
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from transferscale.medical.recording import Stretch, UnreadableError

MISSING = ("", "n/a")


@dataclass(frozen=True)
class Event:
    """An event.

    Attributes
    ----------
    onset_s
        Seconds from the first volume; before it where negative.
    duration_s
        Seconds, 0 where unknown.
    trial_type
        Empty where unknown.
    """

    onset_s: float
    duration_s: float
    trial_type: str


def read_events(path: Path) -> list[Event]:
    """Read ``events.tsv`` (BIDS: onset, duration, trial_type; seconds), sorted by onset.

    Tabs or commas, a byte-order mark, Windows line ends and ``.gz`` work.

    Raises
    ------
    UnreadableError
        If it cannot be read, has no onset column, or an onset or duration is no number.
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(
            path, "rt", encoding="utf-8-sig", newline=""
        ) as stream:
            text = stream.read()
    except FileNotFoundError:
        raise UnreadableError(f"events {path.name}: no such file") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UnreadableError(f"events {path.name} cannot be read ({error})") from None
    lines = text.splitlines()
    mark = "\t" if lines and "\t" in lines[0] else ","
    rows = [row for row in csv.reader(lines, delimiter=mark) if any(cell.strip() for cell in row)]
    header = [name.strip() for name in rows[0]] if rows else []
    if "onset" not in header:
        raise UnreadableError(f"events {path.name}: no column 'onset' in its first line")
    events = []
    for number, row in enumerate(rows[1:], start=2):
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        trial_type = cells.get("trial_type", "")
        events.append(
            Event(
                _seconds(cells.get("onset", ""), path, number, "onset"),
                _seconds(cells.get("duration", ""), path, number, "duration"),
                "" if trial_type.lower() in MISSING else trial_type,
            )
        )
    return sorted(events, key=lambda event: event.onset_s)


def _seconds(text: str, path: Path, row: int, column: str) -> float:
    if column == "duration" and text.lower() in MISSING:
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UnreadableError(f"events {path.name}: row {row}: {column} '{text}' is no number of seconds")
    return value


def within(events: Sequence[Event], seconds: float) -> tuple[list[Event], int]:
    """Events that begin before the end of a run of ``seconds``, and the number of those past it."""
    kept = [event for event in events if event.onset_s < seconds]
    return kept, len(events) - len(kept)


def events_of(
    path: Path, n_volumes: int, tr_s: float, stretch: Stretch | None = None
) -> tuple[list[Event], int]:
    """Events of a recording, onsets from its first volume, and the number of those past the end of the run.

    Of a stretch, those of the whole run: a window belongs to the stretch that it lies in, wherever its event began.
    Those past the end of the run are counted once, for its first stretch.

    Raises
    ------
    UnreadableError
        As :func:`read_events`.
    """
    events = read_events(path)
    if stretch is None:
        return within(events, n_volumes * tr_s)
    inside, past_end = within(events, stretch.of * tr_s)
    moved = [replace(event, onset_s=event.onset_s - stretch.first * tr_s) for event in inside]
    return moved, past_end if stretch.number == 1 else 0
