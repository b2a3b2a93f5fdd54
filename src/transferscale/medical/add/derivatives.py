"""BIDS folders: derivatives as fMRIPrep writes them, and raw folders, which are sent to fMRIPrep first."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from transferscale.errors import UserError
from transferscale.medical.add import table
from transferscale.medical.add.layouts import walk

FORMS = {
    "volume": re.compile(r"_desc-preproc_bold\.nii(\.gz)?$"),
    "surface": re.compile(r"_bold\.func\.gii$"),
    "cifti": re.compile(r"_bold\.dtseries\.nii$"),
}
WORDS = {"volume": "volumes", "surface": "surfaces (GIFTI)", "cifti": "CIFTI series"}
# What lies above a subject's folder.
BELOW = re.compile(r"(.+?)/sub-[^/]+/")
RAW = re.compile(r"(^|/)func/[^/]+_bold\.nii(\.gz)?$")
ATLAS = re.compile(r"(atlas|dseg)[^/]*\.nii(\.gz)?$", re.IGNORECASE)
# Templates in the order of preference: fMRIPrep's own first, any MNI, then whatever is most.
SPACES = ("MNI152NLin2009cAsym", "MNI152NLin6Asym", "fsaverage5")


def entity(name: str, path: str) -> str:
    """Value of a BIDS entity in a path, empty without one."""
    match = re.search(rf"(?:^|[/_]){name}-([A-Za-z0-9]+)", path)
    return match[1] if match else ""


def description(folder: Path) -> dict[str, Any]:
    """Content of dataset_description.json, empty where there is none."""
    try:
        content = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def recognise(folder: Path, tr_s: float | None, wanted: str | None = None) -> dict[str, Any] | None:
    """Fields of :class:`recognise.Recognised` where the folder holds BIDS derivatives, ``None`` where it does not.

    Parameters
    ----------
    folder
        The folder, or one above the only derivatives.
    tr_s
        Seconds between volumes, where given.
    wanted
        Form of the recordings (a key of ``FORMS``); by default the first there is.

    Raises
    ------
    UserError
        If it is raw BIDS: with derivatives inside (they are named), or without (what to run); if it holds several
        folders of derivatives, or none of the wanted form.
    """
    about = description(folder)
    files = list(walk(folder))
    if (
        about
        and about.get("DatasetType", "raw") == "raw"
        and not any(
            pattern.search(name)
            for name in files
            if not name.startswith("derivatives/")
            for pattern in FORMS.values()
        )
    ):
        _refuse_raw(folder, files)
    # A whole tree of derivatives in one: inner ones are named, not mixed.
    inner = [] if _is_root(folder) else _roots(folder, files)
    if len(inner) > 1:
        raise UserError(
            f"{folder}: holds {len(inner)} folders of derivatives; name one: {', '.join(map(str, inner))}"
        )
    if inner:
        return recognise(inner[0], tr_s, wanted)
    files = [name for name in files if not name.startswith("derivatives/")]
    forms = {form: [name for name in files if pattern.search(name)] for form, pattern in FORMS.items()}
    there = [form for form, names in forms.items() if names]
    if not there:
        return None
    if wanted is not None and wanted not in there:
        raise UserError(f"--files {wanted}: {folder} has no such files; there are: {', '.join(there)}")
    form = wanted or there[0]
    names = forms[form]
    section: dict[str, Any] = {"kind": "bids", "files": form}
    because = {"recordings.files": _offered(forms, form)}
    notes = []
    task, words = _most("task", names)
    if task and words:
        names = [name for name in names if entity("task", name) == task]
        section["task"] = task
        because["recordings.task"] = words
    space, words = _space(names)
    if space and words:
        section["space"] = space
        because["recordings.space"] = words
        names = [name for name in names if entity("space", name) == space]
    resolution, words = _most("res", names)
    if words:
        section["entities"] = {"res": resolution}
        because["recordings.entities"] = words
    atlases = [name for name in files if ATLAS.search(name) and not name.startswith("sub-")]
    if form == "volume" and len(atlases) == 1:
        section["atlas"] = atlases[0]
        because["recordings.atlas"] = "the only label image in the folder"
    elif len(atlases) > 1:
        notes.append(f"several label images ({', '.join(atlases[:4])}): set recordings.atlas for view roi")
    if tr_s is not None:
        section["tr_s"] = tr_s
        because["recordings.tr_s"] = "given with --tr; rules over JSON and headers"
    raw = _raw_of(folder)
    if raw is not None and not any(name.endswith("_events.tsv") for name in files):
        section["raw"] = str(raw)
        because["recordings.raw"] = (
            "raw BIDS folder around the derivatives: events and participants are there"
        )
    people = next(
        (
            place / "participants.tsv"
            for place in (folder, raw)
            if place and (place / "participants.tsv").is_file()
        ),
        None,
    )
    made_by = [str(tool.get("Name", "")) for tool in about.get("GeneratedBy", []) if isinstance(tool, dict)]
    by = f", made by {' and '.join(filter(None, made_by))}" if any(made_by) else ""
    return {
        "what": f"BIDS derivatives: {WORDS[form]} as fMRIPrep names them{by}",
        "root": folder,
        "table": table.read(people) if people else None,
        "subject_column": table.SUBJECT_COLUMN,
        "recordings": section,
        "because": because,
        "notes": notes,
        "confounds": any("_desc-confounds_" in name and name.endswith(".tsv") for name in files),
    }


def _is_root(folder: Path) -> bool:
    """Whether subjects' folders, or a description, lie in the folder itself."""
    return bool(description(folder)) or any(path.is_dir() for path in folder.glob("sub-*"))


