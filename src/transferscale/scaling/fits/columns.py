"""Columns of anybody's table: CSV, TSV or parquet, read as plain values, with one sentence for what is wrong."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transferscale.errors import UserError, nearest

# What people write for a value that was not measured.
MISSING = frozenset({"", "na", "nan", "n/a", "null", "none"})


class NoRowsError(UserError):
    """A table that has the columns and no rows."""


def read_columns(path: Path, names: Sequence[str], optional: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Read columns of a table by name; those of ``optional`` that the table lacks are left out.

    Raises
    ------
    UserError
        If the file or a column is missing, a column's name stands twice, or there are no rows.
    """
    import pyarrow as pa

    path = Path(path)
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            import pyarrow.parquet as pq

            # Not read_table, which imports pandas where it is installed.
            with pq.ParquetFile(path) as file:
                table = file.read()
        else:
            import pyarrow.csv as csv

            tabs = path.suffix.lower() == ".tsv"
            table = csv.read_csv(path, parse_options=csv.ParseOptions(delimiter="\t" if tabs else ","))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable table ({str(error).splitlines()[0]})") from None
    wanted = list(dict.fromkeys([*names, *(name for name in optional if name in table.column_names)]))
    for name in wanted:
        if table.column_names.count(name) > 1:
            raise UserError(f"{path}: two columns are called '{name}'; rename one")
        if name not in table.column_names:
            raise UserError(f"{path}: column '{name}' is missing; {nearest(name, table.column_names)}")
    if not table.num_rows:
        raise NoRowsError(f"{path}: the table has no rows")
    return {name: table[name].to_pylist() for name in wanted}


def number(value: Any) -> float:
    """A table's value as a number; NaN for one that was not measured.

    Raises
    ------
    ValueError
        If the value is no number.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING):
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)
    return float(value)
