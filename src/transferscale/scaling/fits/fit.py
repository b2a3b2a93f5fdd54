"""Fitting a law, and saying how far the fit can be trusted.

Every fit comes with cluster-bootstrap intervals, a verdict for each parameter, its error on held-out scales and
that of predictions that need no law.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.scaling.fits.backtest import baselines, enough, largest, predicted, rmsle
from transferscale.scaling.fits.identification import (
    FUTURE_FACTOR,
    ahead_words,
    determined,
    future_factor,
    identified,
    normal_draws,
    spread,
)
from transferscale.scaling.fits.objectives import LogLsq, Objective
from transferscale.scaling.fits.outcome import Outcome, outcome_of
from transferscale.scaling.fits.remarks import (
    at_bounds,
    of_the_data,
    of_the_fit,
    of_what_follows,
    replicate_noise,
)
from transferscale.scaling.fits.resample import FEWEST, resample
from transferscale.scaling.fits.solve import Posed, Problem, distinct, followed, with_one_curve
from transferscale.scaling.laws import law as law_named
from transferscale.scaling.laws.base import Curve, Law
from transferscale.scaling.metrics import Ints, Reals

BOOTSTRAP = 1000
# Starting points that are followed to the end; of the optima found, those at which refits start.
STARTS, REFIT_STARTS = 20, 3


@dataclass(frozen=True)
class Fit:
    """A fitted law with what is needed to judge it and to draw it."""

    group: dict[str, str]
    form: Curve
    x: tuple[str, ...]
    y: str
    outcome: Outcome
    n: int
    params: dict[str, float]
    intervals: dict[str, tuple[float, float] | None]
    identified: dict[str, bool]
    derived: dict[str, float]
    derived_intervals: dict[str, tuple[float, float] | None]
    objective: float
    objective_name: str
    rmsle_fit: float
    rmsle_holdout: float | None
    rmsle_backtest: float | None
    baselines: dict[str, float]
    noise: float | None
    ranking: list[dict[str, Any]]
    warnings: list[str]
    points: Reals = field(repr=False)
    """Scales that were fitted, (points, variables)."""
    values: Reals = field(repr=False)
    """Their outcomes in the column's unit, (points,)."""
    held_points: Reals = field(repr=False)
    held_values: Reals = field(repr=False)
    theta: Reals = field(repr=False)
    resampled: Reals | None = field(repr=False)
    """Coordinates in every draw, (draws, coordinates)."""

    @property
    def law(self) -> str:
        """Name of the law."""
        return self.form.name

    @property
    def tested(self) -> float | None:
        """Error on what was held out: the points asked for, or else the largest scale."""
        return self.rmsle_backtest if self.rmsle_holdout is None else self.rmsle_holdout

    @property
    def log_points(self) -> Reals:
        """Logarithms of the fitted scales."""
        return np.log(self.points)

    def predict(self, x: Reals) -> Reals:
        """The law at ``x`` (points,) or (points, variables), in the unit of the column."""
        return self.outcome.value(np.exp(self.form.log_value(self.theta, log_scale(x))))

    def draws(self, x: Reals) -> Reals | None:
        """The same in every draw, shape (draws, points); None without intervals."""
        if self.resampled is None:
            return None
        return self.outcome.value(np.exp(self.form.log_value(self.resampled, log_scale(x))))

    def curve(self, x: Reals) -> tuple[Reals, Reals | None, Reals | None]:
        """The law at ``x`` with its pointwise 95 % band (of the mean, not of a new run)."""
        drawn = self.draws(x)
        if drawn is None:
            return self.predict(x), None, None
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        return self.predict(x), low, high

    def new_run(self, x: Reals) -> tuple[Reals, Reals] | None:
        """95 % interval of one new run at ``x``, each (points,): the draws with the residuals' spread on top."""
        if self.resampled is None:
            return None
        log_x = log_scale(x)
        spread = self.rmsle_fit * np.sqrt(self.n / max(self.n - len(self.form.parameters), 1))
        rng = np.random.default_rng(0)
        drawn = self.form.log_value(self.resampled, log_x)
        drawn = drawn + spread * rng.standard_normal(drawn.shape)
        low, high = np.quantile(self.outcome.value(np.exp(drawn)), [0.025, 0.975], axis=0)
        return low, high

    def as_json(self) -> dict[str, Any]:
        """The fit as plain JSON values."""
        return {
            "group": self.group,
            "law": self.law,
            "equation": self.form.equation,
            "x": list(self.x),
            "y": self.y,
            "outcome": self.outcome.describe(self.y),
            "n": self.n,
            "params": self.params,
            "intervals": _known(self.intervals),
            "identified": self.identified,
            "derived": self.derived,
            "derived_intervals": _known(self.derived_intervals),
            "objective": self.objective,
            "objective_name": self.objective_name,
            "rmsle_fit": self.rmsle_fit,
            "rmsle_holdout": self.rmsle_holdout,
            "rmsle_backtest": self.rmsle_backtest,
            "baselines": self.baselines,
            "noise": self.noise,
            "ranking": self.ranking,
            "warnings": self.warnings,
        }


