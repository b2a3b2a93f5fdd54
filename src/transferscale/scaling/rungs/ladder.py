"""The checkpoints of the ladder alone: the whole corpus as it is, no control corpus, fraction or fold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.tables import TABLES, read_table, write_table

Row = Mapping[str, Any]
Rows = Sequence[Row]


def plain(row: Row) -> bool:
    """Whether a checkpoint was trained on the whole corpus and nothing else."""
    return (row["control"], row["fraction"], row["fold"]) == ("", 1, -1)


def trunk(row: Row) -> str:
    """Name of the trunk of a checkpoint, which its rungs share."""
    origin = "/".join(str(row[key]) for key in ("corpus", "control", "objective"))
    return f"{origin}/{row['family']}-d{row['depth']}-s{row['seed']}"


def ladder(checkpoints: Rows) -> list[dict[str, Any]]:
    """Rows of the `ladder` table: the plain checkpoints, each with its trunk."""
    kept = [column for column in TABLES["ladder"].columns if column != "trunk"]
    return [
        {**{column: row[column] for column in kept}, "trunk": trunk(row)} for row in checkpoints if plain(row)
    ]


def run(checkpoints: Path, out: Path) -> None:
    """Write the `ladder` table from the `checkpoints` table."""
    watch = Stopwatch()
    read = read_table(checkpoints, "checkpoints").to_pylist()
    rows = ladder(read)
    write_table(out, "ladder", rows)
    write_provenance(out, watch, beside=len(read) - len(rows))
