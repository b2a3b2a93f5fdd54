"""Index of a dataset: which recordings there are, whether they can be used, and what is known of their
subjects."""

import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, sha256_file, write_provenance
from transferscale.errors import UserError, nearest
from transferscale.medical.atlas_space import check_atlas
from transferscale.medical.cleaning import check_cut_offs, degrees_of_freedom
from transferscale.medical.confounds import Regressors, confounds_of
from transferscale.medical.events import Event, events_of
from transferscale.medical.labels import PREFIX, label_subjects, one_row_a_subject
from transferscale.medical.participants import Participants, read_participants
from transferscale.medical.readers import open_reader
from transferscale.medical.readers.repetition import TR_TOLERANCE
from transferscale.medical.recording import Facts, Found, Reader, Stretch, UnreadableError, denied
from transferscale.medical.windows import usable_windows
from transferscale.study.checks import from_here
from transferscale.study.condition import Condition
from transferscale.tables import write_table

Row = dict[str, Any]

# What a condition of `include` may name beside the columns of the participants table: known before a file is read, and
# after.
KNOWN = ("site", "session", "run", "task")
MEASURED = ("n_volumes", "tr_s", "mean_fd")
# Bytes from the middle of a file that tell it from most others.
SAMPLE = 2**12


@dataclass(frozen=True)
class Dataset:
    """A dataset that is being indexed.

    Attributes
    ----------
    spec
        ``study.grid.Grid.recordings_spec``.
    root
        Its folder.
    table
        Its participants, ``None`` where it has no table.
    reader
        Of its recordings.
    carried
        Columns of the table that tasks need.
    conditions
        ``include``, those first that need no file.
    """

    spec: Mapping[str, Any]
    root: Path
    table: Participants | None
    reader: Reader
    carried: Sequence[str]
    conditions: Sequence[Condition]

    @property
    def named(self) -> str:
        """Begins messages."""
        return f"dataset '{self.spec['dataset']}'"


def index(spec: Mapping[str, Any], recordings: Path, quarantine: Path) -> None:
    """Write the tables of usable and of left out recordings.

    Both have the schema of table ``recordings``; every column of the participants table that a task names is
    carried as text under ``participant.<column>``. Of an image only header, end and first volumes are read, of
    a series all.

    Parameters
    ----------
    spec
        ``study.grid.Grid.recordings_spec``.
    recordings, quarantine
        Parquet files to write; recordings in + quarantined + excluded = everything found or expected.

    Raises
    ------
    UserError
        If folder, table or columns are missing, a task's labels do not fit, nothing is usable, or the share
        of quarantined recordings is above ``max_quarantined``.
    """
    watch = Stopwatch()
    dataset = _open(spec)
    try:
        everything = dataset.reader.find(None if dataset.table is None else list(dataset.table.rows))
    except UserError as error:
        raise UserError(f"{dataset.named}: {error}") from None
    rows = [_row(dataset, found) for found in everything]
    one_space(rows)
    good = [row for row in rows if row["status"] == "ok"]
    _check_share(dataset, good, [row for row in rows if row["status"] == "quarantined"])
    _check_one_rate(dataset, good)
    _note_masks(good)
    atlas_note = _check_atlas(dataset, good[0]["space"])
    if spec["unit"] != "subject":
        _units(dataset, good)
    for name, task in spec["tasks"].items():
        where = dataset.table.path if dataset.table is not None else dataset.root
        named = f"{where}: key 'tasks.{name}', target '{task['target']}'"
        label_subjects(one_row_a_subject(good), task, named)
    _hash_alike(dataset, good)
    left_out = [row for row in rows if row["status"] != "ok"]
    write_table(quarantine, "recordings", [_public(row) for row in left_out])
    write_table(recordings, "recordings", [_public(row) for row in good])
    notes = [f"{row['path']}: {row['reason']}" for row in good if row["reason"]]
    notes += [*_orientations(good), *atlas_note]
    if notes:
        more = f" (and {len(notes) - 1} more in {recordings.name})" if len(notes) > 1 else ""
        print(f"warning: {notes[0]}{more}", file=sys.stderr)
    excluded = sum(row["status"] == "excluded" for row in left_out)
    write_provenance(
        recordings,
        watch,
        recordings=len(good),
        quarantined=len(left_out) - excluded,
        excluded=excluded,
        warnings=notes,
    )


