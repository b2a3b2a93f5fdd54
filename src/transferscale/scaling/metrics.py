"""Weighted metrics, many resamples at a time.

Every function takes ``weights`` (resamples x rows) and predictions for several columns at once (a column is
one repeat, label draw and seed) and returns (resamples x columns). A row is a test subject, or a window of
one in a state task; a weight of 0 leaves it out, of 2 counts it twice. ``weights=None`` is one resample in
which every row counts once.
"""

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# What is scored for each kind of task, whether or not a claim asks for it.
OF_KIND = {
    "classification": ("auroc", "balanced_accuracy"),
    "state": ("accuracy", "balanced_accuracy"),
    "regression": ("r", "r2"),
}


def auroc(truth: Ints, score: Reals, weights: Reals | None = None) -> Reals:
    """Area under the ROC curve: the weighted share of pairs in the right order, ties counting one half.

    Parameters
    ----------
    truth
        Class index, shape (rows,).
    score
        One score a class, shape (rows, classes, columns). With two classes the difference of the two scores
        ranks the rows; with more, the mean over classes of one against the rest (macro; classes absent from
        ``truth`` are left out of the mean).
    weights
        Shape (resamples, rows).
    """
    weights = _weights(weights, len(truth))
    classes = score.shape[1]
    if classes == 2:
        return _two_class_auroc(truth == 1, score[:, 1] - score[:, 0], weights)
    present = [c for c in range(classes) if 0 < np.count_nonzero(truth == c) < len(truth)]
    if not present:
        return np.full((len(weights), score.shape[2]), np.nan)
    one_against_rest = [_two_class_auroc(truth == c, score[:, c], weights) for c in present]
    return np.asarray(np.mean(one_against_rest, axis=0), dtype=np.float64)


def _two_class_auroc(positive: npt.NDArray[np.bool_], score: Reals, weights: Reals) -> Reals:
    above, below = weights[:, positive], weights[:, ~positive]
    pairs = above.sum(1) * below.sum(1)
    out = np.empty((len(weights), score.shape[1]))
    for j in range(score.shape[1]):
        difference = score[positive, j][:, None] - score[~positive, j][None, :]
        concordance = (np.sign(difference) + 1) / 2
        out[:, j] = np.einsum("bn,bn->b", above @ concordance, below)
    with np.errstate(invalid="ignore", divide="ignore"):
        out /= pairs[:, None]
    return out


def accuracy(truth: Ints, predicted: Ints, weights: Reals | None = None) -> Reals:
    """Weighted share of rows whose predicted class, shape (rows, columns), is the true one."""
    weights = _weights(weights, len(truth))
    correct = (predicted == truth[:, None]).astype(np.float64)
    share: Reals = (weights @ correct) / weights.sum(1, keepdims=True)
    return share


def balanced_accuracy(truth: Ints, predicted: Ints, weights: Reals | None = None) -> Reals:
    """Mean over the classes in ``truth`` of the weighted share of the class that is recognised."""
    weights = _weights(weights, len(truth))
    own = [truth == c for c in np.unique(truth)]
    recalled = [accuracy(truth[c], predicted[c], weights[:, c]) for c in own]
    return np.asarray(np.mean(recalled, axis=0), dtype=np.float64)


def r(truth: Reals, predicted: Reals, weights: Reals | None = None) -> Reals:
    """Weighted Pearson correlation with ``predicted``, shape (rows, columns); 0 where the prediction is
    constant.
    """
    weights = _weights(weights, len(truth))
    share = weights / weights.sum(1, keepdims=True)
    # Centring first keeps the moments small, so that their differences keep their digits.
    y, p = truth - truth.mean(), predicted - predicted.mean(0)
    mean_y, mean_p = (share @ y)[:, None], share @ p
    covariance = share @ (y[:, None] * p) - mean_y * mean_p
    variance_y = (share @ y**2)[:, None] - mean_y**2
    variance_p = share @ p**2 - mean_p**2
    scale = 1e-12 * np.maximum((p**2).mean(0), np.finfo(float).tiny)
    flat = variance_p <= scale
    with np.errstate(invalid="ignore", divide="ignore"):
        value = covariance / np.sqrt(variance_y * np.where(flat, 1.0, variance_p))
    return np.where(flat, 0.0, value)


def r2(truth: Reals, predicted: Reals, weights: Reals | None = None) -> Reals:
    """Weighted sum-of-squares R2 with ``predicted``, shape (rows, columns): 1 - SS(error) / SS(truth)."""
    weights = _weights(weights, len(truth))
    y = truth - truth.mean()
    total = weights @ y**2 - (weights @ y) ** 2 / weights.sum(1)
    error = weights @ (truth[:, None] - predicted) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        value: Reals = 1 - error / total[:, None]
    return value


def _weights(weights: Reals | None, rows: int) -> Reals:
    return np.ones((1, rows)) if weights is None else weights
