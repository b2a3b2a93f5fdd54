"""The participants table: one row a subject, ``n/a`` for a missing value; tabs (BIDS), commas or semicolons between
columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transferscale.errors import UserError, nearest
from transferscale.study.people import read_people, value


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


def read_participants(path: Path, subject_column: str, missing: Sequence[str | float] = ()) -> Participants:
    """Read the table.

    Parameters
    ----------
    path
        The file.
    subject_column
        Column of the subjects' names.
    missing
        What says missing in the other columns (``Dataset.missing``).

    Raises
    ------
    UserError
        If it is no table (``study.people.read_people``), has no subject column, a row without a subject, or two rows
        of one subject.
    """
    people = read_people(path)
    table = Participants(path, people.columns, {})
    table.require(subject_column, "subject_column")
    rows: dict[str, dict[str, str | None]] = {}
    for number, cells in enumerate(people.rows, start=2):
        row = {
            name: value(cell, () if name == subject_column else missing)
            for name, cell in zip(people.columns, cells, strict=True)
        }
        subject = row[subject_column]
        if subject is None:
            raise UserError(
                f"{path}: row {number} has no '{subject_column}'; name the subject or delete the row"
            )
        if subject in rows:
            raise UserError(f"{path}: subject '{subject}' has two rows; keep one row a subject")
        rows[subject] = row
    return Participants(path, people.columns, rows)
