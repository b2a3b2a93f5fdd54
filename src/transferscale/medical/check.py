"""A dataset put through everything that comes before training: recordings, conditions, tasks, folds, leaks."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from transferscale.artefacts import read_json
from transferscale.errors import UserError, nearest
from transferscale.medical.index import index
from transferscale.medical.labels import labels
from transferscale.medical.prepared import Preparer
from transferscale.medical.recording import UnreadableError
from transferscale.medical.split import split
from transferscale.study.checks import check_dataset
from transferscale.study.corpus import Corpus, Geometry
from transferscale.study.dataset import UNITS, Dataset
from transferscale.study.grid import Grid
from transferscale.study.load import load_dataset, load_study
from transferscale.study.pretrain import Budgets, Pretrain
from transferscale.study.study import Study
from transferscale.study.transfer import NOTHING_TO_TRANSFER
from transferscale.tables import read_table, write_table

Row = dict[str, Any]

PLACE = Path("config/datasets")
# Pixels of a clip where no study says: enough to see a flat map.
SIZE = 96


@dataclass(frozen=True)
class CheckedTask:
    """What a task has to go by: subjects by class (or all), who was left out and why, subjects of the smallest training
    side."""

    kind: str
    subjects: dict[str, int]
    left_out: dict[str, int]
    folds: int
    smallest_training: int


@dataclass(frozen=True)
class Checked:
    """Counts of a dataset that can be used.

    Attributes
    ----------
    subjects, recordings
        How many are usable.
    unit
        What a subject is: a subject, or a run or stretch that is held out by itself.
    left_out
        Reason -> recordings quarantined or excluded.
    remarks
        What to know of recordings that are used -> how many.
    tasks
        Task -> its counts.
    notes
        What to know of the view.
    """

    dataset: str
    subjects: int
    unit: str
    recordings: int
    left_out: dict[str, int]
    remarks: dict[str, int]
    tasks: dict[str, CheckedTask] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def spec(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The counts in words."""
        found = [f"{self.recordings} usable recordings of {self.subjects} {UNITS[self.unit]}"]
        found += [f"left out: {number} x {reason}" for reason, number in self.left_out.items()]
        found += [f"note: {number} x {remark}" for remark, number in self.remarks.items()]
        found += [f"note: {note}" for note in self.notes]
        for name, task in self.tasks.items():
            people = ", ".join(
                f"{label} {number}" if label else str(number) for label, number in task.subjects.items()
            )
            gone = ", ".join(f"{number} {why}" for why, number in task.left_out.items() if number)
            found.append(
                f"task {name} ({task.kind}): {people}{f' (left out: {gone})' if gone else ''}; {task.folds} folds, at "
                f"least {task.smallest_training} to learn from"
            )
        return found


def find(named: str) -> Path:
    """The file of a dataset, given itself or its name under config/datasets.

    Raises
    ------
    UserError
        If there is none; the sentence offers the nearest name.
    """
    path = Path(named)
    if path.is_file():
        return path
    inside = PLACE / f"{named}.yaml"
    if not inside.is_file():
        known = [file.stem for file in PLACE.glob("*.yaml")]
        raise UserError(f"{named}: no such file, nor {inside}; {nearest(named, known)}")
    return inside


def load(named: str, study: Path | None = None, data_root: str | None = None) -> Grid:
    """The grid of a study with this dataset alone.

    Parameters
    ----------
    named
        Dataset file, or its name.
    study
        Study that gives {data_root}, {results}, folds and the geometry of clips; defaults without.
    data_root
        What stands for {data_root}, over the study's.
    """
    path = find(named)
    loaded = load_study(study) if study else None
    root, folder = Study.model_fields["data_root"].default, ""
    if loaded is not None:
        root, folder = loaded.data_root, loaded.folder
    dataset = load_dataset(path)
    if "{results}" in dataset.root and not folder:
        raise UserError(
            f"{path}: key 'root' has {{results}}; give the study whose results are meant with --study FILE"
        )
    placed = dataset.root.replace("{data_root}", data_root or root).replace("{results}", folder)
    return _grid(dataset.model_copy(update={"root": placed}), loaded)


