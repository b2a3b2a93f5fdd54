"""Kind ``bids``: BIDS derivatives as fMRIPrep writes them.

Files are indexed by bids2table. Compared on a simulated tree of 1,000 subjects with two sessions (20,000 files; one
core): bids2table 2.3 took 1.4 s, ancpbids 0.4 took 0.6 s, pybids 0.22 took 6.9 s without reading JSON. All three
read derivatives and are maintained (releases in 2026). pybids brings a dozen packages with it, SQLAlchemy among them.
ancpbids brings none, but may load a pickle that lies in the dataset's folder, which anybody may have written.
bids2table gives an Arrow table, as our own are, and needs the BIDS schema beside pyarrow and tqdm. What its index
does not do is done here: it makes numbers of runs ('01' becomes 1), so entities are read from the path; it takes no
folder with a dot in its name ('fmriprep-23.2.0') for a dataset, so it is shown a link; and it passes over broken
JSON, so JSON files are looked up in ``sidecars``.
"""

import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from transferscale.errors import UserError, nearest
from transferscale.medical.participants import Participants
from transferscale.medical.readers.entities import entities
from transferscale.medical.readers.images import describe_image, open_volumes
from transferscale.medical.readers.patterns import order
from transferscale.medical.readers.sidecars import Sidecars
from transferscale.medical.readers.surfaces import describe_surface, open_dense, open_pair
from transferscale.medical.recording import Facts, Found, Signal

# recordings.files -> endings of its files.
ENDINGS: Mapping[str, tuple[str, ...]] = {
    "volume": (".nii.gz", ".nii"),
    "surface": (".func.gii",),
    "cifti": (".dtseries.nii",),
}
# Entities of which a dataset has one value, and the key that chooses it; others tell recordings apart.
CHOSEN = {"task": "task", "space": "space"} | dict.fromkeys(("res", "den", "cohort", "desc"), "entities")
PERSON = ("sub", "ses", "task", "run")


@dataclass(frozen=True)
class File:
    """A file of a BIDS tree.

    Attributes
    ----------
    path
        Under root.
    entities
        Key -> value, as written.
    suffix, ending
        As in ``bold`` and ``.nii.gz``.
    """

    path: str
    entities: Mapping[str, str]
    suffix: str
    ending: str


def index_tree(root: Path) -> list[File]:
    """Every file under the subjects' folders of a BIDS dataset but JSON, sorted by path."""
    import bids2table

    with tempfile.TemporaryDirectory(prefix="bids") as folder:
        link = Path(folder) / "dataset"
        link.symlink_to(root.resolve(), target_is_directory=True)
        table = bids2table.index_dataset(link).select(["path", "suffix", "ext"]).to_pylist()
    files = [File(row["path"], entities(row["path"]), row["suffix"], row["ext"]) for row in table]
    return sorted(files, key=lambda file: file.path)


