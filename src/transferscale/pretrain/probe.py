"""What the features of held-out clips know: a ridge read-out, cross-validated over videos.

It is cheap and has nothing to tune, because it is asked many times along a trunk: its course is read, not its height.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

# A probe looks at so many held-out clips at most: at a large network it costs as much as training on ten times as many.
PROBE_CLIPS = 64
FOLDS = 5
# Penalty, as a share of the training clips, on features of unit SD.
PENALTY = 0.1

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def probe_metric(labels: Ints) -> str:
    """What is asked: ``balanced_accuracy`` of the labels where there are two classes, else ``r2`` of the motion."""
    return "balanced_accuracy" if len(np.unique(labels[labels >= 0])) > 1 else "r2"


def probe_score(
    features: Float[np.ndarray, "clips width"],
    labels: Ints,
    motion: Reals,
    videos: Sequence[str],
) -> float | None:
    """Score of the read-out on clips of videos that it was not fitted to.

    Parameters
    ----------
    labels
        Class of each clip, -1 for none, (clips,).
    motion
        Frame difference of each clip (table ``clips``), (clips,); its logarithm is the target without classes.
    videos
        Video of each clip; all clips of one are in the same fold.

    Returns
    -------
    float or None
        Balanced accuracy or R2; None where there are fewer videos than folds or nothing to tell.
    """
    if probe_metric(labels) == "r2":
        known = np.isfinite(motion) & (motion > 0)
        target = np.log(np.where(known, motion, 1.0))[:, None]
    else:
        known = labels >= 0
        target = (labels[:, None] == np.unique(labels[known])).astype(np.float64)
    values, target = np.asarray(features, np.float64)[known], target[known]
    fold = folds([video for video, use in zip(videos, known, strict=True) if use])
    if fold.max(initial=-1) < FOLDS - 1 or not np.ptp(target, axis=0).any():
        return None
    guess = np.empty_like(target)
    for number in range(FOLDS):
        test = fold == number
        guess[test] = ridge(values[~test], target[~test], values[test])
    if target.shape[1] == 1:
        return float(1 - ((target - guess) ** 2).sum() / ((target - target.mean()) ** 2).sum())
    hit = guess.argmax(axis=1) == target.argmax(axis=1)
    return float(np.mean([hit[own > 0].mean() for own in target.T]))


def folds(videos: Sequence[str]) -> npt.NDArray[np.int64]:
    """Fold of each clip: videos in the order of their names, dealt out in turn."""
    _, which = np.unique(np.asarray(videos, dtype=str), return_inverse=True)
    return (which % FOLDS).astype(np.int64)


def ridge(x: Reals, y: Reals, new: Reals) -> Reals:
    """Prediction (new, targets) of ridge regression with an intercept, in closed form, in the smaller space."""
    mean, sd = x.mean(axis=0), x.std(axis=0)
    scale = np.where(sd > 0, sd, 1.0)
    a, b, centre = (x - mean) / scale, (new - mean) / scale, y.mean(axis=0)
    if a.shape[1] <= a.shape[0]:
        weights = np.linalg.solve(a.T @ a + PENALTY * len(a) * np.eye(a.shape[1]), a.T @ (y - centre))
        return np.asarray(b @ weights + centre)
    dual = np.linalg.solve(a @ a.T + PENALTY * len(a) * np.eye(len(a)), y - centre)
    return np.asarray(b @ (a.T @ dual) + centre)