def _open(spec: Mapping[str, Any]) -> Dataset:
    root = Path(spec["root"])
    if not root.is_dir():
        raise UserError(f"dataset '{spec['dataset']}': key 'root': no folder {root}; {from_here(root)}")
    table = None
    if spec["participants"] is not None:
        table = read_participants(root / spec["participants"], spec["subject_column"], spec["missing"])
    reader = open_reader(spec["recordings"], root, table, spec["stretches"])
    return Dataset(spec, root, table, reader, _columns(spec, table), _conditions(spec, table))


def _columns(spec: Mapping[str, Any], table: Participants | None) -> list[str]:
    """Columns that the dataset names, checked; returned are those that tasks and their confounds need."""
    named = [(spec[key], key) for key in ("site_column", "family_column") if spec[key] is not None]
    needed: dict[str, None] = {}
    for name, task in spec["tasks"].items():
        if task["kind"] != "state":
            named.append((task["target"], f"tasks.{name}.target"))
            needed[task["target"]] = None
        for column in task["where"]:
            named.append((column, f"tasks.{name}.where"))
            needed[column] = None
    for column in spec["confounds"]:
        named.append((column, "confounds"))
        needed[column] = None
    for column, key in named:
        if table is None:
            raise UserError(
                f"dataset '{spec['dataset']}': key '{key}' names column '{column}', but 'participants' is null; "
                "name the table"
            )
        table.require(column, key)
    return list(needed)


def _conditions(spec: Mapping[str, Any], table: Participants | None) -> list[Condition]:
    own = [] if table is None else table.columns
    conditions = []
    for text in spec["include"]:
        named = f"dataset '{spec['dataset']}': key 'include'"
        try:
            condition = Condition.parse(text)
        except UserError as error:
            raise UserError(f"{named}: {error}") from None
        for name in condition.names:
            if name not in (*own, *KNOWN, *MEASURED):
                raise UserError(
                    f"{named}: '{text}': no column '{name}' in the participants table; "
                    f"{nearest(name, [*own, *KNOWN, *MEASURED])}"
                )
        conditions.append(condition)
    return sorted(conditions, key=lambda condition: not set(MEASURED).isdisjoint(condition.names))


def _row(dataset: Dataset, found: Found) -> Row:
    """One row of the recordings table; keys that begin with an underscore are not written."""
    spec, table = dataset.spec, dataset.table
    person: Mapping[str, str | None] = table.rows.get(found.subject, {}) if table is not None else {}
    path = found.files.get("image", "")
    row: Row = {
        "dataset": spec["dataset"],
        "subject": found.subject,
        "session": found.session,
        "task": found.task,
        "run": found.run,
        "site": (person.get(spec["site_column"]) if spec["site_column"] else None) or "",
        "family_group": _family(spec, person, found.subject),
        "path": path,
        "part": found.part,
        "stretch": json.dumps(asdict(found.stretch)) if found.stretch else None,
        "files": json.dumps(dict(found.files), sort_keys=True),
        "status": "ok",
        "reason": "",
        **{PREFIX + column: person.get(column) for column in dataset.carried},
        "_found": found,
    }
    # A column of the table means itself, also where it is called site.
    values: dict[str, Any] = {**{key: row[key] or None for key in KNOWN}, **person}
    stranger = table is not None and found.subject not in table.rows
    try:
        if not stranger and _excluded(dataset, row, values, measured=False):
            return row
        if found.problem:
            raise UnreadableError(found.problem)
        if stranger:
            raise UnreadableError(f"no row for this subject in {spec['participants']}")
        row["bytes"] = _bytes(dataset.root, found)
        facts = dataset.reader.describe(found)
        row |= {
            "n_volumes": facts.n_volumes,
            "tr_s": facts.tr_s,
            "space": facts.space,
            "orientation": facts.orientation,
            "mean_fd": facts.mean_fd,
            "_shape": facts.shape,
        }
        values |= {key: row[key] for key in MEASURED}
        if not _excluded(dataset, row, values, measured=True):
            row["reason"] = "; ".join(part for part in (facts.note, _windows(dataset, found, facts)) if part)
    except UnreadableError as error:
        row |= {"status": "quarantined", "reason": str(error)}
    except OSError as error:
        row |= {"status": "quarantined", "reason": denied(error)}
    return row


def _family(spec: Mapping[str, Any], person: Mapping[str, str | None], subject: str) -> str:
    """Who stays together; somebody without a family is marked, for a family may be called as they are."""
    if spec["family_column"] is None:
        return subject
    return person.get(spec["family_column"]) or f"subject:{subject}"


def _bytes(root: Path, found: Found) -> int | None:
    images = [root / found.files[role] for role in ("image", "right") if role in found.files]
    return sum(image.stat().st_size for image in images) if all(i.exists() for i in images) else None