class BidsReader:
    """Reader of kind ``bids``."""

    def __init__(
        self, recordings: Mapping[str, Any], root: Path, participants: Participants | None = None
    ) -> None:
        self._recordings, self._root = recordings, root
        self._sidecars = Sidecars(root)
        self._raw = root / recordings["raw"] if recordings["raw"] else None
        self._raw_sidecars = Sidecars(self._raw) if self._raw else None

    @cached_property
    def _files(self) -> list[File]:
        return index_tree(self._root)

    @cached_property
    def _beside(self) -> Mapping[str, list[File]]:
        """Folder -> its masks and confounds."""
        images = ENDINGS["volume"]
        wanted = {
            ("mask", "brain"): images,
            ("timeseries", "confounds"): (".tsv",),
            ("regressors", "confounds"): (".tsv",),
        }
        found: dict[str, list[File]] = defaultdict(list)
        for file in self._files:
            if file.ending in wanted.get((file.suffix, file.entities.get("desc", "")), ()):
                found[os.path.dirname(file.path)].append(file)  # noqa: PTH120
        return found

    def find(self, subjects: Sequence[str] | None) -> list[Found]:
        """Recordings with their masks, confounds and events."""
        if self._raw is not None and not self._raw.is_dir():
            raise UserError(f"key 'recordings.raw': no folder {self._raw}; correct the path")
        files = self._choose(self._bold())
        runs: dict[tuple[str, ...], list[File]] = defaultdict(list)
        for file in files:
            runs[tuple(file.entities.get(key, "") for key in PERSON)].append(file)
        # One run that was exported twice is quarantined; most of them are a question to the person.
        twice = [own for own in runs.values() if len(own) > len({file.entities.get("hemi") for file in own})]
        if 2 * len(twice) > len(runs):
            raise UserError(self._twice(twice[0]))
        # The table may write 01 where the files write sub-01.
        spelt = {name if name.startswith("sub-") else f"sub-{name}": name for name in subjects or ()}
        found = [self._found(spelt.get(f"sub-{key[0]}", f"sub-{key[0]}"), key, runs[key]) for key in runs]
        here = {each.subject for each in found}
        for name in subjects or ():
            if name not in here:
                found.append(Found(name, problem="no file fits recordings (task, space, sessions, runs)"))
        if subjects is not None and not here & set(subjects):
            raise UserError(
                f"none of the {len(here)} subjects under {self._root}, as in '{min(here)}', stands in the "
                "participants table; correct key 'subject_column' or 'participants'"
            )
        return sorted(found, key=order)

    def _bold(self) -> list[File]:
        """Files of the kind that ``recordings.files`` names."""
        kind: str = self._recordings["files"]
        bold = [file for file in self._files if file.suffix == "bold"]
        found = [file for file in bold if file.ending in ENDINGS[kind]]
        if kind == "volume":
            found = [file for file in found if {"desc", "space"} & file.entities.keys()]
        if found:
            return found
        counts = Counter(file.ending for file in bold)
        others = [other for other, ends in ENDINGS.items() if other != kind and any(counts[e] for e in ends)]
        if others:
            raise UserError(
                f"key 'recordings.files': no {kind} files under {self._root}, but there are {' and '.join(others)} "
                f"files; set it to {others[0]}"
            )
        if bold:
            raise UserError(
                f"{self._root} holds raw images and no derivatives; run fMRIPrep first, or read images that are "
                "preprocessed by kind nifti"
            )
        raise UserError(
            f"no bold files under {self._root} in folders sub-*/[ses-*/]func; "
            "correct key 'root', or use kind nifti with a pattern"
        )

    def _choose(self, files: list[File]) -> list[File]:
        """Files that the section chooses; of every entity in ``CHOSEN`` one value is left."""
        section = self._recordings
        wanted: dict[str, list[str]] = {}
        if section["task"] is not None:
            wanted["task"] = [section["task"].removeprefix("task-")]
        if section["space"] is not None:
            wanted["space"] = [section["space"].removeprefix("space-")]
        for key, entity in (("sessions", "ses"), ("runs", "run")):
            if section[key] is not None:
                wanted[entity] = [name.removeprefix(f"{entity}-") for name in section[key]]
        wanted |= {key: [value] for key, value in section["entities"].items()}
        # fMRIPrep's own series, whatever other tools left beside it.
        if "desc" not in wanted and any(file.entities.get("desc") == "preproc" for file in files):
            wanted["desc"] = ["preproc"]
        named = {"task": "task", "space": "space", "ses": "sessions", "run": "runs"}
        for entity, values in wanted.items():
            present = {file.entities.get(entity, "") for file in files}
            for value in values:
                if value not in present:
                    raise UserError(
                        f"key 'recordings.{named.get(entity, 'entities')}': no {section['files']} file under "
                        f"{self._root} has {entity} '{value}'; {nearest(value, present)}"
                    )
            files = [file for file in files if file.entities.get(entity, "") in values]
            if not files:
                raise UserError(
                    f"key 'recordings': no {section['files']} file under {self._root} has all of "
                    + ", ".join(f"{key} {'/'.join(chosen)}" for key, chosen in wanted.items())
                    + "; leave one out"
                )
        for entity, key in CHOSEN.items():
            values = sorted({file.entities.get(entity, "") for file in files})
            if len(values) > 1:
                raise UserError(self._ambiguous(entity, values, key))
        return files

    def _ambiguous(self, entity: str, values: Sequence[str], key: str) -> str:
        told = ", ".join(f"'{value}'" if value else "none" for value in values)
        example = next(value for value in values if value)
        how = (
            f"set it, as in {entity}: {example}"
            if key == entity
            else f"choose, as in {{{entity}: '{example}'}}"
        )
        return (
            f"key 'recordings.{key}': the {self._recordings['files']} files under {self._root} differ in "
            f"{entity} ({told}); {how}"
        )

    def _found(self, subject: str, key: tuple[str, ...], files: list[File]) -> Found:
        """The recording of one subject, session, task and run."""
        _, session, task, run = key
        first, roles, problem = files[0], {}, ""
        if self._recordings["files"] == "surface":
            sides = {file.entities.get("hemi", ""): file for file in files}
            first = sides.get("L", files[0])
            for side, word in (("L", "left"), ("R", "right")):
                if side not in sides:
                    problem = f"no file of the {word} hemisphere"
            roles = {"image": first.path} | ({"right": sides["R"].path} if not problem else {})
            extra = len(files) > len(sides)
        else:
            roles = {"image": first.path}
            extra = len(files) > 1
        if extra:
            names = ", ".join(Path(file.path).name for file in files)
            problem = f"{len(files)} files of one run: {names}; keep one, or choose by recordings.entities"
        for role, suffixes in (("mask", ("mask",)), ("confounds", ("timeseries", "regressors"))):
            if role == "mask" and self._recordings["files"] != "volume":
                continue
            companions = self._companions(first, suffixes)
            if len(companions) > 1:
                problem = (
                    problem
                    or f"{len(companions)} files of {role}: {', '.join(Path(p).name for p in companions)}"
                )
            elif companions:
                roles[role] = companions[0]
        events = self._applicable(first.path, "events.tsv")
        if events:
            roles["events"] = os.path.relpath(events[0], self._root)
        return Found(subject, session, task, run, roles, problem=problem)

    def _twice(self, files: Sequence[File]) -> str:
        """A sentence on several files of one run."""
        keys = sorted({key for file in files for key in file.entities if key != "hemi"})
        for key in keys:
            values = sorted({file.entities.get(key, "") for file in files})
            if len(values) > 1:
                return self._ambiguous(key, values, "entities")
        return f"{files[0].path} and {files[1].path} are the same recording; keep one"

    def _companions(self, image: File, suffixes: Sequence[str]) -> list[str]:
        """Files beside an image whose entities, but for desc, are among its own; those that have most of them."""
        own = {key: value for key, value in image.entities.items() if key != "desc"}
        fitting = [
            (len(file.entities), file.path)
            for file in self._beside.get(os.path.dirname(image.path), [])  # noqa: PTH120
            if file.suffix in suffixes
            and {key: value for key, value in file.entities.items() if key != "desc"}.items() <= own.items()
        ]
        most = max((number for number, _ in fitting), default=0)
        return [path for number, path in fitting if number == most]

    def _applicable(self, path: str, tail: str) -> list[Path]:
        """Files that apply to a recording: in its dataset, then in the raw one."""
        found = self._sidecars.applicable(path, tail)
        return found + (self._raw_sidecars.applicable(path, tail) if self._raw_sidecars else [])

    def describe(self, found: Found) -> Facts:
        """Facts from header, JSON, mask and confounds."""
        path = found.files["image"]
        jsons = self._applicable(path, "bold.json")
        space = entities(path).get("space", "")
        reads = describe_image if self._recordings["files"] == "volume" else describe_surface
        return reads(self._root, found, self._recordings["tr_s"], jsons, space)

    def open(self, found: Found) -> Signal:
        """The volumes, or the surface."""
        space = entities(found.files["image"]).get("space", "")
        if self._recordings["files"] == "volume":
            return open_volumes(self._root, found)
        return (open_pair if "right" in found.files else open_dense)(self._root, found, space)[0]
