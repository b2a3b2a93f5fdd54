"""IsoFLOP minima of one group of runs: at every budget the best size with its interval, and the surface's beside it.

A size's loss at a budget lies on the curve through its runs (:mod:`transferscale.scaling.minima.along`); the best
size is the vertex of a parabola in log size (:mod:`transferscale.scaling.minima.minimum`). Intervals are for new
trunks: noise as large as that of the trunks about the fitted surface L(N, D) is added to the losses
(:mod:`transferscale.scaling.minima.noise`), and every draw has minima of its own.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.scaling.fits.fit import BOOTSTRAP, Fit, fit, prepare
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.fits.points import Points
from transferscale.scaling.fits.resample import FEWEST
from transferscale.scaling.laws.chinchilla import FLOPS
from transferscale.scaling.metrics import Reals
from transferscale.scaling.minima.along import at_budget, covers
from transferscale.scaling.minima.frontier import Allocation, exponent, frontier, frontier_laws
from transferscale.scaling.minima.minimum import INSIDE, LARGER, SMALLER, Minima, minima
from transferscale.scaling.minima.noise import Noise
from transferscale.scaling.minima.surface import Optima, Sizes, optima

# A minimum needs a size on either side.
FEWEST_SIZES = 3
# Budgets where none are named.
BUDGETS = 7
SIDES = {INSIDE: "", SMALLER: "smaller", LARGER: "larger"}
BRACKETED, NOT_BRACKETED = "bracketed", "not bracketed"


@dataclass(frozen=True)
class Budget:
    """A compute budget: the sizes with runs on both sides of it, their losses there, and the best size.

    ``side`` is where the optimum lies if it is not bracketed: at the smallest or below it, at the largest or above it.
    ``open`` names the ends of the interval that lie at the smallest or largest size. ``bias`` is what the same parabola
    makes of the surface's own losses over the surface's optimum, None where that is not bracketed.
    """

    compute: float
    sizes: tuple[float, ...]
    losses: tuple[float, ...]
    trunks: tuple[int, ...]
    side: str
    n: float
    n_low: float | None
    n_high: float | None
    open: str
    loss: float
    loss_low: float | None
    loss_high: float | None
    p_bracketed: float | None
    surface_n: float
    surface_low: float | None
    surface_high: float | None
    surface_loss: float
    surface_at_edge: bool
    bias: float | None

    @property
    def answer(self) -> str:
        """Whether the best size has a worse neighbour on either side."""
        return NOT_BRACKETED if self.side else BRACKETED

    @property
    def words(self) -> str:
        """Whether the minimum is bracketed, or where the optimum lies."""
        if not self.side:
            return BRACKETED
        least, bound = (self.sizes[0], "<=") if self.side == "smaller" else (self.sizes[-1], ">=")
        ends = {"smaller": "smallest", "larger": "largest"}
        return f"{NOT_BRACKETED}, {bound} {least:.3g}: the {ends[self.side]} size with runs there is the best"


@dataclass(frozen=True)
class Isoflop:
    """IsoFLOP minima of one group, the surface beside them, and the laws of the frontier."""

    group: dict[str, str]
    n_name: str
    c_name: str
    y_name: str
    outcome: Outcome
    trunks: tuple[str, ...]
    """Names of what varies independently."""
    budgets: tuple[Budget, ...]
    surface: Fit = field(repr=False)
    frontier: tuple[Fit, ...]
    allocation: Allocation | None
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "group": self.group,
            "n": self.n_name,
            "c": self.c_name,
            "y": self.y_name,
            "outcome": self.outcome.describe(self.y_name),
            "trunks": len(self.trunks),
            "budgets": [{**asdict(one), "answer": one.answer, "words": one.words} for one in self.budgets],
            "allocation": None if self.allocation is None else asdict(self.allocation),
            "surface": self.surface.as_json(),
            "frontier": [one.as_json() for one in self.frontier],
            "left_out": list(self.left_out),
            "warnings": list(self.warnings),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the `isoflop` table: one a budget."""
        name = ", ".join(f"{key} {value}" for key, value in self.group.items())
        kept = [key for key in Budget.__dataclass_fields__ if key not in ("sizes", "losses", "trunks")]
        return [
            {
                "group": name,
                "n_column": self.n_name,
                "c_column": self.c_name,
                "y_column": self.y_name,
                **{key: getattr(one, key) for key in kept},
                "answer": one.answer,
                "sizes": list(one.sizes),
                "losses": list(one.losses),
                "trunks": [float(many) for many in one.trunks],
                "words": one.words,
                "warnings": list(self.warnings),
            }
            for one in self.budgets
        ]


