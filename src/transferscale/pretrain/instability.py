"""Signs of instability in a training curve, told as flags of the checkpoint.

Rules, each seen at every step of the rung, also at those that the curve leaves out:

- ``loss-spike``: the loss exceeds the running mean by six running SDs and by a tenth of that mean;
- ``gradient-explosion``: the gradient norm, before clipping, is ten times its running mean;
- ``collapse``: the features of held-out clips have collapsed at the end (:mod:`transferscale.pretrain.health`).

Running means are exponential, over about :data:`MEMORY` steps, and count from :data:`MEMORY` steps after the warm-up.
"""

from typing import Any

MEMORY = 50
SPIKE_SDS, SPIKE_SHARE, EXPLOSION = 6.0, 0.1, 10.0


class Instability:
    """Running statistics of loss and gradient norm, and what was found in this rung.

    Attributes
    ----------
    found
        Flag -> [times, first step].
    """

    def __init__(self, warmup: int, start: int) -> None:
        self.warmup, self.start = warmup, start
        self.seen, self.mean, self.variance, self.norm = 0, 0.0, 0.0, 0.0
        self.found: dict[str, list[int]] = {}

    def see(self, step: int, loss: float, norm: float) -> None:
        """Judge a step by those before it, then count it among them."""
        if step > self.warmup and self.seen >= MEMORY:
            excess = loss - self.mean
            if excess > max(SPIKE_SDS * self.variance**0.5, SPIKE_SHARE * abs(self.mean)):
                self._flag("loss-spike", step)
            if norm > EXPLOSION * self.norm:
                self._flag("gradient-explosion", step)
        if step <= self.warmup:
            return
        self.seen += 1
        # A plain mean until the memory is full.
        share = 1 / min(self.seen, MEMORY)
        difference = loss - self.mean
        self.mean += share * difference
        self.variance = (1 - share) * (self.variance + share * difference**2)
        self.norm += share * (norm - self.norm)

    def _flag(self, name: str, step: int) -> None:
        times, first = self.found.get(name, [0, step])
        self.found[name] = [times + 1, first]

    def flags(self, collapsed: bool) -> str:
        """Column ``flags``: as in ``loss-spike x2 from step 311; collapse``; empty for none."""
        said = [f"{name} x{times} from step {first}" for name, (times, first) in sorted(self.found.items())]
        return "; ".join([*said, *(["collapse"] if collapsed else [])])

    def state_dict(self) -> dict[str, Any]:
        """State, for resuming and for the next rung."""
        return {
            "start": self.start,
            "running": [self.seen, self.mean, self.variance, self.norm],
            "found": {name: list(value) for name, value in self.found.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; what an earlier rung found stays with that rung."""
        self.seen, self.mean, self.variance, self.norm = state["running"]
        if state["start"] == self.start:
            self.found = {name: list(value) for name, value in state["found"].items()}
