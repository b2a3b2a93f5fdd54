"""Fits to the columns of anybody's table, one for every group."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.fits.auto import fit_auto, fit_breaks
from transferscale.scaling.fits.backtest import largest
from transferscale.scaling.fits.fit import BOOTSTRAP, STARTS, Fit, fit
from transferscale.scaling.fits.objectives import objective as objective_named
from transferscale.scaling.fits.outcome import CLEAR, outcome_by, sounds_otherwise, trend
from transferscale.scaling.fits.points import Points, read_points, where
from transferscale.scaling.laws import FORMS
from transferscale.scaling.laws import law as law_named
from transferscale.scaling.laws.chinchilla import FLOPS

AUTO = "auto"


@dataclass(frozen=True)
class Request:
    """What is asked of every group, apart from its points.

    ``breaks`` is a number, or None to choose it; ``top`` the number of largest scales held out; ``flops``
    says that the second column of scale holds C = 6 N D rather than D.
    """

    law: str
    breaks: int | None = 1
    objective: str = "log-lsq"
    delta: float = 1e-3
    better: str = "auto"
    ceiling: float | None = None
    chance: float | None = None
    top: int = 0
    starts: int = STARTS
    bootstrap: int = BOOTSTRAP
    seed: int = 0
    flops: bool = False


def fit_table(
    path: Path,
    x: Sequence[str],
    y: str,
    requests: Sequence[Request],
    *,
    group: Sequence[str] = (),
    cluster: str | None = None,
    weight: str | None = None,
    holdout: tuple[str, str] | None = None,
) -> tuple[list[Fit], list[str]]:
    """Fit laws to every group of a CSV, TSV or parquet table.

    Returns
    -------
    fits, refused
        Fits in the order of the groups and, within one, of the requests; and a sentence for everything that
        could not be fitted.

    Raises
    ------
    UserError
        If the file, a column or a law does not exist.
    """
    for request in requests:
        check_law(request, len(x))
    points, refused = read_points(path, x, y, group=group, cluster=cluster, weight=weight, holdout=holdout)
    fits = []
    trends, remarks = _trends(points, y)
    for own, along, remark in zip(points, trends, remarks, strict=True):
        for request in requests:
            told = remark if request.better == "auto" and request.ceiling is request.chance is None else ()
            try:
                fits.append(fit_points(replace(own, notes=(*own.notes, *told)), x, y, request, along))
            except UserError as error:
                refused.append(f"{where(path, own.group)}, law '{request.law}': {error}")
    return fits, refused


def check_law(request: Request, variables: int) -> None:
    """Refuse what no group could be fitted with.

    Raises
    ------
    UserError
        If the law or objective is unknown, or the law has another number of variables or breaks.
    """
    objective_named(request.objective, request.delta)
    if request.law != AUTO:
        law_named(request.law, variables, 1 if request.breaks is None else request.breaks)
    elif variables != 1:
        fitting = ", ".join(
            sorted(n for n, forms in FORMS.items() if any(len(f.variables) == variables for f in forms))
        )
        raise UserError(
            f"law 'auto' takes one column of scale, not {variables}; for {variables} there are {fitting}"
        )


def _trends(points: Sequence[Points], y: str) -> tuple[list[float], list[list[str]]]:
    """Which way the outcome goes with scale in every group, and remarks where groups disagree.

    A group in which it goes nowhere follows those in which it clearly goes up or down.
    """
    own = [trend(np.log(one.x[~one.held]), one.y[~one.held]) for one in points]
    clear = [value for value in own if abs(value) > CLEAR]
    most = float(np.sign(sum(np.sign(clear)))) if clear else 0.0
    trends, remarks = [], []
    for value in own:
        told = []
        if abs(value) <= CLEAR and clear:
            rest = (
                "is taken for what it is in most others"
                if most
                else "the other groups disagree; say --better"
            )
            told.append(f"'{y}' hardly goes with scale here, and {rest}")
        elif value * most < 0 or (clear and not most):
            told.append(
                f"'{y}' goes {'up' if value > 0 else 'down'} with scale here and not in other groups; say --better if "
                "it is the same outcome"
            )
        trends.append(value if abs(value) > CLEAR else most)
        remarks.append(told)
    return trends, remarks


def fit_points(points: Points, x: Sequence[str], y: str, request: Request, along: float | None = None) -> Fit:
    """Fit what is asked to the points of one group.

    Parameters
    ----------
    along
        Which way the outcome goes with scale; default: as these points do.

    Raises
    ------
    UserError
        If they cannot be fitted.
    """
    scale, names = points.x, tuple(x)
    if request.flops:
        scale = np.c_[scale[:, 0], scale[:, 1] / (FLOPS * scale[:, 0])]
        names = (x[0], f"{x[1]} / {FLOPS:g} {x[0]}")
    # A choice among laws is one among laws that fall with scale.
    form = law_named("power-floor" if request.law == AUTO else request.law, len(names), request.breaks or 0)
    held = points.held
    if request.top:
        held = held | largest(form, np.log(scale), request.top)
    if held.all():
        raise UserError("every row is held out, so none is left to fit")
    outcome = outcome_by(
        form,
        trend(np.log(scale[~held]), points.y[~held]) if along is None else along,
        points.y[~held],
        y,
        better=request.better,
        ceiling=request.ceiling,
        chance=request.chance,
    )
    named = sounds_otherwise(outcome, y) if request.better == "auto" else None
    common: dict[str, Any] = {
        "cluster": points.cluster,
        "pair": points.pair,
        "weight": points.weight,
        "held": held,
        "outcome": outcome,
        "objective": objective_named(request.objective, request.delta),
        "starts": request.starts,
        "bootstrap": request.bootstrap,
        "seed": request.seed,
        "names": (names, y),
        "group": points.group,
        "notes": (*points.notes, named) if named else points.notes,
    }
    if request.law == AUTO:
        return fit_auto(scale, points.y, **common)
    if request.law == "broken" and request.breaks is None:
        return fit_breaks(scale, points.y, **common)
    return fit(scale, points.y, request.law, breaks=request.breaks or 0, **common)
