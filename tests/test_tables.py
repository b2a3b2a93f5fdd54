"""Every table has one schema, and a file that does not fit it is refused."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transferscale.errors import UserError
from transferscale.tables import TABLES, read_table, write_table


def test_every_column_says_what_it_is():
    assert all(len(text) >= 3 for table in TABLES.values() for _, text in table.columns.values())


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_keeps_its_columns(tmp_path, name):
    write_table(tmp_path / "t.parquet", name, [])
    assert read_table(tmp_path / "t.parquet", name).column_names == list(TABLES[name].columns)


def test_rows_come_back_and_the_same_rows_give_the_same_bytes(tmp_path):
    rows = [{"clip_id": "a", "offset": 1, "motion": 0.5}, {"clip_id": "b", "offset": 2}]
    for name in ("one", "two"):
        write_table(tmp_path / name, "clips", rows)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    back = read_table(tmp_path / "one", "clips")
    assert back["clip_id"].to_pylist() == ["a", "b"]
    assert back["motion"].to_pylist() == [0.5, None]


def test_an_undeclared_column_is_refused_but_participants_columns_are_kept(tmp_path):
    with pytest.raises(ValueError, match="no columns"):
        write_table(tmp_path / "t", "clips", [{"clip": "a"}])
    write_table(tmp_path / "t", "recordings", [{"subject": "sub-1", "participant.Age": "7"}])
    assert read_table(tmp_path / "t", "recordings")["participant.Age"].to_pylist() == ["7"]


def test_a_file_of_another_kind_is_told_in_one_sentence(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_text("hello")
    with pytest.raises(UserError, match="not a readable parquet file"):
        read_table(path, "clips")
    pq.write_table(pa.table({"clip": [1]}), path)
    with pytest.raises(UserError, match="column 'clip_id' of table clips is missing; did you mean 'clip'"):
        read_table(path, "clips")
