"""Label draws without some subjects: as near to the ordinary draw as can be, and nested like it."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.medical.reading import Splits, View
from transferscale.transfer.task import Cell, Task

Rows = npt.NDArray[np.int64]


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


def order_of(task: Task, cell: Cell, splits: Splits, view: View) -> Rows:
    """All training subjects of a fold in the order of a draw; its first n are the draw's n labelled subjects."""
    everybody = len(splits.train(task.name, cell.repeat, cell.fold, cell.draw, "all"))
    names = splits.train(task.name, cell.repeat, cell.fold, cell.draw, everybody)
    return subjects_of(task, names, splits, view)


def without(task: Task, order: Rows, n_labels: Any, excluded: Rows) -> Rows | None:
    """The labelled subjects of a draw when some may not be labelled; None where too few are left.

    The k-th label of a class is the k-th subject of that class in the order who is not excluded, so that a draw keeps
    the classes of the ordinary one, and n = 8 lies within n = 16. Values and states have one class.

    Parameters
    ----------
    order
        :func:`order_of`.
    n_labels
        How many; 'all' takes everybody who is not excluded, sorted.
    excluded
        Who may not be labelled, as indices into the view's subjects.
    """
    allowed = order[~np.isin(order, excluded)]
    if n_labels == "all":
        return np.sort(allowed) if len(allowed) > 1 else None
    classes = task.y if task.kind == "classification" else np.zeros(int(order.max()) + 1)
    waiting: dict[float, deque[int]] = {}
    for subject in allowed.tolist():
        waiting.setdefault(float(classes[subject]), deque()).append(subject)
    chosen = []
    for subject in order[: int(n_labels)].tolist():
        left = waiting.get(float(classes[subject]))
        if not left:
            return None
        chosen.append(left.popleft())
    return np.array(chosen, dtype=np.int64)
