"""From windows to subjects, by one rule for every arm: mean, SD and covariance of window features.

Notable:
- a window's features are, at each of its times, what the reader makes of all places: for a raw series the
  parcels of a volume, for a network the tokens of a time step side by side; nothing is pooled;
- mean and SD run over the subject's windows, feature by feature; the covariance is that between the features
  of one time, over all times of all windows of the subject. It is to a network what connectivity is to a
  series: the covariance of channels pooled over places would not see which places go together (with random
  weights, r with log age at 16 labels on ds000228 is .60 instead of .36);
- the arithmetic is written in what numpy and torch have in common, so that frozen features, baselines and
  fine-tuning, which needs its gradient, share these lines.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

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


def members(owner: npt.NDArray[np.int64], subjects: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """:func:`membership` of windows by who owns them, among these subjects and in their order."""
    place = {subject: i for i, subject in enumerate(subjects.tolist())}
    return membership(np.array([place[one] for one in owner.tolist()], dtype=np.int64), len(subjects))


def moments(windows: Any, member: Any) -> tuple[Any, Any, Any]:
    """Mean and SD over a subject's windows, and what the covariance is made of; numpy or torch alike.

    Parameters
    ----------
    windows
        Window features, float (windows, times, features).
    member
        :func:`membership`, of the same library.

    Returns
    -------
    mean, sd
        (subjects, times * features), SD with divisor n.
    deviation
        (windows, times, features), from the subject's mean over all its windows and times.
    """
    count, times, features = windows.shape
    share = shares(member)
    flat = windows.reshape(count, times * features)
    mean = share @ flat
    sd = (share @ (flat - member @ mean) ** 2 + VARIANCE_FLOOR) ** 0.5
    centre = mean.reshape(-1, times, features).mean(1)
    deviation = windows - (member @ centre).reshape(count, 1, features)
    return mean, sd, deviation


def shares(member: Any) -> Any:
    """Weight of each window in its subject's mean, (subjects, windows)."""
    return (member / member.sum(0)).T


def covariances(deviation: Any, member: Any) -> Any:
    """Covariance of each subject (subjects, features * features), from the deviations of :func:`moments`.

    For few features; the inner products of covariances of many are had without forming them
    (``features.covariance_products``).
    """
    windows, times, features = deviation.shape
    second = deviation.swapaxes(1, 2) @ deviation / times
    return shares(member) @ second.reshape(windows, features * features)
