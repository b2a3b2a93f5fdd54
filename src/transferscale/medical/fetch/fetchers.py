"""nilearn's fetchers by name: the download is nilearn's; what is added is a participants table and, where nilearn keeps
runs in one file, a file a run."""

import contextlib
import gzip
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transferscale.artefacts import atomic
from transferscale.errors import UserError, nearest


def fetch(name: str, options: Mapping[str, Any], root: Path) -> list[Path]:
    """Download a dataset into ``root``; what is there already is left alone.

    Parameters
    ----------
    name
        A key of :data:`FETCHERS`.
    options
        Keyword arguments of nilearn's function.
    root
        Folder of the dataset; ``participants.tsv`` is written there.

    Returns
    -------
    list of Path
        The recordings and tables, which the record of the download names.

    Raises
    ------
    UserError
        If there is no such fetcher or option, or the download fails.
    """
    import requests
    from nilearn import datasets

    if name not in FETCHERS:
        raise UserError(f"fetch.name: no fetcher '{name}'; {nearest(name, FETCHERS)}")
    function = getattr(datasets, f"fetch_{name}")
    known = [
        key for key in inspect.signature(function).parameters if key not in ("data_dir", "verbose", "kwargs")
    ]
    for key in options:
        if key not in known:
            raise UserError(f"fetch.options: fetch_{name} knows no '{key}'; {nearest(key, known)}")
    root.mkdir(parents=True, exist_ok=True)
    try:
        # nilearn's progress is no result of ours.
        with contextlib.redirect_stdout(sys.stderr):
            bunch = function(data_dir=root, **options)
    except (requests.RequestException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"nilearn's fetch_{name}: the download failed ({reason}); run the same command again, it goes on from there"
        ) from None
    return FETCHERS[name](bunch, root)


def _development_fmri(bunch: Any, root: Path) -> list[Path]:
    _write_participants(bunch.phenotypic, root)
    return [*map(Path, bunch.func), *map(Path, bunch.confounds)]


def _adhd(bunch: Any, root: Path) -> list[Path]:
    import pandas as pd

    files = [Path(path) for path in bunch.func]
    # nilearn's own selection of rows loses people: the folders' names begin with zeros, the table's numbers do not.
    table = root / "adhd" / "ADHD200_40subs_motion_parameters_and_phenotypics.csv"
    folder = {int(path.parent.name): path.parent.name for path in files}
    people = pd.read_csv(table)
    people = people[people["Subject"].isin(list(folder))]
    people.insert(0, "participant_id", [folder[int(number)] for number in people["Subject"]])
    _write_participants(people, root)
    return [*files, *map(Path, bunch.confounds)]


def _abide_pcp(bunch: Any, root: Path) -> list[Path]:
    people = bunch.phenotypic.copy()
    people.insert(0, "participant_id", people["FILE_ID"])
    _write_participants(people, root)
    return sorted(
        path
        for path in (root / "ABIDE_pcp").rglob("*")
        if path.is_file() and any(path.name.startswith(f"{name}_") for name in people["FILE_ID"])
    )


def _haxby(bunch: Any, root: Path) -> list[Path]:
    """A file and a table of events for every run of every person."""
    written = []
    for path, labels in zip(bunch.func, bunch.session_target, strict=True):
        written += _split_runs(Path(path), Path(labels), float(bunch.t_r), root)
    return written


def _split_runs(image: Path, labels: Path, tr_s: float, root: Path) -> list[Path]:
    import nibabel
    import pandas as pd

    # labels.txt: one row a volume, its object and the number of its run ("chunks").
    rows = pd.read_csv(labels, sep=" ")
    whole = nibabel.load(image)
    if len(rows) != whole.shape[3]:
        raise UserError(
            f"{labels}: {len(rows)} rows for {whole.shape[3]} volumes of {image}; delete both, fetch again"
        )
    subject = f"sub-{image.parent.name.removeprefix('subj')}"
    written = []
    for run in sorted(set(rows["chunks"])):
        volumes = rows.index[rows["chunks"] == run]
        stem = root / subject / f"{subject}_task-objectviewing_run-{int(run) + 1:02d}"
        part = whole.slicer[..., int(volumes[0]) : int(volumes[-1]) + 1]
        part.header.set_zooms((*part.header.get_zooms()[:3], tr_s))
        part.header.set_xyzt_units("mm", "sec")
        out, events = stem.with_name(f"{stem.name}_bold.nii.gz"), stem.with_name(f"{stem.name}_events.tsv")
        with atomic(out) as temporary:
            # No time in the gzip header: the same data, the same bytes.
            temporary.write_bytes(gzip.compress(part.to_bytes(), compresslevel=4, mtime=0))
        with atomic(events) as temporary:
            temporary.write_text(_events(rows["labels"][volumes].tolist(), tr_s))
        written += [out, events]
    _write_participants(
        pd.DataFrame({"participant_id": sorted(p.name for p in root.glob("sub-*") if p.is_dir())}), root
    )
    return written


def _events(labels: list[str], tr_s: float) -> str:
    """Stretches of volumes with one label as events; rest is none."""
    lines, start = ["onset\tduration\ttrial_type"], 0
    for i in range(1, len(labels) + 1):
        if i < len(labels) and labels[i] == labels[start]:
            continue
        if labels[start] != "rest":
            lines.append(f"{start * tr_s:g}\t{(i - start) * tr_s:g}\t{labels[start]}")
        start = i
    return "\n".join(lines) + "\n"


def _write_participants(people: Any, root: Path) -> None:
    with atomic(root / "participants.tsv") as temporary:
        people.to_csv(temporary, sep="\t", index=False, na_rep="n/a")


FETCHERS: Mapping[str, Callable[[Any, Path], list[Path]]] = {
    "abide_pcp": _abide_pcp,
    "adhd": _adhd,
    "development_fmri": _development_fmri,
    "haxby": _haxby,
}
