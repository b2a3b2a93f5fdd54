"""One task of a view: its rows, their labels, and the (training, test) cells that the splits spell out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError, nearest
from transferscale.medical.labels import labels
from transferscale.medical.reading import Splits, View
from transferscale.transfer.choice import CHOICE_FROM, inner_folds
from transferscale.transfer.permutation import permute

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cell:
    """One fit: who is labelled and who is tested, as indices into the view's subjects.

    ``number`` is the fold counted over all repeats.
    """

    repeat: int
    fold: int
    draw: int
    train: Rows
    test: Rows
    number: int


@dataclass(frozen=True)
class Task:
    """A task on a view. Its rows are subjects, or windows for a state task.

    Attributes
    ----------
    name, kind, classes
        Name, kind and class names; classes of a state task are the numbers of the windows, or the events that they
        follow.
    y
        Label of every row of the view, NaN where the task does not use it.
    owner
        Subject of every row.
    place
        Where labels are permuted: the subject that stands in each one's place in the splits
        (:mod:`transferscale.transfer.permutation`). None where the labels are the subjects' own.
    """

    name: str
    kind: str
    classes: Sequence[str]
    y: npt.NDArray[np.float64]
    owner: Rows
    place: Rows | None = None

    @property
    def subjects(self) -> Rows:
        """Subjects that have a label, rising."""
        found: Rows = np.unique(self.owner[~np.isnan(self.y)])
        return found

    def rows(self, subjects: Rows) -> Rows:
        """Rows of these subjects that have a label, subject by subject."""
        if self.kind != "state":
            return subjects
        labelled = ~np.isnan(self.y)
        return np.concatenate([np.flatnonzero((self.owner == subject) & labelled) for subject in subjects])

    def windows(self, owner: Rows, subjects: Rows) -> Rows:
        """Windows of these subjects, subject by subject, given who owns each; of states those that have a label."""
        if self.kind == "state":
            return self.rows(subjects)
        return np.concatenate([np.flatnonzero(owner == subject) for subject in subjects])

    def inner(self, train: Rows, folds: int) -> list[Rows]:
        """Subjects held out in each inner fold; none below the number from which anything is chosen."""
        if len(train) < CHOICE_FROM:
            return []
        y = np.zeros(len(train)) if self.kind == "state" else self.y[train]
        return [train[held] for held in inner_folds(y, folds)]


def load_task(name: str, spec: Mapping[str, Any], recordings: Path, view: View) -> Task:
    """A task's labels on the rows of a view, permuted where its spec has ``permute_labels``.

    Raises
    ------
    UserError
        If the recordings table lacks the task's columns, knows subjects that the view does not, or nothing can be
        permuted.
    """
    task = _own_labels(name, spec, recordings, view)
    seed = spec.get("permute_labels")
    return task if seed is None else permute(task, int(seed), view.subjects)


def _own_labels(name: str, spec: Mapping[str, Any], recordings: Path, view: View) -> Task:
    """The task with the labels that its subjects or windows have."""
    found = labels(recordings, spec)
    position = {subject: i for i, subject in enumerate(view.subjects)}
    missing = [subject for subject in found.subjects if subject not in position]
    if missing:
        raise UserError(
            f"{recordings}: subject '{missing[0]}' is not in view {view.folder}; build the view again"
        )
    rows = np.array([position[subject] for subject in found.subjects], dtype=np.int64)
    if found.kind != "state":
        y = np.full(len(view.subjects), np.nan)
        y[rows] = found.y
        return Task(name, found.kind, found.classes, y, np.arange(len(view.subjects)))
    used = np.isin(view.window_subject, rows)
    if spec["target"] == "window":
        numbers = np.unique(view.window_number[used])
        y = np.where(used, np.searchsorted(numbers, view.window_number), np.nan)
        return Task(name, "state", [str(number) for number in numbers], y, view.window_subject)
    events = np.array(view.windows["trial_type"])
    present = sorted(set(events[used].tolist()) - {""})
    classes = [str(one) for one in spec["classes"] or present]
    for one in classes:
        if one not in present:
            raise UserError(
                f"{view.folder}: task '{name}': no window follows event '{one}'; {nearest(one, present)}"
            )
    if len(classes) < 2:
        raise UserError(
            f"{view.folder}: task '{name}': windows follow one kind of event alone; decoding needs two"
        )
    place = {one: float(i) for i, one in enumerate(classes)}
    y = np.array([place.get(event, np.nan) for event in events.tolist()])
    return Task(name, "state", classes, np.where(used, y, np.nan), view.window_subject)


def possible_tasks(spec: Mapping[str, Any], splits: Splits) -> tuple[dict[str, Any], list[str]]:
    """Tasks with enough training subjects in every fold, and a sentence for each task without.

    A study's label counts hold for all its tasks, and one asked within a subgroup may have too few subjects
    for the larger ones. Such a task is left out at that count for every arm alike, and said so. A reader of that task
    alone has no row then.
    """
    if spec["n_labels"] == "all":
        return dict(spec["tasks"]), []
    n, possible, left_out = int(spec["n_labels"]), {}, []
    for name, about in spec["tasks"].items():
        most, classes = splits.most_labels(name), len(splits.classes(name))
        where = f"task '{name}' of dataset '{splits.dataset}' is left out at {n} labelled subjects"
        if most < n:
            left_out.append(f"{where}: a fold has {most} training subjects")
        elif n < classes:
            left_out.append(f"{where}: it has {classes} classes")
        else:
            possible[name] = about
    return possible, left_out


def subjects_of(task: Task, names: Sequence[str], splits: Splits, view: View) -> Rows:
    """Indices into the view's subjects, in the order given; where labels are permuted, of who stands in their places.

    Raises
    ------
    UserError
        If the view lacks a subject.
    """
    position = {subject: i for i, subject in enumerate(view.subjects)}
    unknown = [name for name in names if name not in position]
    if unknown:
        raise UserError(f"{splits.path}: subject '{unknown[0]}' is not in view {view.folder}; split again")
    found = np.array([position[name] for name in names], dtype=np.int64)
    return found if task.place is None else task.place[found]


def cells(task: Task, spec: Mapping[str, Any], splits: Splits, view: View) -> Iterator[Cell]:
    """Every (repeat, fold, draw) of a prediction table.

    ``spec`` has ``n_labels``, ``draws``, ``fold`` (the only fold, counted over all repeats; -1 for every one) and, for
    a reader that is trained, ``first_draw``. All draws of 'all' are the same training subjects, so that only the first
    is done.

    Raises
    ------
    UserError
        If the splits are of other subjects, or hold fewer training subjects or draws than asked for.
    """

    def indices(subjects: Sequence[str]) -> Rows:
        found = subjects_of(task, subjects, splits, view)
        found = found if task.place is None else np.sort(found)
        if not len(task.rows(found)) or np.isnan(task.y[task.rows(found)]).any():
            raise UserError(f"{splits.path}: task '{task.name}' has subjects without a label; split again")
        return found

    first = int(spec.get("first_draw", 0))
    n_labels = spec["n_labels"] if spec["n_labels"] == "all" else int(spec["n_labels"])
    draws = range(first, first + (1 if n_labels == "all" else int(spec["draws"])))
    folds, only = splits.folds(task.name), int(spec["fold"])
    for repeat in range(splits.repeats(task.name)):
        for fold in range(folds):
            number = repeat * folds + fold
            if only not in (-1, number):
                continue
            test = indices(splits.test(task.name, repeat, fold))
            for draw in draws:
                train = indices(splits.train(task.name, repeat, fold, draw, n_labels))
                yield Cell(repeat, fold, draw, train, test, number)