def _excluded(dataset: Dataset, row: Row, values: Mapping[str, Any], *, measured: bool) -> bool:
    """Whether a condition removes a recording; of the conditions only those that need its files, or do not."""
    for condition in dataset.conditions:
        if measured == set(MEASURED).isdisjoint(condition.names):
            continue
        try:
            holds = condition.holds(values)
        except UserError as error:
            raise UserError(f"{dataset.named}: key 'include': {error}; of {row['subject']}") from None
        if not holds:
            row |= {"status": "excluded", "reason": f"include: {condition.text}"}
            return True
    return False


def _windows(dataset: Dataset, found: Found, facts: Facts) -> str:
    """A note on events that do not count.

    Raises
    ------
    UnreadableError
        If no window fits, or what places windows or cleans the run cannot be read.
    """
    spec = dataset.spec
    events: list[Event] = []
    past_end = 0
    if spec["windows"]["events"] is not None:
        if "events" not in found.files:
            raise UnreadableError("no events table, which windows.events needs")
        path = dataset.root / found.files["events"]
        events, past_end = events_of(path, facts.n_volumes, facts.tr_s, found.stretch)
    regressors: Regressors | None = None
    if spec["clean"]["confounds"] is not None:
        table = dataset.root / found.files["confounds"] if "confounds" in found.files else None
        regressors = confounds_of(table, spec["clean"]["confounds"], facts.n_volumes, found.stretch)
    kept = None if regressors is None else regressors.kept
    if not usable_windows(spec, facts.n_volumes, facts.tr_s, kept, events):
        raise UnreadableError(_no_window(spec, facts, events, past_end, kept is not None and not kept.all()))
    check_cut_offs(spec["clean"], facts.tr_s)
    degrees_of_freedom(facts.n_volumes, spec["clean"], facts.tr_s, regressors)
    run = found.stretch.of if found.stretch else facts.n_volumes
    return f"{_late(past_end)} ({run * facts.tr_s:g} s)" if past_end else ""


def _late(number: int) -> str:
    return f"{number} {'event begins' if number == 1 else 'events begin'} after the end of the run"


def _no_window(
    spec: Mapping[str, Any], facts: Facts, events: Sequence[Event], past_end: int, scrubbed: bool
) -> str:
    windows = spec["windows"]
    if windows["events"] is not None:
        late = f"; {_late(past_end)}" if past_end else ""
        if windows["events"]["pauses"]:
            return f"no window of {windows['volumes']} volumes lies wholly in an event or a pause{late}"
        return f"no window of {windows['volumes']} volumes fits after any of {len(events)} events{late}"
    if scrubbed:
        return "no window is left after scrubbing"
    needed = windows["start"] + windows["volumes"]
    cleaned = spec["clean"]["discard"] or spec["clean"]["resample_s"] is not None
    of = " before cleaning" if cleaned else ""
    return f"{facts.n_volumes} volumes{of} are too few for one window, which needs {needed}"


def one_space(rows: Sequence[Row]) -> None:
    """Quarantine recordings that are in another space than most, or, where shapes matter, of another shape.

    Volumes of a template space are compared in millimetres, so their shapes and orientations may differ.
    """
    _majority(rows, lambda row: f"are in space {row['space'] or 'unknown'}")
    _majority(rows, _shape)


def _shape(row: Row) -> str:
    shape = row["_shape"]
    if len(shape) == 3:
        return "" if row["space"] else f"have shape {shape}"
    return f"have {shape[0]} {'parcels' if row['space'] == 'parcels' else 'vertices'}"


def _majority(rows: Sequence[Row], what: Callable[[Row], str]) -> None:
    """Quarantine the usable rows of which ``what`` says another thing than of most; the first of the alphabet
    where two are as many."""
    good = [row for row in rows if row["status"] == "ok"]
    counts = Counter(what(row) for row in good)
    usual = min(counts, key=lambda text: (-counts[text], text), default="")
    for row in good:
        if (own := what(row)) != usual:
            reason = f"{own.split(' ', 1)[1]}, the other recordings {usual}"
            row |= {"status": "quarantined", "reason": reason}


def _check_one_rate(dataset: Dataset, rows: Sequence[Row]) -> None:
    """Refuse recordings whose windows would be of different lengths in seconds."""
    if dataset.spec["clean"]["resample_s"] is not None:
        return
    fast, slow = (find(rows, key=lambda row: row["tr_s"]) for find in (min, max))
    if slow["tr_s"] - fast["tr_s"] > TR_TOLERANCE * fast["tr_s"]:
        raise UserError(
            f"{dataset.named}: {_name(fast)} has a volume every {fast['tr_s']:g} s, {_name(slow)} every "
            f"{slow['tr_s']:g} s, so their windows would not be of one length; set clean.resample_s "
            f"({slow['tr_s']:g}), or leave some out by include, as in 'tr_s <= {fast['tr_s']:g}'"
        )


