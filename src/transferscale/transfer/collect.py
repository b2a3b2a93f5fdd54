"""All predictions of a study in one table, partitioned: ``part=curves/dataset=.../task=.../read_out=.../data.parquet``.

Part ``curves`` are the cells of the grid, part ``behaviour`` those of the section ``behaviour``: the clean rows of the
latter are of other read-outs than the grid's (``study.behaviour_cells``), and together subjects would be tested twice.
"""

from pathlib import Path

import pyarrow as pa

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError
from transferscale.partitions import write_partitions
from transferscale.study.grid import Grid
from transferscale.study.study import Study
from transferscale.tables import TABLES, read_table

KEYS = ("part", "dataset", "task", "read_out")


def collect(study: Study, out: Path) -> None:
    """Write the predictions of every cell of a study, in the order of the grid within every part.

    Raises
    ------
    UserError
        If a cell's predictions are missing or broken; a partial table is never written.
    """
    watch, grid = Stopwatch(), Grid(study)
    columns = list(TABLES["predictions"].columns)
    paths = {
        "curves": [Path(study.folder) / cell.path for cell in grid.cells()],
        "behaviour": [
            *(Path(study.folder) / cell.path for cell in grid.behaviour_cells()),
            *(Path(study.folder) / cell.path for cell in grid.continual_cells()),
        ],
    }
    every = [path for own in paths.values() for path in own]
    missing = [path for path in every if not path.is_file()]
    if missing:
        raise UserError(
            f"{missing[0]}: missing, as are {len(missing) - 1} more of the study's {len(every)} tables of "
            "predictions; run the workflow to the end"
        )
    parts = []
    for part, own in paths.items():
        for path in own:
            table = read_table(path, "predictions").select(columns)
            parts.append(table.append_column("part", pa.array([part] * len(table), pa.string())))
    whole = pa.concat_tables(parts)
    write_partitions(out, whole, KEYS)
    write_provenance(out, watch, tables=len(every), rows=whole.num_rows)
