"""Finding recordings by a pattern of their paths, or by a column of the participants table that holds them."""

import glob
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transferscale.errors import UserError, nearest
from transferscale.medical.participants import Participants
from transferscale.medical.readers.entities import entity
from transferscale.medical.recording import Found

# Placeholders, and the BIDS entity that tells where a pattern has none.
PLACES = {"subject": "sub", "session": "ses", "task": "task", "run": "run"}
Rewrite = Callable[[str], str]
TOKEN = re.compile(r"\{(\w*)\}|(\*+|\?)")


@dataclass(frozen=True)
class Pattern:
    """A path under root with ``{subject}``, ``{session}``, ``{task}`` and ``{run}``; ``*`` and ``?`` stay in a folder.

    Attributes
    ----------
    text
        The pattern.
    key
        Key of the dataset that holds it, for messages.
    """

    text: str
    key: str

    @property
    def named(self) -> str:
        """Begins messages."""
        return f"key '{self.key}': '{self.text}'"

    def check(self) -> None:
        """Check that it stays under root and has known placeholders.

        Raises
        ------
        UserError
            If not.
        """
        if Path(self.text).is_absolute() or ".." in Path(self.text).parts:
            raise UserError(f"{self.named} leaves the dataset's root; give a path under root")
        for match in TOKEN.finditer(self.text):
            if match[1] is not None and match[1] not in PLACES:
                raise UserError(
                    f"{self.named}: unknown placeholder '{match[0]}'; {nearest(match[1], PLACES)}"
                )

    @property
    def places(self) -> list[str]:
        """Placeholders that it has."""
        return [place for place in PLACES if f"{{{place}}}" in self.text]

    def paths(self, root: Path, values: Mapping[str, str]) -> list[str]:
        """Paths under root that fit, sorted; placeholders without a value stand for anything.

        A link to nowhere is among them.
        """
        text = self._translate(
            lambda place: glob.escape(values[place]) if place in values else "*", glob.escape, str
        )
        return sorted(p for p in glob.glob(text, root_dir=root) if self.fits(p, values))  # noqa: PTH207

    def fits(self, path: str, values: Mapping[str, str]) -> bool:
        """Whether a path fits, a placeholder that stands twice having one value."""
        return self._regex(values, "[^/]+?").fullmatch(path) is not None

    def values(self, path: str, known: Mapping[str, str]) -> dict[str, str]:
        """What the placeholders stand for in a path that fits.

        Where several ways fit, a placeholder does not run over an underscore, then is as short as can be.
        """
        for text in ("[^/_]+", "[^/]+?"):
            if match := self._regex(known, text).fullmatch(path):
                return {**known, **match.groupdict()}
        raise ValueError(f"{path} does not fit {self.text}")

    def _regex(self, values: Mapping[str, str], text: str) -> re.Pattern[str]:
        seen: set[str] = set()

        def place(name: str) -> str:
            if name in values:
                return re.escape(values[name])
            if name in seen:
                return f"(?P={name})"
            seen.add(name)
            return f"(?P<{name}>{text})"

        return re.compile(
            self._translate(place, re.escape, lambda wild: "[^/]" if wild == "?" else "[^/]*"), re.DOTALL
        )

    def _translate(self, place: Rewrite, literal: Rewrite, wild: Rewrite) -> str:
        out, end = "", 0
        for match in TOKEN.finditer(self.text):
            out += literal(self.text[end : match.start()])
            out += place(match[1]) if match[1] is not None else wild(match[2])
            end = match.end()
        return out + literal(self.text[end:])


