"""Index of a dataset: which recordings there are, whether they can be used, and what is known of their
subjects."""

import glob
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, sha256_file, write_provenance
from transferscale.errors import UserError
from transferscale.medical.labels import PREFIX, label_subjects, one_row_a_subject
from transferscale.medical.participants import Participants, read_participants
from transferscale.medical.series import UnreadableError, read_series
from transferscale.medical.windows import window_starts
from transferscale.tables import write_table

Row = dict[str, Any]


def index(spec: Mapping[str, Any], recordings: Path, quarantine: Path) -> None:
    """Write the tables of usable and of quarantined recordings.

    Both have the schema of table ``recordings``; every column of participants.tsv that a task names is
    carried as text under ``participant.<column>``. Of an image only the header and the end of the file are
    read, of a series all.

    Parameters
    ----------
    spec
        ``study.grid.Grid.recordings_spec``.
    recordings, quarantine
        Parquet files to write; recordings in + quarantined = everything found or expected.

    Raises
    ------
    UserError
        If folder, table or columns are missing, a task's labels do not fit, nothing is usable, or the share
        of quarantined recordings is above ``max_quarantined``.
    """
    watch = Stopwatch()
    root = Path(spec["root"])
    if not root.is_dir():
        raise UserError(f"dataset '{spec['dataset']}': key 'root': no folder {root}; correct the path")
    table = read_participants(root / spec["participants"], spec["subject_column"])
    carried = _columns(spec, table)
    rows = [_row(spec, root, table, carried, *found) for found in _find(spec, root, table)]
    _same_parcels(rows)
    good = [row for row in rows if row["status"] == "ok"]
    bad = [row for row in rows if row["status"] != "ok"]
    _check_share(spec, root, good, bad)
    for name, task in spec["tasks"].items():
        label_subjects(
            one_row_a_subject(good), task, f"{table.path}: key 'tasks.{name}', target '{task['target']}'"
        )
    _hash_same_size(root, good)
    write_table(quarantine, "recordings", [_public(row) for row in bad])
    write_table(recordings, "recordings", [_public(row) for row in good])
    notes = [f"{row['path']}: {row['reason']}" for row in good if row["reason"]]
    if notes:
        more = f" (and {len(notes) - 1} more in {recordings})" if len(notes) > 1 else ""
        print(f"warning: {notes[0]}{more}", file=sys.stderr)
    write_provenance(recordings, watch, recordings=len(good), quarantined=len(bad), warnings=notes)


def _columns(spec: Mapping[str, Any], table: Participants) -> list[str]:
    """Columns that the dataset names, checked; returned are those that tasks need."""
    for key in ("site_column", "family_column"):
        if spec[key] is not None:
            table.require(spec[key], key)
    carried: dict[str, None] = {}
    for name, task in spec["tasks"].items():
        if task["kind"] != "state":
            table.require(task["target"], f"tasks.{name}.target")
            carried[task["target"]] = None
        for column in task["where"]:
            table.require(column, f"tasks.{name}.where")
            carried[column] = None
    return list(carried)


def _find(spec: Mapping[str, Any], root: Path, table: Participants) -> Iterator[tuple[str, str | None]]:
    """Pairs of subject and file under root, sorted: every subject of the table (``None`` without a file), and
    every file that fits the pattern but has no row in the table."""
    pattern: str = spec["recordings"]["pattern"]
    name = f"dataset '{spec['dataset']}': key 'recordings.pattern': '{pattern}'"
    if "{subject}" not in pattern:
        raise UserError(f"{name} lacks {{subject}}; write it where the subject's name stands")
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise UserError(f"{name} leaves the dataset's root; give a path under root")
    found: list[tuple[str, str | None]] = []
    known: set[str] = set()
    for subject in table.rows:
        here = glob.glob(pattern.replace("{subject}", glob.escape(subject)), root_dir=root)  # noqa: PTH207
        # A broken link (git-annex before 'get') is a file that glob does not see.
        if not here and (root / pattern.replace("{subject}", subject)).is_symlink():
            here = [pattern.replace("{subject}", subject)]
        known.update(here)
        found += [(subject, path) for path in here] or [(subject, None)]
    if not known:
        raise UserError(f"{name} fits no file under {root} for any of {len(table.rows)} subjects; correct it")
    strangers = set(glob.glob(pattern.replace("{subject}", "*"), root_dir=root)) - known  # noqa: PTH207
    found += [(_subject(pattern, path), path) for path in strangers]
    yield from sorted(found, key=lambda pair: (pair[0], pair[1] or ""))


def _subject(pattern: str, path: str) -> str:
    """The subject in the path of a file that fits the pattern, the file's name where it does not quite
    fit."""
    first, *rest = pattern.split("{subject}")
    text = _as_regex(first) + "(?P<subject>[^/]+)" + "(?P=subject)".join(_as_regex(part) for part in rest)
    match = re.fullmatch(text, path)
    return match["subject"] if match else Path(path).name


