"""Anybody's table of predictions: what is found, what is assumed, and what is said of a table that does not fit."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tests.scaling.planted_predictions import table_rows, write_csv
from transferscale.cli import app
from transferscale.errors import UserError
from transferscale.scaling.gains.table import Gains, gain_table, to_draw
from transferscale.tables import read_table

Rows = list[dict[str, Any]]

ARMS = {"video": 0.6, "scratch": 0.0, "connectivity": 0.3}


def _gains(path: Path, **options: Any) -> Gains:
    return gain_table(path, **{"arm": "video", "reference": "scratch", "metric": "auroc", **options})


@pytest.fixture(scope="module")
def rows() -> Rows:
    return table_rows(ARMS)


@pytest.fixture(scope="module")
def table(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("table") / "predictions.csv", rows)


@pytest.fixture(scope="module")
def found(table: Path) -> Gains:
    return _gains(table, against=["connectivity"], sesoi=0.05)


def test_every_label_count_meets_every_reference(found: Gains) -> None:
    assert [(row["reference"], row["n_labels"], row["n_train"]) for row in found.rows] == [
        (reference, n, float(n)) for reference in ("scratch", "connectivity") for n in ("8", "16", "32")
    ]
    assert {(row["n_subjects"], row["n_draws"], row["n_seeds"]) for row in found.rows} == {(40, 2, 2)}
    assert [row["verdict"] for row in found.rows[:3]] == ["helps"] * 3
    assert not found.failures


def test_what_an_arm_is_worth_differs_by_reference(found: Gains) -> None:
    scratch, connectivity = found.rows[0], found.rows[3]
    assert (scratch["multiplier"], scratch["bound"]) == (4, ">=")
    assert 1 < connectivity["multiplier"] <= 4
    assert connectivity["effective_data"] == pytest.approx(8 * (connectivity["multiplier"] - 1))


def test_what_could_be_detected_is_told_of_each_reference_and_not_of_the_arm(
    found: Gains, rows: Rows, tmp_path: Path
) -> None:
    spoiled = [row | {"y_score": -row["y_score"]} if row["arm"] == "video" else row for row in rows]
    other = _gains(write_csv(tmp_path / "p.csv", spoiled), against=["connectivity"], sesoi=0.05)
    assert other.beforehand == found.beforehand
    assert [sentence.split(":")[0] for sentence in found.beforehand] == [
        "smallest detectable gain in auroc over scratch, from scratch alone",
        "smallest detectable gain in auroc over connectivity, from connectivity alone",
    ]
    assert all(
        before["detectable_before"] == row["detectable_before"]
        for before, row in zip(other.rows, found.rows, strict=True)
    )


def test_what_was_assumed_is_said(found: Gains) -> None:
    assert found.assumptions == [
        "one repeat of the folds (no column 'repeat')",
        "subjects are unrelated (no column 'family_group')",
        "y_score is the score of class '1', the last of '0', '1'",
    ]


def test_the_same_predictions_give_the_same_gains_in_any_file_and_order(
    rows: Rows, found: Gains, tmp_path: Path
) -> None:
    named = [row | {"y_true": "ill" if row["y_true"] else "hale"} for row in reversed(rows)]
    listed = [row | {"y_score": [-row["y_score"] / 2, row["y_score"] / 2]} for row in named]
    pq.write_table(pa.Table.from_pylist(listed), tmp_path / "p.parquet")
    texts = [row | {"y_score": json.dumps(row["y_score"])} for row in listed]
    for path in (tmp_path / "p.parquet", write_csv(tmp_path / "p.csv", texts)):
        assert _gains(path, against=["connectivity"], sesoi=0.05).rows == found.rows


def test_few_columns_are_enough(rows: Rows, tmp_path: Path) -> None:
    few = [
        {key: row[key] for key in ("arm", "subject", "y_true", "y_pred")}
        for row in rows
        if (row["n_labels"], row["draw"], row["seed"]) == (32, 0, 0)
    ]
    found = _gains(write_csv(tmp_path / "p.csv", few), metric="accuracy")
    (row,) = found.rows
    assert (row["n_labels"], row["n_train"], row["effective_data"], row["nb_low"]) == (
        "all",
        None,
        None,
        None,
    )
    assert "one label count, so no effective data (no column 'n_labels')" in found.assumptions
    assert any("one seed" in warning for warning in row["warnings"])


def test_all_labelled_subjects_are_those_outside_the_fold(tmp_path: Path) -> None:
    rows = table_rows(ARMS, labels=[8, "all"], draws=1)
    found = _gains(write_csv(tmp_path / "p.csv", rows))
    assert [(row["n_labels"], row["n_train"]) for row in found.rows] == [("8", 8.0), ("all", 30.0)]


def test_a_reference_without_seeds_stands_beside_every_seed(rows: Rows, tmp_path: Path) -> None:
    kept = [row for row in rows if row["arm"] != "scratch" or row["seed"] == 0]
    plain = [row | {"seed": ""} if row["arm"] == "scratch" else row for row in kept]
    assert {row["n_seeds"] for row in _gains(write_csv(tmp_path / "p.csv", plain)).rows} == {2}


def test_holm_is_over_the_tasks_at_one_label_count(tmp_path: Path) -> None:
    rows = [
        *table_rows({"video": 0.5, "scratch": 0.0}, task="a"),
        *table_rows({"video": 0.2, "scratch": 0.0}, task="b", seed=1),
        *table_rows({"video": 0.0, "scratch": 0.0}, task="c", seed=2),
    ]
    found = _gains(write_csv(tmp_path / "p.csv", rows))
    assert [row["group"] for row in found.rows[::3]] == [{"task": name} for name in "abc"]
    for n in ("8", "16", "32"):
        family = sorted((row["p_value"], row["p_holm"]) for row in found.rows if row["n_labels"] == n)
        assert family[0][1] == pytest.approx(min(1, 3 * family[0][0]))
        assert family[2][1] == pytest.approx(max(family[2][0], min(1, 2 * family[1][0]), family[0][1]))


def test_windows_of_a_subject_share_its_weight(rows: Rows, tmp_path: Path) -> None:
    twice = [row | {"window": window} for row in rows for window in range(2)]
    once, again = (
        _gains(write_csv(tmp_path / f"{len(r)}.csv", r), metric="accuracy").rows for r in (rows, twice)
    )
    for one, other in zip(again, once, strict=True):
        assert (one["estimate"], one["low"]) == pytest.approx((other["estimate"], other["low"]))


def test_states_within_a_subject_are_decoded_with_lists_of_scores(tmp_path: Path) -> None:
    rows = [
        row | {"window": k, "y_true": k, "y_score": [float((j == k) * row["y_score"]) for j in range(3)]}
        for row in table_rows({"video": 0.5, "scratch": 0.0}, labels=[8], subjects=12)
        for k in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    found = _gains(tmp_path / "p.parquet")
    assert found.rows[0]["kind"] == "state"
    assert "the scores in y_score are in the order of the classes '0', '1', '2'" in found.assumptions


def test_the_rows_of_a_picture_are_curves_gains_and_multipliers(found: Gains) -> None:
    drawn = to_draw(found)
    assert [sum(row["panel"] == panel for row in drawn) for panel in ("score", "gain", "multiplier")] == [
        9,
        6,
        6,
    ]
    assert all(row["low"] <= row["value"] <= row["high"] for row in drawn if row["panel"] != "multiplier")
    assert {frozenset(row) for row in drawn} == {
        frozenset(("group", "panel", "name", "n_labels", "n_train", "value", "low", "high", "bound"))
    }


# -- tables that do not fit --------------------------------------------------------------------------------------


def _first(rows: Rows, **changes: Any) -> Rows:
    """The video rows at n = 16 lead with one that is changed."""
    at = next(i for i, row in enumerate(rows) if (row["arm"], row["n_labels"]) == ("video", 16))
    return [*rows[:at], rows[at] | changes, *rows[at + 1 :]]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda rows: _first(rows, y_score="nan"),
            "video, n = 16: 1 of 160 values of y_score are missing or not finite, the first in data row 161",
        ),
        (lambda rows: _first(rows, y_score="high"), "data row 161: y_score 'high' is no number"),
        (
            lambda rows: _first(rows, y_score="[0.1, x]"),
            "data row 161: y_score '[0.1, x]' is no list of numbers",
        ),
        (lambda rows: _first(rows, draw="first"), "data row 161: draw 'first' is no number"),
        (lambda rows: _first(rows, draw=0.5), "data row 161: draw '0.5' is no whole number"),
        (lambda rows: _first(rows, y_true=""), "1 of 160 values of y_true are missing"),
        (
            lambda rows: _first([row | {"family_group": row["subject"]} for row in rows], family_group=""),
            "video, n = 16: family_group is blank in data row 161; give a subject without relatives a family",
        ),
        (
            lambda rows: [*rows, next(row for row in rows if row["n_labels"] == 16)],
            "subject 's00' is tested 2 times in repeat 0, draw 0, seed 0; it must be once; delete the copy, or name "
            "in --group",
        ),
        (
            lambda rows: _first(rows, subject="s99"),
            "subject 's00' is tested 0 times in repeat 0, draw 0, seed 0",
        ),
        (
            lambda rows: [r for r in rows if (r["arm"], r["n_labels"], r["subject"]) != ("video", 16, "s07")],
            "39 by both, 1 by scratch alone (s07)",
        ),
        (
            lambda rows: [
                r | {"fold": 7} if (r["arm"], r["n_labels"], r["subject"]) == ("video", 16, "s07") else r
                for r in rows
            ],
            "1 of 40 subjects lie in different folds (s07; s07 in fold 7 of video and 3 of scratch)",
        ),
        (
            lambda rows: [r for r in rows if (r["arm"], r["n_labels"]) != ("scratch", 16)],
            "'scratch' has no predictions at n = 16, only at 8, 32",
        ),
    ],
)
def test_one_bad_label_count_is_told_and_the_others_are_compared(
    rows: Rows, tmp_path: Path, spoil: Callable[[Rows], Rows], sentence: str
) -> None:
    found = _gains(write_csv(tmp_path / "p.csv", spoil(rows)))
    assert [row["n_labels"] for row in found.rows] == ["8", "32"]
    (failure,) = found.failures
    assert sentence in failure
    assert str(tmp_path / "p.csv") in failure


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"arm": "vidoe"}, "column 'arm' has no 'vidoe'; did you mean 'video'?"),
        ({"reference": "Scratch"}, "column 'arm' has no 'Scratch'; did you mean 'scratch'?"),
        ({"against": ["conectivity"]}, "did you mean 'connectivity'?"),
        ({"reference": "video"}, "--arm and its reference are both 'video'"),
        ({"group": ["sight"]}, "column 'sight' is missing"),
        ({"group": ["fold", "metric"]}, "--group metric: the result has a column of that name"),
    ],
)
def test_a_wrong_name_is_told(table: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as error:
        _gains(table, **options)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("change", "metric", "sentence"),
    [
        (
            {"y_true": 1},
            "auroc",
            "y_true is the same for all 40 test subjects of video; auroc needs two classes",
        ),
        ({"y_true": 1}, "accuracy", "accuracy needs two classes"),
        ({"y_true": 0.5}, "r", "r needs two different values"),
        ({"n_labels": "many"}, "auroc", "data row 1: n_labels 'many' is no number"),
        (
            {"n_labels": -8},
            "auroc",
            "data row 1: n_labels is '-8'; give the number of labelled subjects, or 'all'",
        ),
        ({"y_true": "old", "y_pred": "old"}, "r", "data row 1: y_true 'old' is no number"),
    ],
)
def test_where_nothing_can_be_compared_the_first_reason_is_the_error(
    rows: Rows, tmp_path: Path, change: dict[str, Any], metric: str, sentence: str
) -> None:
    path = write_csv(tmp_path / "p.csv", [row | change for row in rows])
    with pytest.raises(UserError) as error:
        _gains(path, metric=metric)
    assert sentence in str(error.value)


def test_a_group_with_a_bad_row_leaves_the_other_groups_alone(rows: Rows, tmp_path: Path) -> None:
    sites = [row | {"site": site} for site in ("a", "b") for row in rows]
    sites[0]["y_true"] = "x"
    found = _gains(
        write_csv(tmp_path / "p.csv", sites), group=["site"], metric="r", arm="scratch", reference="video"
    )
    assert [row["group"]["site"] for row in found.rows] == ["a", "a", "b", "b", "b"]
    assert "data row 1: y_true 'x' is no number" in found.failures[0]


def test_a_target_that_is_no_class_and_a_group_without_the_arm_are_told(rows: Rows, tmp_path: Path) -> None:
    aged = [row | {"task": "age", "y_true": 20 + int(row["subject"][1:])} for row in rows]
    alone = [row | {"task": "other"} for row in rows if row["arm"] != "video"]
    path = write_csv(tmp_path / "p.csv", [*aged, *alone, *(row | {"task": "illness"} for row in rows)])
    found = _gains(path, metric="accuracy")
    assert {row["group"]["task"] for row in found.rows} == {"illness"}
    assert "y_true has 40 different values (20, 21, 22, 23, ...), too many for classes" in found.failures[0]
    assert found.failures[-1].endswith("task other has no row of 'video'")
    assert [sentence.split(":")[0] for sentence in found.beforehand] == ["task illness"]


def test_scores_for_other_classes_than_there_are_is_told(rows: Rows, tmp_path: Path) -> None:
    three = [row | {"y_true": "xyz"[i % 3]} for i, row in enumerate(rows)]
    with pytest.raises(UserError, match=r"one number, but y_true has 3 values \(x, y, z\)"):
        _gains(write_csv(tmp_path / "p.csv", three))
    with pytest.raises(UserError, match="y_score lists 2 numbers, but y_true has 3 classes"):
        _gains(write_csv(tmp_path / "p.csv", [row | {"y_score": "[0.1, 0.2]"} for row in three]))


def test_a_blank_fold_is_no_fold(rows: Rows, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="data row 161: fold is blank; name the fold, or leave the column out"
    ):
        _gains(write_csv(tmp_path / "p.csv", _first(rows, fold="")))


def test_a_metric_without_its_column_is_told(rows: Rows, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "p.csv", [{k: v for k, v in row.items() if k != "y_score"} for row in rows])
    with pytest.raises(UserError, match="metric auroc needs column 'y_score', which is missing"):
        _gains(path)


def test_repeats_of_the_folds_must_be_numbered(rows: Rows, tmp_path: Path) -> None:
    again = [*rows, *(row | {"fold": row["fold"] + 4} for row in rows)]
    with pytest.raises(
        UserError, match="in folds 0, 4; it must be once: number the repeats of the folds in column"
    ):
        _gains(write_csv(tmp_path / "p.csv", again))


# -- the positive class --------------------------------------------------------------------------------------------


def _named(rows: Rows, sign: int = 1) -> Rows:
    """The same with text classes, of which the healthy one comes first; with ``sign`` -1 scores are those of it."""
    return [
        row | {"y_true": ("healthy", "sick")[row["y_true"]], "y_score": sign * row["y_score"]} for row in rows
    ]


def test_the_positive_class_can_be_chosen(rows: Rows, found: Gains, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "p.csv", _named(rows, -1))
    chosen = _gains(path, positive="healthy", against=["connectivity"], sesoi=0.05)
    for one, other in zip(chosen.rows, found.rows, strict=True):
        assert one["arm_value"] == pytest.approx(other["arm_value"])
        assert one["estimate"] == pytest.approx(other["estimate"])
        assert one["verdict"] == other["verdict"]
    # What is said is not assumed.
    assert not any("y_score is" in sentence for sentence in chosen.assumptions)
    last = _gains(write_csv(tmp_path / "l.csv", _named(rows)), positive="sick", against=["connectivity"])
    assert [row["low"] for row in last.rows] == [row["low"] for row in found.rows]


def test_a_number_is_the_same_class_however_it_is_written(table: Path, found: Gains) -> None:
    assert [row["low"] for row in _gains(table, positive="1.0").rows] == [
        row["low"] for row in found.rows[:3]
    ]


def test_two_arms_below_chance_raise_a_doubt_about_the_positive_class(rows: Rows, tmp_path: Path) -> None:
    doubt = "both are below chance: is 'sick' the positive class? see --positive"
    reversed_scores = _gains(write_csv(tmp_path / "p.csv", _named(rows, -1)), sesoi=0.05).rows
    assert reversed_scores[-1]["arm_value"] < 0.2
    assert doubt in reversed_scores[-1]["warnings"]
    # An arm may be below chance by itself.
    alone = [row if row["arm"] == "video" else row | {"y_score": -row["y_score"]} for row in _named(rows, -1)]
    for name, other in (("right", _named(rows)), ("alone", alone)):
        told = _gains(write_csv(tmp_path / f"{name}.csv", other), sesoi=0.05).rows
        assert not any("below chance" in warning for row in told for warning in row["warnings"])


def test_listed_scores_below_chance_raise_a_doubt_about_their_order(rows: Rows, tmp_path: Path) -> None:
    listed = [row | {"y_score": json.dumps([row["y_score"], -row["y_score"]])} for row in _named(rows)]
    path = write_csv(tmp_path / "p.csv", listed)
    doubt = "both are below chance: are the scores in the order of the classes 'healthy', 'sick'?"
    assert doubt in _gains(path).rows[-1]["warnings"]
    with pytest.raises(UserError, match="y_score lists 2 scores, one a class, so --positive has no say"):
        _gains(path, positive="sick")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"positive": "sik"}, "--positive 'sik' is no class of y_true; did you mean 'sick'?"),
        (
            {"positive": "sick", "metric": "accuracy"},
            "from which accuracy is not computed here; leave it out",
        ),
        ({"positive": "sick", "metric": "r"}, "from which r is not computed here; leave it out"),
    ],
)
def test_a_positive_class_that_is_none_is_refused(
    rows: Rows, tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError) as refused:
        _gains(write_csv(tmp_path / "p.csv", _named(rows)), **options)
    assert sentence in str(refused.value)


# -- the command line ----------------------------------------------------------------------------------------------


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["scaling", "gain", *arguments])


CALL = ("--arm", "video", "--reference", "scratch", "--metric", "auroc")


def test_the_detectable_gain_stands_before_any_result(table: Path) -> None:
    done = _run(str(table), *CALL, "--sesoi", "0.05")
    assert done.exit_code == 0
    assert 0 <= done.stdout.index("smallest detectable gain") < done.stdout.index("gain +")
    assert "effective data transferred >= +24.0 subjects" in done.stdout


def test_the_verb_takes_the_positive_class(rows: Rows, tmp_path: Path) -> None:
    path = str(write_csv(tmp_path / "p.csv", _named(rows, -1)))
    assert "warning: both are below chance: is 'sick'" in _run(path, *CALL).stdout
    assert "  helps" in _run(path, *CALL, "--positive", "healthy").stdout.splitlines()


def test_json_and_csv_hold_the_results_alone(table: Path) -> None:
    done = _run(str(table), *CALL, "--format", "json")
    rows = json.loads(done.stdout)
    assert [row["n_labels"] for row in rows] == ["8", "16", "32"]
    assert {
        "group",
        "estimate",
        "low",
        "high",
        "nb_low",
        "multiplier",
        "bound",
        "verdict",
        "warnings",
    } <= set(rows[0])
    assert "smallest detectable gain" in done.stderr
    lines = _run(str(table), *CALL, "--format", "csv").stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("kind,arm,reference,n_labels,n_train,metric")


@pytest.mark.parametrize("name", ["g.parquet", "g.csv", "g.json"])
def test_the_gains_can_be_kept_and_are_the_same_bytes_each_time(
    rows: Rows, tmp_path: Path, name: str
) -> None:
    table = write_csv(tmp_path / "p.csv", [row | {"read_out": "ridge", "site": "x"} for row in rows])
    written = []
    for _ in range(2):
        done = _run(
            str(table), *CALL, "--group", "read_out", "--group", "site", "--out", str(tmp_path / name)
        )
        assert done.exit_code == 0, done.output
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    if name == "g.parquet":
        kept = read_table(tmp_path / name, "gains")
        assert set(kept["read_out"].to_pylist()) == {"ridge"}
        assert set(kept["site"].to_pylist()) == {"x"}


def test_an_unknown_kind_of_file_to_write_is_told(table: Path, tmp_path: Path) -> None:
    done = _run(str(table), *CALL, "--out", str(tmp_path / "g.xlsx"))
    assert isinstance(done.exception, UserError)
    assert "name a .parquet, .csv, .tsv or .json file" in str(done.exception)


@pytest.mark.parametrize(
    "arguments",
    [[], ["p.csv"], ["p.csv", *CALL[:4]], ["p.csv", *CALL, "--study", "s.yaml"], ["--study", "s.yaml"]],
)
def test_half_a_call_is_wrong_usage(arguments: list[str]) -> None:
    assert _run(*arguments).exit_code == 2


def test_a_partial_failure_is_said_and_the_status_is_0_and_1_when_nothing_is_left(
    rows: Rows, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "p.csv", _first(rows, y_score="nan"))
    command = [sys.executable, "-m", "transferscale", "scaling", "gain", str(path)]
    done = subprocess.run([*command, *CALL], capture_output=True, text=True)
    assert done.returncode == 0
    assert "left out: " in done.stderr
    done = subprocess.run([*command, *CALL[:-1], "r2", "--group", "site"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_a_plain_table_is_compared_without_pydantic_pandas_or_scipy(table: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from transferscale.scaling.gains.table import gain_table; "
        f"gain_table(Path({str(table)!r}), 'video', 'scratch', 'auroc'); "
        "print([m for m in ('pydantic', 'pandas', 'scipy', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
