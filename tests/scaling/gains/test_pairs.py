"""A gain is of the same subjects, folds and draws; whatever differs is named."""

from dataclasses import replace

import numpy as np
import pytest

from tests.scaling.planted_predictions import pair_of_cells
from transferscale.errors import UserError
from transferscale.scaling.gains.cells import Cell
from transferscale.scaling.gains.comparison import compare, detectable_beforehand
from transferscale.scaling.gains.pairs import match, paired
from transferscale.scaling.gains.scores import evaluate


@pytest.fixture
def cells() -> tuple[Cell, Cell]:
    return pair_of_cells(np.random.default_rng(0), 0.2, subjects=24, draws=2, seeds=2)


def _columns(cell: Cell, kept: list[int], **changes: object) -> Cell:
    return replace(
        cell,
        columns=cell.columns[kept],
        predicted=cell.predicted[:, kept],
        score=cell.score[:, :, kept],
        fold=cell.fold[:, kept],
        **changes,
    )


def _subjects(cell: Cell, kept: slice) -> Cell:
    rows = np.arange(len(cell.subjects))[kept]
    return replace(
        cell,
        subjects=tuple(cell.subjects[row] for row in rows),
        family=cell.family[rows],
        subject_of=np.arange(len(rows)),
        truth=cell.truth[rows],
        predicted=cell.predicted[rows],
        score=cell.score[rows],
        fold=cell.fold[rows],
    )


def _pair(arm: Cell, reference: Cell):
    return paired(*(evaluate(cell, "auroc", 50) for cell in (arm, reference)))


def test_a_baseline_stands_beside_every_seed() -> None:
    arm = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 2, 0]])
    baseline = np.array([[0, 0, -1], [0, 1, -1]])
    assert match(arm, baseline).tolist() == [0, 0, 1, -1]


def test_subjects_of_one_alone_are_counted_and_named(cells: tuple[Cell, Cell]) -> None:
    arm, reference = _subjects(cells[0], slice(0, 22)), _subjects(cells[1], slice(2, 24))
    with pytest.raises(UserError) as error:
        _pair(arm, reference)
    assert "20 by both, 2 by video alone (000, 001) and 2 by random alone (022, 023)" in str(error.value)


def test_subjects_in_another_fold_are_counted_and_named(cells: tuple[Cell, Cell]) -> None:
    fold = cells[1].fold.copy()
    fold[[3, 5]] = 9
    with pytest.raises(UserError) as error:
        _pair(cells[0], replace(cells[1], fold=fold))
    assert (
        "2 of 24 subjects lie in different folds (003, 005; 003 in fold 1 of video and 9 of random)"
        in str(error.value)
    )


def test_another_truth_is_an_error(cells: tuple[Cell, Cell]) -> None:
    truth = cells[1].truth.copy()
    truth[[3, 4]] = truth[[4, 3]]
    with pytest.raises(UserError, match=r"2 subjects have another y_true in the two \(003, 004\)"):
        _pair(cells[0], replace(cells[1], truth=truth))


def test_no_shared_draw_is_an_error_that_says_which_there_are(cells: tuple[Cell, Cell]) -> None:
    other = replace(cells[1], columns=cells[1].columns + np.array([0, 5, 0]))
    with pytest.raises(
        UserError, match="video has repeats 0, draws 0, 1, seeds 0, 1, random has repeats 0, draws 5, 6"
    ):
        _pair(cells[0], other)


def test_columns_of_one_alone_are_left_out_and_said(cells: tuple[Cell, Cell]) -> None:
    arm, reference = (evaluate(cell, "auroc", 50) for cell in (cells[0], _columns(cells[1], [0, 1])))
    row = compare(arm, reference, [reference], None)
    assert row["arm_value"] == pytest.approx(arm.point[:2].mean())
    assert (row["n_draws"], row["n_seeds"]) == (1, 2)
    assert row["warnings"][:2] == [
        "2 of 4 combinations of repeat, draw and seed of video are left out: random lacks them",
        "one draw: the interval is for this draw and does not cover new ones",
    ]


def test_a_fold_without_a_class_is_left_out_of_the_cross_check_and_said(cells: tuple[Cell, Cell]) -> None:
    by_class = np.where(cells[0].truth[:, None] > 0, np.minimum(cells[0].fold, 2), cells[0].fold)
    arm, reference = (evaluate(replace(cell, fold=by_class), "auroc", 50) for cell in cells)
    row = compare(arm, reference, [reference], None)
    assert any("leaves out 4 of 16 folds" in warning for warning in row["warnings"])
    assert row["nb_low"] < row["nb_high"]


def test_one_fold_gives_no_cross_check(cells: tuple[Cell, Cell]) -> None:
    arm, reference = (evaluate(replace(cell, fold=0 * cell.fold), "auroc", 50) for cell in cells)
    row = compare(arm, reference, [reference], None)
    assert (row["nb_low"], row["nb_p_value"]) == (None, None)
    assert "no corrected resampled t-test: the subjects were tested in one fold" in row["warnings"]


def test_the_cross_check_is_said_where_it_disagrees() -> None:
    rng, said = np.random.default_rng(1), []
    for gain in (0.3, 3.0):
        arm, reference = (evaluate(cell, "auroc", 400) for cell in pair_of_cells(rng, gain))
        row = compare(arm, reference, [reference], None)
        disagree = (row["low"] > 0) != (row["nb_low"] > 0)
        said.append(any("the corrected resampled t-test disagrees" in w for w in row["warnings"]))
        assert said[-1] == disagree
    assert said == [True, False]


def test_a_reference_that_says_the_same_of_everybody_detects_nothing(cells: tuple[Cell, Cell]) -> None:
    reference = evaluate(replace(cells[1], score=0 * cells[1].score), "auroc", 50)
    assert detectable_beforehand(reference) is None


def test_a_prediction_that_is_none_is_told(cells: tuple[Cell, Cell]) -> None:
    score = cells[0].score.copy()
    score[0, 0, 0] = np.nan
    with pytest.raises(UserError, match="auroc of video is not a number at n = 16"):
        evaluate(replace(cells[0], score=score), "auroc", 50)