def _as_regex(part: str) -> str:
    return re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")


def _row(
    spec: Mapping[str, Any],
    root: Path,
    table: Participants,
    carried: list[str],
    subject: str,
    path: str | None,
) -> Row:
    """One row of the recordings table; keys that begin with an underscore are not written."""
    person = table.rows.get(subject, {})
    row: Row = {
        "dataset": spec["dataset"],
        "subject": subject,
        "session": _entity("ses", path or ""),
        "run": _entity("run", path or ""),
        "site": (person.get(spec["site_column"]) if spec["site_column"] else None) or "",
        "family_group": (person.get(spec["family_column"]) if spec["family_column"] else None) or subject,
        "path": path or spec["recordings"]["pattern"].replace("{subject}", subject),
        "status": "ok",
        "reason": "",
        **{PREFIX + column: person.get(column) for column in carried},
    }
    try:
        if path is None:
            raise UnreadableError("no file fits recordings.pattern")
        if subject not in table.rows:
            raise UnreadableError(f"no row for this subject in {table.path.name}")
        row["bytes"] = (root / path).stat().st_size if (root / path).exists() else None
        row |= (
            _nifti(spec, root, path) if spec["recordings"]["kind"] == "nifti" else _series(spec, root, path)
        )
        windows = spec["windows"]
        if not window_starts(row["n_volumes"], windows):
            needed = windows["start"] + windows["volumes"]
            raise UnreadableError(
                f"{row['n_volumes']} volumes are too few for one window, which needs {needed}"
            )
    except UnreadableError as error:
        row |= {"status": "quarantined", "reason": str(error)}
    return row


def _series(spec: Mapping[str, Any], root: Path, path: str) -> Row:
    data = read_series(root / path)
    if not data.std(axis=0).any():
        raise UnreadableError("every parcel is constant")
    return {
        "n_volumes": data.shape[0],
        "tr_s": spec["recordings"]["tr_s"],
        "space": "parcels",
        "orientation": "",
        "_parcels": data.shape[1],
    }


def _nifti(spec: Mapping[str, Any], root: Path, path: str) -> Row:
    from transferscale.medical import nifti

    header = nifti.read_header(root / path)
    sidecar = nifti.sidecar_tr(root / path, root)
    tr_s, note = nifti.repetition_time(spec["recordings"]["tr_s"], sidecar, header.tr_s)
    return {
        "n_volumes": header.n_volumes,
        "tr_s": tr_s,
        "space": _entity("space", path),
        "orientation": header.orientation,
        "mean_fd": nifti.mean_displacement(root / path),
        "reason": note,
    }


def _entity(name: str, path: str) -> str:
    """Value of a BIDS entity in a path, empty when it has none."""
    match = re.search(rf"(?:^|[/_]){name}-([A-Za-z0-9]+)", path)
    return match[1] if match else ""


def _same_parcels(rows: list[Row]) -> None:
    """Quarantine series whose number of parcels is not the most common one."""
    counts = Counter(row["_parcels"] for row in rows if row["status"] == "ok" and "_parcels" in row)
    if len(counts) < 2:
        return
    usual = max(counts, key=lambda parcels: (counts[parcels], parcels))
    for row in rows:
        if row["status"] == "ok" and row["_parcels"] != usual:
            reason = f"{row['_parcels']} parcels, the other recordings have {usual}"
            row |= {"status": "quarantined", "reason": reason}


def _check_share(spec: Mapping[str, Any], root: Path, good: list[Row], bad: list[Row]) -> None:
    name = f"dataset '{spec['dataset']}'"
    if not good:
        raise UserError(
            f"{name}: no usable recording under {root}; the first, {bad[0]['path']}: {bad[0]['reason']}"
        )
    share = len(bad) / (len(good) + len(bad))
    if share > spec["max_quarantined"]:
        first = "; ".join(f"{row['path']}: {row['reason']}" for row in bad[:3])
        raise UserError(
            f"{name}: {len(bad)} of {len(good) + len(bad)} recordings cannot be used, above max_quarantined "
            f"{spec['max_quarantined']:g}; repair them or raise it (first: {first})"
        )


def _hash_same_size(root: Path, rows: list[Row]) -> None:
    """Fill ``sha256`` where two recordings have the same size: only those can be copies of each other."""
    sizes = Counter(row["bytes"] for row in rows)
    for row in rows:
        row["sha256"] = sha256_file(root / row["path"]) if sizes[row["bytes"]] > 1 else None


def _public(row: Row) -> Row:
    return {key: value for key, value in row.items() if not key.startswith("_")}