def _grid(dataset: Dataset, study: Study | None = None) -> Grid:
    if study is not None:
        return Grid(study.model_copy(update={"datasets": [dataset]}))
    # Videos and pretraining play no part here; a study's defaults give the size of clips and tokens.
    geometry = Geometry(frames=dataset.windows.volumes, size=SIZE)
    return Grid(
        Study.model_construct(
            study=dataset.dataset,
            datasets=[dataset],
            corpus=Corpus.model_construct(name="none", sources=[], clip=geometry),
            pretrain=Pretrain.model_construct(budgets=Budgets(first=1000)),
            transfer=NOTHING_TO_TRANSFER,
        )
    )


def check(dataset: Dataset | Grid) -> Checked:
    """Index a dataset, lay one recording out as its view does, label and split, in a temporary folder.

    Raises
    ------
    UserError
        The first reason why it cannot be used.
    """
    grid = dataset if isinstance(dataset, Grid) else _grid(dataset)
    (found,) = grid.study.datasets
    name = found.dataset
    check_dataset(found)
    with tempfile.TemporaryDirectory() as temporary:
        recordings, quarantine = (
            Path(temporary) / "recordings.parquet",
            Path(temporary) / "quarantine.parquet",
        )
        splits = Path(temporary) / "splits.json"
        index(grid.recordings_spec(name), recordings, quarantine)
        bad = read_table(quarantine, "recordings").to_pylist()
        every = read_table(recordings, "recordings").to_pylist()
        rows, unreadable, notes = _prepared(grid, every, Path(temporary))
        if unreadable:
            bad += unreadable
            write_table(recordings, "recordings", rows)
        split(grid.split_spec(name), recordings, splits)
        parts = read_json(splits)["tasks"]
        tasks = {}
        for task, options in found.tasks.items():
            who = labels(recordings, options.spec())
            folds = parts[task]["repeats"][0]
            counts = Counter(who.classes[int(y)] for y in who.y) if who.classes else {"": len(who.subjects)}
            tasks[task] = CheckedTask(
                kind=options.kind,
                subjects=dict(sorted(counts.items())),
                left_out=dict(who.removed),
                folds=len(folds),
                smallest_training=min(len(fold["train"]) for fold in folds),
            )
    return Checked(
        dataset=name,
        subjects=len({row["subject"] for row in rows}),
        unit=found.unit,
        recordings=len(rows),
        left_out=dict(sorted(Counter(row["reason"] for row in bad).items())),
        remarks=dict(sorted(Counter(row["reason"] for row in rows if row["reason"]).items())),
        tasks=tasks,
        notes=notes,
    )


def _prepared(grid: Grid, rows: Sequence[Row], folder: Path) -> tuple[list[Row], list[Row], list[str]]:
    """Lay out the first recording that can be read to its end; all share a space.

    Returns
    -------
    rows, unreadable, notes
        Recordings but for those that were tried and are damaged, these with the reason, and what to know.

    Raises
    ------
    UserError
        If the view or the cleaning does not fit the recordings, or none can be read to its end.
    """
    (dataset,) = grid.study.datasets
    preparer = Preparer(grid.view_spec(dataset.dataset), folder / "prepared")
    preparer.store.mkdir()
    unreadable: list[Row] = []
    for i, row in enumerate(rows):
        try:
            about = read_json(preparer.prepare(row) / "about.json")
        except UnreadableError as error:
            unreadable.append({**row, "status": "quarantined", "reason": str(error)})
            continue
        notes = []
        if dataset.view.kind == "flatmap" and not row["space"]:
            shown = 1 - about["constant_columns"] / about["columns"]
            notes.append(
                "the files name no space and are taken to be in MNI space by view flatmap: of its pixels "
                f"{100 * shown:.0f} % lie where {row['path']} has signal; compare pictures of `medical show`"
            )
        return list(rows[i:]), unreadable, notes
    first = unreadable[0]
    raise UserError(
        f"dataset '{dataset.dataset}': none of {len(rows)} recordings can be laid out; the first, {first['path']}: "
        f"{first['reason']}"
    )
