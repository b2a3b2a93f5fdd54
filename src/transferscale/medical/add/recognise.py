"""What a path is: derivatives of fMRIPrep, NIfTI files, series of parcels, one stack, or a table that names files."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transferscale.errors import UserError
from transferscale.medical.add import derivatives, peek, table
from transferscale.medical.add.layouts import (
    VOLUMES,
    Layout,
    chosen,
    counted,
    ending,
    layouts,
    may_be_recording,
    pattern_of,
    walk,
)
from transferscale.medical.add.table import SUBJECT_COLUMN, Table

EVENTS = re.compile(r"_events\.tsv$")
CONFOUNDS = re.compile(r"_desc-confounds_(timeseries|regressors)\.tsv$")
ATLAS = re.compile(r"atlas|dseg|parcel|labels?[_.]", re.IGNORECASE)
# Files of a layout that are tried: one broken download must not hide the others.
MOST_BROKEN = 5
# Files of which it is said why they are no recordings, where nothing is recognised.
MOST_TOLD = 2
MASK = re.compile(r"brain|mask", re.IGNORECASE)


@dataclass
class Recognised:
    """What was found at a path.

    Attributes
    ----------
    what
        In words.
    root
        Folder that paths of the dataset count from.
    table
        Participants table, or ``None``.
    subject_column
        Its column of names.
    recordings
        Section ``recordings`` of the dataset file.
    because
        Key of the dataset file -> why it is what it is.
    notes
        Sentences that the person should read.
    warnings
        Targets that go with how people were measured, in sentences.
    confounds
        Whether the recordings have fMRIPrep's confounds tables.
    """

    what: str
    root: Path
    table: Table | None
    subject_column: str
    recordings: dict[str, Any]
    because: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    confounds: bool = False

    @property
    def place(self) -> str:
        """The root as it is written: relative to here where it lies below, so that a project can be moved whole."""
        here = Path.cwd().resolve()
        return self.root.relative_to(here).as_posix() if self.root.is_relative_to(here) else str(self.root)


def recognise(given: str, tr_s: float | None, form: str | None = None) -> Recognised:
    """Recognise a folder, a table, a stack, one recording or a pattern in quotes.

    Parameters
    ----------
    given
        The path.
    tr_s
        Seconds between volumes, where given.
    form
        Of BIDS derivatives: volume, surface or cifti.

    Raises
    ------
    UserError
        If there is nothing that could be a dataset, or several datasets to choose from.
    """
    folder, choice = _folder_and_choice(given)
    path = Path(given)
    if path.is_file() and peek.stacked(path):
        return _stack(folder, path, tr_s)
    if path.is_file() and path.suffix.lower() in (".tsv", ".csv") and not peek.is_recording(path):
        return _table_of_paths(path, tr_s)
    if not choice:
        found = derivatives.recognise(folder, tr_s, form)
        if found is not None:
            return Recognised(**found)
    if form is not None:
        raise UserError(f"--files chooses among BIDS derivatives, and {given} holds none; name their folder")
    files = list(walk(folder))
    candidates = [name for name in files if may_be_recording(name)]
    root, people, column = _people(folder, candidates)
    inside = folder.relative_to(root).as_posix()
    prefix = "" if inside == "." else f"{inside}/"
    names = people.subjects(column) if people else []
    groups = [
        group for group in layouts([prefix + name for name in candidates], names) if _sample(root, group)
    ]
    groups = chosen(groups, prefix + choice) if choice else groups
    if not groups:
        whole = [name for name in candidates if len(Path(name).parts) == 1 and peek.stacked(folder / name)]
        if len(whole) == 1 and not choice:
            return _stack(folder, folder / whole[0], tr_s)
        if people is not None and (pointing := table.path_column(people, root)):
            return _table_of_paths(people.path, tr_s, pointing)
        raise UserError(_nothing(given, files, folder, candidates))
    if len(groups) > 1:
        raise UserError(_several(root, groups))
    around = files if root == folder else list(walk(root))
    return _files(root, groups[0], people, column, around, tr_s)


def _sample(root: Path, layout: Layout) -> Path | None:
    """A file that can be read, to tell what the others hold; ``None`` where none of the first ones can."""
    return next((root / name for name in layout.files[:MOST_BROKEN] if peek.is_recording(root / name)), None)


def _folder_and_choice(given: str) -> tuple[Path, str]:
    """The folder to look into, and which of its files are meant (all where it is empty)."""
    path = Path(given)
    if path.is_dir():
        return path.resolve(), ""
    if path.is_file():
        return path.parent.resolve(), path.name
    parts = path.parts
    first = next((i for i, part in enumerate(parts) if any(mark in part for mark in "*?[")), None)
    if first is None:
        raise UserError(f"{given}: no such file or folder; name the folder or table of the dataset")
    folder = Path(*parts[:first])
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the folder of the dataset, or a pattern in it")
    return folder.resolve(), "/".join(parts[first:])


def _people(folder: Path, files: Sequence[str]) -> tuple[Path, Table | None, str]:
    """Root, participants table and its column of names: in the folder, or participants.tsv one or two levels up."""
    many = {path for group in layouts(files, []) if len(group.files) > 1 for path in group.files}
    for level, root in enumerate((folder, *folder.parents[:2])):
        for path in table.candidates(root):
            if path.name in many or (level and path.stem.lower() != "participants"):
                continue
            try:
                found = table.read(path)
            except UserError:
                if path.stem.lower() == "participants":
                    raise
                continue
            column = _column_of(found, files)
            if column or (level == 0 and table.path_column(found, root)):
                return root, found, column or table.usual_order(found)[0]
            if level == 0 and path.stem.lower() == "participants":
                return root, found, table.usual_order(found)[0]
    return folder, None, SUBJECT_COLUMN


def _column_of(found: Table, files: Sequence[str]) -> str:
    """Column whose names stand in the most paths, at least in half of them."""
    best, most = "", (len(files) + 1) // 2
    for name in table.usual_order(found):
        people = found.subjects(name)
        # Words that all people share (a sex, a number of years) are no names.
        if len(set(people)) < len(people):
            continue
        groups = layouts(files, people)
        held = sum(subject in set(people) for group in groups for subject in group.subjects)
        if held > most or (held == most and held and not best):
            best, most = name, held
    return best


def _files(
    root: Path, layout: Layout, people: Table | None, column: str, files: Sequence[str], tr_s: float | None
) -> Recognised:
    sample = _sample(root, layout) or root / layout.files[0]
    volumes = ending(layout.files[0]) in VOLUMES
    section: dict[str, Any] = {"kind": "nifti" if volumes else "series", "pattern": layout.pattern}
    because = {"recordings.pattern": f"fits {counted(len(layout.files), 'file')}"}
    notes = []
    events = _companion(layout, files, EVENTS)
    if volumes:
        section |= _images(root, sample, layout, files)
        if tr_s is not None:
            section["tr_s"] = tr_s
            because["recordings.tr_s"] = "given with --tr; rules over the headers"
    else:
        section |= _rate(sample, root, tr_s, because)
        arrays = peek.shapes(sample)
        if len(arrays) > 1 or peek.words(sample):
            section["array"] = _one_array(sample, arrays)
    if events:
        section["events"] = events
    if people is None:
        notes.append("no participants table: subjects are those of the files' names")
    else:
        known, there = set(people.subjects(column)), set(layout.subjects)
        if not known & there:
            raise UserError(
                f"{people.path}: no name in column '{column}', as in '{people.subjects(column)[0]}', stands in a "
                f"file's name, as in '{layout.files[0]}'; make them agree"
            )
    return Recognised(
        what="a folder of 4-D NIfTI files" if volumes else "a folder of series (samples x columns)",
        root=root,
        table=people,
        subject_column=column,
        recordings=section,
        because=because,
        notes=notes,
        confounds="confounds" in section,
    )


def _rate(path: Path, root: Path, tr_s: float | None, because: dict[str, str]) -> dict[str, float]:
    """Seconds between samples: given, or stated by a file; never guessed."""
    stated = peek.stated_tr(path, root)
    if tr_s is not None:
        because["recordings.tr_s"] = "given with --tr"
        return {"tr_s": tr_s}
    if stated is None:
        raise UserError(
            f"{path}: nothing says how many seconds lie between two volumes (samples); add --tr SECONDS"
        )
    because["recordings.tr_s"] = f"from {stated[1]}"
    return {"tr_s": stated[0]}


def _images(root: Path, sample: Path, layout: Layout, files: Sequence[str]) -> dict[str, str]:
    """Mask, atlas and confounds that belong to volumes, where they are there."""
    import nibabel
    import numpy as np

    first = nibabel.load(sample)
    section: dict[str, str] = {}
    images = [name for name in files if ending(name) in VOLUMES and name not in layout.files]
    for name in sorted(images, key=lambda name: ("brain" not in name.lower(), name)):
        if not (MASK.search(name) or ATLAS.search(name)):
            continue
        shape = peek.shapes(root / name).get("", ())
        if len(shape) != 3:
            continue
        if ATLAS.search(name):
            section.setdefault("atlas", name)
        elif shape == first.shape[:3] and np.allclose(
            nibabel.load(root / name).affine, first.affine, atol=1e-3
        ):
            section.setdefault("mask", _companion(layout, [name], re.compile("")) or name)
    confounds = _companion(layout, files, CONFOUNDS)
    return section | ({"confounds": confounds} if confounds else {})


def _companion(layout: Layout, files: Sequence[str], named: re.Pattern[str]) -> str | None:
    """Pattern of the files that lie beside recordings, one for each or one for all."""
    people = sorted(set(layout.subjects), key=len, reverse=True)
    patterns: Counter[str] = Counter()
    for name in files:
        if not named.search(name) or name in layout.files:
            continue
        subject = next((person for person in people if person in name), "")
        pattern = pattern_of(name, subject) if subject else name
        if set(_placeholders(pattern)) <= set(_placeholders(layout.pattern)):
            patterns[pattern] += 1
    # One of its own for each rather than one for all; and the name that has most in common.
    best = sorted(
        patterns,
        key=lambda pattern: (-len(set(_placeholders(pattern))), -_common(pattern, layout.pattern), pattern),
    )
    return best[0] if best else None


def _placeholders(pattern: str) -> list[str]:
    return re.findall(r"\{([a-z]+)\}", pattern)


def _common(a: str, b: str) -> int:
    return len(set(re.split(r"[/_.]", a)) & set(re.split(r"[/_.]", b)))


def _stack(folder: Path, path: Path, tr_s: float | None) -> Recognised:
    """One file with everybody's series, and the table that says who they are."""
    arrays = peek.stacked(path)
    if len(arrays) > 1:
        raise UserError(
            f"{path}: holds several stacks ({', '.join(arrays)}); save the one that is meant in a file of its own"
        )
    name, shape = next(iter(arrays.items()))
    tables = [(found, table.read(found)) for found in table.candidates(folder)]
    fitting = [found for _, found in tables if len(next(iter(found.cells.values()))) == shape[0]]
    if not fitting:
        counted = (
            ", ".join(f"{p.name} {len(next(iter(t.cells.values())))}" for p, t in tables) or "no table there"
        )
        raise UserError(
            f"{path}: a stack of {shape[0]} people needs a participants table with a row for each, in the same order, "
            f"beside it ({counted})"
        )
    people = fitting[0]
    column = table.usual_order(people)[0]
    because, notes = {"recordings.stack": f"{shape[0]} people x {shape[1]} samples x {shape[2]} columns"}, []
    for label, texts in peek.words(path).items():
        same = table.matching(people, texts) if len(texts) == shape[0] else None
        if same is None:
            continue
        column = same
        if people.subjects(same) != texts:
            raise UserError(
                f"{path}: '{label}' names the people in another order than {people.path.name}; sort one like the other"
            )
        because["recordings.stack"] += f"; '{label}' names them in the order of the table"
    section: dict[str, Any] = {"kind": "series", "stack": path.relative_to(folder).as_posix()}
    if len(peek.shapes(path)) > 1 or peek.words(path):
        section["array"] = name
    section |= _rate(path, folder, tr_s, because)
    events = [found for found in folder.iterdir() if found.name.startswith("events.")]
    for found in events:
        notes.append(
            f"{found.name} is one table of everybody's events, which is not read: a stack takes one that holds for all"
        )
    return Recognised(
        what="one stack of everybody's series (people x samples x columns)",
        root=folder,
        table=people,
        subject_column=column,
        recordings=section,
        because=because,
        notes=notes,
    )


