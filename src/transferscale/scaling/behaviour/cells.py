"""The predictions of a study's `behaviour` section as cells, one a condition and severity."""

from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow.compute as pc

from transferscale.conditions import CLEAN, plain
from transferscale.errors import UserError
from transferscale.partitions import read_part
from transferscale.scaling.gains.study_cells import CellKey, StudyCell, cells_of


@dataclass(frozen=True, kw_only=True)
class ConditionCell(StudyCell):
    """A cell of a study under a condition at a severity."""

    condition: str
    severity: int

    @property
    def population(self) -> str:
        """Whose resamples it shares: dataset and task, or the other dataset's subjects."""
        own = super().population
        return f"{own}/{self.condition}" if self.elsewhere else own

    @property
    def clean(self) -> bool:
        """Whether recordings are as they are."""
        return plain(self.condition) == CLEAN

    @property
    def elsewhere(self) -> bool:
        """Whether other subjects are tested than those of the task."""
        return plain(self.condition).startswith("onto:")

    @property
    def where(self) -> str:
        """Dataset, task, condition and severity."""
        return f"{super().population}, {self.condition} {self.severity}"

    @property
    def place(self) -> tuple[CellKey, str, int]:
        """What names the cell."""
        return self.key, self.condition, self.severity


def read_conditions(predictions: Path) -> list[ConditionCell]:
    """Cells of every condition and severity, sorted by what they are of.

    Raises
    ------
    UserError
        As ``study_cells.read_cells`` does.
    """
    table = read_part(predictions, "behaviour", "predictions")
    pairs = table.group_by(["condition", "severity"]).aggregate([])
    found = []
    for condition, severity in zip(
        pairs["condition"].to_pylist(), pairs["severity"].to_pylist(), strict=True
    ):
        here = pc.and_(pc.equal(table["condition"], condition), pc.equal(table["severity"], severity))
        try:
            cells = cells_of(table.filter(here), predictions)
        except UserError as error:
            raise UserError(f"{error} (condition {condition}, severity {severity})") from None
        found += [
            ConditionCell(
                **{f.name: getattr(cell, f.name) for f in fields(StudyCell)},
                condition=condition,
                severity=severity,
            )
            for cell in cells
        ]
    return sorted(found, key=lambda cell: cell.place)