@dataclass(frozen=True)
class _Runs:
    """Runs in the order of a fit: logs of size, data, compute and error, (runs,), and the name of each one's curve."""

    log_n: Reals
    log_d: Reals
    log_c: Reals
    log_y: Reals
    curve: tuple[str, ...]
    surface: Fit
    disturbed: Reals | None
    """What is added to the errors in every draw, (draws, runs)."""


def isoflop(
    points: Points,
    names: Sequence[str],
    y: str,
    outcome: Outcome,
    *,
    budgets: Sequence[float] = (),
    bootstrap: int = BOOTSTRAP,
    seed: int = 0,
) -> Isoflop:
    """IsoFLOP minima of the runs of one group.

    Parameters
    ----------
    points
        Runs: size N, compute C and, if there is a third variable, data D (clips, tokens; default C / 6 N).
    names, y
        Columns of the variables and of the loss.
    budgets
        Compute budgets; default: seven, evenly spaced in the logarithm where three sizes or more have runs on both
        sides.

    Raises
    ------
    UserError
        If no budget lies within the runs of three sizes, or the surface cannot be fitted.
    """
    runs, trunks = _settled(points, names, y, outcome, bootstrap, seed)
    left_out = []
    found = []
    for compute in budgets or _budgets(runs):
        try:
            found.append(_budget(runs, float(compute), names[0], outcome))
        except UserError as error:
            left_out.append(str(error))
    if not found:
        raise UserError(
            left_out[0] + (f" (and {len(left_out) - 1} more such budgets)" if left_out[1:] else "")
        )
    log_c = np.log([one.compute for one, _, _, _ in found])
    kept = [one for one, _, _, _ in found]
    bracketed = [not one.side for one in kept]
    drawn = None if runs.disturbed is None else np.stack([own.log_loss for _, _, own, _ in found], 1)
    edge = frontier(log_c, np.log([_error(one.loss, outcome) for one in kept]), drawn, bracketed)
    laws, refused = frontier_laws(edge, outcome, (names[1], y), trunks, points.group, seed)
    return Isoflop(
        group=points.group,
        n_name=names[0],
        c_name=names[1],
        y_name=y,
        outcome=outcome,
        trunks=trunks,
        budgets=tuple(kept),
        surface=runs.surface,
        frontier=tuple(laws),
        allocation=_allocation(log_c, found),
        left_out=(*left_out, *refused),
        warnings=(*points.notes, *_warnings(kept, names[0], trunks, runs.disturbed is not None)),
    )


