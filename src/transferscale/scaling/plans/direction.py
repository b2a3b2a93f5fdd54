"""Whether scores go the way that their metric should: a score rises with compute and labels, a loss falls."""

from collections.abc import Iterable, Sequence

import numpy as np

from transferscale.errors import UserError
from transferscale.scaling.metrics import Reals
from transferscale.scaling.plans.target import METRICS, Target

# A concordance beyond this is clear; so many of its standard errors from 0, it is plain.
CLEAR, PLAIN = 0.5, 1.96


def concordance(runs: Iterable[tuple[Reals, Reals]]) -> tuple[float, float]:
    """Kendall's tau between scale and score within each set of runs, all together, and tau in standard errors.

    Compared are two runs of which one has at least as much of every resource and more of one; both values are 0
    where there are none. The standard error is that of as many runs in one order, without ties.

    Parameters
    ----------
    runs
        Scales, shape (runs, resources), and scores, shape (runs,), of each set.
    """
    agree, pairs, variance = 0.0, 0, 0.0
    for scales, score in runs:
        own = 0
        for scale, value in zip(scales, score, strict=True):
            more = (scales >= scale).all(1) & (scales > scale).any(1)
            agree += float(np.sign(score[more] - value).sum())
            own += int(more.sum())
        many = len(score)
        if own:
            # Of the number of agreeing pairs, were all of them compared (Kendall 1938).
            all_pairs = many * (many - 1) / 2
            variance += (own / all_pairs) ** 2 * many * (many - 1) * (2 * many + 5) / 18
        pairs += own
    return (agree / pairs, agree / np.sqrt(variance)) if pairs else (0.0, 0.0)


def against(target: Target, runs: Iterable[tuple[Reals, Reals]], resources: Sequence[str]) -> str | None:
    """A remark where the scores go clearly against the metric; None where they do not.

    Parameters
    ----------
    runs
        As for :func:`concordance`.
    resources
        What sentences call the resources.

    Raises
    ------
    UserError
        If a metric that falls is plainly a score: the answer would be the opposite of what is wanted.
    """
    tau, errors = concordance(runs)
    sign = 1 if target.outcome.score else -1
    if sign * tau > -CLEAR:
        return None
    more = " and ".join(f"'{name}'" for name in resources)
    if target.outcome.score:
        return (
            f"column '{target.called}' falls with {more}, where {target.metric} should rise: if it is a loss, give "
            "--metric loss"
        )
    if abs(errors) < PLAIN:
        return (
            f"column '{target.called}' rises with {more}, where {target.metric} should fall: if it is a score, give "
            "its --metric"
        )
    scores = ", ".join(name for name, outcome in METRICS.items() if outcome.score)
    raise UserError(
        f"column '{target.called}' rises with {more}, so it is a score and no {target.metric}; give its --metric "
        f"({scores}, or another name with its --ceiling)"
    )
