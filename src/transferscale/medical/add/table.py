"""The participants table that belongs to a folder: which file it is, whose names it holds, where it points."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transferscale.medical.add.columns import Column, column
from transferscale.study.people import read_people, value

SUBJECT_COLUMN = "participant_id"
# Names of subject columns in the wild, the usual one first; any other column is tried after them.
USUAL = (SUBJECT_COLUMN, "subject", "subject_id", "sub", "id", "file_id", "participant", "bids_id")
NOT_PEOPLE = ("_events", "_confounds", "_regressors", "_scans", "_sessions", "_channels", "_bold", "dataset_")


@dataclass(frozen=True)
class Table:
    """A table with a row a person.

    Attributes
    ----------
    path
        The file.
    cells
        Column -> its cells, as text.
    """

    path: Path
    cells: dict[str, list[str]]

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.cells)

    def subjects(self, name: str) -> list[str]:
        """The names in a column."""
        return [text for text in map(value, self.cells[name]) if text is not None]

    def profiles(self, subject_column: str) -> list[Column]:
        """What every column says."""
        return [column(name, cells, name == subject_column) for name, cells in self.cells.items()]


def read(path: Path) -> Table:
    """Read a table (``study.people.read_people``).

    Raises
    ------
    UserError
        If it is no such table.
    """
    people = read_people(path)
    columns = zip(*people.rows, strict=True)
    return Table(path, {name: list(cells) for name, cells in zip(people.columns, columns, strict=True)})


def candidates(root: Path) -> list[Path]:
    """Tables in a folder that may be of people, participants.tsv first."""
    found = [
        path
        for path in sorted(root.iterdir())
        if path.suffix.lower() in (".tsv", ".csv") and not any(word in path.name for word in NOT_PEOPLE)
    ]
    return sorted(found, key=lambda path: (path.stem.lower() != "participants", path.name))


def usual_order(table: Table) -> list[str]:
    """Columns in the order in which they are tried as the people's names."""
    rank = {name: i for i, name in enumerate(USUAL)}
    return sorted(table.columns, key=lambda name: rank.get(name.lower(), len(USUAL)))


def path_column(table: Table, root: Path) -> str | None:
    """The column whose cells are files under ``root``, in at least half of the rows."""
    for name in table.columns:
        cells = table.subjects(name)
        if cells and sum(_is_file(root, cell) for cell in cells) * 2 >= len(table.cells[name]):
            return name
    return None


def _is_file(root: Path, cell: str) -> bool:
    # A cell without an ending is a word; asking the disk for each would be slow.
    return "." in cell and len(cell) < 1000 and (root / cell).is_file()


def matching(table: Table, names: Sequence[str]) -> str | None:
    """The column that holds every one of some names, or most of them."""
    best, share = None, 0.5
    for name in usual_order(table):
        held = len(set(names) & set(table.subjects(name))) / max(1, len(set(names)))
        if held > share:
            best, share = name, held
    return best
