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


# What is scored besides where a table has probabilities, and in what a lower value is better.
CALIBRATION = ("brier", "ece")
LOWER_IS_BETTER = frozenset(CALIBRATION)

# Bins of the expected calibration error at most, as many as Guo et al. (2017) take, and rows a bin at least.
BINS, ROWS_A_BIN = 15, 10


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


def brier(truth: Ints, probability: Reals, weights: Reals | None = None) -> Reals:
    """Brier score (Brier 1950): half the squared distance of the probabilities from the truth; 0 is best.

    With two classes it is the mean squared error of the second class's probability, 0.25 of a guess.

    Parameters
    ----------
    truth
        Class index, shape (rows,).
    probability
        Shape (rows, classes, columns).
    weights
        Shape (resamples, rows); see :func:`balanced_prior`.
    """
    weights = balanced_prior(truth, _weights(weights, len(truth)))
    hit = truth[:, None] == np.arange(probability.shape[1])
    squared = ((probability - hit[:, :, None]) ** 2).sum(1) / 2
    mean: Reals = (weights @ squared) / weights.sum(1, keepdims=True)
    return mean


def ece(truth: Ints, probability: Reals, weights: Reals | None = None) -> Reals:
    """Expected calibration error: how far the probability of the predicted class is from how often it is right.

    Guo et al. (2017, arXiv 1706.04599, eq. 3) average the distance over 15 bins of the probability. With 77 test
    subjects a bin holds five, and chance alone puts the two so far apart that perfectly calibrated probabilities score
    .11 instead of 0 (``tests/scaling/test_metrics.py``), and more in the resamples of a bootstrap. Therefore

    - bins hold equally many rows, at least 10, and are 15 at most (Nguyen & O'Connor 2015);
    - the squared distance is estimated without bias, from pairs of different rows (Kumar, Liang & Ma 2019, arXiv
      1909.10155, their debiased estimator, as a weighted U-statistic, so that a row drawn twice makes no pair with
      itself), and the root is taken of the mean over bins. It keeps the sign: an unbiased estimate of nothing is below
      zero half of the time, and cutting it off there would make averages and intervals too high.

    Parameters
    ----------
    truth, probability, weights
        As for :func:`brier`.
    """
    weights = balanced_prior(truth, _weights(weights, len(truth)))
    rows, _, columns = probability.shape
    # How much surer than right each row is, and the rows in the order of their confidence.
    right = probability.argmax(1) == truth[:, None]
    gap = probability.max(1) - right
    order = np.argsort(probability.max(1), axis=0, kind="stable")
    squared, total = np.zeros((len(weights), columns)), weights.sum(1)
    for part in np.array_split(np.arange(rows), min(BINS, max(1, rows // ROWS_A_BIN))):
        inside = np.zeros((rows, columns))
        np.put_along_axis(inside, order[part], 1.0, axis=0)
        held = weights @ inside
        alone = weights**2 @ inside
        pairs = (weights @ (inside * gap)) ** 2 - weights**2 @ (inside * gap**2)
        of_pairs = held**2 - alone
        enough = of_pairs > 1e-9 * held**2
        estimate = np.divide(pairs, of_pairs, out=np.zeros_like(pairs), where=enough)
        squared += estimate * held / total[:, None]
    root: Reals = np.sign(squared) * np.sqrt(np.abs(squared))
    return root


def balanced_prior(truth: Ints, weights: Reals) -> Reals:
    """Weights (resamples, rows) times what lets the classes in ``truth`` weigh alike in every resample.

    Read-outs are fitted with classes of equal weight, so their probabilities are those of a population in which the
    classes are equally frequent; that is the one they are held against.
    """
    balanced = np.array(weights, dtype=np.float64)
    for one in np.unique(truth):
        own = truth == one
        weight = balanced[:, own].sum(1, keepdims=True)
        balanced[:, own] /= np.where(weight > 0, weight, 1)
    return balanced


def _weights(weights: Reals | None, rows: int) -> Reals:
    return np.ones((1, rows)) if weights is None else weights