def find(
    recordings: Mapping[str, Any],
    root: Path,
    participants: Participants | None,
    subjects: Sequence[str] | None,
    companions: Sequence[str],
) -> list[Found]:
    """Recordings by ``recordings.pattern`` or ``recordings.path_column``.

    Parameters
    ----------
    recordings
        Section of the dataset, as JSON values.
    root
        Folder of the dataset.
    participants
        The table, for ``path_column``.
    subjects
        Those of the table, ``None`` for whoever is in the files.
    companions
        Keys whose files belong to a recording: ``mask``, ``confounds``, ``events``.

    Returns
    -------
    list of Found
        Sorted; a subject without a file has a ``problem``.

    Raises
    ------
    UserError
        If a pattern cannot work, or fits nothing at all.
    """
    others = [Pattern(recordings[key], f"recordings.{key}") for key in companions if recordings[key]]
    captured = ["subject"]
    if recordings["path_column"] is not None:
        found = _by_column(recordings["path_column"], participants, subjects)
    else:
        pattern = Pattern(recordings["pattern"], "recordings.pattern")
        pattern.check()
        captured = pattern.places
        if "subject" not in captured:
            raise UserError(f"{pattern.named} lacks {{subject}}; write it where the subject's name stands")
        found = _by_pattern(pattern, root, subjects)
    for other in others:
        other.check()
        found = [(_with(other, root, each, values, captured), values) for each, values in found]
    return sorted((each for each, _ in found), key=order)


def order(found: Found) -> tuple[str, ...]:
    """Sorts recordings."""
    return found.subject, found.session, found.task, found.run, found.files.get("image", "")


Valued = tuple[Found, Mapping[str, str]]


def _by_pattern(pattern: Pattern, root: Path, subjects: Sequence[str] | None) -> list[Valued]:
    paths = pattern.paths(root, {})
    found: list[Valued] = []
    owners: set[str] = set()
    for path in paths:
        # Of sub-1 and sub-10, whom '{subject}*' both fits, the longer name is meant.
        fitting = [s for s in subjects or () if s in path and pattern.fits(path, {"subject": s})]
        known = {"subject": max(fitting, key=len)} if fitting else {}
        owners.update(known.values())
        values = pattern.values(path, known)
        found.append((_found(values, path), values))
    if not (paths if subjects is None else owners):
        of = "" if subjects is None else f" for any of {len(subjects)} subjects"
        raise UserError(f"{pattern.named} fits no file under {root}{of}; correct it")
    for subject in sorted(set(subjects or ()) - owners):
        expected = pattern.text.replace("{subject}", subject)
        found.append((_missing(subject, expected, f"no file fits {pattern.key}"), {"subject": subject}))
    return found


def _by_column(column: str, table: Participants | None, subjects: Sequence[str] | None) -> list[Valued]:
    if table is None:
        raise UserError(
            "key 'recordings.path_column' names a column, but the dataset has no participants table"
        )
    table.require(column, "recordings.path_column")
    found: list[Valued] = []
    for subject in subjects or ():
        path = table.rows[subject][column]
        values = {"subject": subject}
        if path is None:
            found.append((_missing(subject, "", f"no path in column '{column}'"), values))
        elif Path(path).is_absolute() or ".." in Path(path).parts:
            found.append((_missing(subject, path, "the path leaves the dataset's root"), values))
        else:
            found.append((_found(values, path), values))
    return found


def _missing(subject: str, path: str, problem: str) -> Found:
    return Found(subject, files={"image": path}, problem=problem)


def _found(values: Mapping[str, str], path: str) -> Found:
    told = {
        place: values[place].removeprefix(f"{key}-") if place in values else entity(key, path)
        for place, key in PLACES.items()
        if place != "subject"
    }
    return Found(values["subject"], told["session"], told["task"], told["run"], {"image": path})


def _with(
    other: Pattern, root: Path, found: Found, values: Mapping[str, str], captured: Sequence[str]
) -> Found:
    """A recording with the file that ``other`` names for it."""
    if found.problem:
        return found
    told = {"session": found.session, "task": found.task, "run": found.run, **values}
    for place in other.places:
        if not told[place]:
            raise UserError(
                f"{other.named}: {{{place}}} has no value for {found.files['image']}; "
                f"its path tells {', '.join(f'{{{name}}}' for name in captured)}"
            )
    role = other.key.removeprefix("recordings.")
    paths = other.paths(root, told)
    if len(paths) != 1:
        many = "no file fits" if not paths else f"{len(paths)} files fit"
        return replace(found, problem=f"{many} {other.key} '{other.text}'")
    return replace(found, files={**found.files, role: paths[0]})