def _note_masks(rows: Sequence[Row]) -> None:
    """Note on recordings without a mask where others have one: their columns take in what lies around the brain."""
    bare = [row for row in rows if "mask" not in row["_found"].files]
    for row in bare if len(bare) < len(rows) else ():
        row["reason"] = "; ".join(
            part for part in (row["reason"], "no mask beside it, others have one") if part
        )


def _check_atlas(dataset: Dataset, space: str) -> list[str]:
    recordings = dataset.spec["recordings"]
    if recordings.get("atlas") is None:
        return []
    try:
        note = check_atlas(recordings["atlas"], recordings["atlas_space"], space, recordings["kind"])
    except UserError as error:
        raise UserError(f"{dataset.named}: {error}") from None
    return [note] if note else []


def _orientations(rows: Sequence[Row]) -> list[str]:
    counts = Counter(row["orientation"] for row in rows)
    if len(counts) < 2:
        return []
    told = ", ".join(f"{number} {codes}" for codes, number in sorted(counts.items()))
    return [f"orientations are mixed ({told}), which is no harm: views work in millimetres"]


def _units(dataset: Dataset, rows: Sequence[Row]) -> None:
    """Make every run or stretch a unit of its own: its subject is named by what tells a person's recordings apart."""
    people: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        people[row["subject"]].append(row)
    for person, own in people.items():
        apart = [
            (column, key)
            for column, key in (("session", "ses"), ("task", "task"), ("run", "run"))
            if len({row[column] for row in own}) > 1 or (column == "run" and own[0]["run"])
        ]
        names = [
            "_".join([person, *(f"{key}-{row[column]}" for column, key in apart), *_stretch(row)])
            for row in own
        ]
        twice = [row["path"] for row, name in zip(own, names, strict=True) if names.count(name) > 1]
        if twice:
            raise UserError(
                f"{dataset.named}: key 'unit': neither session, task nor run tells {twice[0]} from {twice[1]}; "
                "write {run} or {session} in the pattern"
            )
        for row, name in zip(own, names, strict=True):
            row |= {"subject": name, "family_group": name}


def _stretch(row: Row) -> list[str]:
    stretch: Stretch | None = row["_found"].stretch
    return [stretch.name] if stretch else []


def _name(row: Row) -> str:
    name: str = row["path"] or row["subject"]
    return name


def _check_share(dataset: Dataset, good: Sequence[Row], bad: Sequence[Row]) -> None:
    if not good:
        first = f"; the first, {_name(bad[0])}: {bad[0]['reason']}" if bad else ", 'include' removes them all"
        raise UserError(f"{dataset.named}: no usable recording under {dataset.root}{first}")
    share = len(bad) / (len(good) + len(bad))
    if share > dataset.spec["max_quarantined"]:
        first = "; ".join(f"{_name(row)}: {row['reason']}" for row in bad[:3])
        raise UserError(
            f"{dataset.named}: {len(bad)} of {len(good) + len(bad)} recordings cannot be used, above "
            f"max_quarantined {dataset.spec['max_quarantined']:g}; repair them or raise it (first: {first})"
        )


def _hash_alike(dataset: Dataset, rows: Sequence[Row]) -> None:
    """Fill ``sha256`` where two files have the same size and the same middle: only those can be copies of each other.

    Files that are not packed all have one size, and reading them whole would take as long as preparing the view.
    Of a recording in a file of several, and of a stretch, it is the hash of its values.
    """
    sizes = Counter(row["bytes"] for row in rows)
    alike: dict[tuple[int, bytes], list[Row]] = defaultdict(list)
    for row in rows:
        row["sha256"] = None
        if row["part"] is not None or row["stretch"] is not None:
            digest = hashlib.sha256()
            for block in dataset.reader.open(row["_found"]).blocks():
                digest.update(block.tobytes())
            row["sha256"] = digest.hexdigest()
        elif sizes[row["bytes"]] > 1:
            alike[row["bytes"], _middle(dataset.root / row["path"])].append(row)
    for group in alike.values():
        for row in group if len(group) > 1 else ():
            row["sha256"] = sha256_file(dataset.root / row["path"])


def _middle(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(0, (path.stat().st_size - SAMPLE) // 2))
        return stream.read(SAMPLE)


def _public(row: Row) -> Row:
    return {key: value for key, value in row.items() if not key.startswith("_")}
