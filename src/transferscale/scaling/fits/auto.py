"""Letting the points choose: the law, or the number of breaks, by held-out extrapolation.

No single law extrapolates best everywhere, and picking the one with the best backtest is a noisy choice. So
``auto`` ranks the laws by their rolling backtest and predicts by the weighted mean of the good ones: the score
of a law is its backtest error and its own uncertainty beyond the points, added in quadrature; laws within twice
the best score count, with weight 1 / score^2 (inverse-variance combination, Bates & Granger 1969).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.fits.backtest import largest, rmsle, rolling
from transferscale.scaling.fits.fit import (
    BOOTSTRAP,
    STARTS,
    Fit,
    Prepared,
    Settled,
    assemble,
    fit,
    plain_guesses,
    prepare,
    redraw,
    settle,
)
from transferscale.scaling.fits.identification import ahead
from transferscale.scaling.fits.mixture import Mixture
from transferscale.scaling.fits.solve import Posed
from transferscale.scaling.laws import MOST_BREAKS
from transferscale.scaling.laws import law as law_named
from transferscale.scaling.metrics import Reals

# m1 is power and m2 is power-floor with the other sign.
CANDIDATES: tuple[tuple[str, int], ...] = (
    ("power", 0),
    ("power-floor", 0),
    ("m3", 0),
    ("m4", 0),
    ("broken", 1),
)
# Laws whose score is within this factor of the best count.
WITHIN = 2.0
# Standard errors of the linearised fit beyond the points: neighbouring points of a curve err together, so
# they are too small.
STANDARD_ERRORS = 3.0
# Starts of the many fits of a backtest.
BACKTEST_STARTS = 8


def fit_auto(
    x: Reals,
    y: Reals,
    *,
    starts: int = STARTS,
    bootstrap: int = BOOTSTRAP,
    seed: int = 0,
    test: bool = True,
    **common: Any,
) -> Fit:
    """Fit every law that applies and combine them; arguments as for :func:`fit`.

    Returns
    -------
    Fit
        Its law is a :class:`Mixture`, whose parameters are the laws' weights (taken as given in the
        intervals); ``ranking`` lists every law with its backtest error, best first. Its error on the largest scale
        is that of the whole procedure without it, the choice of laws included (with ``test``).

    Raises
    ------
    UserError
        If no law can be fitted.
    """
    tried: list[_Tried] = []
    reason: UserError | None = None
    for name, breaks in CANDIDATES:
        try:
            prepared = prepare(x, y, name, breaks=breaks, **common)
        except UserError as refused:
            reason = reason or refused
            continue
        settled = settle(prepared, starts, 0, seed)
        error = rolling(prepared.problem, prepared.log_y, min(starts, BACKTEST_STARTS))
        tried.append(_Tried(prepared, settled, error))
    if reason and not tried:
        raise reason
    if all(one.backtest is None for one in tried):
        tried = tried[:1]
    best = min(one.score for one in tried)
    weights = [1 / max(one.score, 1e-12) ** 2 if one.score <= WITHIN * best else 0.0 for one in tried]
    weights = [weight / sum(weights) for weight in weights]
    order = sorted(range(len(tried)), key=lambda i: tried[i].rank)
    ranking = [
        {"law": tried[i].prepared.problem.law.name, "backtest": tried[i].backtest, "weight": weights[i]}
        for i in order
    ]
    # Only laws that count are refitted in every draw.
    kept = [i for i in order if weights[i] > 0]
    drawn = [
        replace(tried[i], settled=redraw(tried[i].prepared, tried[i].settled, bootstrap, seed)) for i in kept
    ]
    error = _tested(fit_auto, x, y, starts, seed, common) if test else None
    return _mixed(drawn, [weights[i] for i in kept], ranking, error)


@dataclass(frozen=True)
class _Tried:
    """A law fitted and backtested."""

    prepared: Prepared
    settled: Settled
    backtest: float | None

    @property
    def rank(self) -> float:
        """Backtest error; laws that could not be tested come last."""
        return np.inf if self.backtest is None else self.backtest

    @property
    def error_beyond(self) -> float:
        """Standard error of log y beyond the points, by linearisation."""
        problem = self.prepared.problem
        beyond = ahead(problem.law, problem.log_x)[None]
        slope = problem.law.jacobian(self.settled.theta, beyond)[0]
        return float(np.linalg.norm(slope @ self.settled.spread))

    @property
    def score(self) -> float:
        """Expected error beyond the points; what could not be tested does not count beside what could."""
        if self.backtest is None:
            return float(np.finfo(float).max)
        return float(np.hypot(self.backtest, STANDARD_ERRORS * self.error_beyond))


def _tested(
    choose: Callable[..., Fit], x: Reals, y: Reals, starts: int, seed: int, common: Mapping[str, Any]
) -> float | None:
    """Error on the largest scale of the whole procedure, the choice included, without that scale.

    None where points are held out anyway, or the others are too few to choose by.
    """
    held = common.get("held")
    if held is not None and held.any():
        return None
    x = np.asarray(x, dtype=np.float64).reshape(len(y), -1)
    top = largest(law_named("power"), np.log(x), 1)
    rest = {key: value for key, value in common.items() if key != "held"}
    for key in ("cluster", "pair", "weight"):
        if rest.get(key) is not None:
            rest[key] = [own for own, last in zip(rest[key], top, strict=True) if not last]
    try:
        found = choose(x[~top], y[~top], starts=starts, bootstrap=0, seed=seed, test=False, **rest)
    except UserError:
        return None
    log_error = [np.log(found.outcome.error(values)) for values in (found.predict(x[top]), y[top])]
    return rmsle(log_error[0], log_error[1])


def _mixed(
    tried: Sequence[_Tried], weights: Sequence[float], ranking: Sequence[dict[str, Any]], error: float | None
) -> Fit:
    """The weighted mean as a fit of its own; draws are combined one by one, since the laws share them."""
    first = tried[0].prepared
    form = Mixture(
        [one.prepared.problem.law for one in tried], [len(one.settled.theta) for one in tried], weights
    )
    theta = np.concatenate([one.settled.theta for one in tried])
    draws = [one.settled.resampled for one in tried if one.settled.resampled is not None]
    posed = Posed(
        form,
        first.problem.log_x,
        first.problem.weight,
        first.problem.objective,
        lowest=np.concatenate([one.prepared.problem.lowest for one in tried]),
        highest=np.concatenate([one.prepared.problem.highest for one in tried]),
    )
    # The laws err together, so their standard errors add up.
    spread = sum(w * one.error_beyond for w, one in zip(weights, tried, strict=True))
    return assemble(
        first,
        theta,
        np.concatenate(draws, axis=1) if draws else None,
        identified=dict.fromkeys(form.parameters, True),
        future=float(np.exp(min(2 * 1.959964 * spread, 700.0))),
        tested=(error, plain_guesses(first)),
        ranking=ranking,
        posed=posed,
    )


def fit_breaks(
    x: Reals,
    y: Reals,
    *,
    starts: int = STARTS,
    bootstrap: int = BOOTSTRAP,
    seed: int = 0,
    test: bool = True,
    **common: Any,
) -> Fit:
    """Fit the broken law with the number of breaks, 0 to 3, that has the best rolling backtest.

    Arguments and errors as for :func:`fit`; ``ranking`` lists the numbers tried.
    """
    tried: list[tuple[float, int]] = []
    reason: UserError | None = None
    for breaks in range(MOST_BREAKS + 1):
        try:
            prepared = prepare(x, y, "broken", breaks=breaks, **common)
        except UserError as refused:
            reason = reason or refused
            break
        error = rolling(prepared.problem, prepared.log_y, min(starts, BACKTEST_STARTS))
        tried.append((np.inf if error is None else error, breaks))
    if reason and not tried:
        raise reason
    best = min(tried)
    found = fit(x, y, "broken", breaks=best[1], starts=starts, bootstrap=bootstrap, seed=seed, **common)
    ranking = [
        {
            "law": f"broken, {breaks} breaks",
            "backtest": None if np.isinf(error) else error,
            "weight": float(breaks == best[1]),
        }
        for error, breaks in sorted(tried)
    ]
    error = _tested(fit_breaks, x, y, starts, seed, common) if test else None
    return replace(found, ranking=ranking, rmsle_backtest=error)
