"""Leak audit of a prepared view: what the tables cannot tell and the signals can. Runs before anything is trained.

Looked for, beside what :mod:`transferscale.medical.audit` finds in the tables:

- near-identical recordings under two subjects' names: the same series, rescaled, with noise, moved in time or cut
  (correlation of what changes from volume to volume, at any lag), or at another rate (correlation of their
  connectivity, less the group's mean; compared only among enough recordings of enough columns);
- statistics of normalisation that are not the recording's own, so that test subjects had a part in them;
- windows of one recording on both sides of a fold.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import Stopwatch, read_json, write_json, write_provenance
from transferscale.errors import UserError
from transferscale.medical.audit import audit
from transferscale.medical.reading import View

Float32 = npt.NDArray[np.float32]

# From one volume to the next, two people watching one film change alike by 0.2 at most; a copy with a third of noise by
# more than 0.8.
SAME_SERIES = 0.7
# Less the group's mean, connectivity of different people is unrelated; of a recording cut at other ends it is the same.
SAME_CONNECTIVITY = 0.9
# Below so many recordings their mean is no group's; a handful of columns is connected alike in anybody.
FEWEST, FEWEST_COLUMNS = 8, 20
# Columns and volumes compared: enough to tell people apart, few enough for thousands of recordings.
SERIES_COLUMNS, CONNECTIVITY_COLUMNS, MOST_VOLUMES = 16, 64, 2048
# Recordings compared with all others in one product.
AT_ONCE = 8
# How far mean and SD of a standardised column may be from 0 and 1, over the volumes that are used.
STANDARD = 0.05


def audit_view(splits: Path, recordings: Path, folder: Path, out: Path) -> None:
    """Audit tables and view; write what was looked at.

    Parameters
    ----------
    splits, recordings
        splits.json and the recordings table.
    folder
        Folder of the view.
    out
        JSON: how many recordings and pairs were compared, and the largest similarities.

    Raises
    ------
    UserError
        At the first leak, naming the recordings.
    """
    watch = Stopwatch()
    content = read_json(splits)
    audit(content, recordings)
    view = View(folder)
    _one_owner(content, view)
    _own_statistics(view)
    found = {
        "hash": content["hash"],
        "recordings": len(view.recordings),
        **_no_copies(view, "series", SAME_SERIES, series_likeness(view)),
        **_no_copies(view, "connectivity", SAME_CONNECTIVITY, connectivity_likeness(view)),
    }
    write_json(out, found)
    write_provenance(out, watch)


def _one_owner(splits: Mapping[str, Any], view: View) -> None:
    """Refuse a recording with windows of two subjects that a fold keeps apart."""
    owners: dict[str, set[str]] = {}
    for recording, subject in zip(view.windows["recording"], view.windows["subject"], strict=True):
        owners.setdefault(recording, set()).add(subject)
    for recording, subjects in owners.items():
        if len(subjects) > 1 and (where := _apart(splits, subjects)):
            raise UserError(
                f"{view.folder}: windows of {recording} are on both sides of {where} "
                f"(as {' and '.join(sorted(subjects))}); give each recording to one subject and index again"
            )


def _apart(splits: Mapping[str, Any], subjects: set[str]) -> str:
    """A fold that has these subjects on both sides, in words; empty where none has."""
    for name, task in splits["tasks"].items():
        for repeat, folds in enumerate(task["repeats"]):
            for fold, part in enumerate(folds):
                sides = ({splits["subjects"][i] for i in part[side]} & subjects for side in ("test", "train"))
                if all(sides):
                    return f"task '{name}', repeat {repeat}, fold {fold}"
    return ""


def _own_statistics(view: View) -> None:
    """Refuse standardised series whose mean and SD are not those of their own recording."""
    if not view.contract["cleaning"]["standardize"]:
        return
    for entry, (_, series) in zip(view.recordings, view.runs(), strict=True):
        varying = series.std(axis=0) > 0
        mean, sd = series[:, varying].mean(axis=0), series[:, varying].std(axis=0, ddof=1)
        off = max(float(np.abs(mean).max(initial=0)), float(np.abs(sd - 1).max(initial=0)))
        if off > STANDARD:
            raise UserError(
                f"{view.folder}: {entry['recording']} is not standardised by its own mean and SD (off by {off:.2g}), "
                "so other recordings, test subjects' among them, had a part in it; delete the view and build it again"
            )


def _no_copies(view: View, what: str, most: float, likeness: Float32 | None) -> dict[str, Any]:
    """Refuse two subjects whose recordings are alike by more than ``most``; else say how alike the most alike are."""
    owner = np.array([view.subjects.index(entry["subject"]) for entry in view.recordings])
    pairs = np.triu(owner[:, None] != owner, k=1)
    if likeness is None or not pairs.any():
        return {f"{what}_pairs": 0, f"{what}_most_alike": None}
    alike = np.where(pairs, likeness, -np.inf)
    i, j = np.unravel_index(int(np.argmax(alike)), alike.shape)
    if alike[i, j] > most:
        one, other = view.recordings[int(i)], view.recordings[int(j)]
        raise UserError(
            f"{view.folder}: {one['recording']} and {other['recording']} are nearly the same recording under two "
            f"subjects' names (correlation of their {what} {alike[i, j]:.2f}); delete the copy and index again"
        )
    return {f"{what}_pairs": int(pairs.sum()), f"{what}_most_alike": round(float(alike[i, j]), 4)}


def series_likeness(view: View) -> Float32:
    """Largest correlation of all recordings' changes at any lag: (recordings, recordings).

    Changes from volume to volume, because two people's slow drifts may well go together. Of two recordings of unlike
    length the shorter one may lie anywhere in the longer.
    """
    columns = spread(view.series.shape[1], SERIES_COLUMNS)
    changes = [
        unit(
            np.diff(
                view.series[entry["start"] : entry["start"] + entry["volumes"]][:MOST_VOLUMES, columns],
                axis=0,
            )
        )
        for entry in view.recordings
    ]
    energy = np.array([float((change**2).sum()) for change in changes], dtype=np.float32)
    size = 2 ** int(np.ceil(np.log2(2 * max(len(change) for change in changes))))
    # (frequencies, recordings, columns): the products of a frequency are one matrix product.
    spectra = np.stack([np.fft.rfft(change, size, axis=0) for change in changes], axis=1).astype(np.complex64)
    likeness = np.zeros((len(changes), len(changes)), dtype=np.float32)
    for first in range(0, len(changes), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        products = spectra[:, some].conj() @ spectra.transpose(0, 2, 1)
        lagged = np.fft.irfft(products, size, axis=0).max(axis=0)
        likeness[some] = lagged / np.maximum(np.minimum.outer(energy[some], energy), 1e-12)
    return likeness


def unit(series: Float32) -> Float32:
    """Columns centred, at a variance of one; constant columns are zero."""
    centred = series - series.mean(axis=0)
    size = centred.std(axis=0)
    scaled: Float32 = (centred / np.where(size > 0, size, 1)).astype(np.float32)
    return scaled


def connectivity_likeness(view: View) -> Float32 | None:
    """Correlation of all recordings' connectivity less the group's mean (recordings, recordings), ``None`` where
    recordings or columns are too few to compare."""
    columns = spread(view.series.shape[1], CONNECTIVITY_COLUMNS)
    if len(view.recordings) < FEWEST or len(columns) < FEWEST_COLUMNS:
        return None
    rows, others = np.triu_indices(len(columns), k=1)
    flat = []
    for _, series in view.runs():
        scaled = unit(series[:, columns])
        flat.append((scaled.T @ scaled / len(scaled))[rows, others])
    vectors = np.stack(flat) - np.mean(flat, axis=0)
    vectors -= vectors.mean(axis=1, keepdims=True)
    size = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    vectors = (vectors / np.where(size > 0, size, 1)).astype(np.float32)
    alike: Float32 = vectors @ vectors.T
    return alike


def spread(columns: int, most: int) -> npt.NDArray[np.int64]:
    """At most ``most`` columns, evenly spread."""
    return np.unique(np.linspace(0, columns - 1, min(columns, most)).round().astype(np.int64))
