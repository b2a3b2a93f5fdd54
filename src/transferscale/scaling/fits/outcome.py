"""What a law is fitted to: a loss as it is, or a score as the error that is left below its ceiling.

A law is a function that stays above zero. A loss does; of a score, such as accuracy or R2, the error
(ceiling - score) / (ceiling - chance) does, and a score below chance (a negative R2) is an error above 1.
"""

from dataclasses import dataclass

import numpy as np

from transferscale.errors import UserError, nearest
from transferscale.scaling.laws.base import Law
from transferscale.scaling.metrics import Reals

BETTER = ("auto", "lower", "higher")
# Rank correlation with scale that shows which way a column goes.
CLEAR = 0.5


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
    law: Law,
    log_x: Reals,
    y: Reals,
    name: str,
    *,
    better: str = "auto",
    ceiling: float | None = None,
    chance: float | None = None,
) -> Outcome:
    """Whether a column is a loss (``better`` 'lower') or a score ('higher').

    A ceiling or a chance level makes it a score. Left to itself ('auto'), a column that goes clearly against
    the law (rank correlation with scale above 0.5; for a link from loss to error, below -0.5 with the loss)
    is a score with ceiling 1; a power law, which may go either way, takes it for one only if it stays
    within 1.

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
    if better == "higher":
        if np.nanmax(y) > 1:
            raise UserError(f"column '{name}' exceeds 1; give --ceiling, the best value it can have")
        return Outcome(True)
    if better == "lower" or (len(law.variables) > 1 and law.rises is None):
        return Outcome()
    finite = np.isfinite(y)
    along = log_x.sum(1)[finite]
    values = y[finite]
    if len(values) < 2 or np.ptp(along) == 0 or np.ptp(values) == 0:
        return Outcome()
    trend = float(np.corrcoef(_ranks(along), _ranks(values))[0, 1])
    if (-trend if law.rises else trend) <= CLEAR:
        return Outcome()
    if values.max() <= 1:
        return Outcome(True)
    if law.rises is None:
        return Outcome()
    goes = "falls with the loss" if law.rises else "rises with scale"
    raise UserError(
        f"column '{name}' {goes} and exceeds 1, so it is no loss; give --ceiling, the best value it can have"
    )


def _ranks(values: Reals) -> Reals:
    """Ranks, the mean of them where values are equal (replicates of one scale have no order)."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Reals = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
