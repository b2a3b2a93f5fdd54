"""From signal to columns: block by block, without what is not finite."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tests.medical.views.signals import Signal
from transferscale.medical.recording import Parcels, UnreadableError
from transferscale.medical.views.projecting import columns_of

WEIGHTS = csr_array(np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.25, 0.75, 0.0], [0.0, 0.0, 0.0, 0.0]]))
VALUES = np.random.default_rng(0).standard_normal((11, 4)).astype(np.float32)


@pytest.mark.parametrize("together", [1, 3, 11, 20])
def test_columns_are_weighted_means_whatever_the_blocks(together: int) -> None:
    columns, left_out = columns_of(Signal(VALUES, Parcels(4), together), WEIGHTS)
    assert np.allclose(columns, VALUES @ WEIGHTS.T.toarray())
    assert left_out == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_left_out_of_all_volumes_and_counted(bad: float) -> None:
    values = VALUES.copy()
    values[7, 1] = bad
    values[2, 3] = bad  # in no column, so of no account
    columns, left_out = columns_of(Signal(values, Parcels(4)), WEIGHTS)
    assert left_out == 1
    assert np.allclose(columns, np.stack([values[:, 0], values[:, 2], np.zeros(11)], axis=1))


@pytest.mark.parametrize("together", [3, 11])
def test_a_volume_of_nothing_that_is_finite_ends_the_recording_by_its_number(together: int) -> None:
    values = VALUES.copy()
    values[7] = np.nan
    with pytest.raises(UnreadableError, match="volume 7 has no finite value"):
        columns_of(Signal(values, Parcels(4), together), WEIGHTS)


def test_a_signal_that_ends_early_is_no_recording() -> None:
    class Short(Signal):
        n_volumes = 12

    with pytest.raises(UnreadableError, match="another number of volumes than the 12"):
        columns_of(Short(VALUES, Parcels(4)), WEIGHTS)
