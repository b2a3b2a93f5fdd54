"""What was found, in words."""

from collections.abc import Sequence

import numpy as np

from transferscale.medical.add.columns import Column
from transferscale.medical.add.layouts import counted
from transferscale.medical.add.overview import Overview
from transferscale.medical.add.recognise import Recognised


def found_text(recognised: Recognised, overview: Overview, columns: Sequence[Column]) -> list[str]:
    """Lines that tell what is there."""
    rows = [
        ("found", recognised.what),
        ("root", recognised.place),
        ("people", _people(overview)),
        ("volumes", _range(overview.volumes) + _rate(recognised, overview)),
        ("shape", _shape(overview)),
        ("motion", _motion(overview)),
        ("on disk", f"{overview.bytes / 1e6:.1f} MB"),
        ("table", _table(recognised)),
        ("events", ", ".join(f"{kind} {number}" for kind, number in sorted(overview.events.items()))),
    ]
    lines = [f"{name:<9}{text}" for name, text in rows if text]
    shown = [column for column in columns if column.role not in ("subject", "name", "constant")]
    if shown:
        lines += ["", "columns of the table, of people with a usable recording:"]
        width = min(32, max(len(column.name) for column in shown))
        lines += [f"  {column.name:<{width}}  {_kind(column):<14}  {column.words()}" for column in shown]
        hidden = [column.name for column in columns if column.role in ("name", "constant")]
        if hidden:
            lines.append(f"  nothing to predict (constant, or different for everybody): {', '.join(hidden)}")
    return [*lines, "", *(f"note: {note}" for note in notes(recognised, overview))]


def notes(recognised: Recognised, overview: Overview) -> list[str]:
    """What a person should read."""
    found = list(recognised.notes)
    reasons: dict[str, list[str]] = {}
    for path, reason in overview.unusable:
        reasons.setdefault(reason, []).append(path)
    for reason, paths in sorted(reasons.items()):
        found.append(f"{counted(len(paths), 'recording')} cannot be used: {reason} (as {paths[0]})")
    found += [f"{counted(number, 'recording')}: {note}" for note, number in sorted(overview.remarks.items())]
    if overview.late:
        path, seconds = max(overview.late, key=lambda late: late[1])
        found.append(
            f"events go on {seconds:.1f} s after the end of {counted(len(overview.late), 'recording')} (as {path}): "
            "the repetition time may be wrong; give the true one with --tr"
        )
    return found + recognised.warnings


def _people(overview: Overview) -> str:
    parts = [counted(len(overview.subjects), "subject")]
    parts += [counted(len(overview.sessions), "session")] if overview.sessions else []
    parts += [counted(len(overview.runs), "run")] if overview.runs else []
    parts.append(counted(len(overview.usable), "usable recording"))
    if overview.unusable:
        parts.append(f"{len(overview.unusable)} not usable")
    return ", ".join(parts)


def _range(values: Sequence[float]) -> str:
    return f"{values[0]:g}" if values[0] == values[-1] else f"{values[0]:g} to {values[-1]:g}"


def _rate(recognised: Recognised, overview: Overview) -> str:
    source = recognised.because.get("recordings.tr_s") or "from JSON or header"
    return f", every {_range(overview.trs)} s ({source})"


def _shape(overview: Overview) -> str:
    shapes = " or ".join(" x ".join(map(str, shape)) for shape in sorted(overview.shapes))
    spaces = ", ".join(space or "not stated" for space in sorted(overview.spaces))
    axes = ", ".join(filter(None, sorted(overview.orientations)))
    return f"{shapes}; space {spaces}" + (f"; stored {axes}" if axes else "")


def _motion(overview: Overview) -> str:
    if not overview.motion:
        return ""
    return f"mean framewise displacement {np.median(overview.motion):.2f} mm (median), up to {max(overview.motion):.2f}"


def _table(recognised: Recognised) -> str:
    table = recognised.table
    if table is None:
        return "none"
    rows = len(next(iter(table.cells.values())))
    return f"{table.path.name}: {counted(rows, 'row')}, names in '{recognised.subject_column}'"


def _kind(column: Column) -> str:
    if column.is_site:
        return "site"
    if column.is_family:
        return "family"
    return f"{len(column.counts)} classes" if column.role == "classes" else column.role
