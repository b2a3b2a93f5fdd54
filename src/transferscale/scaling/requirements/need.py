"""What it takes to reach a target in one task: of compute, model size or labels, with the others at their largest.

Of compute and of parameters with all labels, of labels with the most compute. Nothing is extrapolated: where the
smallest scale reaches the target already, or the largest does not, the requirement is only bounded.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.scaling.fits.identification import identified
from transferscale.scaling.metrics import Ints, Reals
from transferscale.scaling.plans.requirement import Surface, between, ends, surface
from transferscale.scaling.plans.target import Target

COMPUTE, PARAMS, LABELS = "compute", "params", "labels"
RESOURCES = (COMPUTE, PARAMS, LABELS)
# A share of the draws from which an end of an interval lies beyond the measured scales.
OPEN = 0.025
AT_MOST, AT_LEAST, UNKNOWN = "<=", ">=", "not identified"


@dataclass(frozen=True)
class Task:
    """Runs at one difficulty.

    Attributes
    ----------
    difficulty, place
        How it is called, and where it stands: the difficulty itself, or its rank.
    scales
        Resources by name (of :data:`RESOURCES`), each of shape (runs,).
    """

    difficulty: str
    place: float
    scales: Mapping[str, Reals]
    score: Reals
    cluster: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Need:
    """How much of a resource a difficulty takes to reach the target.

    Attributes
    ----------
    bound
        '' where it is read off the law; '<=' where the smallest scale suffices and '>=' where the largest does
        not, ``value`` being that scale; 'not identified' where the ends of the interval differ by a factor of
        ten or both lie beyond the scales.
    low, high, open
        95 % interval, and which of its ends ('low', 'high' or 'both') lie beyond the measured scales.
    logs, sides
        Logarithm of the requirement and whether it is measured (0) or bounded (-1 at most, 1 at least), in
        the fit and in every draw, shapes (1 + draws,).
    """

    resource: str
    difficulty: str
    place: float
    value: float
    low: float | None
    high: float | None
    open: str
    bound: str
    law: str
    warnings: tuple[str, ...]
    logs: Reals = field(repr=False)
    sides: Ints = field(repr=False)


def need(
    task: Task, resource: str, target: Target, called: Mapping[str, str], law: str, bootstrap: int, seed: int
) -> Need:
    """What a task takes of one resource.

    Parameters
    ----------
    resource
        One of :data:`RESOURCES` that the task has.
    called
        How resources are called in sentences.
    law, bootstrap, seed
        Law of a resource and labels where both vary, draws and their seed.

    Raises
    ------
    UserError
        If the resource does not vary, or there are too few different scales for its law.
    """
    found, of, at = _surface(task, resource, target, called, law, bootstrap, seed)
    low, high = found.least[of], found.largest[of]
    if low == high:
        raise UserError(f"all runs have '{called[resource]}' {low:g}; a requirement wants several")
    needed = found.needed(of, between(low, high), np.array([at]), target)[:, 0]
    sides = np.where(np.isinf(needed), 1, np.where(needed <= low, -1, 0))
    values = np.clip(needed, low, high)
    below, above = (float((sides[1:] == side).mean()) if found.draws else 0.0 for side in (-1, 1))
    opened = {(False, False): "", (True, False): "low", (False, True): "high", (True, True): "both"}
    ended = opened[below >= OPEN or sides[0] == -1, above >= OPEN or sides[0] == 1]
    interval = ends(values[1:]) if found.draws else None
    sure = identified(*interval) if interval is not None else found.known(of)
    bound = {-1: AT_MOST, 0: "", 1: AT_LEAST}[int(sides[0])] if sure and ended != "both" else UNKNOWN
    return Need(
        resource=resource,
        difficulty=task.difficulty,
        place=task.place,
        value=float(values[0]),
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        open=ended,
        bound=bound,
        law=found.fit.law,
        warnings=tuple(found.fit.warnings),
        logs=np.log(values),
        sides=sides.astype(np.int64),
    )


def _surface(
    task: Task, resource: str, target: Target, called: Mapping[str, str], law: str, bootstrap: int, seed: int
) -> tuple[Surface, int, float]:
    """The law of a resource, which of its scales that is, and where the other one is held."""
    scales = task.scales
    rows = np.ones(len(task.score), dtype=np.bool_)
    first = COMPUTE if resource == LABELS else resource
    if resource == PARAMS:
        rows = _most_compute(scales)
    both = [first, LABELS] if LABELS in scales else [first]
    of = both.index(resource)
    # Unnamed clusters of different tasks have nothing in common, so they must not share their draws.
    own = seed if task.cluster is not None else zlib.crc32(f"{seed}/{task.difficulty}".encode())
    found = surface(
        [scales[name][rows] for name in both],
        [called[name] for name in both],
        task.score[rows],
        target,
        law=law,
        cluster=None if task.cluster is None else [task.cluster[i] for i in np.flatnonzero(rows)],
        bootstrap=bootstrap,
        seed=own,
        notes=task.notes,
    )
    return found, of, found.largest[1 - of] if len(both) > 1 else 0.0


def _most_compute(scales: Mapping[str, Reals]) -> npt.NDArray[np.bool_]:
    """Runs with the most compute that their number of parameters was given."""
    _, model = np.unique(scales[PARAMS], return_inverse=True)
    most = np.zeros(int(model.max()) + 1)
    np.maximum.at(most, model.ravel(), scales[COMPUTE])
    largest: npt.NDArray[np.bool_] = scales[COMPUTE] >= most[model.ravel()] * (1 - 1e-9)
    return largest
