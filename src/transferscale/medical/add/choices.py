"""What a dataset file says by default: tasks, windows, cleaning and view, each with the reason for it."""

import re
from collections.abc import Collection, Sequence
from itertools import count
from typing import Any

import numpy as np

from transferscale.errors import UserError, nearest
from transferscale.medical.add.columns import FEWEST_A_CLASS, Column
from transferscale.medical.add.layouts import counted
from transferscale.medical.add.lengths import FAST_S, FRAMES, even, shortest, usual
from transferscale.medical.add.overview import Overview
from transferscale.study.dataset import STATES

MOST_TASKS = 4
# A column that more people lack is no target unless asked for.
MOST_MISSING = 0.3
HIGH_PASS_HZ = 0.01
# From an event to the height of its response.
LAG_S = 5.0
# 24 motion terms need volumes to be told apart from signal.
MANY_VOLUMES = 100

Section = dict[str, Any]
Because = dict[str, str]


def plain(text: str) -> str:
    """A text as a name in a study: small letters, digits, - and _.

    Examples
    --------
    >>> plain("Scanlog: Voxel size")
    'scanlog_voxel_size'
    """
    return re.sub(r"[^a-z0-9-]+", "_", text.lower()).strip("_-")


def task_name(column: str, taken: Collection[str]) -> str:
    """Name of a column's task: plain, and not one of ``taken``.

    Examples
    --------
    >>> task_name("Age", ["age"]), task_name("ηλικία", [])
    ('age_2', 'target')
    """
    name = plain(column) or "target"
    numbered = (f"{name}_{number}" for number in count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def tasks(
    columns: Sequence[Column], targets: Sequence[str], overview: Overview, because: Because
) -> dict[str, Section]:
    """Tasks of the columns ``targets``, or without any of the likeliest ones; a state task where nothing else is.

    Raises
    ------
    UserError
        If a target is no column, or cannot be predicted.
    """
    by_name = {found.name: found for found in columns}
    chosen: dict[str, Section] = {}
    for name in targets:
        if name not in by_name and name not in STATES:
            raise UserError(f"--target: no column '{name}'; {nearest(name, [*by_name, *STATES])}")
        if name == "trial_type" and not overview.events:
            raise UserError("--target trial_type: the recordings have no events (*_events.tsv beside them)")
        if name == "trial_type" and len(overview.events) == 1 and len(overview.usable) > 1:
            raise UserError(f"--target trial_type: every event is '{next(iter(overview.events))}'")
        if name in by_name:
            _check_target(by_name[name])
    names = list(targets) or [found.name for found in columns if _is_likely(found)][:MOST_TASKS]
    if not names:
        # The only run has nothing to compare its course with, but events of one type can be told from pauses.
        names = ["trial_type" if len(overview.events) > (len(overview.usable) > 1) else "window"]
    for name in names:
        key = task_name(name, chosen)
        chosen[key] = state(name) if name in STATES else of_column(by_name[name])
        because[f"tasks.{key}"] = _state_words(name, overview) if name in STATES else _words(by_name[name])
    return chosen


def state(target: str) -> Section:
    """The task of telling windows apart."""
    metric = "balanced_accuracy" if target == "trial_type" else "accuracy"
    return {"target": target, "kind": "state", "metric": metric}


def of_column(found: Column) -> Section:
    """The task of predicting a column."""
    if found.role == "number":
        section: Section = {"target": found.name, "kind": "regression", "metric": "r"}
        return section | ({"transform": "log"} if found.is_skewed else {})
    classes = found.classes
    section = {
        "target": found.name,
        "kind": "classification",
        "metric": "auroc" if len(classes) == 2 else "balanced_accuracy",
    }
    return section | ({"classes": classes} if len(classes) < len(found.counts) else {})


def others(columns: Sequence[Column], taken: Sequence[str]) -> list[Column]:
    """Columns that could be targets too."""
    return [found for found in columns if found.is_target and found.name not in taken]


def _is_likely(found: Column) -> bool:
    rows = found.present + found.missing
    asked = found.is_measurement or found.is_numbering
    return found.is_target and not asked and found.missing <= MOST_MISSING * rows


def numberings(columns: Sequence[Column], taken: Sequence[str]) -> list[str]:
    """Sentences on columns whose numbers may be names."""
    found = []
    for name in (each.name for each in columns if each.is_numbering and not each.is_measurement):
        alike = f"the whole numbers of '{name}' are different for everybody, as names are"
        found.append(
            f"{alike}: if they are, take the task out"
            if name in taken
            else f"{alike}, so it is no task; if they are a quantity, add --target {name}"
        )
    return found


def _check_target(found: Column) -> None:
    if found.role in ("subject", "name"):
        raise UserError(
            f"--target: column '{found.name}' differs for everybody, so there is nothing to learn from it"
        )
    if found.role == "constant":
        raise UserError(f"--target: column '{found.name}' has one value alone, {found.words()}")
    if found.role != "number" and len(found.classes) < 2:
        raise UserError(
            f"--target: column '{found.name}' has fewer than two classes of {FEWEST_A_CLASS} people ({found.words()})"
        )


def _words(found: Column) -> str:
    left = sorted(set(found.counts) - set(found.classes)) if found.role == "classes" else []
    few = f"; fewer than {FEWEST_A_CLASS} people, left out: {', '.join(left)}" if left else ""
    skewed = "; skewed, so its logarithm" if found.role == "number" and found.is_skewed else ""
    return found.words() + skewed + few


def _state_words(name: str, overview: Overview) -> str:
    if name == "window":
        return "which part of the recording a window is: means something where all people saw or did the same"
    return ", ".join(f"{kind} {number}" for kind, number in sorted(overview.events.items()))


def windows(wanted: Sequence[str], overview: Overview, because: Because) -> Section:
    """Windows at events where a task asks for them, else one after another."""
    tr_s = overview.trs[0]
    if "trial_type" in wanted:
        seconds = float(np.median(overview.changes_s)) if overview.changes_s else FRAMES * tr_s
        volumes = even(min(FRAMES, int(round(seconds / tr_s, 6)), shortest(overview.volumes)))
        because["windows.volumes"] = (
            f"{volumes * tr_s:g} s: events of different types follow after {seconds:g} s, as a rule"
        )
        because["windows.events"] = "one window an event, this long after it: the haemodynamic lag"
        return {"volumes": volumes, "events": {"lag_s": LAG_S}}
    volumes = usual(overview.volumes, tr_s)
    fitting = overview.volumes[0] // volumes
    because["windows.volumes"] = (
        f"{volumes * tr_s:g} s; {counted(fitting, 'window')} in the shortest recording"
    )
    return {"volumes": volumes}


def cleaning(kind: str, confounds: bool, overview: Overview, because: Because) -> Section:
    """Cleaning that suits what was found."""
    section: Section = {}
    if len(overview.trs) > 1:
        section["resample_s"] = overview.trs[-1]
        because["clean.resample_s"] = (
            f"rates differ ({_list(overview.trs)} s): all are brought to the slowest"
        )
    if kind == "series" and overview.z_scored:
        because["clean.detrend"] = "the columns are z-scored already, so somebody cleaned them"
        return {"detrend": False, **section}
    because["clean.detrend"] = "a straight line over a whole run is drift"
    section = {"detrend": True, **section}
    if confounds:
        motion = "full" if overview.volumes[0] >= MANY_VOLUMES else "basic"
        section["confounds"] = {
            "strategy": ["motion", "wm_csf", "high_pass"],
            "motion": motion,
            "wm_csf": "basic",
        }
        because["clean.confounds"] = (
            f"{'24' if motion == 'full' else '6'} motion terms, mean white matter and CSF, fMRIPrep's cosines; to "
            "scrub add 'scrub' and fd_mm: 0.5, std_dvars: 1.5"
        )
    elif overview.trs[0] >= FAST_S:
        section["high_pass_hz"] = HIGH_PASS_HZ
        because |= {"clean.high_pass_hz": "slower than 100 s is drift; no confounds tables were found"}
    return section


def view(wanted: str | None, recordings: Section, mni: bool, because: Because) -> str:
    """Kind of view."""
    if wanted is not None:
        because["view"] = "given with --view"
        return wanted
    if recordings["kind"] == "series":
        because["view"] = "every column a block of pixels"
        return "roi"
    if recordings.get("atlas"):
        because["view"] = "means over the parcels of the atlas; flatmap or mosaic keep voxels"
        return "roi"
    if recordings.get("files", "volume") != "volume" or mni:
        because["view"] = "both cortices as flat maps; mosaic keeps the subcortex"
        return "flatmap"
    because["view"] = "slices side by side: no template space is stated, so no flat map"
    return "mosaic"


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
