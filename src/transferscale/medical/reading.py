"""Readers of what this room writes: a view and the splits. For whoever fits a read-out; imports numpy
alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import fingerprint, read_json
from transferscale.clips.store import ClipStore
from transferscale.errors import UserError, nearest

Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]


# Added to the SD that a window or a column of it is divided by; recordings have unit SD.
SD_FLOOR = 1e-3


class View:
    """A view opened from its folder.

    Parameters
    ----------
    folder
        Folder of the view.
    normalisation
        How a window enters every arm alike (``transfer.normalisation``): ``recording``, as its recording was
        standardised; ``window``, with the mean and SD over all its volumes and columns; ``column``, with those of each
        column.

    Attributes
    ----------
    contract
        Content of view.json.
    windows
        Columns of the windows table, name -> list of one value a window, in the order of ``window_id``.
    subjects
        Subjects, sorted.
    window_subject
        (windows,) index into ``subjects``.
    window_number
        (windows,) number of the window within its recording: the target of a state task.
    layout
        (size, size) column painted at each pixel, -1 where none.
    series
        (volumes of all recordings, columns) cleaned series, a memory map: parcels of view roi, pixels of the others.
    moments
        (recordings, 2, columns) mean as recorded and SD after cleaning, a memory map.
    """

    def __init__(self, folder: Path | str, normalisation: str = "recording") -> None:
        from transferscale.tables import read_table

        self.folder, self.normalisation = Path(folder), normalisation
        self.contract: dict[str, Any] = read_json(self.folder / "view.json")
        self.store = ClipStore(self.folder)
        self.windows: dict[str, list[Any]] = read_table(
            self.folder / "windows.parquet", "windows"
        ).to_pydict()
        self.recordings: list[dict[str, Any]] = read_json(self.folder / "series.json")
        self.series: Float32 = np.load(self.folder / "series.npy", mmap_mode="r", allow_pickle=False)
        self.moments: Float32 = np.load(self.folder / "moments.npy", mmap_mode="r", allow_pickle=False)
        self.layout: npt.NDArray[np.int32] = np.load(self.folder / "layout.npy", allow_pickle=False)
        self.subjects = sorted({entry["subject"] for entry in self.recordings})
        self._number = {subject: i for i, subject in enumerate(self.subjects)}
        self.window_subject: Int = np.array(
            [self._number[s] for s in self.windows["subject"]], dtype=np.int64
        )
        self.window_number: Int = np.array(self.windows["window"], dtype=np.int64)
        if len(self.store) != len(self.window_subject):
            raise UserError(
                f"{self.folder}: store and windows.parquet differ in length; delete the folder and rebuild it"
            )

    def __len__(self) -> int:
        return len(self.window_subject)

    @property
    def first_windows(self) -> list[int]:
        """The first window of every subject."""
        first = {subject: row for row, subject in reversed(list(enumerate(self.window_subject.tolist())))}
        return [first[subject] for subject in range(len(self.subjects))]

    def of_subjects(self, column: str) -> list[Any]:
        """A column of the windows table that is the same for all windows of a subject, one value a subject."""
        return [self.windows[column][window] for window in self.first_windows]

    def clips(self, rows: npt.ArrayLike | None = None) -> Float32:
        """Clips of the windows ``rows`` (all by default): (windows, volumes, size, size)."""
        chosen = np.arange(len(self)) if rows is None else np.asarray(rows, dtype=np.int64)
        clips: Float32 = self.store.take(chosen).astype(np.float32, copy=False)
        if self.normalisation == "recording":
            return clips
        shown = self.layout >= 0
        centre, size = (part[:, self.layout[shown]] for part in self._standards(self._windows(chosen)))
        clips[:, :, shown] = (clips[:, :, shown] - centre[:, None]) / size[:, None]
        return clips

    def series_windows(self) -> Float32:
        """The same windows before they were painted: (windows, volumes, columns)."""
        windows = self._windows(np.arange(len(self)))
        if self.normalisation == "recording":
            return windows
        centre, size = self._standards(windows)
        standardised: Float32 = (windows - centre[:, None]) / size[:, None]
        return standardised

    def _standards(self, windows: Float32) -> tuple[Float32, Float32]:
        """What is taken from every column of windows and what it is divided by: (windows, columns) each."""
        axis = (1, 2) if self.normalisation == "window" else (1,)
        wanted = (len(windows), windows.shape[2])
        centre = windows.mean(axis=axis, keepdims=True)[:, 0]
        size = windows.std(axis=axis, keepdims=True)[:, 0] + np.float32(SD_FLOOR)
        return np.broadcast_to(centre, wanted), np.broadcast_to(size, wanted)

    def _windows(self, rows: Int) -> Float32:
        """Windows ``rows`` of the series as they were cleaned: (windows, volumes, columns)."""
        first = {entry["recording"]: entry["start"] for entry in self.recordings}
        of = self.windows
        starts = np.array([first[of["recording"][row]] + of["start"][row] for row in rows.tolist()])
        volumes = int(self.contract["windows"]["volumes"])
        windows: Float32 = np.asarray(self.series)[starts[:, None] + np.arange(volumes)]
        return windows

    def runs(self, bridged: bool = False) -> list[tuple[int, Float32]]:
        """Every recording: index into ``subjects``, and its whole cleaned series (volumes, columns).

        Volumes that were scrubbed are left out, or, for what needs even steps, ``bridged`` between their neighbours.
        """
        return [(self._number[entry["subject"]], self._run(entry, bridged)) for entry in self.recordings]

    def _run(self, entry: Mapping[str, Any], bridged: bool) -> Float32:
        series = self.series[entry["start"] : entry["start"] + entry["volumes"]]
        if bridged:
            return np.asarray(series)
        kept: Float32 = np.delete(series, entry["scrubbed"], axis=0)
        return kept

    def regions(self, series: Float32) -> Float32:
        """Series of regions (..., volumes, regions) from series of columns (..., volumes, columns).

        For what cannot take ten thousand columns, such as the correlation of each with each. A region is the mean over
        the pixels of one token, of the tokens that show something; parcels are regions themselves.
        """
        matrix = self._region_means()
        reduced: Float32 = series if matrix is None else series @ matrix
        return reduced

    def _region_means(self) -> Float32 | None:
        """Weights (columns, regions), or ``None`` where columns are regions."""
        side = self.contract["token"]
        if side is None:
            return None
        down, right = np.indices(self.layout.shape) // int(side)
        shown = self.layout >= 0
        token = (down * (self.layout.shape[1] // int(side) + 1) + right)[shown]
        _, region = np.unique(token, return_inverse=True)
        weights = np.zeros((self.series.shape[1], region.max() + 1), dtype=np.float32)
        weights[self.layout[shown], region] = 1
        weights /= weights.sum(axis=0)
        return weights


class Splits:
    """Outer folds and nested label orders, opened from splits.json.

    Attributes
    ----------
    dataset, hash, subjects
        Name of the dataset, hash of the splits (for tables of predictions), subjects that folds point into.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        content = read_json(self.path)
        self.hash: str = content.get("hash", "")
        if splits_hash(content) != self.hash:
            raise UserError(
                f"{self.path}: the hash does not fit the content; delete the file and split again"
            )
        self.dataset: str = content["dataset"]
        self.subjects: list[str] = content["subjects"]
        self._tasks: dict[str, Any] = content["tasks"]

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks."""
        return list(self._tasks)

    def _task(self, task: str) -> Any:
        if task not in self._tasks:
            raise UserError(f"{self.path}: no task '{task}'; {nearest(task, self._tasks)}")
        return self._tasks[task]

    def _fold(self, task: str, repeat: int, fold: int) -> Any:
        repeats = self._task(task)["repeats"]
        if not (0 <= repeat < len(repeats) and 0 <= fold < len(repeats[repeat])):
            raise UserError(f"{self.path}: task '{task}' has no repeat {repeat}, fold {fold}")
        return repeats[repeat][fold]

    def _named(self, indices: list[int]) -> list[str]:
        return [self.subjects[i] for i in indices]

    def kind(self, task: str) -> str:
        """classification, regression or state."""
        return str(self._task(task)["kind"])

    def classes(self, task: str) -> list[str]:
        """Class names, the positive one last; empty for regression and state."""
        return list(self._task(task)["classes"])

    def task_subjects(self, task: str) -> list[str]:
        """Subjects of a task, sorted."""
        return self._named(self._task(task)["subjects"])

    def excluded(self, task: str) -> dict[str, int]:
        """Why subjects were left out of a task -> how many."""
        return dict(self._task(task)["excluded"])

    def repeats(self, task: str) -> int:
        """Number of repeats of the outer K-fold."""
        return len(self._task(task)["repeats"])

    def folds(self, task: str) -> int:
        """Number of outer folds."""
        return len(self._task(task)["repeats"][0])

    def test(self, task: str, repeat: int, fold: int) -> list[str]:
        """Test subjects of a fold, sorted."""
        return self._named(self._fold(task, repeat, fold)["test"])

    def train(self, task: str, repeat: int, fold: int, draw: int, n_labels: int | str) -> list[str]:
        """The labelled subjects of a draw: the first ``n_labels`` of its order, or all training subjects,
        sorted.

        Raises
        ------
        UserError
            If the fold has fewer training subjects, or there is no such draw.
        """
        found = self._fold(task, repeat, fold)
        if n_labels == "all":
            return self._named(found["train"])
        n, orders = int(n_labels), found["orders"]
        if n > len(found["train"]):
            raise UserError(
                f"transfer.labels: {n} labelled subjects are asked for, but fold {fold} of task '{task}' of "
                f"dataset '{self.dataset}' has {len(found['train'])} training subjects; lower it or write all"
            )
        if not 0 <= draw < len(orders):
            raise UserError(f"transfer.draws: no draw {draw}; splits.json holds {len(orders)}")
        return self._named(orders[draw][:n])

    def most_labels(self, task: str) -> int:
        """The largest number of labels that every fold of a task has."""
        return min(len(fold["train"]) for repeat in self._task(task)["repeats"] for fold in repeat)


def splits_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of the splits without their own hash, as canonical JSON."""
    return fingerprint({key: value for key, value in content.items() if key != "hash"}, length=64)
