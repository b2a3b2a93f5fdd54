"""Fits to the columns of anybody's table, one for every group."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.fits.auto import fit_auto, fit_breaks
from transferscale.scaling.fits.backtest import largest
from transferscale.scaling.fits.fit import BOOTSTRAP, STARTS, Fit, fit
from transferscale.scaling.fits.objectives import objective as objective_named
from transferscale.scaling.fits.outcome import outcome_of
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
    for own in points:
        for request in requests:
            try:
                fits.append(fit_points(own, x, y, request))
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


def fit_points(points: Points, x: Sequence[str], y: str, request: Request) -> Fit:
    """Fit what is asked to the points of one group.

    Raises
    ------
    UserError
        If they cannot be fitted.
    """
    scale, names = points.x, tuple(x)
    if request.flops:
        scale = np.c_[scale[:, 0], scale[:, 1] / (FLOPS * scale[:, 0])]
        names = (x[0], f"{x[1]} / {FLOPS:g} {x[0]}")
    held = points.held
    if request.top:
        held = held | largest(np.log(scale), request.top)
    # A choice among laws is one among laws that fall with scale.
    form = law_named("power-floor" if request.law == AUTO else request.law, len(names), request.breaks or 0)
    outcome = outcome_of(
        form,
        np.log(scale[~held]),
        points.y[~held],
        y,
        better=request.better,
        ceiling=request.ceiling,
        chance=request.chance,
    )
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
        "notes": points.notes,
    }
    if request.law == AUTO:
        return fit_auto(scale, points.y, **common)
    if request.law == "broken" and request.breaks is None:
        return fit_breaks(scale, points.y, **common)
    return fit(scale, points.y, request.law, breaks=request.breaks or 0, **common)
