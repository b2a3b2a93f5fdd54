"""Families of models fitted by one law, on one outcome, with draws that are paired where families share labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.comparisons.crossover import Window
from transferscale.scaling.fits.auto import fit_auto
from transferscale.scaling.fits.fit import Fit, fit
from transferscale.scaling.fits.outcome import Outcome, outcome_by, sounds_otherwise, trend
from transferscale.scaling.fits.points import Points
from transferscale.scaling.fits.resample import FEWEST
from transferscale.scaling.laws.base import Law
from transferscale.scaling.metrics import Reals

# The law that is chosen for every family by itself.
AUTO = "auto"
# Between a family's name and a label in the name of a cluster of its own.
OF = "\x1f"
# Scales at which a fitted curve is searched for its best outcome.
FINE = 400


@dataclass(frozen=True)
class Draws:
    """A family's log error in every paired draw."""

    grid: Reals
    """On a window's grid, (draws, grid)."""
    best: Reals
    """At the scale of the best fitted outcome, (draws,)."""
    target: Reals
    """At the target, (draws,)."""


@dataclass(frozen=True)
class Fitted:
    """A family's fit, the smallest and largest scale of its points, and the names under which its clusters draw."""

    fit: Fit
    data: tuple[float, float]
    labels: frozenset[str]

    @classmethod
    def of(cls, name: str, fitted: Fit, points: Points) -> "Fitted":
        """The fit of a family's points. Clusters that share a label vary together, so labels are counted."""
        return cls(fitted, span(points), frozenset(np.array(_labels(name, points)[1])[~points.held].tolist()))


@dataclass(frozen=True)
class Family:
    """A fitted family and its curve, the logarithm of the error, where it matters."""

    name: str
    fit: Fit
    data: tuple[float, float]
    """Smallest and largest scale of its points."""
    labels: frozenset[str]
    """Names under which its clusters draw."""
    best_at: float
    """Log x of the best fitted outcome within the family's data."""
    best: float
    """Log error there."""
    at_target: float
    """Log error at the target."""
    draws: Draws | None

    def curve(self, log_x: Reals) -> Reals:
        """Log error of the fitted law at log x (points,)."""
        return self.fit.form.log_value(self.fit.theta, log_x[:, None])

    @classmethod
    def of(cls, name: str, family: Fitted, window: Window, target: float) -> "Family":
        """The curve of a fit and its draws; none where fewer than three clusters vary independently.

        Raises
        ------
        UserError
            If the curve of a draw is not finite within the window.
        """
        fitted, data, labels = family.fit, family.data, family.labels
        form = fitted.form
        log_x = np.linspace(np.log(data[0]), np.log(data[1]), FINE)
        curve = form.log_value(fitted.theta, log_x[:, None])
        best_at, log_target = float(log_x[curve.argmin()]), float(np.log(target))
        at_target = float(form.log_value(fitted.theta, np.array([[log_target]]))[0])
        draws = None
        if fitted.resampled is not None and len(labels) >= FEWEST:
            places = np.append(window.grid, [best_at, log_target])
            with np.errstate(over="ignore", invalid="ignore"):
                drawn = form.log_value(fitted.resampled, places[:, None])
            if not np.isfinite(drawn).all():
                low, high = window.searched
                raise UserError(
                    f"'{name}': a resample of law '{form.name}' is not finite between {low:.3g} and {high:.3g}; "
                    "choose a law with fewer parameters"
                )
            draws = Draws(drawn[:, :-2], drawn[:, -2], drawn[:, -1])
        return cls(name, fitted, data, labels, best_at, float(curve.min()), at_target, draws)


def span(points: Points) -> tuple[float, float]:
    """Smallest and largest scale that is fitted."""
    x = points.x[~points.held, 0]
    return float(x.min()), float(x.max())


def fit_families(
    points: Mapping[str, Points],
    law: str | Law,
    outcome: Outcome,
    names: tuple[str, str],
    group: Mapping[str, str],
    **options: Any,
) -> tuple[dict[str, Fit], list[str]]:
    """Fit every family; and a sentence for each that cannot be.

    ``law`` is one, or "auto" for :func:`transferscale.scaling.fits.auto.fit_auto`; ``options`` are those of
    :func:`transferscale.scaling.fits.fit.fit`.
    """
    fits, left_out = {}, []
    for name, own in points.items():
        cluster, labels = _labels(name, own)
        common: dict[str, Any] = {
            "cluster": cluster,
            "pair": labels,
            "weight": own.weight,
            "held": own.held,
            "outcome": outcome,
            "names": ((names[0],), names[1]),
            "group": {**group, "family": name},
            "notes": own.notes,
            **options,
        }
        try:
            fits[name] = fit_auto(own.x, own.y, **common) if law == AUTO else fit(own.x, own.y, law, **common)
        except UserError as error:
            left_out.append(f"'{name}': {error}")
    return fits, left_out


def common_outcome(
    points: Mapping[str, Points],
    law: Law,
    name: str,
    better: str,
    ceiling: float | None,
    chance: float | None,
) -> tuple[Outcome, list[str]]:
    """One outcome for all families, from the way it goes with scale within them; and remarks on it.

    Raises
    ------
    UserError
        As :func:`transferscale.scaling.fits.outcome.outcome_of`.
    """
    trends = {family: trend(np.log(own.x), own.y) for family, own in points.items()}
    # Within the families: a trend between them does not count.
    overall = float(np.average(list(trends.values()), weights=[len(own.y) for own in points.values()]))
    values = np.concatenate([own.y for own in points.values()])
    found = outcome_by(
        law, overall, values, name, better=better, ceiling=ceiling, chance=chance, compared=True
    )
    against = [f"'{family}'" for family, own in trends.items() if own * overall < 0]
    if better != "auto" or ceiling is not None or chance is not None:
        return found, []
    remarks = [sentence] if (sentence := sounds_otherwise(found, name)) else []
    if against:
        kind = "a score, higher is better" if found.score else "a loss, lower is better"
        remarks.append(
            f"'{name}' goes the other way with scale in {', '.join(against)} than in the rest; it was taken for {kind}"
        )
    return found, remarks


def _labels(family: str, own: Points) -> tuple[Sequence[str], Sequence[str]]:
    """Cluster of each point, and the name under which its cluster draws: only a ``pair`` is shared by families."""
    cluster = own.cluster or own.pair
    if cluster is None:
        # Numbered by value, so that the order of the rows has no say.
        number = np.empty(len(own.y), dtype=np.int64)
        number[np.lexsort((own.y, own.x[:, 0]))] = np.arange(len(own.y))
        cluster = tuple(f"{i:06d}" for i in number)
    return cluster, own.pair or [f"{family}{OF}{label}" for label in cluster]
