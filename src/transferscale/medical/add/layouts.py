"""Files grouped by the pattern that names them: one group is one way in which a folder holds recordings."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

SERIES = (".npy", ".npz", ".mat", ".csv", ".tsv", ".txt", ".1d")
VOLUMES = (".nii", ".nii.gz")
# Tables and texts that lie beside recordings.
BESIDE = re.compile(
    r"(^|[_-])(events|confounds|regressors|scans|sessions|participants|channels|electrodes|manifest|readme"
    r"|licen[cs]e|changes|phenotypic|labels|coordinates|centroids|physio|stim)([_.0-9-]|$)|_confounds_|_timeseries\.json$",
    re.IGNORECASE,
)
SKIPPED = ("sourcedata", "code", "logs", "figures", "anat", "fmap", "dwi", "stimuli", "log")
ENTITIES = (("ses", "session"), ("run", "run"))
BIDS_SUBJECT = re.compile(r"(?<![A-Za-z0-9])sub-[A-Za-z0-9]+")
TOKEN = re.compile(r"[A-Za-z0-9]+|[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Layout:
    """Files of one pattern.

    Attributes
    ----------
    pattern
        Path under the root with {subject}, {session} and {run}.
    files
        Paths under the root, sorted.
    subjects
        Whose each is.
    """

    pattern: str
    files: tuple[str, ...]
    subjects: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The folder that holds all of them."""
        return os.path.commonpath([str(Path(name).parent) for name in self.files])

    @property
    def anything(self) -> str:
        """The pattern with * for every placeholder."""
        return re.sub(r"\{[a-z]+\}", "*", self.pattern)


def ending(name: str) -> str:
    """Ending of a file in small letters, ``.nii.gz`` in one."""
    lower = name.lower()
    return next(
        (end for end in (".nii.gz", ".func.gii", ".dtseries.nii", ".tsv.gz") if lower.endswith(end)), ""
    ) or (Path(lower).suffix)


def counted(number: int, what: str) -> str:
    """A number with its noun: 1 file, 2 files."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def walk(root: Path) -> Iterator[str]:
    """Paths of the files under a folder, hidden ones and folders of other things left out."""
    for folder, inside, names in os.walk(root):
        inside[:] = sorted(name for name in inside if not name.startswith(".") and name not in SKIPPED)
        for name in sorted(names):
            if not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()


def may_be_recording(path: str) -> bool:
    """Whether a file's name could be a recording's."""
    return ending(path) in SERIES + VOLUMES and not BESIDE.search(Path(path).name)


def layouts(files: Sequence[str], subjects: Sequence[str]) -> list[Layout]:
    """Group files by pattern.

    A file's subject is a name of the table that stands in its path, else its BIDS entity ``sub-``, else the part of
    the path that alone differs from file to file.

    Parameters
    ----------
    files
        Paths under the root.
    subjects
        Names from the participants table; may be empty.
    """
    known = set(subjects)
    longest = max((len(TOKEN.findall(name)) for name in known), default=0)
    groups: dict[str, list[tuple[str, str]]] = {}
    rest: dict[tuple[str, ...], list[str]] = {}
    for path in files:
        subject = _known(path, known, longest) or _entity(path)
        if subject:
            groups.setdefault(pattern_of(path, subject), []).append((path, subject))
        else:
            rest.setdefault((ending(path), str(len(TOKEN.findall(path)))), []).append(path)
    for paths in rest.values():
        for path, subject in _by_what_differs(paths):
            groups.setdefault(pattern_of(path, subject), []).append((path, subject))
    found = []
    for pattern, members in groups.items():
        members.sort()
        found.append(Layout(pattern, tuple(p for p, _ in members), tuple(name for _, name in members)))
    return sorted(found, key=lambda layout: layout.pattern)


def pattern_of(path: str, subject: str) -> str:
    """The path with placeholders for the subject and for the entities ``ses`` and ``run``.

    Examples
    --------
    >>> pattern_of("sub-01/ses-a/sub-01_ses-a_run-2_bold.nii.gz", "sub-01")
    '{subject}/ses-{session}/{subject}_ses-{session}_run-{run}_bold.nii.gz'
    """
    pattern = re.sub(_bounded(re.escape(subject)), "{subject}", path)
    for short, name in ENTITIES:
        pattern = re.sub(rf"(?<![A-Za-z0-9]){short}-[A-Za-z0-9]+", f"{short}-{{{name}}}", pattern)
    return pattern


def chosen(found: Sequence[Layout], choice: str) -> list[Layout]:
    """Layouts whose files lie in the folder ``choice``, or fit it as a pattern, or are it."""
    if choice in ("", "."):
        return list(found)
    return [
        layout
        for layout in found
        if any(path.startswith(choice.rstrip("/") + "/") or fnmatch(path, choice) for path in layout.files)
    ]


def _bounded(text: str) -> str:
    return rf"(?<![A-Za-z0-9])(?:{text})(?![A-Za-z0-9])"


def _known(path: str, names: set[str], longest: int) -> str:
    """The first name that stands in a path between words' ends, the longest of those that begin there; names have at
    most ``longest`` words."""
    words = TOKEN.findall(path)
    for start in range(len(words)):
        for end in range(min(len(words), start + longest), start, -1):
            text = "".join(words[start:end])
            if text in names:
                return text
    return ""


def _entity(path: str) -> str:
    match = BIDS_SUBJECT.search(path)
    return match[0] if match else ""


def _by_what_differs(paths: Sequence[str]) -> list[tuple[str, str]]:
    """Path and subject of files whose paths have the same number of words, one of which alone differs."""
    words = [TOKEN.findall(path) for path in paths]
    differing = [place for place in zip(*words, strict=True) if len(set(place)) > 1]
    if len(set(differing)) != 1 or len(set(differing[0])) < len(paths):
        return []
    return list(zip(paths, differing[0], strict=True))
