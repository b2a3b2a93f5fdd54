"""The course of one outcome along scale or training, made ready for questions about sharp changes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.fits.outcome import Outcome, outcome_of
from transferscale.scaling.laws.broken import Broken
from transferscale.scaling.metrics import Ints, Reals
from transferscale.scaling.plans.target import METRICS

# Of more places than this along x, those nearest to so many that are even in log x are kept, fewer where several
# clusters make many points. Means of neighbours would be noisy here and quiet there; a pick leaves noise as it is.
MOST_PLACES, FEWEST_PLACES, MOST_POINTS = 80, 20, 600
# A score with 0 for its best value, of which the negative is a loss.
LOG_PROBABILITY = Outcome(True, 0.0, -1.0)


@dataclass(frozen=True)
class Course:
    """Points in the order of x, shape (points,) each.

    ``y`` is in the column's unit; ``error``, above zero, is what laws are fitted to. ``member`` numbers the cluster
    of each point, ``labels`` names it (None: nothing is known to vary together).
    """

    name: str
    x: Reals
    y: Reals
    error: Reals
    outcome: Outcome
    member: Ints
    labels: tuple[str, ...] | None
    notes: tuple[str, ...]

    @property
    def log_x(self) -> Reals:
        """Logarithm of x as laws take it, (points, 1)."""
        return np.log(self.x)[:, None]

    @property
    def log_y(self) -> Reals:
        """Logarithm of the error."""
        return np.log(self.error)

    @property
    def clusters(self) -> int:
        """Number of clusters; 1 where none are named."""
        return int(self.member.max()) + 1 if self.labels is not None else 1

    @property
    def places(self) -> Reals:
        """Different x, rising."""
        return np.unique(self.x)

    def mean(self, y: Reals, weight: Reals | None = None) -> Reals:
        """Mean of values (..., points) at each place, (..., places); NaN where the weights (..., points) are 0."""
        _, place = np.unique(self.x, return_inverse=True)
        at = (place[:, None] == np.arange(place.max() + 1)).astype(np.float64)
        if weight is None:
            weight = np.ones(len(self.x))
        total = weight @ at
        with np.errstate(invalid="ignore"):
            found: Reals = (weight * y) @ at / np.where(total > 0, total, np.nan)
        return found

    def until(self, x: float) -> "Course":
        """The points up to a scale or step, as if there were no others."""
        own = self.x <= x
        return replace(
            self,
            x=self.x[own],
            y=self.y[own],
            error=self.error[own],
            member=np.unique(self.member[own], return_inverse=True)[1].astype(np.int64),
            labels=None if self.labels is None else tuple(np.array(self.labels)[own]),
        )


def course(
    x: Reals,
    y: Reals,
    name: str,
    x_name: str = "x",
    cluster: Sequence[Any] | None = None,
    *,
    better: str = "auto",
    ceiling: float | None = None,
    chance: float | None = None,
    notes: Sequence[str] = (),
) -> Course:
    """Sort the points, thin them where there are many, and find what a law can be fitted to.

    Parameters
    ----------
    x, y
        Scale or training step, above zero, and outcome: a loss or a score. Shapes (points,).
    cluster
        What varies together, one label a point: seed, trunk, subject.
    better, ceiling, chance
        As in :func:`transferscale.scaling.fits.outcome.outcome_of`. Without them a column that is never above zero is a
        log-probability, whose negative is a loss, and one with the name of a known metric is that metric.
    notes
        Remarks that go before those found here.

    Raises
    ------
    UserError
        If a value is no number, x is not above zero, there are fewer than three different x, y is constant, a
        loss is negative, or a score exceeds its ceiling.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    for column, values in ((x_name, x), (name, y)):
        if not np.isfinite(values).all():
            raise UserError(
                f"column '{column}': found {values[~np.isfinite(values)][0]:g}, which is no number"
            )
    if (x <= 0).any():
        raise UserError(
            f"column '{x_name}': found {x[x <= 0][0]:g}, which is not above zero; leave that row out"
        )
    if len(np.unique(x)) < 3:
        raise UserError(
            f"column '{x_name}' has {len(np.unique(x))} different values; a change needs 3 at least"
        )
    if np.ptp(y) == 0:
        raise UserError(f"column '{name}' has one value ({y[0]:g}): nothing changes")
    said = list(notes)
    text = np.array([str(c) for c in cluster]) if cluster is not None else np.full(len(x), "")
    order = np.lexsort((y, text, x))
    x, y, text = x[order], y[order], text[order]
    kept = _even(x, len(np.unique(text)))
    if not kept.all():
        said.append(
            f"of {len(np.unique(x))} values of {x_name}, the {len(np.unique(x[kept]))} that are even in its "
            "logarithm are used"
        )
        x, y, text = x[kept], y[kept], text[kept]
        if np.ptp(y) == 0:
            raise UserError(f"column '{name}' has one value ({y[0]:g}) where it is even in log {x_name}")
    outcome = _outcome(x, y, name, better, ceiling, chance)
    error = outcome.error(y)
    if (error < 0).any():
        raise UserError(
            f"column '{name}': found {y[error < 0][0]:g}, but a loss is not negative; leave that row out"
            if not outcome.score
            else f"column '{name}': {y[error < 0][0]:g} exceeds the ceiling ({outcome.ceiling:g}); give --ceiling, "
            "the best value it can have"
        )
    if (error == 0).any():
        least = float(error[error > 0].min()) / 2
        said.append(
            f"{int((error == 0).sum())} values leave no error to take the logarithm of; it is taken for {least:.3g}, "
            "half the smallest other one"
        )
        error = np.where(error == 0, least, error)
    # Without names, a series of single points may have neighbours that follow each other; replicates do not.
    single = cluster is None and len(np.unique(x)) < len(x)
    member = np.arange(len(x)) if single else np.unique(text, return_inverse=True)[1]
    return Course(
        name=name,
        x=x,
        y=y,
        error=error,
        outcome=outcome,
        member=member.astype(np.int64),
        labels=tuple(map(str, text)) if cluster is not None else None,
        notes=tuple(said),
    )


def _outcome(
    x: Reals, y: Reals, name: str, better: str, ceiling: float | None, chance: float | None
) -> Outcome:
    """How the column becomes what is fitted."""
    if better == "auto" and ceiling is None and chance is None:
        if y.max() <= 0:
            return LOG_PROBABILITY
        if name in METRICS:
            return METRICS[name]
    return outcome_of(Broken(0), np.log(x)[:, None], y, name, better=better, ceiling=ceiling, chance=chance)


def _even(x: Reals, clusters: int) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which points stay when the places are thinned to an even spread in log x."""
    places = np.unique(x)
    most = int(np.clip(MOST_POINTS // clusters, FEWEST_PLACES, MOST_PLACES))
    if len(places) <= most:
        return np.ones(len(x), dtype=np.bool_)
    log = np.log(places)
    wanted = np.linspace(log[0], log[-1], most)
    right = np.clip(np.searchsorted(log, wanted), 1, len(log) - 1)
    nearest = np.where(wanted - log[right - 1] < log[right] - wanted, right - 1, right)
    kept: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.isin(x, places[nearest])
    return kept
