"""A score that somebody wants to reach, on the scale that laws are fitted on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError, nearest
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.metrics import Reals

# What a guess scores in a metric; of an accuracy it depends on the classes and is a matter of --chance.
METRICS: dict[str, Outcome] = {
    "auroc": Outcome(True, 1.0, 0.5),
    "accuracy": Outcome(True),
    "balanced_accuracy": Outcome(True),
    "r": Outcome(True),
    "r2": Outcome(True),
    "loss": Outcome(),
    "error": Outcome(),
    "mae": Outcome(),
    "mse": Outcome(),
    "rmse": Outcome(),
}


@dataclass(frozen=True)
class Target:
    """The score ``value`` of a metric, and how that metric becomes what is fitted.

    ``column`` is where a table holds its scores; empty where they have no other name than the metric.
    """

    metric: str
    value: float
    outcome: Outcome
    column: str = ""

    @property
    def called(self) -> str:
        """What sentences about the scores call them."""
        return self.column or self.metric

    @property
    def log_error(self) -> float:
        """Logarithm of the error (or loss) that is left when the target is reached."""
        return float(np.log(self.outcome.error(np.array(self.value))))

    @property
    def words(self) -> str:
        """As sentences call it."""
        return f"{self.metric} {self.value:g}"

    def short_of(self, score: Reals, best: float) -> Reals:
        """By how much scores are worse than the best one, in the metric's unit."""
        return (best - score) if self.outcome.score else (score - best)

    def reached(self, score: Reals) -> npt.NDArray[np.bool_]:
        """Which scores reach it."""
        return self.short_of(score, self.value) <= 0


def target_of(metric: str, value: float, chance: float | None = None, ceiling: float | None = None) -> Target:
    """A target in a metric that is known, or in one whose ceiling is given.

    Raises
    ------
    UserError
        If the metric is not known and has no ceiling, or the target does not lie between chance and ceiling
        (of a loss: above 0).
    """
    known = METRICS.get(metric)
    if known is None and ceiling is None:
        raise UserError(
            f"metric '{metric}' is unknown; {nearest(metric, METRICS)} (for another score give its --ceiling)"
        )
    if known is not None and not known.score:
        if ceiling is not None or chance is not None:
            raise UserError(f"metric '{metric}' is a loss, which has no --ceiling and no --chance")
        if not value > 0:
            raise UserError(f"--target: {metric} {value:g} is not above 0, so no law of a loss reaches it")
        return Target(metric, value, known)
    low = chance if chance is not None else (known.chance if known else 0.0)
    high = ceiling if ceiling is not None else (known.ceiling if known else 1.0)
    if not high > low:
        raise UserError(f"--ceiling ({high:g}) must lie above --chance ({low:g})")
    if not value < high:
        raise UserError(f"--target: {metric} {value:g} is not below the ceiling, {high:g}; name a lower one")
    if not value > low:
        raise UserError(
            f"--target: {metric} {value:g} is not above chance, {low:g}: it takes nothing to reach"
        )
    return Target(metric, value, Outcome(True, high, low))
