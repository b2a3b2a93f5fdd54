"""Which fits a prediction table is made of."""

import pytest

from tests.transfer.planted import Planted
from transferscale.medical.reading import Splits, View
from transferscale.study.reader import Reader
from transferscale.transfer.task import cells, load_task


@pytest.mark.parametrize("fold", [0, 2])
def test_a_reader_of_one_fold_is_fitted_in_that_fold_alone(planted: Planted, fold: int) -> None:
    spec = planted.spec("ridge", Reader("raw:linear"), 16)
    view, splits = View(planted.view), Splits(planted.splits)
    task = load_task("group", spec["tasks"]["group"], planted.recordings, view)
    every = list(cells(task, spec, splits, view))
    own = list(cells(task, {**spec, "fold": fold}, splits, view))
    assert [cell.number for cell in every] == [0, 0, 1, 1, 2, 2]
    assert [(cell.number, cell.draw) for cell in own] == [(fold, 0), (fold, 1)]
    for cell, other in zip(own, every[2 * fold :], strict=False):
        assert cell.train.tolist() == other.train.tolist()
        assert cell.test.tolist() == other.test.tolist()
