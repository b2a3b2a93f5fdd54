"""Label draws without some subjects: as near to the ordinary draw as can be, and nested like it."""

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.medical.reading import Splits, View
from transferscale.transfer.task import Cell, Task, subjects_of

Rows = npt.NDArray[np.int64]


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
