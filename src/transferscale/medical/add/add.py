"""One path into a dataset file: recognised, described, written with comments, and checked."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from transferscale.artefacts import atomic
from transferscale.errors import UserError
from transferscale.medical.add import choices, single_run, summary
from transferscale.medical.add.codes import missing_codes
from transferscale.medical.add.columns import Column, column
from transferscale.medical.add.confounding import confounded
from transferscale.medical.add.layouts import counted
from transferscale.medical.add.lengths import FRAMES
from transferscale.medical.add.overview import Overview, facts_of, look
from transferscale.medical.add.recognise import Recognised, recognise
from transferscale.medical.add.writing import dataset_text, flow
from transferscale.medical.check import Checked, check
from transferscale.medical.readers import open_reader
from transferscale.study.label import ambiguous
from transferscale.study.load import load_dataset
from transferscale.study.people import value
from transferscale.study.recordings import IMAGE_TR_S, SERIES_TR_S, Recordings

PLACE = Path("config/datasets")
# Folders that are called alike in every study.
GENERIC = re.compile(r"(fmriprep.*|derivatives|out|output|data|raw|bids)?$", re.IGNORECASE)
WILD = re.compile(r"[*?\[]")
ENDINGS = re.compile(r"(\.[A-Za-z0-9]+)+$")
# A table names everybody that was ever scanned; a handful without a file is no reason to stop.
SPARE_SHARE = 0.2
# Of the claim that is proposed: a depth that the demo's study has, and a difference that is worth something.
DEPTH = 2
SESOI = 0.05


@dataclass(frozen=True)
class Added:
    """What became of a path.

    Attributes
    ----------
    file
        The dataset file that was written.
    lines
        What was found, in words.
    facts
        The same as JSON values.
    checked
        Counts of the checks, or ``None`` where they found a problem.
    problem
        The checks' sentence, empty where there is none.
    frames
        ``windows.volumes``: what the study's ``corpus.clip.frames`` must be.
    claims
        A claim on every task, as a study has them under ``verdict``.
    """

    file: Path
    lines: list[str]
    facts: dict[str, Any]
    checked: Checked | None
    problem: str
    frames: int
    claims: list[dict[str, Any]]

    def report(self) -> list[str]:
        """What was found and written, and what to do next."""
        lines = [*self.lines, f"written: {self.file}"]
        if self.checked is not None:
            lines += ["", "checked:", *(f"  {line}" for line in self.checked.lines())]
            lines += [
                "",
                "to use it, add to a study (config/config.yaml is one):",
                f"  datasets: [{self.file}]",
                *(
                    [f"  corpus: {{clip: {{frames: {self.frames}}}}}  # a window is a clip"]
                    if self.frames != FRAMES
                    else []
                ),
                "and a claim under verdict, with the smallest difference that would matter to you as sesoi:",
                *(f"  - {flow(claim)}" for claim in self.claims),
            ]
        return lines


def add(
    path: str,
    targets: Sequence[str] = (),
    name: str | None = None,
    out: Path | None = None,
    view: str | None = None,
    tr_s: float | None = None,
    force: bool = False,
    files: str | None = None,
) -> Added:
    """Recognise what lies at a path and write its dataset file.

    Parameters
    ----------
    path
        Folder, table, stack or a pattern of files.
    targets
        Columns to predict; the likeliest by default.
    name
        Name of the dataset; the folder's by default.
    out
        File to write; ``config/datasets/<name>.yaml`` by default.
    view
        Kind of view; what suits the data by default.
    tr_s
        Seconds between volumes, where no file says so or the headers are wrong.
    force
        Whether an existing file is replaced.
    files
        Form of BIDS derivatives: volume, surface or cifti; the first there is by default.

    Raises
    ------
    UserError
        If nothing, or more than one thing, is recognised; if a target does not fit; or if the file exists.
    """
    found = recognise(path, tr_s, files)
    _check_rate(found, tr_s)
    named = _name(name, path, found.root)
    file = out or PLACE / f"{named}.yaml"
    if file.exists() and not force:
        raise UserError(f"{file}: exists already; give --name, --out, or --force to replace it")
    reader = open_reader(_completed(found.recordings), found.root, _participants(found))
    people = found.table.subjects(found.subject_column) if found.table else None
    overview = look(reader, people, found.root, found.recordings["kind"])
    cells = _cells(found, overview)
    coded = missing_codes({label: texts for label, texts in cells.items() if label != found.subject_column})
    missing = sorted({code for codes in coded.values() for code in codes})
    cells = {
        label: [value(cell, () if label == found.subject_column else missing) or "" for cell in texts]
        for label, texts in cells.items()
    }
    if missing:
        found.because["missing"] = (
            f"codes of missing values in {', '.join(coded)}: repeated, far from all others"
        )
        found.notes.append(
            f"{', '.join(map(flow, missing))} in {', '.join(coded)} is taken for a missing value (key 'missing')"
        )
    columns = [column(label, values, label == found.subject_column) for label, values in cells.items()]
    content, more = _content(named, found, overview, columns, cells, targets, view, missing)
    header = [
        f"{found.what}: {counted(len(overview.subjects), 'subject')}, "
        f"{counted(len(overview.usable), 'usable recording')}.",
        "Written by `transferscale medical add`; every choice is a guess to be read, and may be changed.",
    ]
    with atomic(file) as temporary:
        temporary.write_text(dataset_text(content, found.because, header, more), encoding="utf-8")
    dataset = load_dataset(file)
    checked, problem = None, ""
    try:
        checked = check(dataset)
    except UserError as error:
        problem = str(error)
    return Added(
        file=file,
        lines=summary.found_text(found, overview, columns),
        facts={
            "what": found.what,
            "root": str(found.root),
            "file": str(file),
            **facts_of(overview),
            "columns": [
                {
                    "name": c.name,
                    "role": c.role,
                    "target": c.is_target,
                    "missing": c.missing,
                    "words": c.words(),
                }
                for c in columns
            ],
            "notes": summary.notes(found, overview),
            "problem": problem,
        },
        checked=checked,
        problem=problem,
        frames=content["windows"]["volumes"],
        claims=[_claim(named, task, section["metric"]) for task, section in content["tasks"].items()],
    )


def _claim(dataset: str, task: str, metric: str) -> dict[str, Any]:
    """A claim to begin with: video against random weights, read out by ridge, as cheap as can be."""
    return {
        "dataset": dataset,
        "task": task,
        "arm": "video",
        "reference": "random",
        "read_out": "ridge",
        "depth": DEPTH,
        "n_labels": "all",
        "metric": metric,
        "sesoi": SESOI,
    }


def _check_rate(found: Recognised, given: float | None) -> None:
    """Refuse a repetition time that a dataset file cannot hold."""
    low, high = SERIES_TR_S if found.recordings["kind"] == "series" else IMAGE_TR_S
    tr_s = found.recordings.get("tr_s")
    if tr_s is None or low <= tr_s <= high:
        return
    source = "--tr" if given is not None else found.because["recordings.tr_s"].removeprefix("from ")
    raise UserError(
        f"{source}: {tr_s:g} s from one volume (sample) to the next cannot be ({low:g} to {high:g} s can); give it "
        "in seconds with --tr"
    )


def _name(given: str | None, path: str, root: Path) -> str:
    """Name of the dataset: that of the folder, with the inner folder's or the pattern's where one was chosen."""
    if given is not None:
        named = given
    else:
        place = next((folder for folder in (root, *root.parents) if not GENERIC.match(folder.name)), root)
        inner = Path(*takewhile(lambda part: not WILD.search(part), Path(path).parts)).resolve()
        more = [inner.name] if inner.is_dir() and inner != root and inner.is_relative_to(root) else []
        # Two patterns of one folder are two datasets.
        more += [ENDINGS.sub("", part) for part in Path(path).parts if WILD.search(part)]
        named = "_".join(filter(None, map(choices.plain, [place.name, *more])))
    if not named or choices.plain(named) != named.lower().strip("_-") or ambiguous(named):
        raise UserError(f"'{named}' cannot name a dataset; give --name NAME of letters, digits, '-' and '_'")
    return named


def _completed(recordings: dict[str, Any]) -> dict[str, Any]:
    """The section with every key that was not written, as a reader gets it from a study."""
    from pydantic import TypeAdapter

    section: dict[str, Any] = TypeAdapter(Recordings).validate_python(recordings).spec()
    return section


def _participants(found: Recognised) -> Any:
    from transferscale.medical.participants import read_participants

    return read_participants(found.table.path, found.subject_column) if found.table else None


def _cells(found: Recognised, overview: Overview) -> dict[str, list[str]]:
    """Columns of the table, of the people with a usable recording."""
    if found.table is None:
        return {}
    names = [(cell or "").strip() for cell in found.table.cells[found.subject_column]]
    kept = [i for i, name in enumerate(names) if name in set(overview.subjects)]
    return {label: [cells[i] for i in kept] for label, cells in found.table.cells.items()}


def _content(
    name: str,
    found: Recognised,
    overview: Overview,
    columns: Sequence[Column],
    cells: Mapping[str, Sequence[str]],
    targets: Sequence[str],
    view: str | None,
    missing: Sequence[float],
) -> tuple[dict[str, Any], dict[str, tuple[dict[str, Any], str]]]:
    """Keys of the dataset file in its order, and the further tasks that it offers."""
    because = found.because
    content: dict[str, Any] = {"dataset": name, "root": found.place}
    if found.table is None:
        content["participants"] = None
        because["participants"] = "no table: subjects are those of the files"
    else:
        table = os.path.relpath(found.table.path, found.root)
        content |= {} if table == "participants.tsv" else {"participants": table}
        content |= {"missing": list(missing)} if missing else {}
        content |= (
            {} if found.subject_column == "participant_id" else {"subject_column": found.subject_column}
        )
    for key, column_name, words in (
        (
            "site_column",
            _first(columns, "is_site"),
            "for the report, and for 'hold_out: sites' (leave one site out)",
        ),
        ("family_column", _first(columns, "is_family"), "families stay on one side of a split"),
    ):
        if column_name:
            content[key] = column_name
            because[key] = words
    if len(overview.subjects) == 1 and len(overview.usable) > 1:
        content["unit"] = "run"
        because["unit"] = "one person: runs are held out, which says nothing of new people"
    clean = choices.cleaning(found.recordings["kind"], found.confounds, overview, because)
    tasks = choices.tasks(columns, targets, overview, because)
    windows = choices.windows([task["target"] for task in tasks.values()], overview, because)
    if len(overview.usable) == 1 and "events" in windows:
        parts = single_run.cut(found.root, *overview.usable[0], clean, windows, because)
        if parts is None:
            found.notes.append(
                "one person with one run can be tested by parts of it alone, but neither every type of event nor "
                "events and pauses come in all parts: more runs are needed"
            )
        else:
            content, windows = content | parts[0], parts[1]
    elif len(overview.usable) == 1:
        found.notes.append(
            "one recording alone cannot be tested: more runs or people are needed, or its events (*_events.tsv)"
        )
    content["recordings"] = found.recordings
    content["clean"] = clean
    mni = any(space.startswith("MNI") for space in overview.spaces) or _is_mni(found, overview)
    content["view"] = choices.view(view, found.recordings, mni, because)
    content["windows"] = windows
    content["tasks"] = tasks
    share = len(overview.unusable) / (len(overview.unusable) + len(overview.usable))
    if share > SPARE_SHARE:
        content["max_quarantined"] = min(1.0, round(share + 0.05, 2))
        because["max_quarantined"] = f"{len(overview.unusable)} recordings cannot be used or have no file"
    taken = [task["target"] for task in tasks.values()]
    found.notes += choices.numberings(columns, taken)
    found.warnings = confounded(cells, columns, taken)
    more: dict[str, tuple[dict[str, Any], str]] = {}
    for other in choices.others(columns, taken):
        more[choices.task_name(other.name, [*tasks, *more])] = (choices.of_column(other), other.words())
    if len(overview.events) > 1 and "trial_type" not in taken:
        because["windows"] = (
            "to decode events: volumes as long as one, events: {lag_s: 5}, and a task trial_type"
        )
    return content, more


def _first(columns: Sequence[Column], role: str) -> str | None:
    return next((found.name for found in columns if getattr(found, role)), None)


def _is_mni(found: Recognised, overview: Overview) -> bool:
    """Whether the first image's header says MNI (NIfTI sform code 4)."""
    if found.recordings["kind"] != "nifti":
        return False
    import nibabel

    image = nibabel.load(found.root / overview.usable[0][0].files["image"])
    return int(image.header["sform_code"]) == 4
