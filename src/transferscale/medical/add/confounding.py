"""Targets that go with how people were measured: what a model could read instead of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from transferscale.medical.add.columns import Column
from transferscale.study.people import value

Int = npt.NDArray[np.intp]

# Correlation ratio or Cramer's V from which a warning is due; 0.5 is called large (Cohen 1988).
LARGE = 0.5
# People a group on average, from which a model could learn to recognise it.
FEWEST_A_GROUP = 5


def confounded(
    cells: Mapping[str, Sequence[str]], columns: Sequence[Column], targets: Sequence[str]
) -> list[str]:
    """Sentences on targets that can be told from a site, a scanner, a coil ...

    Parameters
    ----------
    cells
        Column -> its cells, in the order of the people.
    columns
        What the columns say.
    targets
        Columns that are asked for.
    """
    sentences = []
    for target in (column for column in columns if column.name in targets):
        found = []
        for other in columns:
            if not _is_how(other) or other.name == target.name:
                continue
            pairs = [(value(a), value(b)) for a, b in zip(cells[target.name], cells[other.name], strict=True)]
            both = [(a, b) for a, b in pairs if a is not None and b is not None]
            strength = _strength(target, [a for a, _ in both], [b for _, b in both])
            if strength >= LARGE:
                found.append(f"'{other.name}' ({strength:.2f} of 1)")
        if found:
            sentences.append(
                f"'{target.name}' goes with how people were measured, {', '.join(found)}: a model may recognise "
                "that instead; ask within one value too (key 'where' of a task)"
            )
    return sentences


def _is_how(column: Column) -> bool:
    """Whether a column names groups of people measured alike, large enough to be recognised; families are not."""
    large = column.present >= FEWEST_A_GROUP * len(column.counts)
    return column.is_measurement and not column.is_family and column.role == "classes" and large


def _strength(target: Column, values: Sequence[str], groups: Sequence[str]) -> float:
    group = np.unique(groups, return_inverse=True)[1]
    if group.size == 0 or group.max() == 0:
        return 0.0
    if target.role == "number":
        return correlation_ratio(np.array(values, dtype=np.float64), group)
    return cramers_v(np.unique(values, return_inverse=True)[1], group)


def correlation_ratio(values: npt.NDArray[np.float64], group: Int) -> float:
    """Share of the SD that lies between groups, 0 to 1: eta (Pearson 1905), bias removed as in epsilon squared."""
    n, groups = len(values), len(np.unique(group))
    total = float(((values - values.mean()) ** 2).sum())
    if n <= groups or total == 0:
        return 0.0
    within = sum(float(((values[group == g] - values[group == g].mean()) ** 2).sum()) for g in range(groups))
    return float(np.sqrt(max(0.0, 1 - within / total * (n - 1) / (n - groups))))


def cramers_v(a: Int, b: Int) -> float:
    """Association of two labellings, 0 to 1: Cramer's V, bias removed (Bergsma 2013)."""
    n = len(a)
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / n
    rows, columns = table.shape
    if min(rows, columns) < 2:
        return 0.0
    phi2 = float(((table - expected) ** 2 / expected).sum()) / n
    phi2 = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    rows_, columns_ = rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)
    smaller = min(rows_, columns_) - 1
    return float(np.sqrt(min(1.0, phi2 / smaller))) if smaller > 0 else 0.0
