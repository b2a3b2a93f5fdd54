"""Every table has one schema, and a file that does not fit it is refused."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transferscale.errors import UserError
from transferscale.tables import INT, REAL, REALS, TABLES, TEXT, TEXTS, read_table, write_columns, write_table


def test_every_column_says_what_it_is():
    assert all(len(text) >= 3 for table in TABLES.values() for _, text in table.columns.values())


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_keeps_its_columns(tmp_path, name):
    write_table(tmp_path / "t.parquet", name, [])
    assert read_table(tmp_path / "t.parquet", name).column_names == list(TABLES[name].columns)


def test_rows_come_back_and_the_same_rows_give_the_same_bytes(tmp_path):
    rows = [{"clip_id": "a", "offset": 1, "motion": 0.5}, {"clip_id": "b", "offset": 2}]
    for name in ("one.parquet", "two.parquet"):
        write_table(tmp_path / name, "clips", rows)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    back = read_table(tmp_path / "one.parquet", "clips")
    assert back["clip_id"].to_pylist() == ["a", "b"]
    assert back["motion"].to_pylist() == [0.5, None]


def test_an_undeclared_column_is_refused_but_participants_columns_are_kept(tmp_path):
    with pytest.raises(ValueError, match="no columns"):
        write_table(tmp_path / "t.parquet", "clips", [{"clip": "a"}])
    write_table(tmp_path / "t.parquet", "recordings", [{"subject": "sub-1", "participant.Age": "7"}])
    assert read_table(tmp_path / "t.parquet", "recordings")["participant.Age"].to_pylist() == ["7"]


def test_a_file_of_another_kind_is_told_in_one_sentence(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_text("hello")
    with pytest.raises(UserError, match="not a readable parquet file"):
        read_table(path, "clips")
    pq.write_table(pa.table({"clip": [1]}), path)
    with pytest.raises(UserError, match="column 'clip_id' of table clips is missing; did you mean 'clip'"):
        read_table(path, "clips")


def test_columns_written_from_buffers_are_what_arrow_itself_would_write(tmp_path):
    values = {
        TEXT: ["a", "", "é"],
        INT: [1, -2, 3],
        REAL: [0.5, float("nan"), 1],
        REALS: [[0.1], [], [2, 3.5]],
        TEXTS: [["x", "yy"], [], ["z"]],
    }
    columns = {name: values[kind] for name, (kind, _) in TABLES["predictions"].columns.items()}
    write_columns(tmp_path / "t.parquet", "predictions", columns)
    back = read_table(tmp_path / "t.parquet", "predictions")
    expected = pa.Table.from_pydict(columns, schema=TABLES["predictions"].schema)
    assert back.drop_columns(["y_true", "y_pred"]).equals(expected.drop_columns(["y_true", "y_pred"]))
    assert str(back["y_true"].to_pylist()) == str([0.5, float("nan"), 1.0])
    back.validate(full=True)


@pytest.mark.parametrize(
    ("column", "value"), [("draw", 0.5), ("subject", 3), ("y_true", "x"), ("classes", [1])]
)
def test_a_value_of_another_type_is_refused(tmp_path, column, value):
    values = {TEXT: "a", INT: 1, REAL: 0.5, REALS: [0.1], TEXTS: ["x"]}
    columns = {name: [values[kind]] for name, (kind, _) in TABLES["predictions"].columns.items()}
    with pytest.raises(ValueError, match="value of another type"):
        write_columns(tmp_path / "t.parquet", "predictions", {**columns, column: [value]})


def test_writing_and_reading_columns_imports_no_pandas(tmp_path):
    code = f"""
import sys
from transferscale.tables import TABLES, read_table, write_columns
write_columns({str(tmp_path / "t.parquet")!r}, "predictions", {{name: [] for name in TABLES["predictions"].columns}})
read_table({str(tmp_path / "t.parquet")!r}, "predictions").to_pylist()
print("pandas" in sys.modules)
"""
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
    )


def test_a_table_is_not_written_under_the_name_of_another_format(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"laws.csv: the laws table is written as parquet; name a .parquet file"
    ):
        write_table(tmp_path / "laws.csv", "laws", [])
