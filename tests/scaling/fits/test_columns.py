"""Columns of anybody's table."""

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transferscale.errors import UserError
from transferscale.scaling.fits.columns import number, read_columns


def _csv(folder: Path, text: str, name: str = "runs.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_csv_tsv_and_parquet_give_the_same_columns(tmp_path: Path) -> None:
    wanted = {"n": [1, 2], "loss": [0.5, 0.25]}
    csv = _csv(tmp_path, "n,loss,more\n1,0.5,a\n2,0.25,b\n")
    tsv = _csv(tmp_path, "n\tloss\n1\t0.5\n2\t0.25\n", "runs.tsv")
    pq.write_table(pa.table(wanted), tmp_path / "runs.parquet")
    for path in (csv, tsv, tmp_path / "runs.parquet"):
        assert read_columns(path, ["n", "loss"]) == wanted


def test_a_column_may_be_asked_for_twice_and_an_optional_one_may_be_absent(tmp_path: Path) -> None:
    path = _csv(tmp_path, "n,loss\n1,0.5\n")
    assert read_columns(path, ["n", "n"], optional=["seed", "loss"]) == {"n": [1], "loss": [0.5]}


@pytest.mark.parametrize(
    ("text", "names", "sentence"),
    [
        ("n,loss\n1,2\n", ["n", "lost"], "column 'lost' is missing; did you mean 'loss'?"),
        ("n,loss\n", ["n"], "the table has no rows"),
        ("n,n\n1,2\n", ["n"], "two columns are called 'n'; rename one"),
        ("", ["n"], "not a readable table"),
        ("n,loss\n1,2,3\n", ["n"], "not a readable table"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_sentence(
    tmp_path: Path, text: str, names: list[str], sentence: str
) -> None:
    path = _csv(tmp_path, text)
    with pytest.raises(UserError) as refused:
        read_columns(path, names)
    assert str(refused.value).startswith(str(path))
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_not_there_or_not_a_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv: no such file"):
        read_columns(tmp_path / "none.csv", ["n"])
    with pytest.raises(UserError, match=r"none\.parquet: no such file"):
        read_columns(tmp_path / "none.parquet", ["n"])
    for name in ("text.parquet", "bytes.csv"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00n\x00")
        with pytest.raises(UserError, match=r"not a readable table|is missing"):
            read_columns(tmp_path / name, ["n"])
    with pytest.raises(UserError, match="not a readable table"):
        read_columns(tmp_path, ["n"])


@pytest.mark.parametrize(("value", "wanted"), [("1e3", 1000.0), (7, 7.0), (" 2.5 ", 2.5), (-0.25, -0.25)])
def test_numbers_are_read_also_from_text(value: object, wanted: float) -> None:
    assert number(value) == wanted


@pytest.mark.parametrize("value", [None, "", " ", "NA", "nan", "N/A", "null", "None", math.nan])
def test_what_was_not_measured_is_nan(value: object) -> None:
    assert math.isnan(number(value))


@pytest.mark.parametrize("value", ["many", "1,5", True, "2020-01-01", [1]])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        number(value)
