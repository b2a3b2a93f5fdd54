"""Columns of anybody's table."""

import gzip
import math
from decimal import Decimal
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
    (tmp_path / "text.parquet").write_bytes(b"\xff\xfe\x00n\x00")
    with pytest.raises(UserError, match="not a readable table"):
        read_columns(tmp_path / "text.parquet", ["n"])
    with pytest.raises(UserError, match="not a readable table"):
        read_columns(tmp_path, ["n"])


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("1e3", 1000.0), (7, 7.0), (" 2.5 ", 2.5), (-0.25, -0.25), (Decimal("2.9308"), 2.9308)],
)
def test_numbers_are_read_also_from_text(value: object, wanted: float) -> None:
    assert number(value) == wanted


@pytest.mark.parametrize("value", [None, "", " ", "NA", "nan", "N/A", "null", "None", math.nan])
def test_what_was_not_measured_is_nan(value: object) -> None:
    assert math.isnan(number(value))


@pytest.mark.parametrize("value", ["many", "1,5", True, "2020-01-01", [1]])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        number(value)


@pytest.mark.parametrize(
    ("text", "encoding", "sentence"),
    [
        ("taille,co\u00fbt\n1,2\n", "latin-1", "its header is not in UTF-8; save the table as UTF-8"),
        ("taille,cost\n1,2\n", "utf-16", "its header is not in UTF-8"),
        ("taille,cost\n\u00e9t\u00e9,2\n", "latin-1", "column 'taille' is not in UTF-8"),
    ],
)
def test_a_text_in_another_encoding_is_one_sentence(
    tmp_path: Path, text: str, encoding: str, sentence: str
) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(UserError) as refused:
        read_columns(path, ["taille"])
    assert str(refused.value).startswith(f"{path}: {sentence}")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_header_tells_what_separates_the_columns(tmp_path: Path, delimiter: str) -> None:
    text = "n,loss\n1,0.5\n2,0.25\n".replace(",", delimiter)
    assert read_columns(_csv(tmp_path, text), ["n", "loss"]) == {"n": [1, 2], "loss": [0.5, 0.25]}
    packed = tmp_path / "runs.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert read_columns(packed, ["n"]) == {"n": [1, 2]}


def test_a_column_name_may_have_a_semicolon_between_commas(tmp_path: Path) -> None:
    assert read_columns(_csv(tmp_path, "a;b,n\n1,2\n"), ["a;b"]) == {"a;b": [1]}


def test_decimal_commas_between_semicolons_are_refused_by_row(tmp_path: Path) -> None:
    path = _csv(tmp_path, "n;loss\n1;2\n2;1,25\n")
    with pytest.raises(UserError) as refused:
        read_columns(path, ["n", "loss"])
    assert (
        str(refused.value)
        == f"{path}: column 'loss' has decimal commas ('1,25' in row 2); write them as points"
    )


def test_labels_with_commas_are_no_numbers(tmp_path: Path) -> None:
    path = _csv(tmp_path, "n;layers\n1;1,2\n2;all\n")
    assert read_columns(path, ["layers"]) == {"layers": ["1,2", "all"]}


def test_decimals_of_parquet_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    pq.write_table(pa.table({"loss": pa.array([Decimal("2.9308"), None])}), path)
    (loss, missing) = map(number, read_columns(path, ["loss"])["loss"])
    assert loss == 2.9308
    assert math.isnan(missing)