def _settled(
    points: Points, names: Sequence[str], y: str, outcome: Outcome, bootstrap: int, seed: int
) -> tuple[_Runs, tuple[str, ...]]:
    """The surface fitted, the runs in its order, and the names of the clusters."""
    n, c = points.x[:, 0], points.x[:, 1]
    d = points.x[:, 2] if points.x.shape[1] > 2 else c / (FLOPS * n)
    labels = [str(i) for i in range(len(n))] if points.cluster is None else list(points.cluster)
    # As a fit sorts its points, so that its residuals are those of these rows.
    order = np.lexsort((points.y, np.array(labels) if points.cluster is not None else points.y, d, n))
    n, c, d, value = n[order], c[order], d[order], points.y[order]
    cluster = None if points.cluster is None else [labels[i] for i in order]
    scale = np.stack([n, d], 1)
    data = names[2] if len(names) > 2 else f"{names[1]} / {FLOPS:g} {names[0]}"
    common: dict[str, Any] = {
        "cluster": cluster,
        "outcome": outcome,
        "names": ((names[0], data), y),
        "group": points.group,
    }
    surface = fit(scale, value, "chinchilla", bootstrap=bootstrap, seed=seed, **common)
    prepared = prepare(scale, value, "chinchilla", **common)
    disturbed = None
    if surface.resampled is not None:
        residual = prepared.log_y - surface.form.log_value(surface.theta, prepared.problem.log_x)
        noise = Noise.of(residual, prepared.member)
        disturbed = noise.draws(prepared.member, prepared.shared, bootstrap, seed)
    # Without clusters the runs of a size are one curve.
    curve = tuple(cluster) if cluster is not None else ("",) * len(n)
    runs = _Runs(np.log(n), np.log(d), np.log(c), prepared.log_y, curve, surface, disturbed)
    return runs, prepared.shared


def _budgets(runs: _Runs) -> list[float]:
    """Budgets evenly spaced where enough sizes have runs on both sides.

    Raises
    ------
    UserError
        If there is no such budget.
    """
    ends = np.unique(runs.log_c)
    inside = [at for at in ends if len(_covered(runs, at)) >= FEWEST_SIZES]
    if not inside:
        raise UserError(
            f"no compute budget lies within the runs of {FEWEST_SIZES} sizes; train the sizes at budgets that overlap"
        )
    grid = (
        np.linspace(min(inside), max(inside), BUDGETS) if max(inside) > min(inside) else np.array(inside[:1])
    )
    return [float(np.exp(at)) for at in grid if len(_covered(runs, at)) >= FEWEST_SIZES]


def _covered(runs: _Runs, at: float) -> set[float]:
    """Log sizes with a curve that has runs on both sides of a budget."""
    names = np.array(runs.curve)
    found = set()
    for size in np.unique(runs.log_n):
        own = runs.log_n == size
        if any(covers(runs.log_c[own & (names == name)], at) for name in np.unique(names[own])):
            found.add(float(size))
    return found


def _budget(
    runs: _Runs, compute: float, n_name: str, outcome: Outcome
) -> tuple[Budget, Minima, Minima, Optima]:
    """One budget, its minimum, that of every draw, and the surface's.

    Raises
    ------
    UserError
        If fewer than three sizes have runs on both sides.
    """
    if not 0 < compute < np.inf:
        raise UserError(f"--budget {compute:g}: a budget is a number of FLOPs above zero")
    at = float(np.log(compute))
    log_n, weights, trunks = at_budget(runs.log_n, runs.log_c, runs.curve, at)
    if len(log_n) < FEWEST_SIZES:
        raise UserError(
            f"budget {compute:.3g}: {len(log_n)} sizes ('{n_name}') have runs on both sides of it; a minimum needs "
            f"{FEWEST_SIZES}"
        )
    many = trunks.astype(np.float64)
    best = minima(log_n, (weights @ runs.log_y)[None], many)
    drawn = best
    if runs.disturbed is not None:
        drawn = minima(log_n, (runs.log_y + runs.disturbed) @ weights.T, many)
    surface = optima(runs.surface, Sizes.of(runs.log_n, runs.log_d, runs.log_c), at)
    # The parabola's own bias: what the same steps make of losses that lie on the surface.
    on_surface = runs.surface.form.log_value(runs.surface.theta, np.stack([runs.log_n, runs.log_d], 1))
    without_noise = minima(log_n, (weights @ on_surface)[None], many)
    told = not surface.at_edge and without_noise.side[0] == INSIDE
    has = runs.disturbed is not None
    n_ends, loss_ends = (_ends(drawn.log_n), _ends(drawn.log_loss)) if has else (None, None)
    surface_ends = None if surface.log_n_drawn is None else _ends(surface.log_n_drawn)

    def value(log: float) -> float:
        return float(outcome.value(np.exp(log)))

    loss_low, loss_high = sorted(map(value, loss_ends)) if loss_ends else (None, None)
    budget = Budget(
        compute=compute,
        sizes=tuple(map(float, np.exp(log_n))),
        losses=tuple(value(log) for log in weights @ runs.log_y),
        trunks=tuple(map(int, trunks)),
        side=SIDES[int(best.side[0])],
        n=float(np.exp(best.log_n[0])),
        n_low=None if n_ends is None else float(np.exp(n_ends[0])),
        n_high=None if n_ends is None else float(np.exp(n_ends[1])),
        open="" if n_ends is None else _open(n_ends, log_n),
        loss=value(best.log_loss[0]),
        loss_low=loss_low,
        loss_high=loss_high,
        p_bracketed=float((drawn.side == INSIDE).mean()) if has else None,
        surface_n=float(np.exp(surface.log_n)),
        surface_low=None if surface_ends is None else float(np.exp(surface_ends[0])),
        surface_high=None if surface_ends is None else float(np.exp(surface_ends[1])),
        surface_loss=value(surface.log_loss),
        surface_at_edge=surface.at_edge,
        bias=float(np.exp(without_noise.log_n[0] - surface.log_n)) if told else None,
    )
    return budget, best, drawn, surface


