"""Collecting takes every cell of the grid or says which is missing."""

from pathlib import Path

import pytest

from tests.transfer.planted import Planted
from transferscale.errors import UserError
from transferscale.partitions import read_part
from transferscale.study.grid import Grid
from transferscale.tables import read_table
from transferscale.transfer import baselines
from transferscale.transfer.collect import collect
from transferscale.transfer.fit import fit


def test_all_cells_become_one_table_and_a_missing_one_is_named(planted: Planted, tmp_path: Path) -> None:
    study = planted.study.model_copy(update={"results": str(tmp_path)})
    found = Grid(study).cells()
    baselines.extract(planted.features_spec("dummy"), planted.view, tmp_path / "f")
    rows = 0
    for cell in found:
        with pytest.raises(UserError, match=r"predictions\.parquet: missing"):
            collect(study, tmp_path / "all")
        out = Path(study.folder) / cell.path
        spec = {**planted.spec("ridge", cell.reader, cell.n_labels), "draws": 1}
        fit(spec, tmp_path / "f", planted.view, planted.recordings, planted.splits, out)
        rows += read_table(out, "predictions").num_rows
    assert not (tmp_path / "all").exists()
    collect(study, tmp_path / "all")
    table = read_part(tmp_path / "all", "curves", "predictions")
    assert {path.parent.name for path in (tmp_path / "all").rglob("*.parquet")} == {"read_out=ridge"}
    assert table.num_rows == rows
    assert set(table["reader_id"].to_pylist()) == {cell.reader.reader_id for cell in found}
