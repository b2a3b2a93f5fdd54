"""Fitting a law, and saying how far the fit can be trusted.

The objective is the sum of squared residuals of log y (an exponent without a floor and one with it
are different claims, so both are usually fitted). Intervals come from a wild cluster bootstrap: the residuals
of a cluster, such as one training trunk, change sign and size together by Webb's six-point weights, after
multiplication by the inverse of one minus the cluster's leverage (CR3). Points are never resampled, so every
resample keeps the whole range of scales.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.errors import UserError, nearest
from transferscale.scaling.laws import LARGEST_EXPONENT, LAWS, SMALLEST_EXPONENT, Law
from transferscale.scaling.metrics import Ints, Reals

OBJECTIVE = "sum of squared residuals of log y"
BOOTSTRAP = 1000
# A parameter counts as identified if its 95 % interval excludes 0 and its ends differ by less than this
# factor.
IDENTIFIED_FACTOR = 10.0
WEBB = np.sqrt([0.5, 1.0, 1.5])
# The part of a cluster that leverage leaves free is taken for at least this large.
SMALLEST_REST = 0.2
# Starting points that are followed to the end, and for how long.
STARTS, ITERATIONS = 3, 200


@dataclass(frozen=True)
class Fit:
    """A fitted law with what is needed to judge it."""

    group: dict[str, str]
    law: str
    x: str
    y: str
    n: int
    params: dict[str, float]
    intervals: dict[str, tuple[float, float] | None]
    identified: dict[str, bool]
    derived: dict[str, float]
    objective: float
    rmsle_fit: float
    rmsle_holdout: float | None
    baselines: dict[str, float]
    warnings: list[str]
    theta: Reals = field(repr=False)
    resampled: Reals | None = field(repr=False)

    def curve(self, x: Reals) -> tuple[Reals, Reals | None, Reals | None]:
        """The law at ``x`` with its pointwise 95 % band (of the mean, not of a new run)."""
        law, log_x = LAWS[self.law], np.log(x)
        middle = np.exp(law.log_value(self.theta, log_x))
        if self.resampled is None:
            return middle, None, None
        low, high = np.quantile(np.exp(law.log_value(self.resampled, log_x)), [0.025, 0.975], axis=0)
        return middle, low, high

    def as_json(self) -> dict[str, Any]:
        """The fit as plain JSON values."""
        return {
            "group": self.group,
            "law": self.law,
            "x": self.x,
            "y": self.y,
            "n": self.n,
            "params": self.params,
            "intervals": {key: None if v is None else list(v) for key, v in self.intervals.items()},
            "derived": self.derived,
            "objective": {"name": OBJECTIVE, "value": self.objective},
            "rmsle_fit": self.rmsle_fit,
            "rmsle_holdout": self.rmsle_holdout,
            "baselines": self.baselines,
            "identified": self.identified,
            "warnings": self.warnings,
        }


def rmsle(log_predicted: Reals, log_y: Reals) -> float:
    """Root mean squared logarithmic error."""
    return float(np.sqrt(np.mean((log_predicted - log_y) ** 2)))


def fit(
    x: Reals,
    y: Reals,
    law: str,
    *,
    cluster: Sequence[Any] | None = None,
    bootstrap: int = BOOTSTRAP,
    holdout_top: int = 0,
    seed: int = 0,
    names: tuple[str, str] = ("x", "y"),
    group: Mapping[str, str] | None = None,
) -> Fit:
    """Fit one law to positive points.

    Parameters
    ----------
    x, y
        Scale and outcome (lower is better), shape (points,).
    cluster
        What is resampled together, one label a point; default: every point by itself.
    holdout_top
        Largest different scales kept out of a second fit, whose error on them is reported beside the
        baselines 'no better than the best small model' and 'the largest model fitted'.
    names, group
        How ``x``, ``y`` and the group are called in the result.

    Raises
    ------
    UserError
        If the law is unknown, a value is not positive, or there are fewer different scales than parameters.
    """
    if law not in LAWS:
        raise UserError(f"law '{law}' is unknown; {nearest(law, LAWS)}")
    form = LAWS[law]
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    for name, values in zip(names, (x, y), strict=True):
        if not (np.isfinite(values) & (values > 0)).all():
            bad = values[~(np.isfinite(values) & (values > 0))][0]
            raise UserError(
                f"column '{name}': a law needs positive numbers, found {bad:g}; leave that row out"
            )
    # Sorted, so that the order of the rows has no say.
    named = np.array([""] * len(x) if cluster is None else [str(c) for c in cluster])
    order = np.lexsort((y, named, x))
    x, y = x[order], y[order]
    labels = named[order] if cluster is not None else np.arange(len(x))
    scales = np.unique(x)
    if len(scales) < len(form.parameters):
        raise UserError(
            f"column '{names[0]}': {len(scales)} different values, but law '{law}' ({form.equation}) has "
            f"{len(form.parameters)} parameters"
        )
    log_x, log_y = np.log(x), np.log(y)
    theta, objective = solve(form, log_x, log_y[None])
    theta, fitted = theta[0], form.log_value(theta[0], log_x)
    _, member = np.unique(labels, return_inverse=True)
    warnings = _of_the_data(scales, int(member.max()) + 1)
    resampled = None
    if bootstrap and member.max() >= 2:
        resampled = _resample(form, log_x, log_y, theta, member.astype(np.int64), bootstrap, seed)
    natural = dict(zip(form.parameters, map(float, form.natural(theta, log_y)), strict=True))
    intervals: dict[str, tuple[float, float] | None] = dict.fromkeys(form.parameters)
    if resampled is not None:
        low, high = np.quantile(form.natural(resampled, log_y), [0.025, 0.975], axis=0)
        intervals = {p: (float(low[i]), float(high[i])) for i, p in enumerate(form.parameters)}
    identified = {p: _identified(interval) for p, interval in intervals.items()}
    warnings += _of_the_fit(natural, intervals, identified)
    holdout, baselines = _holdout(form, log_x, log_y, holdout_top)
    if holdout is not None and holdout >= min(baselines.values()):
        best = min(baselines, key=lambda name: baselines[name])
        warnings.append(
            f"on the held-out largest scale the law (RMSLE {holdout:.4f}) is no better than "
            f"'{best}' ({baselines[best]:.4f})"
        )
    elif holdout_top and holdout is None:
        warnings.append("too few scales to hold the largest one out")
    return Fit(
        group=dict(group or {}),
        law=law,
        x=names[0],
        y=names[1],
        n=len(x),
        params=natural,
        intervals=intervals,
        identified=identified,
        derived=form.derived(natural, float(x.max())),
        objective=float(objective[0]),
        rmsle_fit=rmsle(fitted, log_y),
        rmsle_holdout=holdout,
        baselines=baselines,
        warnings=warnings,
        theta=theta,
        resampled=resampled,
    )


def solve(law: Law, log_x: Reals, log_y: Reals, extra: Reals | None = None) -> tuple[Reals, Reals]:
    """Least squares of log y for many outcomes at once: best starts, then Levenberg and Marquardt in bounds.

    Parameters
    ----------
    log_x, log_y
        Shapes (points,) and (resamples, points).
    extra
        One more starting point for all, shape (coordinates,).

    Returns
    -------
    theta, objective
        Shapes (resamples, coordinates) and (resamples,).
    """
    shift = float(log_x.mean())
    centred = log_x - shift
    lowest, highest = law.bounds(log_y)
    starts = law.starts(centred, log_y)
    if extra is not None:
        # moved() gives the coordinates after log x grew by its argument; here it shrinks by the shift.
        own = np.broadcast_to(law.moved(extra, -shift), (len(log_y), 1, len(extra)))
        starts = np.concatenate([starts, own], axis=1)
    starts = np.clip(starts, lowest, highest)
    loss = ((law.log_value(starts, centred) - log_y[:, None]) ** 2).sum(-1)
    kept = np.argsort(loss, axis=1, kind="stable")[:, :STARTS]
    theta = np.take_along_axis(starts, kept[..., None], axis=1)
    many = theta.shape[:2]
    descended, loss = _descend(
        law,
        centred,
        np.repeat(log_y, many[1], axis=0),
        theta.reshape(-1, theta.shape[-1]),
        (lowest, highest),
    )
    theta, loss = descended.reshape(*many, -1), loss.reshape(many)
    best = loss.argmin(1)
    chosen = np.take_along_axis(theta, best[:, None, None], axis=1)[:, 0]
    return law.moved(chosen, shift), loss.min(1)


def _descend(
    law: Law, log_x: Reals, log_y: Reals, theta: Reals, bounds: tuple[Reals, Reals]
) -> tuple[Reals, Reals]:
    """Levenberg and Marquardt for many problems; each leaves the batch when it has converged."""
    lowest, highest = bounds
    theta = theta.copy()
    loss = ((law.log_value(theta, log_x) - log_y) ** 2).sum(-1)
    damping = np.full(len(theta), 1e-3)
    active = np.arange(len(theta))
    for _ in range(ITERATIONS):
        here, y = theta[active], log_y[active]
        residual = y - law.log_value(here, log_x)
        jacobian = law.jacobian(here, log_x)
        gradient = np.einsum("snp,sn->sp", jacobian, residual)
        # A coordinate at a bound whose gradient points outward is held there.
        held = ((here <= lowest) & (gradient < 0)) | ((here >= highest) & (gradient > 0))
        jacobian = np.where(held[:, None], 0.0, jacobian)
        normal = np.einsum("snp,snq->spq", jacobian, jacobian)
        ridge = damping[active, None] * np.maximum(np.einsum("spp->sp", normal), 1e-12) + held + 1e-15
        step = np.linalg.solve(
            normal + ridge[..., None] * np.eye(here.shape[1]), np.where(held, 0.0, gradient)[..., None]
        )
        trial = np.clip(here + step[..., 0], lowest, highest)
        trial_loss = ((law.log_value(trial, log_x) - y) ** 2).sum(-1)
        before = loss[active]
        better = trial_loss < before
        theta[active] = np.where(better[:, None], trial, here)
        loss[active] = np.where(better, trial_loss, before)
        damping[active] = np.clip(np.where(better, damping[active] / 5, damping[active] * 5), 1e-12, None)
        small = better & (before - trial_loss <= 1e-10 * before)
        active = active[~(small | (damping[active] > 1e4) | (loss[active] < 1e-28))]
        if not len(active):
            break
    return theta, loss


def _resample(
    law: Law, log_x: Reals, log_y: Reals, theta: Reals, member: Ints, bootstrap: int, seed: int
) -> Reals:
    """Coordinates refitted in every resample, shape (bootstrap, coordinates)."""
    fitted = law.log_value(theta, log_x)
    jacobian = law.jacobian(law.moved(theta, -float(log_x.mean())), log_x - log_x.mean())
    hat = jacobian @ np.linalg.pinv(jacobian)
    residual = log_y - fitted
    for number in range(int(member.max()) + 1):
        # A fit bends towards a cluster of high leverage; its residuals are what it would have left without
        # it.
        own = np.flatnonzero(member == number)
        values, vectors = np.linalg.eigh(np.eye(len(own)) - hat[np.ix_(own, own)])
        residual[own] = vectors @ ((vectors.T @ residual[own]) / np.maximum(values, SMALLEST_REST))
    rng = np.random.default_rng(seed)
    clusters = int(member.max()) + 1
    sign = rng.integers(0, 2, (bootstrap, clusters)) * 2 - 1
    factor = sign * WEBB[rng.integers(0, len(WEBB), (bootstrap, clusters))]
    resampled, _ = solve(law, log_x, fitted + factor[:, member] * residual, extra=theta)
    return resampled


def _holdout(law: Law, log_x: Reals, log_y: Reals, top: int) -> tuple[float | None, dict[str, float]]:
    """Error on the largest scales of a fit to the others, and of the baselines."""
    scales = np.unique(log_x)
    if not top or len(scales) - top < len(law.parameters):
        return None, {}
    small = log_x < scales[-top]
    theta, _ = solve(law, log_x[small], log_y[None, small])
    tail = log_y[~small]
    last = log_y[log_x == scales[-top - 1]].mean()
    baselines = {
        "best_small": rmsle(np.full(len(tail), log_y[small].min()), tail),
        "last": rmsle(np.full(len(tail), last), tail),
    }
    return rmsle(law.log_value(theta[0], log_x[~small]), tail), baselines


def _identified(interval: tuple[float, float] | None) -> bool:
    if interval is None:
        return False
    low, high = sorted(map(abs, interval))
    return interval[0] * interval[1] > 0 and high < IDENTIFIED_FACTOR * low


def _of_the_data(scales: Reals, clusters: int) -> list[str]:
    warnings = []
    if len(scales) < 5:
        warnings.append(f"{len(scales)} different scales; a law wants at least 5")
    span = scales[-1] / scales[0]
    if span < 10:
        warnings.append(f"the scales span a factor of {span:.1f}; a law wants at least 10")
    if clusters < 3:
        warnings.append(f"independent runs: {clusters}, too few for an interval")
    elif clusters < 6:
        warnings.append(f"independent runs: {clusters}, so the intervals are rough")
    return warnings


def _of_the_fit(
    natural: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float] | None],
    identified: Mapping[str, bool],
) -> list[str]:
    warnings = []
    if intervals["c"] is not None and "e" in natural and not identified["e"]:
        warnings.append("the floor is not identified: a power law without one says as much")
    c = natural["c"]
    if "e" in natural and not 1.01 * SMALLEST_EXPONENT < c < 0.99 * LARGEST_EXPONENT:
        warnings.append(f"the exponent ran into its bound ({c:g})")
    interval = intervals["c"]
    if c <= 0:
        warnings.append("the outcome grows with scale")
    elif interval is not None and interval[0] <= 0:
        warnings.append("the interval of the exponent includes 0: scale may make no difference")
    return warnings


def fit_table(
    path: Path,
    x: str,
    y: str,
    law: str,
    *,
    group: Sequence[str] = (),
    cluster: str | None = None,
    bootstrap: int = BOOTSTRAP,
    holdout_top: int = 0,
    seed: int = 0,
) -> list[Fit]:
    """Fit one law to the columns of any CSV or parquet table, once for every group.

    Raises
    ------
    UserError
        If the file or a column is missing, a column is not a positive number, or a group has too few scales.
    """
    columns = _read(path, [x, y, *group, *([cluster] if cluster else [])])
    for name in (x, y):
        for number, value in enumerate(columns[name], start=1):
            if isinstance(value, bool) or not isinstance(value, int | float):
                found = "nothing" if value is None else f"'{value}'"
                raise UserError(f"{path}: column '{name}' must hold numbers, found {found} in row {number}")
    if len(set(columns[y])) == 1:
        raise UserError(f"{path}: column '{y}' does not vary, so there is no law to fit")
    keys = list(zip(*(map(str, columns[name]) for name in group), strict=True)) if group else None
    out = []
    for key in sorted(set(keys)) if keys else [()]:
        rows = [i for i in range(len(columns[x])) if not keys or keys[i] == key]
        named = dict(zip(group, key, strict=True))
        try:
            out.append(
                fit(
                    np.array([columns[x][i] for i in rows], dtype=np.float64),
                    np.array([columns[y][i] for i in rows], dtype=np.float64),
                    law,
                    cluster=[columns[cluster][i] for i in rows] if cluster else None,
                    bootstrap=bootstrap,
                    holdout_top=holdout_top,
                    seed=seed,
                    names=(x, y),
                    group=named,
                )
            )
        except UserError as error:
            where = "".join(f", {name} = {value}" for name, value in named.items())
            raise UserError(f"{path}{where}: {error}") from None
    return out


def _read(path: Path, names: Sequence[str]) -> dict[str, list[Any]]:
    import pyarrow as pa

    try:
        if Path(path).suffix.lower() in (".parquet", ".pq"):
            import pyarrow.parquet as pq

            table = pq.read_table(path)
        else:
            import pyarrow.csv as csv

            tabs = Path(path).suffix.lower() == ".tsv"
            table = csv.read_csv(path, parse_options=csv.ParseOptions(delimiter="\t" if tabs else ","))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable table ({str(error).splitlines()[0]})") from None
    for name in names:
        if table.column_names.count(name) > 1:
            raise UserError(f"{path}: two columns are called '{name}'; rename one")
        if name not in table.column_names:
            raise UserError(f"{path}: column '{name}' is missing; {nearest(name, table.column_names)}")
    if not table.num_rows:
        raise UserError(f"{path}: the table has no rows")
    return {name: table[name].to_pylist() for name in names}
