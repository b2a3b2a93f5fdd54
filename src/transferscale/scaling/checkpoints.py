"""The checkpoints of a study as a table."""

from pathlib import Path

from transferscale.artefacts import Stopwatch, read_json, write_provenance
from transferscale.errors import UserError
from transferscale.study.grid import Grid
from transferscale.study.study import Study
from transferscale.tables import TABLES, write_table


def checkpoints(study: Study, out: Path, before_last: bool = False) -> None:
    """Write the `checkpoints` table from the model.json of every checkpoint of the study.

    Parameters
    ----------
    before_last
        Whether to gather only the ladder's rungs before the last one, from which that is predicted.

    Raises
    ------
    UserError
        If a model.json is missing or lacks a column of the table.
    """
    watch = Stopwatch()
    rows, last = [], study.rung("last")
    grid = Grid(study)
    readers = [one for one in grid.ladder() if one.rung < last] if before_last else grid.checkpoints()
    for reader in readers:
        path = Path(study.folder) / reader.folder / "model.json"
        facts = read_json(path)
        row = {"reader_id": reader.reader_id, "path": reader.folder}
        for column in TABLES["checkpoints"].columns:
            if column not in row:
                if column not in facts:
                    raise UserError(f"{path}: key '{column}' is missing; pretrain this checkpoint again")
                row[column] = facts[column]
        rows.append(row)
    write_table(out, "checkpoints", rows)
    write_provenance(out, watch, checkpoints=len(rows))
