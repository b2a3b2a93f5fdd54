"""The training curve of a rung: rows of table ``curve``, dense at first, probed along the trunk."""

from collections.abc import Callable
from typing import Any

from transferscale.pretrain.instability import Instability
from transferscale.pretrain.schedule import Schedule
from transferscale.pretrain.spacing import kept, probed
from transferscale.pretrain.training import Taken, Training

PROBED = ("heldout_loss", "effective_rank", "feature_spread", "probe")


class Curve:
    """Collect the curve, the mean loss at its end, and signs of instability.

    Parameters
    ----------
    rows
        The curve so far.
    probe
        Values of the columns :data:`PROBED` at the current weights.
    per_decade
        Probes as the steps of the trunk grow tenfold.

    Attributes
    ----------
    instability
        Running statistics.
    """

    def __init__(
        self,
        rows: list[dict[str, Any]],
        schedule: Schedule,
        batch: int,
        probe: Callable[[], dict[str, float | None]],
        per_decade: int,
    ) -> None:
        self.rows, self.schedule, self.batch = rows, schedule, batch
        self.probe, self.per_decade = probe, per_decade
        self.instability = Instability(schedule.warmup, schedule.start)
        self.tail_loss, self.tail_norm, self.tail_count = 0.0, 0.0, 0

    @property
    def train_loss(self) -> float:
        """Mean loss over the last tenth of the decay."""
        return self.tail_loss / self.tail_count

    @property
    def grad_norm(self) -> float:
        """Mean gradient norm before clipping, over the same steps."""
        return self.tail_norm / self.tail_count

    def after(self, step: int, training: Training) -> None:
        """Add the steps whose losses were read; probe the trunk where it is due."""
        due = step <= self.schedule.trunk_end and probed(step, self.per_decade)
        if due or step in (self.schedule.trunk_end, self.schedule.end) or step % training.read_every == 0:
            self.flush(training)
        if due:
            self.rows[-1].update(self.probe())

    def flush(self, training: Training) -> None:
        """Read what was not read yet, and add it."""
        try:
            training.read()
        finally:
            self.add(training.take())

    def add(self, taken: list[Taken]) -> None:
        """Count steps, and keep the rows that are due."""
        for step, loss, norm in taken:
            self.instability.see(step, loss, norm)
            if step > self.schedule.tail:
                self.tail_loss += loss
                self.tail_norm += norm
                self.tail_count += 1
            last = step in (self.schedule.trunk_end, self.schedule.end)
            if last or kept(step) or (step <= self.schedule.trunk_end and probed(step, self.per_decade)):
                self.rows.append(
                    {
                        "step": step,
                        "clips_seen": step * self.batch,
                        "phase": self.schedule.phase(step - 1),
                        "loss": loss,
                        "learning_rate": self.schedule.factor(step - 1),
                        "grad_norm": norm,
                        **dict.fromkeys(PROBED),
                    }
                )

    def state_dict(self) -> dict[str, Any]:
        """State, for resuming and for the next rung."""
        return {
            "instability": self.instability.state_dict(),
            "tail": [self.tail_loss, self.tail_norm, self.tail_count],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; that of a trunk's end has no tail."""
        self.instability.load_state_dict(state["instability"])
        self.tail_loss, self.tail_norm, self.tail_count = state["tail"]
