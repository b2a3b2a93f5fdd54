"""Learning rate over a rung: warm-up, constant (the trunk), then a decay to the finished model.

Hägele et al. 2024, arXiv 2405.18392: one trunk with decayed branches replaces a run a budget.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Steps of a rung; step s (from 0) is the update from state s to state s + 1.

    Attributes
    ----------
    warmup
        Steps of linear warm-up from the start of the trunk.
    start
        First step of this rung.
    trunk_end
        Step at which the trunk's state is handed on and the decay begins.
    end
        Step at which the model is finished.
    """

    warmup: int
    start: int
    trunk_end: int
    end: int

    def phase(self, step: int) -> str:
        """``trunk`` or ``decay``."""
        return "trunk" if step < self.trunk_end else "decay"

    def factor(self, step: int) -> float:
        """Factor on the learning rates: 1 - sqrt in the decay, which reaches zero one step after its last."""
        if step >= self.trunk_end:
            done = (step - self.trunk_end + 1) / (self.end - self.trunk_end + 1)
            return float(1 - done**0.5)
        return min(1.0, (step + 1) / max(1, self.warmup))


def steps(clips: int, batch: int) -> int:
    """Optimiser steps that see about that many clips."""
    return round(clips / batch)
