"""The participants table: one row a subject, tabs between columns (BIDS) or commas, ``n/a`` for a missing value."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transferscale.errors import UserError, nearest

TAB = "\t"
# BIDS writes n/a; the others are what spreadsheets and pandas leave behind.
MISSING = frozenset({"", "n/a", "na", "nan"})


@dataclass(frozen=True)
class Participants:
    """The table of subjects.

    Attributes
    ----------
    path
        The file, for messages.
    columns
        Column names in the order of the file.
    rows
        Subject -> column -> text, ``None`` where missing; in the order of the file.
    """

    path: Path
    columns: list[str]
    rows: Mapping[str, Mapping[str, str | None]]

    def require(self, column: str, key: str) -> None:
        """Check that ``column``, named by ``key`` of the dataset's YAML file, exists."""
        if column not in self.columns:
            raise UserError(
                f"{self.path}: no column '{column}', which key '{key}' of the dataset names; "
                f"{nearest(column, self.columns)}"
            )


def value(text: str | None) -> str | None:
    """A cell's text without blanks around it, ``None`` where it says missing."""
    stripped = (text or "").strip()
    return None if stripped.lower() in MISSING else stripped


def read_participants(path: Path, subject_column: str) -> Participants:
    """Read the table.

    Raises
    ------
    UserError
        If the file is missing, is not UTF-8, has a ragged row, an unnamed or repeated
        column, no subject column, a row without a subject, or two rows of one subject.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            # A tab in the header decides: a title may hold a comma, none holds a tab.
            mark = TAB if TAB in (header := stream.readline()) or "," not in header else ","
            stream.seek(0)
            lines = [line for line in csv.reader(stream, delimiter=mark) if line]
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; keys 'root' and 'participants' of the dataset name this table"
        ) from None
    except IsADirectoryError:
        raise UserError(
            f"{path}: is a folder; key 'participants' of the dataset must name the table"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{path}: not a table ({error})") from None
    if not lines:
        raise UserError(f"{path}: empty; it needs a header and a row for every subject")
    columns = [name.strip() for name in lines[0]]
    if len(columns) == 1 and ";" in columns[0]:
        raise UserError(f"{path}: the header has neither tab nor comma; save it tab separated, as BIDS wants")
    repeated = {name for name in columns if columns.count(name) > 1}
    if repeated:
        raise UserError(f"{path}: column '{min(repeated)}' appears twice; rename one")
    table = Participants(path, columns, {})
    table.require(subject_column, "subject_column")
    rows: dict[str, dict[str, str | None]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(columns):
            raise UserError(
                f"{path}: row {number} has {len(line)} fields, the header {len(columns)}; "
                f"put one {'tab' if mark == TAB else 'comma'} between fields"
            )
        row = dict(zip(columns, map(value, line), strict=True))
        subject = row[subject_column]
        if subject is None:
            raise UserError(
                f"{path}: row {number} has no '{subject_column}'; name the subject or delete the row"
            )
        if subject in rows:
            raise UserError(f"{path}: subject '{subject}' has two rows; keep one row a subject")
        rows[subject] = row
    if not rows:
        raise UserError(f"{path}: no subjects below the header; it needs a row for every subject")
    return Participants(path, columns, rows)
