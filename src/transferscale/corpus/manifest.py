"""The manifest: every video of the corpus, audited; bad ones are quarantined with a reason, none is lost."""

import csv
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from transferscale.artefacts import Stopwatch, sha256_file, write_provenance
from transferscale.corpus.audit import audit, decord_agrees
from transferscale.corpus.children import Failure, each
from transferscale.errors import UserError, nearest
from transferscale.tables import TABLES, write_table

# fmt: off
SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mjpeg",
    ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogg", ".ogm",
    ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m",
})
# fmt: on
# Labels of the synthetic videos, beside them.
SYNTHETIC_LABELS = "labels.csv"
# Patience with one file: decoding 1 MB of H.264 takes about 0.1 s here.
PATIENCE_S, PATIENCE_S_PER_MB = 60.0, 5.0


@dataclass
class Found:
    """What a folder holds."""

    videos: list[Path] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    linked_folders: int = 0


def index(spec: Mapping[str, Any], synthetic: Path | None, out: Path, threads: int) -> None:
    """Write the ``manifest`` table of a corpus: one row a video file, ``ok`` or ``quarantined``.

    Parameters
    ----------
    spec
        ``Grid.index_spec``: ``sources`` and ``max_quarantined``.
    synthetic
        Folder that ``corpus synth`` wrote, for the synthetic source.
    out
        The parquet file.
    threads
        Child processes.

    Raises
    ------
    UserError
        If a folder is missing or holds no video, if nothing is fit for use, or if more than
        ``max_quarantined`` of the files are not.
    """
    watch = Stopwatch()
    rows: list[dict[str, Any]] = []
    ignored: Counter[str] = Counter()
    linked = 0
    for i, source in enumerate(spec["sources"]):
        folder, key = _folder(i, source, synthetic)
        found = find_videos(folder)
        if not found.videos:
            kinds = (
                ", ".join(f"{n} {suffix}" for suffix, n in sorted(found.ignored.items())) or "nothing at all"
            )
            raise UserError(
                f"{key}: no video files in folder '{folder}' (it holds {kinds}); name a folder of videos"
            )
        licences = read_licences(folder)
        labels = read_labels(source, folder, found.videos)
        sides = read_splits(folder) if source["kind"] == "synthetic" else {}
        default = source.get("licence", "generated here" if source["kind"] == "synthetic" else "")
        rows += [
            {
                "path": str(path),
                "source": f"{i}:{source['kind']}",
                "licence": licences.get(path.relative_to(folder).as_posix()) or default,
                "label": labels.get(path),
                "split": sides.get(path.name),
            }
            for path in found.videos
        ]
        ignored.update(found.ignored)
        linked += found.linked_folders
    _audit(rows, threads)
    quarantine_duplicates(rows)
    _check_share(rows, spec["max_quarantined"])
    write_table(
        out, "manifest", [{k: v for k, v in row.items() if k in TABLES["manifest"].columns} for row in rows]
    )
    good = sum(row["status"] == "ok" for row in rows)
    write_provenance(
        out,
        watch,
        files=len(rows),
        ok=good,
        quarantined=len(rows) - good,
        ignored_files=dict(sorted(ignored.items())),
        linked_folders_not_entered=linked,
    )


def _folder(i: int, source: Mapping[str, Any], synthetic: Path | None) -> tuple[Path, str]:
    """Folder of a source, and how errors call its key."""
    if source["kind"] == "synthetic":
        if synthetic is None:
            raise UserError(
                f"corpus.sources.{i}: a synthetic source; give the folder of `corpus synth` (--synthetic)"
            )
        folder, key = synthetic, f"corpus.sources.{i}"
    else:
        folder, key = Path(source["path"]), f"corpus.sources.{i}.path"
    if not folder.exists():
        raise UserError(f"{key}: no such folder '{folder}'; name an existing folder of videos")
    if not folder.is_dir():
        raise UserError(f"{key}: '{folder}' is a file; name the folder that holds it")
    return folder, key


def find_videos(folder: Path) -> Found:
    """Video files under a folder, by suffix, in an order that does not depend on the file system.

    Links to files are followed; links to folders are not (they can form circles), but counted.
    """
    found = Found()

    def refused(error: OSError) -> None:
        raise UserError(
            f"{error.filename}: the folder cannot be read ({error.strerror}); mend its rights or remove it"
        )

    for where, folders, files in os.walk(folder, onerror=refused):
        folders.sort()
        found.linked_folders += sum((Path(where) / name).is_symlink() for name in folders)
        for name in files:
            path = Path(where) / name
            if path.suffix.lower() in SUFFIXES:
                found.videos.append(path)
            else:
                found.ignored[path.suffix.lower().encode("utf-8", "replace").decode() or "(no suffix)"] += 1
    found.videos.sort(key=lambda path: os.fsencode(path.relative_to(folder).as_posix()))
    return found


def read_licences(folder: Path) -> dict[str, str]:
    """Licences by file, relative to the folder, from ``manifest.csv`` there (columns file, licence)."""
    try:
        with (folder / "manifest.csv").open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            table = csv.DictReader(stream)
            if not {"file", "licence"} <= set(table.fieldnames or []):
                return {}
            return {row["file"]: (row["licence"] or "").strip() for row in table if row["file"]}
    except FileNotFoundError:
        return {}
    except csv.Error as error:
        raise UserError(
            f"{folder / 'manifest.csv'}: not a readable CSV file ({error}); repair or rename it"
        ) from None


