"""All predictions of a study in one table."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from transferscale.artefacts import Stopwatch, atomic, write_provenance
from transferscale.errors import UserError
from transferscale.study.grid import Grid
from transferscale.study.study import Study
from transferscale.tables import TABLES, read_table


def collect(study: Study, out: Path) -> None:
    """Write the predictions of every cell of the study's grid as one table, in the order of the grid.

    Raises
    ------
    UserError
        If a cell's predictions are missing or broken; a partial table is never written.
    """
    watch = Stopwatch()
    columns = list(TABLES["predictions"].columns)
    paths = [Path(study.folder) / cell.path for cell in Grid(study).cells()]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UserError(
            f"{missing[0]}: missing, as are {len(missing) - 1} more of the study's {len(paths)} tables of "
            "predictions; run the workflow to the end"
        )
    table = pa.concat_tables([read_table(path, "predictions").select(columns) for path in paths])
    with atomic(out) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    write_provenance(out, watch, tables=len(paths), rows=table.num_rows)