def _one_array(path: Path, arrays: dict[str, tuple[int, ...]]) -> str:
    fitting = [name for name, shape in arrays.items() if len(shape) == 2 and min(shape) > 1]
    if len(fitting) != 1:
        raise UserError(
            f"{path}: holds several matrices ({', '.join(fitting)}); save the one that is meant in a file of its own"
        )
    return fitting[0]


def _table_of_paths(path: Path, tr_s: float | None, pointing: str | None = None) -> Recognised:
    """A table with a column of paths."""
    people, root = table.read(path), path.parent.resolve()
    pointing = pointing or table.path_column(people, root)
    if pointing is None:
        raise UserError(
            f"{path}: no column names files under {root}; name the folder of the recordings, or add such a column"
        )
    column = next((name for name in table.usual_order(people) if name != pointing), pointing)
    names = [name for name in people.subjects(pointing) if (root / name).is_file()]
    section: dict[str, Any] = {"path_column": pointing}
    because = {"recordings.path_column": f"{len(names)} of its {len(people.cells[pointing])} cells are files"}
    if ending(names[0]) in VOLUMES:
        section = {"kind": "nifti", **section} | ({"tr_s": tr_s} if tr_s is not None else {})
        what = "a table with a column of NIfTI files"
    else:
        section = {"kind": "series", **section} | _rate(root / names[0], root, tr_s, because)
        what = "a table with a column of series"
    return Recognised(what, root, people, column, section, because)


