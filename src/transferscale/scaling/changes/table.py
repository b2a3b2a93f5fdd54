"""Sharp changes in anybody's table: a row a point of a curve."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError
from transferscale.scaling.changes.forecast import Backtest, backtest
from transferscale.scaling.changes.transitions import Transitions, transitions
from transferscale.scaling.fits.columns import number, read_columns
from transferscale.scaling.fits.points import Points, read_points, where
from transferscale.scaling.metrics import Reals
from transferscale.tables import write_table

# Simulated curves for each test of a backtest, and groups from which on there is one.
BACKTEST_DRAWS, MANY = 200, 5


def transitions_table(
    path: Path,
    x: str,
    y: str,
    *,
    group: Sequence[str] = (),
    cluster: str | None = None,
    control: str | None = None,
    train: str | None = None,
    control_train: str | None = None,
    **options: Any,
) -> tuple[list[Transitions], list[str]]:
    """Sharp changes in every group of a table, and a sentence for each group of which nothing can be said.

    Parameters
    ----------
    x, y, control, train, control_train
        Columns; a row that lacks one of them is left out, so that all are judged at the same points.
    group
        Columns of which each combination of values is a curve.
    cluster
        Column that names what varies together within a curve.
    options
        Further arguments of :func:`transferscale.scaling.changes.transitions.transitions`.

    Raises
    ------
    UserError
        If a column is missing or named for two things, or nothing can be said of any group.
    """
    more = {"control": control, "train": train, "control_train": control_train}
    named = {"x": x, "y": y} | {key: name for key, name in more.items() if name}
    for key, name in named.items():
        for other, again in named.items():
            if key < other and name == again:
                raise UserError(f"column '{name}' is named twice, as {_option(key)} and as {_option(other)}")
    extra = {key: name for key, name in named.items() if key in more}
    columns = read_columns(path, [*named.values(), *group, *([cluster] if cluster else [])])
    points, refused = read_points(path, [x], y, group=group, cluster=cluster)
    found = []
    for one in points:
        try:
            own, values, notes = _values(columns, one, extra)
            found.append(
                transitions(
                    one.x[own, 0],
                    one.y[own],
                    cluster=None if one.cluster is None else [one.cluster[i] for i in own],
                    names=named,
                    group=one.group,
                    notes=[*one.notes, *notes],
                    control=values.get("control"),
                    train=values.get("train"),
                    control_train=values.get("control_train"),
                    **options,
                )
            )
        except UserError as error:
            refused.append(f"{where(path, one.group)}: {error}")
    if not found:
        raise UserError(refused[0] + (f" (and {len(refused) - 1} more such groups)" if refused[1:] else ""))
    return found, refused


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _values(
    columns: dict[str, list[Any]], points: Points, extra: dict[str, str]
) -> tuple[list[int], dict[str, Reals], list[str]]:
    """Points that have a value in all further columns, these values, and a note on the others."""
    values = {key: _column(columns[name], name, points.row) for key, name in extra.items()}
    known = (
        np.all([np.isfinite(own) for own in values.values()], axis=0) if values else np.ones(len(points.y))
    )
    own = [int(i) for i in np.flatnonzero(known)]
    if not own:
        raise UserError(f"no row has a value of {' and '.join(map(repr, extra.values()))}")
    notes = []
    if len(own) < len(points.y):
        names = " or ".join(f"'{name}'" for name in extra.values())
        notes.append(f"{len(points.y) - len(own)} rows were left out for want of a value of {names}")
    return own, {key: column[own] for key, column in values.items()}, notes


def _column(column: list[Any], name: str, rows: "np.ndarray[Any, np.dtype[np.int64]]") -> Reals:
    """Numbers of a column in certain rows, counted from 1; NaN where there is none."""
    out = np.empty(len(rows))
    for i, row in enumerate(rows):
        try:
            out[i] = number(column[row - 1])
        except ValueError:
            raise UserError(
                f"column '{name}' must hold numbers, found '{column[row - 1]}' in row {row}"
            ) from None
        if np.isinf(out[i]):
            raise UserError(f"column '{name}': row {row} is infinite; leave that row out")
    return out


def backtest_groups(found: Sequence[Transitions], seed: int) -> Backtest | None:
    """Forecasts from the groups' own curves, cut off before their breaks; None where there are few groups."""
    if len(found) < MANY:
        return None
    known = [[one.x for one in own.metric.breaks if one.identified and one.faster] for own in found]
    most = max(1, max(own.metric.counted.breaks for own in found))
    return backtest([own.metric.course for own in found], known, BACKTEST_DRAWS, seed, most=most)


def write_transitions(
    path: Path, found: Sequence[Transitions], watch: Stopwatch, tested: Backtest | None = None
) -> None:
    """Write the `transitions` table, with the backtest of the forecasts in its provenance."""
    write_table(path, "transitions", [row for one in found for row in one.rows()])
    write_provenance(path, watch, backtest=tested.as_json() if tested else None)
