"""Points to fit, read from anybody's table; what is wrong with a group of rows costs that group alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.scaling.fits.columns import NoRowsError, number, read_columns
from transferscale.scaling.metrics import Ints, Reals


@dataclass(frozen=True)
class Points:
    """Points of one group: ``x`` (points, variables), ``y`` (points,), and a label, a weight and a flag for each.

    ``cluster`` names what varies together, ``pair`` what clusters of different families share; ``row`` counts
    the table's rows from 1.
    """

    group: dict[str, str]
    x: Reals
    y: Reals
    cluster: tuple[str, ...] | None
    pair: tuple[str, ...] | None
    weight: Reals | None
    held: npt.NDArray[np.bool_]
    row: Ints
    notes: tuple[str, ...]


def read_points(
    path: Path,
    x: Sequence[str],
    y: str,
    *,
    group: Sequence[str] = (),
    cluster: str | None = None,
    pair: str | None = None,
    weight: str | None = None,
    holdout: tuple[str, str] | None = None,
) -> tuple[list[Points], list[str]]:
    """Points of every group, in the order of the groups' names, and a sentence for each group that has none.

    Rows without a value (empty, NaN) are left out with a note; of a table without rows there is the sentence alone.

    Parameters
    ----------
    holdout
        Column and value of the rows that are kept out of the fit.

    Raises
    ------
    UserError
        If the file or a column is missing, no row has the held-out value, or no group can be fitted.
    """
    numeric = [*x, y, *([weight] if weight else [])]
    labels = [*group, *(name for name in (cluster, pair) if name), *([holdout[0]] if holdout else [])]
    try:
        columns = read_columns(path, [*numeric, *labels])
    except NoRowsError as error:
        return [], [str(error)]
    held = np.zeros(len(columns[y]), dtype=np.bool_)
    if holdout:
        held = np.array([_same(value, holdout[1]) for value in columns[holdout[0]]])
        if not held.any():
            found = ", ".join(sorted({_text(value) for value in columns[holdout[0]]})[:5])
            raise UserError(f"{path}: no row has {holdout[0]} = {holdout[1]}; found {found}")
    keys = [tuple(_text(columns[name][i]) for name in group) for i in range(len(held))]
    good: list[Points] = []
    refused: list[str] = []
    for key in sorted(set(keys), key=_natural):
        named = dict(zip(group, key, strict=True))
        rows = [i for i, own in enumerate(keys) if own == key]
        try:
            good.append(_points(columns, rows, x, y, named, held, cluster, pair, weight))
        except UserError as error:
            refused.append(f"{where(path, named)}: {error}")
    return good, refused


def where(path: Path, group: dict[str, str]) -> str:
    """File and group, as sentences begin."""
    return "".join([str(path), *(f", {name} = {value}" for name, value in group.items())])


def _points(
    columns: dict[str, list[Any]],
    rows: list[int],
    x: Sequence[str],
    y: str,
    group: dict[str, str],
    held: npt.NDArray[np.bool_],
    cluster: str | None,
    pair: str | None,
    weight: str | None,
) -> Points:
    numeric = [*x, y, *([weight] if weight else [])]
    values = np.array([[_number(columns[name][i], name, i) for name in numeric] for i in rows])
    known = np.isfinite(values).all(1)
    notes = []
    if not known.all():
        missing = [str(rows[i] + 1) for i in np.flatnonzero(~known)]
        which = f"row {missing[0]}" if len(missing) == 1 else f"rows {_few(missing)}"
        notes.append(f"left out for want of a value: {which}")
    kept = [row for row, good in zip(rows, known, strict=True) if good]
    if not kept:
        raise UserError(f"no row has a value of {' and '.join(repr(name) for name in numeric)}")
    values = values[known]
    for at, name in enumerate(numeric):
        bad = np.flatnonzero(values[:, at] <= 0) if name != y else np.empty(0, dtype=np.int64)
        if len(bad):
            raise UserError(
                f"column '{name}': {values[bad[0], at]:g} in row {kept[bad[0]] + 1} is not above zero, and a "
                "law takes its logarithm; leave that row out"
            )
    seen = set()
    twice = []
    for i, row in enumerate(values):
        key = (*row[: len(x) + 1], columns[cluster][kept[i]] if cluster else None)
        if key in seen:
            twice.append(str(kept[i] + 1))
        seen.add(key)
    if twice:
        notes.append(
            f"rows {_few(twice)} repeat an earlier row"
            if len(twice) > 1
            else f"row {twice[0]} repeats an earlier one"
        )

    def label(name: str | None) -> tuple[str, ...] | None:
        return tuple(_text(columns[name][i]) for i in kept) if name else None

    return Points(
        group=group,
        x=values[:, : len(x)],
        y=values[:, len(x)],
        cluster=label(cluster),
        pair=label(pair),
        weight=values[:, -1] if weight else None,
        held=held[kept],
        row=np.array(kept, dtype=np.int64) + 1,
        notes=tuple(notes),
    )


def _number(value: Any, name: str, row: int) -> float:
    try:
        found = number(value)
    except ValueError:
        raise UserError(f"column '{name}' must hold numbers, found '{value}' in row {row + 1}") from None
    if np.isinf(found):
        raise UserError(f"column '{name}': row {row + 1} is infinite; leave that row out")
    return found


def _same(value: Any, wanted: str) -> bool:
    if _text(value) == wanted:
        return True
    try:
        return float(value) == float(wanted)
    except (TypeError, ValueError):
        return False


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _natural(key: tuple[str, ...]) -> tuple[tuple[int, float, str], ...]:
    """Numbers by size and before words."""
    out = []
    for part in key:
        try:
            out.append((0, float(part), part))
        except ValueError:
            out.append((1, 0.0, part))
    return tuple(out)


def _few(rows: list[str]) -> str:
    return ", ".join(rows[:5]) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
