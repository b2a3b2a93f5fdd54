"""A partitioned table is the table, to us and to others."""

from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.errors import UserError
from transferscale.partitions import read_partitions, write_partitions
from transferscale.tables import TABLES, read_table, write_table

KEYS = ("dataset", "task", "read_out")


def table(folder: Path, names: list[str]) -> pa.Table:
    """Rows of predictions, one a name of a task, twice."""
    rows = [
        {column: kind_default(kind) for column, (kind, _) in TABLES["predictions"].columns.items()}
        | {"dataset": "a", "task": name, "read_out": "ridge", "draw": draw, "y_pred": draw + 0.5}
        for draw in range(2)
        for name in names
    ]
    write_table(folder / "p.parquet", "predictions", rows)
    return read_table(folder / "p.parquet", "predictions")


def kind_default(kind: pa.DataType) -> object:
    if pa.types.is_list(kind):
        return []
    return "" if pa.types.is_string(kind) else 0


@settings(max_examples=15, deadline=None)
@given(names=st.lists(st.text("abc:/=% é.", min_size=1, max_size=6), min_size=1, max_size=4, unique=True))
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("parts")
    whole = table(folder, names)
    write_partitions(folder / "out", whole, KEYS)
    back = read_partitions(folder / "out", "predictions")
    order = [("task", "ascending"), ("draw", "ascending")]
    assert back.sort_by(order).equals(whole.select(back.column_names).sort_by(order))
    assert len(list((folder / "out").rglob("*.parquet"))) == len(names)


def test_others_read_it_too_and_one_part_alone(tmp_path: Path) -> None:
    write_partitions(tmp_path / "out", table(tmp_path, ["age", "sex:1"]), KEYS)
    frame = pandas.read_parquet(tmp_path / "out")
    assert sorted(frame.task.astype(str).unique()) == ["age", "sex:1"]
    assert np.isclose(frame.y_pred.sum(), 4.0)
    one = pq.read_table(tmp_path / "out/dataset=a/task=age/read_out=ridge/data.parquet", partitioning=None)
    assert one.num_rows == 2


def test_writing_again_replaces_the_whole_and_gives_the_same_bytes(tmp_path: Path) -> None:
    write_partitions(tmp_path / "out", table(tmp_path, ["old", "kept"]), KEYS)
    first = (tmp_path / "out/dataset=a/task=kept/read_out=ridge/data.parquet").read_bytes()
    write_partitions(tmp_path / "out", table(tmp_path, ["kept"]), KEYS)
    assert [path.name for path in (tmp_path / "out/dataset=a").iterdir()] == ["task=kept"]
    assert (tmp_path / "out/dataset=a/task=kept/read_out=ridge/data.parquet").read_bytes() == first


def test_an_empty_folder_and_a_lost_column_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no parts of table predictions"):
        read_partitions(tmp_path / "nothing", "predictions")
    write_partitions(tmp_path / "out", table(tmp_path, ["a"]).drop_columns(["y_pred"]), KEYS)
    with pytest.raises(UserError, match="column 'y_pred' of table predictions is missing"):
        read_partitions(tmp_path / "out", "predictions")