def _several(root: Path, groups: Sequence[Layout]) -> str:
    """The sentence that asks which layout is meant."""
    shown = []
    for group in groups:
        shared = sum(
            other.folder == group.folder or other.folder.startswith(f"{group.folder}/") for other in groups
        )
        alone = shared == 1 and group.folder
        place = f"{root / group.folder}" if alone else f"'{root / group.anything}'"
        shown.append(f"{place} ({counted(len(group.files), 'file')})")
    return f"{root}: holds recordings in {len(groups)} layouts; name one as PATH: {', '.join(shown)}"


def _nothing(given: str, files: Sequence[str], folder: Path, candidates: Sequence[str]) -> str:
    endings = Counter(ending(name) or "none" for name in files)
    there = ", ".join(f"{number} {end}" for end, number in endings.most_common(4)) or "no files"
    told = "; ".join(f"{name}: {peek.why_not(folder / name)}" for name in candidates[:MOST_TOLD])
    there += f"; {told}" if told else ""
    return (
        f"{given}: no recordings recognised ({there}); what is read: derivatives of fMRIPrep, 4-D NIfTI files, and "
        "matrices (samples x columns) in .npy .npz .mat .csv .tsv .txt .1D, with the subject's name in the path "
        "(sub-NAME) or in a participants.tsv"
    )
