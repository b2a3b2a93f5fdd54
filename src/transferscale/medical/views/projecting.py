"""From a signal to columns, block by block: the recording itself is never held."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from transferscale.medical.recording import Signal, UnreadableError
from transferscale.medical.views.sampling import Weights, within

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def columns_of(signal: Signal, weights: Weights) -> tuple[Floats, int]:
    """Weighted means of a signal's features (volumes, columns), and the number of features left out.

    A feature that is not finite in some volume is left out of its columns in all of them, and the rest weighs the more;
    the signal is read a second time for that, only where there is one.

    Parameters
    ----------
    signal
        The recording.
    weights
        (columns, features), rows summing to one or empty; its precision is that of the result.

    Raises
    ------
    UnreadableError
        If the signal is damaged, holds another number of volumes than it says, or a volume has no finite value.
    """
    columns, odd = _project(signal, weights)
    if not odd.any():
        return columns, 0
    columns, _ = _project(signal, within(weights, ~odd))
    return columns, int(np.count_nonzero(odd))


def _project(signal: Signal, weights: Weights) -> tuple[Floats, Bool]:
    """The columns, and which features (all of the signal's) are not finite somewhere."""
    features = weights.shape[1]
    inside = np.unique(weights.indices).astype(np.int64)
    number = np.zeros(features, dtype=weights.indices.dtype)
    number[inside] = np.arange(len(inside))
    few: Weights = csr_array(
        (weights.data, number[weights.indices], weights.indptr), shape=(weights.shape[0], len(inside))
    )
    columns = np.empty((signal.n_volumes, weights.shape[0]), dtype=weights.dtype)
    odd = np.zeros(features, dtype=bool)
    volume = 0
    for block in signal.blocks(inside):
        end = volume + len(block)
        if end > signal.n_volumes:
            break
        columns[volume:end] = (few @ block.T).T
        if not np.isfinite(columns[volume:end]).all():
            finite = np.isfinite(block)
            if (empty := np.flatnonzero(~finite.any(axis=1))).size:
                raise UnreadableError(f"volume {volume + empty[0]} has no finite value (the first is 0)")
            odd[inside[~finite.all(axis=0)]] = True
        volume = end
    else:
        if volume == signal.n_volumes:
            return columns, odd
    raise UnreadableError(f"holds another number of volumes than the {signal.n_volumes} it announces")