def _roots(folder: Path, files: list[str]) -> list[Path]:
    """Folders further down with subjects' folders of derivatives."""
    prepared = (name for name in files if any(pattern.search(name) for pattern in FORMS.values()))
    return sorted({folder / match[1] for name in prepared if (match := BELOW.match(name))})


def _offered(forms: dict[str, list[str]], chosen: str) -> str:
    others = [form for form, names in forms.items() if names and form != chosen]
    return f"there are also: {', '.join(others)} (--files)" if others else "the only form there is"


def _most(name: str, files: list[str]) -> tuple[str, str]:
    """The most frequent value of an entity, and what else there is (empty where there is but one)."""
    counts = Counter(entity(name, path) for path in files)
    best = min(counts, key=lambda text: (-counts[text], text))
    others = [f"{text or 'none'} ({number})" for text, number in sorted(counts.items()) if text != best]
    return best, f"the most files, {counts[best]}; there are also: {', '.join(others)}" if others else ""


def _space(files: list[str]) -> tuple[str, str]:
    counts = Counter(entity("space", path) for path in files)
    if len(counts) == 1:
        return next(iter(counts)), ""
    order = [*SPACES, *sorted(text for text in counts if text.startswith("MNI")), *sorted(counts)]
    best = next(text for text in order if counts[text] and text)
    return best, f"there are also: {', '.join(sorted(text or 'native' for text in counts if text != best))}"


def _raw_of(folder: Path) -> Path | None:
    """The raw BIDS folder whose ``derivatives`` this folder lies in."""
    if folder.parent.name == "derivatives" and description(folder.parent.parent):
        return folder.parent.parent
    return None


def _refuse_raw(folder: Path, files: list[str]) -> None:
    inner = folder / "derivatives"
    prepared = [
        place
        for place in sorted(inner.iterdir() if inner.is_dir() else [])
        if place.is_dir() and any(p.search(name) for name in walk(place) for p in FORMS.values())
    ]
    if prepared:
        raise UserError(
            f"{folder}: a raw BIDS folder with derivatives; name those instead: {', '.join(map(str, prepared))}"
        )
    if any(RAW.search(name) for name in files):
        raise UserError(
            f"{folder}: a raw BIDS folder; run fMRIPrep on it and add its output folder (if its images are "
            'preprocessed already, write "DatasetType": "derivative" into dataset_description.json)'
        )