def read_labels(source: Mapping[str, Any], folder: Path, videos: Sequence[Path]) -> dict[Path, str]:
    """Class of each video that has one.

    Parameters
    ----------
    source
        ``labels`` of a folder: None, ``folder`` for the name of the folder that a video lies in (a video at the top
        has none), or a table with columns ``video`` (path under the folder, or the file's name) and ``label``. The
        synthetic source brings its own table.
    folder
        Folder of the source.
    videos
        Its videos.

    Raises
    ------
    UserError
        If the table is missing, lacks a column, contradicts itself, or names no video of the folder.
    """
    said = SYNTHETIC_LABELS if source["kind"] == "synthetic" else source.get("labels")
    if said is None:
        return {}
    if said == "folder":
        return {path: path.parent.name for path in videos if path.parent != folder}
    table = folder / said if source["kind"] == "synthetic" else Path(said)
    found = _label_table(table)
    named = {path: (path.relative_to(folder).as_posix(), path.name) for path in videos}
    labels = {path: found[name] for path, names in named.items() for name in names[::-1] if name in found}
    if not labels:
        raise UserError(
            f"{table}: column 'video' names no video of folder '{folder}' (it begins with '{next(iter(found), '')}'); "
            f"write paths under the folder, as in '{next(iter(named.values()))[0]}'"
        )
    return labels


def read_splits(folder: Path) -> dict[str, str]:
    """Split of each synthetic video by its name, which its table fixes.

    Raises
    ------
    UserError
        If the table lacks it.
    """
    path = folder / SYNTHETIC_LABELS
    with path.open(newline="") as stream:
        table = csv.DictReader(stream)
        if "split" not in (table.fieldnames or []):
            raise UserError(
                f"{path}: no column 'split'; make the videos again with 'transferscale corpus synth'"
            )
        return {row["video"]: row["split"] for row in table}


def _label_table(path: Path) -> dict[str, str]:
    """Column ``label`` by column ``video``; rows without a label are left out."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        raise UserError(f"{path}: labels are 'folder' or the path of a .csv or .tsv table")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            for column in ("video", "label"):
                if column not in (table.fieldnames or []):
                    raise UserError(
                        f"{path}: no column '{column}'; {nearest(column, table.fieldnames or [])}"
                    )
            rows = [((row["video"] or "").strip(), (row["label"] or "").strip()) for row in table]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file (table of labels)") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable UTF-8 table ({error})") from None
    labels: dict[str, str] = {}
    for video, label in rows:
        if label and labels.setdefault(video, label) != label:
            raise UserError(
                f"{path}: video '{video}' has two labels, '{labels[video]}' and '{label}'; delete one"
            )
    return labels


def _audit(rows: list[dict[str, Any]], threads: int) -> None:
    """Fill in the audit's columns, in place."""
    answers = each(audit, [row["path"] for row in rows], threads, _patience)
    for row, answer in zip(rows, tqdm(answers, "audit", len(rows), disable=None), strict=True):
        if isinstance(answer, Failure):
            answer = {
                "status": "quarantined",
                "reason": answer.reason,
                "backend": "",
                **_content(row["path"]),
            }
        row.update(answer)
        row["video_id"] = row.get("sha256", "")[:16]
        try:
            row["uri"] = row["path"].encode().decode()
        except UnicodeEncodeError:
            # Tables hold text: a name that is not text cannot be found again from them.
            row["uri"] = os.fsencode(row["path"]).decode("utf-8", "backslashreplace")
            row.update(
                status="quarantined", backend="", reason="the name is not valid UTF-8; rename the file"
            )
    good = [row for row in rows if row["status"] == "ok"]
    trials = [{key: row[key] for key in ("path", "frames", "middle", "phash")} for row in good]
    for row, agrees in zip(
        good, each(decord_agrees, trials, threads, lambda t: _patience(t["path"])), strict=True
    ):
        row["backend"] = "decord" if agrees is True else "pyav"


def _patience(path: str) -> float:
    try:
        return PATIENCE_S + PATIENCE_S_PER_MB * Path(path).stat().st_size / 1e6
    except OSError:
        return PATIENCE_S


def _content(path: str) -> dict[str, Any]:
    try:
        return {"sha256": sha256_file(path), "bytes": Path(path).stat().st_size}
    except OSError:
        return {}


def quarantine_duplicates(rows: list[dict[str, Any]]) -> None:
    """Quarantine, in place, every good row whose content an earlier good row has."""
    first: dict[str, str] = {}
    for row in rows:
        if row["status"] == "ok":
            earlier = first.setdefault(row["sha256"], row["uri"])
            if earlier != row["uri"]:
                row.update(status="quarantined", backend="", reason=f"same content as '{earlier}'")


def _check_share(rows: list[dict[str, Any]], most: float) -> None:
    bad = [row for row in rows if row["status"] != "ok"]
    if len(bad) < len(rows) and len(bad) <= most * len(rows):
        return
    shown = "; ".join(f"'{Path(row['uri']).name}': {row['reason']}" for row in bad[:3])
    more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
    if len(bad) == len(rows):
        raise UserError(
            f"corpus.sources: none of the {len(rows)} video files can be used ({shown}{more}); name others"
        )
    raise UserError(
        f"corpus.sources: {len(bad)} of {len(rows)} video files are quarantined, more than "
        f"corpus.max_quarantined = {most} allows ({shown}{more}); mend or remove them, "
        "or raise corpus.max_quarantined"
    )
