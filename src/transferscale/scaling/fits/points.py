"""Points to fit, read from anybody's table; what is wrong with a group of rows costs that group alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError
from transferscale.scaling.fits.columns import MISSING, NoRowsError, number, read_columns
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

    Rows without a value (empty, NaN) and those with a weight of 0 are left out with a note; of a table without rows
    there is the sentence alone.

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
        notes.append(f"left out for want of a value: {_which(missing)}")
    if not known.any():
        raise UserError(f"no row has a value of {' and '.join(repr(name) for name in numeric)}")
    if weight:
        known = _weighed(values[:, -1], known, weight, rows, notes)
    kept = [row for row, good in zip(rows, known, strict=True) if good]
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

    return Points(
        group=group,
        x=values[:, : len(x)],
        y=values[:, len(x)],
        cluster=_labels(columns, kept, cluster, "--pair" if cluster == pair else "--cluster"),
        pair=_labels(columns, kept, pair, "--pair"),
        weight=values[:, -1] if weight else None,
        held=held[kept],
        row=np.array(kept, dtype=np.int64) + 1,
        notes=tuple(notes),
    )


def _weighed(
    values: Reals, known: npt.NDArray[np.bool_], weight: str, rows: Sequence[int], notes: list[str]
) -> npt.NDArray[np.bool_]:
    """Rows that are known and whose weight is not 0, with a note on those of weight 0.

    Raises
    ------
    UserError
        If a weight is negative, or none is above 0.
    """
    for row, value in zip(rows, values, strict=True):
        if value < 0:
            raise UserError(
                f"column '{weight}': {value:g} in row {row + 1} is negative; a weight is at least 0, which leaves the "
                "row out"
            )
    counted: npt.NDArray[np.bool_] = known & (values > 0)
    if not counted.any():
        raise UserError(f"column '{weight}': no weight is above 0, and a weight of 0 leaves its row out")
    off = [str(row + 1) for row, value in zip(rows, values, strict=True) if value == 0]
    if off:
        notes.append(f"left out for a weight of 0: {_which(off)}")
    return counted


def _labels(
    columns: dict[str, list[Any]], rows: Sequence[int], name: str | None, option: str
) -> tuple[str, ...] | None:
    """What each row belongs to; None without a column.

    Raises
    ------
    UserError
        If a row does not say: rows without a name are not the same run.
    """
    if name is None:
        return None
    labels = tuple(_text(columns[name][i]) for i in rows)
    for row, label in zip(rows, labels, strict=True):
        if label.strip().lower() in MISSING:
            told = f"'{label}'" if label.strip() else "blank"
            raise UserError(
                f"column '{name}' is {told} in row {row + 1}; name what the row belongs to, or leave {option} out"
            )
    return labels


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


def _which(rows: list[str]) -> str:
    return f"row {rows[0]}" if len(rows) == 1 else f"rows {_few(rows)}"


def _few(rows: list[str]) -> str:
    return ", ".join(rows[:5]) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
