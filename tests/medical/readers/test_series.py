"""Series: every layout in which parcellated data come gives the same matrix."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import savemat

from transferscale.errors import UserError
from transferscale.medical.readers import open_reader
from transferscale.medical.readers.series import read_series
from transferscale.medical.recording import Found, UnreadableError
from transferscale.study.recordings import SeriesRecordings

FINITE = st.floats(-1e12, 1e12, allow_nan=False)
MATRIX = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=FINITE)
WORD = st.text("abcdefghij_-. ", min_size=1, max_size=6).map(lambda text: f"p{text.strip()}q")
MARKS = {".csv": [",", ";"], ".tsv": ["\t"], ".txt": [" ", "\t", ",", "   "], ".1D": [" ", "\t"]}


def section(**keys: Any) -> dict[str, Any]:
    found = SeriesRecordings(kind="series", tr_s=2.0, **keys).model_dump(mode="json")
    return found


@settings(deadline=None)
@given(
    data=MATRIX,
    ending=st.sampled_from(sorted(MARKS)),
    newline=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    comments=st.lists(st.sampled_from(["# AFNI", "#", "  # by hand"]), max_size=2),
    more=st.data(),
)
def test_text_gives_back_what_was_written(
    data: Any, ending: str, newline: str, bom: bool, comments: list[str], more: Any, tmp_path_factory: Any
) -> None:
    mark = more.draw(st.sampled_from(MARKS[ending]))
    names = more.draw(st.none() | st.lists(WORD, min_size=data.shape[1], max_size=data.shape[1]))
    # A line of one cell shows no mark, so blanks part it.
    if names and (mark.strip() == "" or (len(names) == 1 and ending in (".txt", ".1D"))):
        names = [name.replace(" ", "") for name in names]
    lines = list(comments) + ([mark.join(names)] if names else [])
    lines += [mark.join(repr(float(value)) for value in row) for row in data]
    path = tmp_path_factory.mktemp("text") / f"series{ending}"
    path.write_bytes((("\ufeff" if bom else "") + newline.join(lines) + newline).encode())
    matrix = read_series(path)
    assert np.array_equal(matrix.values, data)
    if names:
        assert matrix.names == names


def test_abide_text_has_its_names_in_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "x_rois_cc200.1D"
    path.write_text("#1\t#2\t#12\n1.5\t2.5\t0\n-1\t0\t3e-2\n")
    matrix = read_series(path)
    assert matrix.names == ["1", "2", "12"]
    assert matrix.values.tolist() == [[1.5, 2.5, 0], [-1, 0, 0.03]]


def test_the_index_that_pandas_writes_is_no_parcel(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(",a,b\n0,1.0,2.0\n1,3.0,4.0\n")
    assert read_series(path).values.tolist() == [[1, 2], [3, 4]]
    assert read_series(path).names == ["a", "b"]


@pytest.mark.parametrize("first", [0, 1])
def test_columns_numbered_in_order_are_a_header(first: int, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(",".join(str(first + i) for i in range(9)) + "\n" + ",".join(["0.5"] * 9) + "\n")
    assert read_series(path).values.shape == (1, 9)


def test_arrays_are_read_from_npz_and_mat(tmp_path: Path) -> None:
    data = np.arange(12.0).reshape(4, 3)
    np.savez(tmp_path / "one.npz", data)
    np.savez(tmp_path / "two.npz", ts=data, other=data + 1)
    savemat(tmp_path / "x.mat", {"ROISignals": data, "label": "text"})
    assert np.array_equal(read_series(tmp_path / "one.npz").values, data)
    assert np.array_equal(read_series(tmp_path / "two.npz", "ts").values, data)
    assert np.array_equal(read_series(tmp_path / "x.mat").values, data)
    with pytest.raises(UnreadableError, match=r"holds 2 arrays \('other', 'ts'\); set recordings.array"):
        read_series(tmp_path / "two.npz")
    with pytest.raises(UnreadableError, match=r"no array 'st', which recordings.array names; valid are"):
        read_series(tmp_path / "two.npz", "st")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.csv", "a,b\n1,2\n3\n", "row 2 has another number of cells"),
        ("x.csv", "a,b\n1,x\n", "could not convert"),
        ("x.csv", "1,2\nn/a,4\n", "1 values are not finite"),
        ("x.csv", "a,b\n", "a header and no numbers"),
        ("x.txt", "# only\n", "empty"),
        ("x.dat", "1 2\n", "unknown ending '.dat'"),
        ("x.npz", "not a zip", "not a readable series"),
        ("x.mat", "MATLAB 5.0 MAT-file, but no more", "not a readable series"),
        ("x.tsv", "<html>404</html>", "a web page"),
    ],
)
def test_a_series_that_will_not_do_says_why(name: str, content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UnreadableError, match=reason):
        read_series(tmp_path / name)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", np.array([{"a": 1}], dtype=object))
    with pytest.raises(UnreadableError, match="not a readable series"):
        read_series(tmp_path / "x.npz")


def test_columns_are_chosen_by_name_and_told_when_unknown(tmp_path: Path) -> None:
    (tmp_path / "s1.tsv").write_text("LIFG\tRIFG\tI\n1\t2\t3\n4\t5\t6\n")
    reader = open_reader(section(pattern="{subject}.tsv", columns=["I", "LIFG"]), tmp_path, None)
    (found,) = reader.find(None)
    (block,) = reader.open(found).blocks()
    assert block.tolist() == [[3, 1], [6, 4]]
    other = open_reader(section(pattern="{subject}.tsv", columns=["LIGF"]), tmp_path, None)
    with pytest.raises(
        UnreadableError, match=r"no column 'LIGF', which recordings.columns names; did you mean 'LIFG'"
    ):
        other.describe(found)


def test_coordinates_belong_to_the_columns(tmp_path: Path) -> None:
    np.save(tmp_path / "s1.npy", np.random.default_rng(0).standard_normal((5, 2)))
    (tmp_path / "xyz.tsv").write_text("\ufeffname\tx\ty\tz\r\na\t-40\t1\t2\r\nb\t40\t1\t2\r\n")
    reader = open_reader(section(pattern="{subject}.npy", coordinates="xyz.tsv"), tmp_path, None)
    geometry = reader.open(Found("s1", files={"image": "s1.npy"})).geometry
    assert geometry.coordinates.tolist() == [[-40, 1, 2], [40, 1, 2]]  # type: ignore[union-attr]
    (tmp_path / "xyz.tsv").write_text("1 2 3\n")
    other = open_reader(section(pattern="{subject}.npy", coordinates="xyz.tsv"), tmp_path, None)
    with pytest.raises(
        UserError, match=r"xyz.tsv: key 'recordings.coordinates': 1 rows, the series have 2 columns"
    ):
        other.open(Found("s1", files={"image": "s1.npy"}))


@pytest.mark.parametrize("name", ["all.npy", "all.npz", "all.mat"])
def test_a_stack_holds_the_subjects_in_the_tables_order(name: str, tmp_path: Path) -> None:
    data = np.random.default_rng(0).standard_normal((3, 7, 2)).astype(np.float32)
    if name.endswith("npy"):
        np.save(tmp_path / name, data)
    elif name.endswith("npz"):
        np.savez(tmp_path / name, data=data)
    else:
        savemat(tmp_path / name, {"data": data})
    reader = open_reader(section(stack=name), tmp_path, None)
    found = reader.find(["sub-c", "sub-a", "sub-b"])
    assert [(f.subject, f.part) for f in found] == [("sub-a", 1), ("sub-b", 2), ("sub-c", 0)]
    for each in found:
        assert each.part is not None
        assert np.array_equal(np.concatenate(list(reader.open(each).blocks())), data[each.part])
    with pytest.raises(UserError, match=r"holds 3 series, the participants table 2 subjects"):
        reader.find(["sub-a", "sub-b"])
    with pytest.raises(UserError, match="the dataset needs 'participants'"):
        reader.find(None)


def counted(path: Path, step: float, **keys: Any) -> tuple[str, int]:
    values = np.random.default_rng(0).standard_normal((30, 3))
    lines = [",".join([f"{i * step:.2f}", *map(str, row)]) for i, row in enumerate(values, start=1)]
    (path / "s1.csv").write_text("\n".join(["time,a,b,c", *lines]) + "\n")
    reader = open_reader(section(pattern="{subject}.csv", **keys), path, None)
    (found,) = reader.find(None)
    (block,) = reader.open(found).blocks()
    assert np.allclose(block[:, -3:], values)
    return reader.describe(found).note, block.shape[1]


@pytest.mark.parametrize("step", [1.0, 1 / 3, 0.72])
def test_a_column_that_counts_volumes_or_seconds_is_no_parcel(step: float, tmp_path: Path) -> None:
    assert counted(tmp_path, step) == ("its first column counts volumes or seconds and is left out", 3)


def test_a_column_that_counts_is_kept_where_it_is_named(tmp_path: Path) -> None:
    assert counted(tmp_path, 1.0, columns=["time", "a", "b", "c"]) == ("", 4)


def test_of_an_archive_only_the_array_that_is_named_is_read(tmp_path: Path) -> None:
    names = np.array(["a", None], dtype=object)
    np.savez(tmp_path / "x.npz", series=np.eye(3), names=names)
    assert read_series(tmp_path / "x.npz", "series").values.tolist() == np.eye(3).tolist()
    with pytest.raises(UnreadableError, match=r"holds 2 arrays \('names', 'series'\)"):
        read_series(tmp_path / "x.npz")
    with pytest.raises(UnreadableError, match="not a readable series"):
        read_series(tmp_path / "x.npz", "names")


@pytest.mark.parametrize("name", ["x.1D", "x.tsv"])
def test_a_tab_at_the_end_of_every_line_is_no_column(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("1\t2\t\n3\t4\t\n")
    assert read_series(tmp_path / name).values.tolist() == [[1, 2], [3, 4]]
    (tmp_path / name).write_text("a\tb\n1\tn/a\n3\tn/a\n")
    with pytest.raises(UnreadableError, match="2 values are not finite"):
        read_series(tmp_path / name)
