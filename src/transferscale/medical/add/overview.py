"""What a reader finds in a dataset, counted: people, runs, volumes, rates, shapes, events."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.errors import UserError
from transferscale.medical.add.lengths import usual
from transferscale.medical.events import read_events
from transferscale.medical.index import one_space
from transferscale.medical.recording import Facts, Found, Reader, UnreadableError, denied

Recording = tuple[Found, Facts]

# Recordings whose values are looked at: whether columns are z-scored already.
LOOKED_AT = 3


@dataclass
class Overview:
    """Counts over the recordings.

    Attributes
    ----------
    usable
        Recordings and what their headers say.
    unusable
        Path (or subject) and reason of the others.
    bytes
        Size of the usable recordings on disk.
    z_scored
        Whether every column looked at has mean 0 and variance 1; ``None`` for images.
    events
        Trial type -> events of all recordings.
    changes_s
        For every event, seconds to the next one of another type.
    late
        Recordings with events past their end, and by how many seconds the last one passes it.
    """

    usable: list[tuple[Found, Facts]]
    unusable: list[tuple[str, str]]
    bytes: int
    z_scored: bool | None = None
    events: Counter[str] = field(default_factory=Counter)
    changes_s: list[float] = field(default_factory=list)
    late: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.subjects = sorted({found.subject for found, _ in self.usable})
        self.sessions = sorted({found.session for found, _ in self.usable if found.session})
        self.runs = sorted({found.run for found, _ in self.usable if found.run})
        self.volumes = sorted(facts.n_volumes for _, facts in self.usable)
        self.trs = sorted({round(facts.tr_s, 6) for _, facts in self.usable})
        self.shapes = Counter(facts.shape for _, facts in self.usable)
        self.spaces = Counter(facts.space for _, facts in self.usable)
        self.orientations = Counter(facts.orientation for _, facts in self.usable)
        self.motion = [facts.mean_fd for _, facts in self.usable if facts.mean_fd is not None]
        self.remarks = Counter(facts.note for _, facts in self.usable if facts.note)


def look(reader: Reader, subjects: Sequence[str] | None, root: Path, kind: str) -> Overview:
    """Find and describe every recording.

    Raises
    ------
    UserError
        If nothing is found, or nothing is usable.
    """
    usable: list[Recording] = []
    unusable: list[tuple[str, str]] = []
    for found in reader.find(subjects):
        name = found.files.get("image", found.subject)
        try:
            if found.problem:
                raise UnreadableError(found.problem)
            usable.append((found, reader.describe(found)))
        except UnreadableError as error:
            unusable.append((name, str(error)))
        except OSError as error:
            unusable.append((name, denied(error)))
    usable = _fitting(usable, unusable) if usable else []
    if not usable:
        name, reason = unusable[0]
        given = reason.replace("set recordings.tr_s", "give it with --tr SECONDS")
        raise UserError(f"{root}: none of {len(unusable)} recordings can be used; the first, {name}: {given}")
    files = {path for found, _ in usable for role, path in found.files.items() if role in ("image", "right")}
    overview = Overview(usable, unusable, sum((root / path).stat().st_size for path in files))
    if kind == "series":
        overview.z_scored = all(_is_z_scored(reader, found) for found, _ in usable[:LOOKED_AT])
    _count_events(overview, root)
    return overview


def _fitting(usable: list[Recording], unusable: list[tuple[str, str]]) -> list[Recording]:
    """Recordings that share a view with most others and hold a window; what the others lack goes to ``unusable``."""
    rows: list[dict[str, Any]] = [
        {"status": "ok", "space": facts.space, "_shape": facts.shape} for _, facts in usable
    ]
    one_space(rows)
    alike = [facts for (_, facts), row in zip(usable, rows, strict=True) if row["status"] == "ok"]
    needed = usual([facts.n_volumes for facts in alike], min(facts.tr_s for facts in alike))
    kept = []
    for (found, facts), row in zip(usable, rows, strict=True):
        name = found.files.get("image", found.subject)
        if row["status"] != "ok":
            unusable.append((name, row["reason"]))
        elif facts.n_volumes < needed:
            unusable.append((name, f"{facts.n_volumes} volumes, fewer than a window of {needed}"))
        else:
            kept.append((found, facts))
    return kept


def _is_z_scored(reader: Reader, found: Found) -> bool:
    values = np.concatenate(list(reader.open(found).blocks())).astype(np.float64)
    spread = values.std(axis=0)
    varying = spread > 0
    return bool(np.all(abs(values.mean(axis=0)) < 1e-3) and np.all(abs(spread[varying] - 1) < 0.02))


def _count_events(overview: Overview, root: Path) -> None:
    for found, facts in overview.usable:
        if "events" not in found.files:
            continue
        try:
            events = read_events(root / found.files["events"])
        except UnreadableError as error:
            overview.remarks[str(error)] += 1
            continue
        overview.events.update(event.trial_type for event in events)
        for i, event in enumerate(events):
            later = (e.onset_s for e in events[i + 1 :] if e.trial_type != event.trial_type)
            following = next(later, None)
            if following is not None:
                overview.changes_s.append(following - event.onset_s)
        end = facts.n_volumes * facts.tr_s
        if events and events[-1].onset_s > end:
            overview.late.append((found.files["events"], events[-1].onset_s - end))


def facts_of(overview: Overview) -> dict[str, Any]:
    """The counts as JSON values."""
    return {
        "subjects": len(overview.subjects),
        "recordings": len(overview.usable),
        "sessions": overview.sessions,
        "runs": overview.runs,
        "volumes": [overview.volumes[0], overview.volumes[-1]],
        "tr_s": overview.trs,
        "shapes": [list(shape) for shape in sorted(overview.shapes)],
        "spaces": sorted(filter(None, overview.spaces)),
        "orientations": sorted(filter(None, overview.orientations)),
        "mean_fd_mm": round(float(np.mean(overview.motion)), 4) if overview.motion else None,
        "z_scored": overview.z_scored,
        "events": dict(sorted(overview.events.items())),
        "bytes": overview.bytes,
        "unusable": [{"path": path, "reason": reason} for path, reason in overview.unusable],
    }
