"""From windows to subjects, by one rule for every arm: mean, SD and covariance of window features.

Notable:
- a window's features are its tokens (for a raw series: its volumes) times channels (its parcels), unpooled;
- mean and SD run over the subject's windows, feature by feature; the covariance is that of the channels over all windows
  and tokens of the subject, upper triangle;
- the arithmetic is written in what numpy and torch have in common, so that frozen features, baselines and fine-tuning,
  which needs its gradient, share these lines.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

BLOCKS = ("mean", "sd", "cov")

# Added to a variance before its root, so that a constant feature has a gradient.
VARIANCE_FLOOR = 1e-6


def membership(owner: npt.NDArray[np.int64], subjects: int) -> npt.NDArray[np.float32]:
    """Matrix (windows, subjects) with a one where the window is the subject's.

    Parameters
    ----------
    owner
        Index of each window's subject.
    subjects
        Number of subjects; each must own a window.
    """
    matrix = np.zeros((len(owner), subjects), dtype=np.float32)
    matrix[np.arange(len(owner)), owner] = 1
    if not matrix.any(axis=0).all():
        raise ValueError("a subject has no window")
    return matrix


def subject_blocks(tokens: Any, member: Any) -> tuple[Any, Any, Any]:
    """Mean, SD and covariance of window features, one row a subject; numpy arrays or torch tensors alike.

    Parameters
    ----------
    tokens
        Window features, float (windows, tokens, channels).
    member
        :func:`membership`, of the same library.

    Returns
    -------
    mean, sd
        (subjects, tokens * channels), over the subject's windows (divisor n).
    cov
        (subjects, channels * (channels + 1) / 2), over the subject's windows and tokens (divisor n).
    """
    windows, count, channels = tokens.shape
    share = (member / member.sum(0)).T
    flat = tokens.reshape(windows, count * channels)
    mean = share @ flat
    sd = (share @ (flat - member @ mean) ** 2 + VARIANCE_FLOOR) ** 0.5
    centre = mean.reshape(-1, count, channels).mean(1)
    deviation = tokens - (member @ centre).reshape(windows, 1, channels)
    second = deviation.swapaxes(1, 2) @ deviation / count
    cov = share @ second.reshape(windows, channels * channels)
    rows, columns = np.triu_indices(channels)
    return mean, sd, cov[:, rows * channels + columns]


def whole_subjects(owner: npt.NDArray[np.int64], windows: int) -> list[npt.NDArray[np.int64]]:
    """Rows of the windows, cut into batches of whole subjects with about ``windows`` windows each.

    A subject with more windows than that is a batch of its own.
    """
    rows = np.argsort(owner, kind="stable")
    batches: list[list[int]] = []
    for mine in np.split(rows, np.flatnonzero(np.diff(owner[rows])) + 1):
        if batches and len(batches[-1]) + len(mine) <= windows:
            batches[-1] += mine.tolist()
        else:
            batches.append(mine.tolist())
    return [np.array(batch, dtype=np.int64) for batch in batches]
