"""Learning rate over a rung: warm-up, constant (the trunk), then a decay to the finished model.

Hägele et al. 2024, arXiv 2405.18392: one trunk with decayed branches replaces a run a budget.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transferscale.errors import UserError
from transferscale.study.pretrain import steps


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

    @property
    def tail(self) -> int:
        """First step of the last tenth of the decay, over which the training loss is averaged."""
        return self.end - max(1, round((self.end - self.trunk_end) / 10))


def schedule_of(spec: Mapping[str, Any], continued: bool) -> Schedule:
    """Steps of a rung from its clips (``Grid.rung_spec``).

    Parameters
    ----------
    continued
        Whether the trunk of the rung before was given.

    Raises
    ------
    UserError
        If the budget ends within the warm-up, the rung has no step, or a previous trunk is given where none is
        needed or the other way round.
    """
    batch, rung = int(spec["batch"]), spec["rung"]
    if spec["budget"] <= spec["warmup_clips"]:
        raise UserError(
            f"rung {rung}: a budget of {spec['budget']} clips ends within the warm-up of {spec['warmup_clips']}; "
            "raise pretrain.budgets.first or lower pretrain.warmup"
        )
    found = Schedule(
        warmup=steps(spec["warmup_clips"], batch),
        start=steps(spec["trunk_start"], batch),
        trunk_end=steps(spec["trunk_end"], batch),
        end=steps(spec["budget"], batch),
    )
    if not 0 <= found.start < found.trunk_end < found.end:
        raise UserError(
            f"rung {rung}: trunk from {spec['trunk_start']} to {spec['trunk_end']} clips and decay to "
            f"{spec['budget']} leave no step of {batch} clips for one of them; raise pretrain.budgets.first or "
            "lower pretrain.batch"
        )
    if continued != (found.start > 0):
        needed = (
            "takes no --previous" if continued else "needs the trunk.ckpt of the rung before (--previous)"
        )
        raise UserError(f"rung {rung}, which starts at {spec['trunk_start']} clips, {needed}")
    return found
