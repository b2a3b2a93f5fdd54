"""A table as a folder of parquet files, partitioned as Hive does: ``dataset=a/task=b/read_out=c/data.parquet``.

The keys stand in the names of the folders and not in the files, URL-encoded, which is what pyarrow, pandas, polars and
DuckDB expect; whoever wants one task reads one folder.
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from transferscale.artefacts import atomic
from transferscale.errors import UserError
from transferscale.tables import TABLES, check_columns, read_parquet, read_table

FILE = "data.parquet"


def write_partitions(folder: Path, table: pa.Table, keys: Sequence[str]) -> None:
    """Write a table, its rows in their order within every part; the folder is replaced as a whole."""
    codes = [pc.cast(table[key], pa.string()).combine_chunks().dictionary_encode() for key in keys]
    parts: dict[tuple[str, ...], list[int]] = {}
    names = [code.dictionary.to_pylist() for code in codes]
    for row, code in enumerate(zip(*(code.indices.to_pylist() for code in codes), strict=True)):
        values = tuple(own[index] for own, index in zip(names, code, strict=True))
        parts.setdefault(values, []).append(row)
    rest = table.drop_columns(list(keys))
    with atomic(folder) as temporary:
        for values, rows in parts.items():
            place = temporary
            for key, value in zip(keys, values, strict=True):
                place /= f"{key}={quote(value, safe='')}"
            place.mkdir(parents=True)
            pq.write_table(rest.take(rows), place / FILE, compression="zstd")


def read_part(path: Path, part: str, name: str) -> pa.Table:
    """Read ``part`` of a partitioned table whose first key is ``part``; a single file is such a part itself."""
    return read_partitions(path / f"part={part}", name) if path.is_dir() else read_table(path, name)


def read_partitions(folder: Path, name: str) -> pa.Table:
    """Read a partitioned table and check that it has the columns of table ``name``, parts in the order of their names.

    Raises
    ------
    UserError
        If there is no part, or one is not readable or lacks a column.
    """
    files = sorted(folder.rglob(FILE))
    if not files:
        raise UserError(f"{folder}: no parts of table {name} (key=value/.../{FILE})")
    parts = []
    for file in files:
        part = read_parquet(file)
        for key, value in (place.split("=", 1) for place in file.relative_to(folder).parts[:-1]):
            part = part.append_column(key, pa.array([unquote(value)] * len(part), pa.string()))
        check_columns(part, file, name)
        parts.append(part.select(list(TABLES[name].columns)))
    return pa.concat_tables(parts)
