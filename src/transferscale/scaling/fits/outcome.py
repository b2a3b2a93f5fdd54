"""What a law is fitted to: a loss as it is, or a score as the error that is left below its ceiling.

A law is a function that stays above zero. A loss does; of a score, such as accuracy or R2, the error
(ceiling - score) / (ceiling - chance) does, and a score below chance (a negative R2) is an error above 1.
"""

import re
from dataclasses import dataclass

import numpy as np

from transferscale.errors import UserError, nearest
from transferscale.scaling.laws.base import Curve
from transferscale.scaling.metrics import Reals

BETTER = ("auto", "lower", "higher")
# Rank correlation with scale that shows which way a column goes.
CLEAR = 0.5
# Words in names of columns that are losses, and scores.
LOSSES = {"loss", "err", "error", "nll", "perplexity", "ppl", "mse", "mae", "rmse", "ce", "bpb"}
SCORES = {"acc", "accuracy", "auroc", "auc", "score", "f1", "r2", "r", "bleu", "reward", "correlation"}


@dataclass(frozen=True)
class Outcome:
    """How a column becomes what is fitted: unchanged, or with ``score`` the error below ``ceiling``."""

    score: bool = False
    ceiling: float = 1.0
    chance: float = 0.0

    def error(self, y: Reals) -> Reals:
        """What is fitted."""
        return (self.ceiling - y) / (self.ceiling - self.chance) if self.score else y

    def value(self, error: Reals) -> Reals:
        """The column's own unit again."""
        return self.ceiling - (self.ceiling - self.chance) * error if self.score else error

    def describe(self, y: str) -> str:
        """In words."""
        if not self.score:
            return y
        left = f"{self.ceiling:g} - {y}"
        return left if self.ceiling - self.chance == 1 else f"({left}) / {self.ceiling - self.chance:g}"


def outcome_of(
    law: Curve,
    log_x: Reals,
    y: Reals,
    name: str,
    *,
    better: str = "auto",
    ceiling: float | None = None,
    chance: float | None = None,
) -> Outcome:
    """Whether a column is a loss (``better`` 'lower') or a score ('higher'); as :func:`outcome_by`."""
    return outcome_by(law, trend(log_x, y), y, name, better=better, ceiling=ceiling, chance=chance)


def outcome_by(
    law: Curve,
    along: float,
    y: Reals,
    name: str,
    *,
    better: str = "auto",
    ceiling: float | None = None,
    chance: float | None = None,
    compared: bool = False,
) -> Outcome:
    """Whether a column is a loss (``better`` 'lower') or a score ('higher').

    A ceiling or a chance level makes it a score. Left to itself ('auto'), a column that goes clearly against
    the law (``along``, its rank correlation with scale, above 0.5; for a link from loss to error, below -0.5
    with the loss) is a score with ceiling 1; a power law, which may go either way, takes it for one only if it
    stays within 1.

    Parameters
    ----------
    compared
        Whether curves are ranked: then what rises beyond 1 is refused, as the ranking would hang on a guess.

    Raises
    ------
    UserError
        If the column is a score that exceeds 1 and no ceiling is given, or the ceiling is not above chance.
    """
    if ceiling is not None or chance is not None:
        found = Outcome(True, 1.0 if ceiling is None else ceiling, 0.0 if chance is None else chance)
        if not found.ceiling > found.chance:
            raise UserError(
                f"column '{name}': the ceiling ({found.ceiling:g}) must lie above chance ({found.chance:g})"
            )
        return found
    if better not in BETTER:
        raise UserError(f"--better: '{better}' is unknown; {nearest(better, BETTER)}")
    most = float(np.nanmax(y, initial=-np.inf))
    if better == "higher":
        if most > 1:
            raise UserError(f"column '{name}' exceeds 1; give --ceiling, the best value it can have")
        return Outcome(True)
    if better == "lower" or (len(law.variables) > 1 and law.rises is None):
        return Outcome()
    if (-along if law.rises else along) <= CLEAR:
        return Outcome()
    if most <= 1:
        return Outcome(True)
    if law.rises is None and not compared:
        return Outcome()
    goes = "falls with the loss" if law.rises else "rises with scale"
    if law.rises is None:
        raise UserError(
            f"column '{name}' {goes} and exceeds 1; give --ceiling, the best value it can have, if it is a score, or "
            "--better lower if it is a loss"
        )
    raise UserError(
        f"column '{name}' {goes} and exceeds 1, so it is no loss; give --ceiling, the best value it can have"
    )


def trend(log_x: Reals, y: Reals) -> float:
    """Rank correlation of an outcome with scale; 0 where either does not vary."""
    finite = np.isfinite(y)
    along, values = log_x.sum(1)[finite], y[finite]
    if len(values) < 2 or np.ptp(along) == 0 or np.ptp(values) == 0:
        return 0.0
    return float(np.corrcoef(_ranks(along), _ranks(values))[0, 1])


def sounds_otherwise(outcome: Outcome, name: str) -> str | None:
    """A remark where the column's name says a loss and it was taken for a score, or the other way."""
    words = set(re.split(r"[^a-z0-9]+|(?<=[a-z])(?=[0-9])", name.lower()))
    loss, score = bool(words & LOSSES), bool(words & SCORES)
    if outcome.score and loss and not score:
        return f"'{name}' rises with scale and was taken for a score; say --better lower if it is a loss"
    if not outcome.score and score and not loss:
        return f"'{name}' was taken for a loss, as it does not rise with scale; say --better higher if it is a score"
    return None


def _ranks(values: Reals) -> Reals:
    """Ranks, the mean of them where values are equal (replicates of one scale have no order)."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Reals = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
