"""A table with a row a person as text: the one reader of the study, the index and ``medical add``."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transferscale.errors import UserError

TAB = "\t"
MARKS = {TAB: "tab", ",": "comma", ";": "semicolon"}
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
# BIDS writes n/a; the others are what spreadsheets and pandas leave behind.
MISSING = frozenset({"", "n/a", "na", "nan"})


@dataclass(frozen=True)
class People:
    """A table of people.

    Attributes
    ----------
    path
        The file, for messages.
    columns
        Names of the columns, in the order of the file.
    rows
        Cells as text without blanks around them, a row a person.
    """

    path: Path
    columns: list[str]
    rows: list[list[str]]


def read_people(path: Path) -> People:
    """Read a table, separated by tabs, commas or semicolons as its header says, whatever its ending.

    Where a semicolon separates, as spreadsheets write where the decimal mark is a comma, a cell of digits with one
    comma among them (``23,5``) is that number, and its comma becomes a point.

    Raises
    ------
    UserError
        If the file is missing, is not UTF-8, is empty, has a ragged row, or an unnamed or repeated column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            mark = _mark(stream.readline())
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
    repeated = {name for name in columns if columns.count(name) > 1}
    if repeated:
        raise UserError(f"{path}: column '{min(repeated)}' appears twice; rename one")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(columns):
            raise UserError(
                f"{path}: row {number} has {len(line)} fields, the header {len(columns)}; "
                f"put one {MARKS[mark]} between fields"
            )
    if len(lines) == 1:
        raise UserError(f"{path}: no subjects below the header; it needs a row for every subject")
    rows = [[cell.strip() for cell in line] for line in lines[1:]]
    if mark == ";":
        rows = [
            [cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell for cell in row]
            for row in rows
        ]
    return People(path, columns, rows)


def _mark(header: str) -> str:
    """What separates cells: a tab if there is one, for no title holds it, else the more frequent of ; and ,."""
    if TAB in header or not (header.count(",") or header.count(";")):
        return TAB
    return ";" if header.count(";") > header.count(",") else ","


def value(text: str | None, missing: Sequence[str | float] = ()) -> str | None:
    """A cell's text without blanks around it, ``None`` where it says missing.

    Parameters
    ----------
    text
        The cell.
    missing
        What says so beside n/a, NA, nan and nothing (``Dataset.missing``); numbers are compared as numbers.

    Examples
    --------
    >>> value("-9999.0", [-9999]) is None
    True
    """
    stripped = (text or "").strip()
    if stripped.lower() in MISSING or any(_same(stripped, code) for code in missing):
        return None
    return stripped


def _same(text: str, code: str | float) -> bool:
    if text == str(code):
        return True
    try:
        return float(text) == float(code)
    except ValueError:
        return False
