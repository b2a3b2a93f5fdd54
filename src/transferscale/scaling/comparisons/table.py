"""Families of anybody's table compared, and the result as rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError
from transferscale.scaling.comparisons.compare import Comparison, check_options, compare
from transferscale.scaling.fits.points import Points, read_points, where
from transferscale.tables import write_table


def compare_table(
    path: Path,
    x: str,
    y: str,
    family: str,
    law: str,
    *,
    group: Sequence[str] = (),
    cluster: str | None = None,
    pair: str | None = None,
    empty_ok: bool = False,
    **options: Any,
) -> tuple[list[Comparison], list[str]]:
    """Compare the families of a table, in each group of its rows alone.

    Parameters
    ----------
    path
        CSV, TSV or parquet.
    x, y, family
        Columns of the scale, the outcome and the family.
    group
        Columns of which each combination of values is compared alone.
    cluster, pair
        Columns that name what varies together within a family, and what families share.
    empty_ok
        Whether it is no error that no group can be compared.
    **options
        Those of :func:`transferscale.scaling.comparisons.compare.compare`.

    Returns
    -------
    comparisons, left_out
        One comparison a group, and a sentence for each group or family that could not be fitted.

    Raises
    ------
    UserError
        If the table cannot be read, an option is wrong, or no group can be compared.
    """
    for name in (family, *group):
        if name in (x, y):
            raise UserError(
                f"column '{name}' is the scale or the outcome, so it cannot name a family or group"
            )
    if family in group:
        raise UserError(f"--group {family}: the families are compared, so they cannot be groups as well")
    check_options(law, options.get("breaks", 1), options.get("bounds"), options.get("target"))
    # Families with pairs and no clusters are clustered by their pairs.
    points, refused = read_points(path, [x], y, group=[*group, family], cluster=cluster or pair, pair=pair)
    groups: dict[tuple[str, ...], dict[str, Points]] = {}
    for one in points:
        groups.setdefault(tuple(one.group[name] for name in group), {})[one.group[family]] = one
    comparisons: list[Comparison] = []
    left_out, failed = list(refused), []
    for key, families in groups.items():
        named = dict(zip(group, key, strict=True))
        place = where(path, named)
        own = [one.removeprefix(f"{place}, ") for one in refused if one.startswith(f"{place}, {family} = ")]
        if nameless := families.pop("", None):
            left_out.append(f"{place}: {len(nameless.y)} rows without a value in column '{family}'")
        try:
            if len(families) == 1:
                only = f"column '{family}' names one family, '{next(iter(families))}'; a comparison needs two"
                raise UserError("; ".join([only, *own]))
            found = compare(families, law, names=(x, y), group=named, left_out=own, **options)
        except UserError as error:
            failed.append(f"{place}: {error}")
            continue
        comparisons.append(found)
        left_out += [f"{place}: {one}" for one in found.left_out if one not in own]
    if not comparisons and not empty_ok:
        sentences = failed or refused
        more = f" (and {len(sentences) - 1} more groups)" if len(sentences) > 1 else ""
        raise UserError(sentences[0] + more)
    return comparisons, [*left_out, *failed]


def write_comparisons(path: Path, comparisons: Sequence[Comparison], watch: Stopwatch) -> None:
    """Write the `crossovers` table, with the fits in its provenance."""
    write_table(path, "crossovers", [row for found in comparisons for row in found.rows()])
    fits = [one.as_json() for found in comparisons for one in found.fits.values()]
    write_provenance(path, watch, fits=fits)
