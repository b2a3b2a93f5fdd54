"""A view serves clips and series that say the same, whatever the input normalisation of the study."""

import numpy as np
import pytest

from tests.transfer.planted import Planted, make
from transferscale.medical.reading import View


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return make(tmp_path_factory.mktemp("planted"))


def columns_of(view: View) -> np.ndarray:
    """What every column shows in the clips: (windows, volumes, columns)."""
    first = [np.argwhere(view.layout == column)[0] for column in range(view.series.shape[1])]
    return np.stack([view.clips()[:, :, y, x] for y, x in first], axis=-1)


@pytest.mark.parametrize("normalisation", ["recording", "window", "column"])
def test_every_arm_sees_the_same_numbers(planted: Planted, normalisation: str) -> None:
    view = View(planted.view, normalisation)
    np.testing.assert_allclose(columns_of(view), view.series_windows(), rtol=1e-4, atol=1e-5)
    assert not view.clips()[:, :, view.layout < 0].any()


def test_a_window_or_its_columns_are_standardised(planted: Planted) -> None:
    window = View(planted.view, "window").series_windows()
    np.testing.assert_allclose(window.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(window.std((1, 2)), 1, rtol=0.01)
    column = View(planted.view, "column").series_windows()
    np.testing.assert_allclose(column.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(column.std(1), 1, rtol=0.05)


def test_rows_are_normalised_one_by_one(planted: Planted) -> None:
    view = View(planted.view, "window")
    np.testing.assert_array_equal(view.clips([5, 2]), view.clips()[[5, 2]])


def test_nothing_of_a_recording_reaches_another(planted: Planted) -> None:
    plain, view = View(planted.view), View(planted.view, "column")
    raw = plain.series_windows()[:3]
    expected = (raw - raw.mean(1, keepdims=True)) / (raw.std(1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(view.series_windows()[:3], expected, rtol=1e-4, atol=1e-5)
