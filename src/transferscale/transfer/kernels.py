"""Kernels of a read-out: Gram matrices centred and scaled by training statistics alone.

A problem is a list of training rows and a list of rows to predict; many are handled at once. Problems of
different sizes are stacked by padding; padded training rows have weight zero everywhere, so that every
result is exactly that of the problem alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Problems:
    """Stacked problems.

    Attributes
    ----------
    train
        Training rows, int (problems, rows), padded with row 0.
    real
        1 for a row, 0 for padding, float (problems, rows).
    other
        Rows to predict, int (problems, others), padded with row 0.
    sizes
        Number of rows to predict of each problem.
    """

    train: Rows
    real: Real
    other: Rows
    sizes: Rows

    def __len__(self) -> int:
        return len(self.train)

    def __getitem__(self, rows: Rows | slice) -> "Problems":
        return Problems(self.train[rows], self.real[rows], self.other[rows], self.sizes[rows])


def stack(train: Sequence[Rows], other: Sequence[Rows]) -> Problems:
    """Stack problems, given the training rows and the rows to predict of each."""
    rows, real, _ = _pad(train)
    others, _, sizes = _pad(other)
    return Problems(rows, real, others, sizes)


def _pad(lists: Sequence[Rows]) -> tuple[Rows, Real, Rows]:
    sizes = np.array([len(rows) for rows in lists], dtype=np.int64)
    real = np.arange(sizes.max()) < sizes[:, None]
    padded = np.zeros(real.shape, dtype=np.int64)
    padded[real] = np.concatenate(lists)
    return padded, real.astype(np.float64), sizes


def kernels(blocks: Sequence[npt.NDArray[np.float32]], problems: Problems) -> tuple[Real, Real]:
    """Kernel of the training rows, and between the rows to predict and the training rows.

    Each block is centred with the mean of the training rows and divided by their mean squared norm (its mean
    diagonal), then blocks are averaged; the mean diagonal over training rows is thus 1, and a penalty is
    relative to the mean squared feature norm. A block without variance among the training rows counts as
    zero.

    Parameters
    ----------
    blocks
        Gram matrices of uncentred features, (all rows, all rows).

    Returns
    -------
    inner : (problems, rows, rows)
    cross : (problems, others, rows)
    """
    train, real, other = problems.train, problems.real, problems.other
    share = real / real.sum(axis=1, keepdims=True)
    inner = np.zeros((*train.shape, train.shape[1]))
    cross = np.zeros((*other.shape, train.shape[1]))
    used = np.zeros((len(train), 1, 1))
    for block in blocks:
        among, between = _cut(block, train, train), _cut(block, other, train)
        raw = np.einsum("gi,gii->g", share, among)
        row = (among @ share[:, :, None])[:, :, 0]
        centre = np.einsum("gi,gi->g", row, share)[:, None]
        # In place, here and below: these arrays are all the memory and most of the time.
        among -= row[:, :, None]
        among -= (row - centre)[:, None, :]
        between -= between @ share[:, :, None]
        between -= (row - centre)[:, None, :]
        size = np.einsum("gi,gii->g", share, among)
        # What is below this is the rounding of float32 features.
        varies = size > np.maximum(1e-12, 1e-6 * raw)
        scale = np.where(varies, 1 / np.where(varies, size, 1), 0)[:, None, None]
        among *= scale
        between *= scale
        inner += among
        cross += between
        used += varies[:, None, None]
    used = np.maximum(used, 1)
    inner *= real[:, :, None] * real[:, None, :] / used
    cross *= real[:, None, :] / used
    return inner, cross


def _cut(block: npt.NDArray[np.float32], rows: Rows, columns: Rows) -> Real:
    """Submatrices (problems, rows, columns) of one matrix."""
    cut = np.empty((*rows.shape, columns.shape[1]))
    for i, (down, across) in enumerate(zip(rows, columns, strict=True)):
        cut[i] = block[down][:, across]
    return cut
