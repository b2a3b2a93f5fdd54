"""Points of every group; what is wrong with one costs that group alone."""

from pathlib import Path

import numpy as np
import pytest

from transferscale.errors import UserError
from transferscale.scaling.fits.points import Points, read_points, where

GOOD = [f"good,{n},{3 * n**-0.1},{n % 3},1" for n in (10, 100, 1000, 10_000)]


def _table(folder: Path, *rows: str) -> Path:
    path = folder / "runs.csv"
    path.write_text("\n".join(["kind,n,loss,seed,w", *rows]) + "\n")
    return path


def _read(path: Path, **options: object) -> tuple[list[Points], list[str]]:
    return read_points(path, ["n"], "loss", group=["kind"], **options)  # type: ignore[arg-type]


def test_groups_come_in_the_order_of_their_names_numbers_by_size(tmp_path: Path) -> None:
    path = _table(tmp_path, *(f"{kind},10,1,0,1" for kind in ("b", "10", "9", "a", "1e1")))
    points, refused = _read(path)
    assert [one.group["kind"] for one in points] == ["9", "10", "1e1", "a", "b"]
    assert not refused


def test_points_keep_their_rows_labels_and_weights(tmp_path: Path) -> None:
    path = _table(tmp_path, "a,10,1,0,1", "b,10,2,0,1", "a,20,0.5,1,4")
    points, _ = _read(path, cluster="seed", pair="seed", weight="w", holdout=("n", "20"))
    one = points[0]
    np.testing.assert_array_equal(one.x, [[10], [20]])
    np.testing.assert_array_equal(one.y, [1, 0.5])
    np.testing.assert_array_equal(one.row, [1, 3])
    np.testing.assert_array_equal(one.weight, [1, 4])
    np.testing.assert_array_equal(one.held, [False, True])
    assert one.cluster == one.pair == ("0", "1")


def test_two_variables_are_two_columns(tmp_path: Path) -> None:
    path = _table(tmp_path, *GOOD)
    points, _ = read_points(path, ["n", "w"], "loss")
    assert points[0].x.shape == (4, 2)
    assert points[0].group == {}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["bad,10,1,0,1", "bad,x,1,0,1"], "column 'n' must hold numbers, found 'x' in row 6"),
        (["bad,10,many,0,1"], "column 'loss' must hold numbers, found 'many' in row 5"),
        (["bad,0,1,0,1"], "column 'n': 0 in row 5 is not above zero, and a law takes its logarithm"),
        (["bad,10,1,0,1", "bad,-3,1,0,1"], "column 'n': -3 in row 6 is not above zero"),
        (["bad,10,1,0,1", "bad,10,1,0,-2"], "column 'w': -2 in row 6 is negative; a weight is at least 0"),
        (["bad,10,1,0,0"], "column 'w': no weight is above 0, and a weight of 0 leaves its row out"),
        (["bad,10,1,0,0", "bad,10,,0,1"], "column 'w': no weight is above 0"),
        (["bad,inf,1,0,1"], "column 'n': row 5 is infinite; leave that row out"),
        (["bad,10,inf,0,1"], "column 'loss': row 5 is infinite"),
        (["bad,NaN,1,0,1", "bad,10,,0,1"], "no row has a value of 'n' and 'loss'"),
    ],
)
def test_a_group_that_cannot_be_read_is_one_sentence_and_the_others_survive(
    tmp_path: Path, rows: list[str], sentence: str
) -> None:
    path = _table(tmp_path, *GOOD, *rows)
    points, refused = _read(path, weight="w")
    assert [one.group["kind"] for one in points] == ["good"]
    assert len(refused) == 1
    assert refused[0].startswith(f"{path}, kind = bad: ")
    assert sentence in refused[0]
    assert "\n" not in refused[0]


def test_rows_without_a_value_are_left_out_with_a_note(tmp_path: Path) -> None:
    path = _table(tmp_path, "good,5,NaN,0,1", *GOOD, "good,,1,0,1")
    points, refused = _read(path)
    assert len(points[0].y) == 4
    assert points[0].notes == ("left out for want of a value: rows 1, 6",)
    assert not refused
    np.testing.assert_array_equal(points[0].row, [2, 3, 4, 5])


