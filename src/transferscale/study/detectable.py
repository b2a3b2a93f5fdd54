"""The smallest detectable gain from the number of test subjects alone: arithmetic, before anything is run.

A gain is detected with 80 % power at two-sided 5 % if it is 2.8 standard errors large. The standard error of an
arm minus its reference, tested on the same subjects, is that of one score times sqrt(2 (1 - rho)), with rho the
correlation of the two scores over samples of subjects.
"""

import math
from dataclasses import dataclass

# Two-sided 5 % and 80 % power, in standard errors.
DETECTABLE = 1.959964 + 0.841621
# Assumed correlation of an arm and its reference. At one half a gain is as uncertain as a score.
CORRELATION = 0.5
# Assumed score of the reference, and where the standard error is from.
ASSUMED = {"auroc": 0.75, "accuracy": 0.75, "balanced_accuracy": 0.75, "r": 0.3, "r2": 0.1}
METHOD = {
    "auroc": "Hanley & McNeil 1982",
    "accuracy": "binomial",
    "balanced_accuracy": "binomial",
    "r": "Fisher's z",
    "r2": "Fisher's z",
}


@dataclass(frozen=True)
class Answers:
    """Independent answers that are scored: all, and those of each class (none for regression).

    One a subject; in a state task one a window, the windows of a subject counted as independent.
    """

    count: int
    classes: tuple[int, ...] = ()


def detectable_gain(error: float) -> float:
    """Smallest gain over a reference whose score has this standard error, at the assumed correlation."""
    return DETECTABLE * math.sqrt(2 * (1 - CORRELATION)) * error


def standard_error(metric: str, answers: Answers) -> float:
    """Standard error of a score of its assumed value; infinite with too few answers.

    The area under the ROC curve by Hanley & McNeil (1982, Radiology 143:29-36), with more than two classes the
    mean of one against the rest; accuracies as shares of independent answers; a correlation by Fisher's z, whose
    variance is 1 / (n - 3); R2 as the square of a correlation.
    """
    value = ASSUMED[metric]
    if not answers.count or (metric in ("auroc", "balanced_accuracy") and not all(answers.classes)):
        return math.inf
    if metric == "auroc":
        sizes = answers.classes if len(answers.classes) > 2 else answers.classes[:1]
        errors = [_area_error(value, size, answers.count - size) for size in sizes]
        return sum(errors) / len(errors)
    if metric == "accuracy":
        return _share_error(value, answers.count)
    if metric == "balanced_accuracy":
        recalls = [_share_error(value, size) for size in answers.classes]
        return math.hypot(*recalls) / len(recalls)
    r = value if metric == "r" else math.sqrt(value)
    error = (1 - r**2) / math.sqrt(answers.count - 3) if answers.count > 3 else math.inf
    return error if metric == "r" else 2 * r * error


def _area_error(area: float, positives: int, negatives: int) -> float:
    if not negatives:
        return math.inf
    both_positive, both_negative = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area)
    variance += (positives - 1) * (both_positive - area**2) + (negatives - 1) * (both_negative - area**2)
    return math.sqrt(variance / (positives * negatives))


def _share_error(share: float, answers: int) -> float:
    return math.sqrt(share * (1 - share) / answers)
