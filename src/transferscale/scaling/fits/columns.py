"""Columns of anybody's table: CSV, TSV or parquet, read as plain values, with one sentence for what is wrong."""

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

from transferscale.errors import UserError, nearest

# What people write for a value that was not measured.
MISSING = frozenset({"", "na", "nan", "n/a", "null", "none"})

# What separates the columns of a text file; the first that its header has.
DELIMITERS = (",", ";", "\t")
# So many bytes of a text file hold its header.
HEADER_BYTES = 1 << 16
WITH_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")


class NoRowsError(UserError):
    """A table that has the columns and no rows."""


def read_columns(path: Path, names: Sequence[str], optional: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Read columns of a table by name; those of ``optional`` that the table lacks are left out.

    A text file has commas, or where its header has none, semicolons or tabs between its columns; a .tsv has tabs.

    Raises
    ------
    UserError
        If the file or a column is missing, a column's name stands twice, there are no rows, or a text is not in
        UTF-8 or, with semicolons, writes numbers with decimal commas.
    """
    import pyarrow as pa

    path = Path(path)
    text = path.suffix.lower() not in (".parquet", ".pq")
    try:
        table, delimiter = _read_text(path) if text else (_read_parquet(path), None)
        header = table.column_names
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: its header is not in UTF-8; save the table as UTF-8") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable table ({str(error).splitlines()[0]})") from None
    wanted = list(dict.fromkeys([*names, *(name for name in optional if name in header)]))
    for name in wanted:
        if header.count(name) > 1:
            raise UserError(f"{path}: two columns are called '{name}'; rename one")
        if name not in header:
            raise UserError(f"{path}: column '{name}' is missing; {nearest(name, header)}")
        if text and pa.types.is_binary(table[name].type):
            raise UserError(f"{path}: column '{name}' is not in UTF-8; save the table as UTF-8")
    if not table.num_rows:
        raise NoRowsError(f"{path}: the table has no rows")
    found = {name: table[name].to_pylist() for name in wanted}
    for name, values in found.items():
        # Semicolons are written where the comma is the decimal point.
        if delimiter == ";" and (row := _decimal_comma(values)) is not None:
            raise UserError(
                f"{path}: column '{name}' has decimal commas ('{values[row]}' in row {row + 1}); write them as points"
            )
    return found


def _read_parquet(path: Path) -> "pa.Table":
    import pyarrow.parquet as pq

    # Not read_table, which imports pandas where it is installed.
    with pq.ParquetFile(path) as file:
        return file.read()


def _read_text(path: Path) -> tuple["pa.Table", str]:
    """The table, and what separates its columns."""
    import pyarrow as pa
    import pyarrow.csv as csv

    with pa.input_stream(str(path)) as stream:
        header = stream.read(HEADER_BYTES).split(b"\n")[0].decode()
    found = [delimiter for delimiter in DELIMITERS if delimiter in header]
    tabs = path.suffix.lower() == ".tsv"
    delimiter = "\t" if tabs else found[0] if found else ","
    return csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=delimiter)), delimiter


def _decimal_comma(values: Sequence[Any]) -> int | None:
    """First row with a decimal comma, where every value that is text is a number or writes one so."""
    first = None
    for row, value in enumerate(values):
        if isinstance(value, str) and WITH_COMMA.fullmatch(value.strip()):
            first = row if first is None else first
        elif isinstance(value, str):
            try:
                number(value)
            except ValueError:
                return None
    return first


def number(value: Any) -> float:
    """A table's value as a number; NaN for one that was not measured.

    Raises
    ------
    ValueError
        If the value is no number.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING):
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(value)
    return float(value)