def log_scale(x: Reals) -> Reals:
    """Logarithms of scales as laws take them, (points, variables)."""
    x = np.asarray(x, dtype=np.float64)
    return np.log(x[:, None] if x.ndim == 1 else x)


def _known(intervals: Mapping[str, tuple[float, float] | None]) -> dict[str, list[float]]:
    return {name: list(interval) for name, interval in intervals.items() if interval is not None}


def fit(
    x: Reals,
    y: Reals,
    law: str | Law,
    *,
    breaks: int = 1,
    cluster: Sequence[Any] | None = None,
    pair: Sequence[Any] | None = None,
    weight: Reals | None = None,
    held: npt.NDArray[np.bool_] | None = None,
    outcome: Outcome | None = None,
    objective: Objective | None = None,
    starts: int = STARTS,
    bootstrap: int = BOOTSTRAP,
    seed: int = 0,
    names: tuple[Sequence[str], str] | None = None,
    group: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Fit:
    """Fit one law.

    Parameters
    ----------
    x
        Scale, shape (points,), or (points, variables) for a law of several.
    y
        Outcome, shape (points,): a loss (above zero) or a score.
    law, breaks
        Name of the law, and for a broken law the number of its breaks.
    cluster
        What is resampled together, one label a point; default: every point by itself.
    pair
        What clusters of different fits share, one label a point; clusters with the same label get the same
        draws, so that two fits can be compared draw by draw. Default: the cluster's own label.
    weight
        Weights of the points in the objective; default: 1.
    held
        Points that are kept out of the fit and predicted.
    outcome
        How ``y`` becomes what is fitted; default: by :func:`outcome_of`.
    objective
        Default: least squares of log y.
    starts
        Starting points that are followed to the end.
    names, group, notes
        How ``x``, ``y`` and the group are called in the result (default: as in the law); remarks that go
        before its warnings.

    Raises
    ------
    UserError
        If a value cannot be fitted, or there are fewer different scales than parameters.
    """
    prepared = prepare(
        x,
        y,
        law,
        breaks=breaks,
        cluster=cluster,
        pair=pair,
        weight=weight,
        held=held,
        outcome=outcome,
        objective=objective,
        names=names,
        group=group,
        notes=notes,
    )
    return finish(prepared, settle(prepared, starts, bootstrap, seed), starts, seed)


@dataclass(frozen=True)
class Settled:
    """Coordinates of the best fit (k,), in every draw (draws, k), and the root of their linearised covariance.

    ``optima`` (optima, k) holds the best fit and the next best of other curves, where refits start; ``alike``
    (fits, k) the best fit and others that have the same curve with other parameters.
    """

    theta: Reals
    resampled: Reals | None
    spread: Reals
    optima: Reals
    alike: Reals


def settle(prepared: "Prepared", starts: int, bootstrap: int, seed: int) -> Settled:
    """Fit prepared points, and refit them in every draw where there are clusters enough."""
    problem, log_y = prepared.problem, prepared.log_y
    found, _ = followed(problem, log_y, starts)
    best = found[distinct(problem, found)][:REFIT_STARTS]
    settled = Settled(best[0], None, spread(problem, best[0], log_y), best, with_one_curve(problem, found))
    return redraw(prepared, settled, bootstrap, seed)


def finish(prepared: "Prepared", settled: Settled, starts: int, seed: int) -> Fit:
    """Judge a settled fit: which parameters the points determine, how well it foretells the largest scale."""
    problem = prepared.problem
    drawn = settled.resampled
    if drawn is None:
        drawn = normal_draws(problem, settled.theta, settled.spread, seed)
    judged = _intervals(problem.law.parameters, problem.law.natural(drawn))
    stuck = at_bounds(problem, settled.theta)
    return assemble(
        prepared,
        settled.theta,
        settled.resampled,
        # One run says nothing of how runs differ, and a bound nothing of what lies beyond it.
        identified={
            name: prepared.clusters >= FEWEST
            and name not in stuck
            and sure
            and ends is not None
            and identified(*ends)
            for (name, ends), sure in zip(
                judged.items(), determined(problem, settled.alike, seed), strict=True
            )
        },
        future=future_factor(problem, settled.theta, settled.spread, settled.resampled),
        tested=tested_on_largest(prepared, starts),
    )


def redraw(prepared: "Prepared", settled: Settled, bootstrap: int, seed: int) -> Settled:
    """With refits in every draw, where there are clusters enough."""
    if not bootstrap or prepared.clusters < FEWEST:
        return settled
    resampled = resample(
        prepared.problem, prepared.log_y, settled.optima, prepared.member, prepared.shared, bootstrap, seed
    )
    return replace(settled, resampled=resampled)


@dataclass(frozen=True)
class Prepared:
    """Points ready to be fitted: sorted, checked, in logarithms; what was held out apart."""

    problem: Problem
    log_y: Reals
    held_x: Reals
    held_y: Reals
    """Logarithms of the held-out scales (points, variables) and outcomes (points,)."""
    outcome: Outcome
    member: Ints
    shared: tuple[str, ...]
    """Cluster of each point, and the name under which each cluster draws."""
    clustered: bool
    x: tuple[str, ...]
    y: str
    group: dict[str, str]
    notes: tuple[str, ...]

    @property
    def clusters(self) -> int:
        """Number of independent runs."""
        return len(self.shared)


def prepare(
    x: Reals,
    y: Reals,
    law: str | Law,
    *,
    breaks: int = 1,
    cluster: Sequence[Any] | None = None,
    pair: Sequence[Any] | None = None,
    weight: Reals | None = None,
    held: npt.NDArray[np.bool_] | None = None,
    outcome: Outcome | None = None,
    objective: Objective | None = None,
    names: tuple[Sequence[str], str] | None = None,
    group: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Prepared:
    """Check and sort the points of a fit; arguments and errors as for :func:`fit`."""
    x = np.asarray(x, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    y = np.asarray(y, dtype=np.float64)
    form = law_named(law, x.shape[1], breaks) if isinstance(law, str) else law
    names = names or (form.variables, "y")
    held = np.zeros(len(y), dtype=np.bool_) if held is None else held
    _numbers(x, y, names)
    # Sorted, so that the order of the rows has no say.
    labels = [str(c) for c in (range(len(y)) if cluster is None else cluster)]
    order = np.lexsort((y, labels if cluster is not None else y, *x.T[::-1]))
    x, y, held = x[order], y[order], held[order]
    labels = [labels[i] for i in order] if cluster is not None else [str(i) for i in range(len(y))]
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)[order]
    own = ~held
    _scales(x[own], form, names)
    log_x = np.log(x)
    found = outcome or outcome_of(form, log_x[own], y[own], names[1])
    error = found.error(y)
    _positive(error, y, found, names[1])
    log_y = np.log(error)
    members, member = np.unique(np.array(labels)[own], return_inverse=True)
    return Prepared(
        problem=Problem.of(form, log_x[own], log_y[own], objective or LogLsq(), weight[own]),
        log_y=log_y[own],
        held_x=log_x[held],
        held_y=log_y[held],
        outcome=found,
        member=member.astype(np.int64),
        shared=_shared(members, member, labels if pair is None else [str(pair[i]) for i in order], own),
        clustered=cluster is not None,
        x=tuple(names[0]),
        y=names[1],
        group=dict(group or {}),
        notes=tuple(notes),
    )


def assemble(
    prepared: Prepared,
    theta: Reals,
    resampled: Reals | None,
    *,
    identified: dict[str, bool],
    future: float,
    tested: tuple[float | None, dict[str, float]],
    ranking: Sequence[Mapping[str, Any]] = (),
    posed: Posed | None = None,
) -> Fit:
    """Put a fit together from its coordinates: parameters, intervals, errors, warnings.

    Parameters
    ----------
    identified, future
        Verdict on every parameter; factor between the ends of the interval beyond the points.
    tested
        Error of the law on the largest scale, held out, and the baselines' errors.
    ranking
        Laws that were tried, for a choice among them.
    posed
        The curve at the points, where it is not the prepared law but one put together from several.
    """
    problem, log_y = posed or prepared.problem, prepared.log_y
    form, log_x = problem.law, problem.log_x
    fitted = form.log_value(theta, log_x)
    natural = dict(zip(form.parameters, map(float, form.natural(theta)), strict=True))
    drawn_derived = {} if resampled is None else form.derived(resampled, log_x)
    derived = {name: float(value) for name, value in form.derived(theta, log_x).items()}
    derived_intervals = {
        name: _ends(drawn_derived[name]) if name in drawn_derived else None for name in derived
    }
    backtest, plain = tested
    holdout = None
    if len(prepared.held_y):
        holdout = rmsle(form.log_value(theta, prepared.held_x), prepared.held_y)
    noise = replicate_noise(log_x, log_y)
    error = rmsle(fitted, log_y)
    warnings = [
        *prepared.notes,
        *of_the_data(form, log_x, prepared.clusters, prepared.clustered, resampled is not None),
        *of_the_fit(problem, theta, natural, identified, error, noise),
        *of_what_follows(form, log_x, derived, derived_intervals),
    ]
    if future > FUTURE_FACTOR:
        warnings.append(
            f"the extrapolation is not identified: {ahead_words(form, log_x)} the 95 % interval of "
            f"{prepared.outcome.describe(prepared.y)} spans a factor of {future:.3g}"
        )
    told = holdout if holdout is not None else backtest
    if told is not None and plain and told >= min(plain.values()):
        name = min(plain, key=lambda key: plain[key])
        where = "held-out points" if holdout is not None else "largest scale, held out,"
        warnings.append(
            f"on the {where} the law (RMSLE {told:.4f}) is no better than '{name}' ({plain[name]:.4f})"
        )
    return Fit(
        group=prepared.group,
        form=form,
        x=prepared.x,
        y=prepared.y,
        outcome=prepared.outcome,
        n=len(log_y),
        params=natural,
        intervals=_intervals(form.parameters, None if resampled is None else form.natural(resampled)),
        identified=identified,
        derived=derived,
        derived_intervals=derived_intervals,
        objective=float(problem.values(theta[None], log_y[None])[0]),
        objective_name=problem.objective.name,
        rmsle_fit=error,
        rmsle_holdout=holdout,
        rmsle_backtest=backtest,
        baselines=plain,
        noise=noise,
        ranking=[dict(one) for one in ranking],
        warnings=warnings,
        points=np.exp(log_x),
        values=prepared.outcome.value(np.exp(log_y)),
        held_points=np.exp(prepared.held_x),
        held_values=prepared.outcome.value(np.exp(prepared.held_y)),
        theta=theta,
        resampled=resampled,
    )


def _numbers(x: Reals, y: Reals, names: tuple[Sequence[str], str]) -> None:
    for name, values in [*zip(names[0], x.T, strict=True), (names[1], y)]:
        if not np.isfinite(values).all():
            raise UserError(f"column '{name}': found {values[~np.isfinite(values)][0]:g}, which is no number")
    for name, values in zip(names[0], x.T, strict=True):
        if (values <= 0).any():
            raise UserError(
                f"column '{name}': a law needs scales above zero, found {values[values <= 0][0]:g}; leave that "
                "row out"
            )


def _scales(x: Reals, form: Law, names: tuple[Sequence[str], str]) -> None:
    many = len(np.unique(x, axis=0))
    for name, values in zip(names[0], x.T, strict=True):
        if len(np.unique(values)) < 2:
            found = "no value" if not len(values) else f"one value ({values[0]:g})"
            raise UserError(f"column '{name}' has {found}; a law needs several")
    if many < len(form.parameters):
        raise UserError(
            f"{' and '.join(repr(n) for n in names[0])}: {many} different values, but law '{form.name}' "
            f"({form.equation}) has {len(form.parameters)} parameters"
        )


def _positive(error: Reals, y: Reals, outcome: Outcome, name: str) -> None:
    bad = np.flatnonzero(error <= 0)
    if not len(bad):
        return
    if outcome.score:
        raise UserError(
            f"column '{name}': {y[bad[0]]:g} reaches the ceiling ({outcome.ceiling:g}), so no error is left to "
            "take the logarithm of; raise --ceiling or leave that row out"
        )
    raise UserError(
        f"column '{name}': a law needs positive numbers, found {y[bad[0]]:g}; leave that row out, or give "
        "--ceiling if it is a score"
    )


def _shared(
    members: npt.NDArray[Any], member: npt.NDArray[Any], pair: list[str], own: npt.NDArray[np.bool_]
) -> tuple[str, ...]:
    """Name under which each cluster draws."""
    kept = np.array(pair)[own]
    out = []
    for number, name in enumerate(members):
        shared = np.unique(kept[member == number])
        if len(shared) > 1:
            raise UserError(f"cluster '{name}' has several pairs ({', '.join(shared[:3])}); it must have one")
        out.append(str(shared[0]))
    return tuple(out)


def _intervals(names: Sequence[str], drawn: Reals | None) -> dict[str, tuple[float, float] | None]:
    return {name: None if drawn is None else _ends(drawn[:, i]) for i, name in enumerate(names)}


def _ends(drawn: Reals) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def tested_on_largest(prepared: Prepared, starts: int) -> tuple[float | None, dict[str, float]]:
    """Error on the largest scale of a fit to the others (where nothing is held out), and the baselines'."""
    problem, log_y = prepared.problem, prepared.log_y
    plain = plain_guesses(prepared)
    if len(prepared.held_y) or not plain:
        return None, plain
    top = largest(problem.law, problem.log_x, 1)
    return rmsle(predicted(problem, log_y, ~top, problem.log_x[top], starts), log_y[top]), plain


def plain_guesses(prepared: Prepared) -> dict[str, float]:
    """Errors of the baselines on what is held out, or else on the largest scale; none if the rest is too little."""
    problem, log_y = prepared.problem, prepared.log_y
    if len(prepared.held_y):
        return baselines(problem.law, problem.log_x, log_y, prepared.held_y)
    top = largest(problem.law, problem.log_x, 1)
    if not enough(problem.law, problem.log_x[~top]):
        return {}
    return baselines(problem.law, problem.log_x[~top], log_y[~top], log_y[top])