def test_many_missing_rows_are_not_all_listed(tmp_path: Path) -> None:
    path = _table(tmp_path, *GOOD, *(["good,,1,0,1"] * 9))
    assert _read(path)[0][0].notes == ("left out for want of a value: rows 5, 6, 7, 8, 9 and 4 more",)


def test_rows_that_repeat_are_kept_with_a_note(tmp_path: Path) -> None:
    points, _ = _read(_table(tmp_path, *GOOD, GOOD[0]))
    assert len(points[0].y) == 5
    assert points[0].notes == ("row 5 repeats an earlier one",)
    points, _ = _read(_table(tmp_path, *GOOD, *GOOD))
    assert points[0].notes == ("rows 5, 6, 7, 8 repeat an earlier row",)


def test_the_same_numbers_of_another_cluster_are_no_repetition(tmp_path: Path) -> None:
    points, _ = _read(_table(tmp_path, "a,10,1,0,1", "a,10,1,1,1"), cluster="seed")
    assert points[0].notes == ()


@pytest.mark.parametrize(("value", "rows"), [("1000", [3]), ("1e3", [3]), ("1000.0", [3])])
def test_held_out_numbers_are_compared_as_numbers(tmp_path: Path, value: str, rows: list[int]) -> None:
    points, _ = _read(_table(tmp_path, *GOOD), holdout=("n", value))
    assert list(points[0].row[points[0].held]) == rows


def test_a_held_out_value_that_no_row_has_is_refused(tmp_path: Path) -> None:
    path = _table(tmp_path, *GOOD)
    with pytest.raises(UserError) as refused:
        _read(path, holdout=("seed", "7"))
    assert str(refused.value) == f"{path}: no row has seed = 7; found 1"


@pytest.mark.parametrize("option", ["cluster", "pair", "weight"])
def test_an_unknown_column_of_labels_is_named_with_the_nearest(tmp_path: Path, option: str) -> None:
    path = _table(tmp_path, *GOOD)
    with pytest.raises(UserError, match=r"column 'seeds' is missing; did you mean 'seed'\?"):
        _read(path, **{option: "seeds"})
    with pytest.raises(UserError, match=r"column 'kin' is missing; did you mean 'kind'\?"):
        read_points(path, ["n"], "loss", group=["kin"])


def test_a_sentence_begins_with_the_file_and_the_group() -> None:
    assert where(Path("t.csv"), {"a": "1", "b": "x"}) == "t.csv, a = 1, b = x"
    assert where(Path("t.csv"), {}) == "t.csv"


def test_a_weight_of_0_leaves_its_row_out_with_a_note_whatever_else_is_in_it(tmp_path: Path) -> None:
    path = _table(tmp_path, *GOOD, "good,0,1,0,0", "good,7,,0,1")
    points, refused = _read(path, weight="w")
    assert not refused
    np.testing.assert_array_equal(points[0].row, [1, 2, 3, 4])
    assert points[0].notes == ("left out for want of a value: row 6", "left out for a weight of 0: row 5")


@pytest.mark.parametrize(("blank", "told"), [("", "blank"), (" ", "blank"), ("NA", "'NA'")])
@pytest.mark.parametrize("option", ["cluster", "pair"])
@pytest.mark.parametrize("seeds", [("1", "2"), ("first", "second")])
def test_rows_without_a_label_are_not_taken_for_one_run(
    tmp_path: Path, seeds: tuple[str, str], option: str, blank: str, told: str
) -> None:
    path = _table(tmp_path, f"a,10,1,{seeds[0]},1", f"a,20,1,{blank},1", f"b,10,1,{seeds[1]},1")
    points, refused = _read(path, **{option: "seed"})
    assert [one.group["kind"] for one in points] == ["b"]
    # Of a column of numbers what is not there has no text.
    told = told if seeds[0] == "first" else "blank"
    assert refused == [
        f"{path}, kind = a: column 'seed' is {told} in row 2; name what the row belongs to, or leave --{option} out"
    ]


def test_a_row_that_is_left_out_needs_no_label(tmp_path: Path) -> None:
    points, refused = _read(_table(tmp_path, *GOOD, "good,7,,,1"), cluster="seed")
    assert not refused
    assert len(points[0].y) == 4