def _ends(drawn: Reals) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _open(ends: tuple[float, float], log_n: Reals) -> str:
    """Which ends of an interval lie at the smallest and the largest size."""
    low, high = ends[0] <= log_n[0] + 1e-9, ends[1] >= log_n[-1] - 1e-9
    return "both" if low and high else "low" if low else "high" if high else ""


def _error(value: float, outcome: Outcome) -> float:
    return float(outcome.error(np.array(value)))


def _allocation(log_c: Reals, found: Sequence[tuple[Budget, Minima, Minima, Optima]]) -> Allocation | None:
    """The exponent of the best size, where three bracketed budgets or more tell it."""
    kept: npt.NDArray[np.bool_] = np.array([not one.side for one, _, _, _ in found])
    if kept.sum() < FEWEST:
        return None
    own = [each for each, good in zip(found, kept, strict=True) if good]
    at = log_c[kept]
    ends = surface_ends = None
    if own[0][3].log_n_drawn is not None:
        ends = _ends(exponent(at, np.stack([drawn.log_n for _, _, drawn, _ in own], 1)))
        surface_ends = _ends(
            exponent(at, np.stack([o.log_n_drawn for _, _, _, o in own if o.log_n_drawn is not None], 1))
        )
    return Allocation(
        budgets=int(kept.sum()),
        a=float(exponent(at, np.array([best.log_n[0] for _, best, _, _ in own]))),
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        surface_a=float(exponent(at, np.array([o.log_n for _, _, _, o in own]))),
        surface_low=surface_ends[0] if surface_ends else None,
        surface_high=surface_ends[1] if surface_ends else None,
    )


def _warnings(budgets: Sequence[Budget], n_name: str, trunks: Sequence[str], drawn: bool) -> list[str]:
    """What a reader must know of all minima."""
    told = []
    if not drawn:
        told.append(f"independent runs (clusters): {len(trunks)}, too few for an interval")
    biases = [one.bias for one in budgets if one.bias is not None]
    if biases:
        told.append(
            "parabolas are biased even without noise (arXiv 2603.22339): of losses that lie on the fitted surface they "
            f"make {min(biases):.3g} to {max(biases):.3g} times its own best '{n_name}'"
        )
    open_ = sum(bool(one.side) for one in budgets)
    if open_:
        told.append(
            f"{open_} of {len(budgets)} minima are not bracketed: the best size there is the smallest or the largest "
            "that was run"
        )
    return told
