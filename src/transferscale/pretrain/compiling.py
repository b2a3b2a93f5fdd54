"""torch.compile by a measured rule: only where what is left to train is long enough, and only if it is faster.

``auto`` times eager steps first. It compiles when the gain to expect over the rest of the rung is twice the cost to
expect, times as many compiled steps, and goes back where they are not faster. What compiles are the networks: masks and
losses around them are drawn on the CPU. A machine without a compiler trains on without one.

Compiled and eager steps differ in the last digits, so the choice is kept in the workspace: a rung that was killed and
resumed switches at the same steps.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from transferscale.pretrain.batch import Batch
from transferscale.pretrain.training import Training

# Share of a step that compiling saves, and what it costs, by kind of device: 10 % and up to 40 s were measured on two
# CPU cores; a GPU's figures are assumed, and put right by the second measurement.
GAIN, COST_S = {"cpu": 0.1, "cuda": 0.25}, {"cpu": 40.0, "cuda": 60.0}
# The expected gain must be this multiple of the cost.
MARGIN = 2.0
WARM, MEASURED = 3, 15


def pays(step_s: float, left: int, device: str) -> bool:
    """Whether compiling is expected to pay when ``left`` steps of ``step_s`` seconds are left."""
    return GAIN[device] * step_s * left >= MARGIN * COST_S[device]


@dataclass
class Plan:
    """Which steps of a rung are compiled; kept in the workspace.

    Attributes
    ----------
    settled
        Whether the measurements are done.
    first, end
        Steps [first, end) are compiled; None: none are, and to the end of the rung.
    eager_s
        Seconds of an eager step, None until it is measured.
    reason
        Why, for a person.
    """

    settled: bool = False
    first: int | None = None
    end: int | None = None
    eager_s: float | None = None
    reason: str = ""

    def compiled(self, step: int) -> bool:
        """Whether ``step`` (from 0) is compiled."""
        return self.first is not None and self.first <= step and (self.end is None or step < self.end)


class Compiling:
    """Measure, compile, measure again, settle.

    Parameters
    ----------
    plan
        As far as an earlier attempt came.
    keep
        Called with the plan whenever it changes.
    """

    def __init__(self, plan: Plan, training: Training, keep: Callable[[dict[str, Any]], None]) -> None:
        self.plan, self.training, self.keep = plan, training, keep
        self.times: list[float] = []
        self.on = False

    def before(self, step: int, batch: Batch) -> None:
        """Be compiled or eager as planned in ``step`` (from 0)."""
        wanted = self.plan.compiled(step)
        if wanted != self.on:
            self.times = []
            if wanted:
                self._compile(batch)
            else:
                decompile(self.training.compilable)
                self.on = False
        if not self.plan.settled:
            self.start = _now(self.training.fabric.device)

    def after(self, step: int) -> None:
        """Take the time of ``step`` (from 1), and decide when there is enough of it."""
        # A rung that was killed while compiled steps were timed has eager ones to repeat before them.
        if self.plan.settled or self.on != (self.plan.eager_s is not None):
            return
        device = self.training.fabric.device
        self.times.append(_now(device) - self.start)
        if len(self.times) < WARM + MEASURED:
            return
        step_s = statistics.median(self.times[WARM:])
        self.times = []
        if self.plan.eager_s is None:
            self.plan.eager_s = step_s
            left = self.training.schedule.end - step
            if pays(step_s, left, device.type):
                self.plan.first = step
                self.keep(asdict(self.plan))
            else:
                self._settle(
                    f"eager: {left} steps of {1e3 * step_s:.1f} ms are left, too few to pay for compiling"
                )
        elif step_s < self.plan.eager_s:
            self._settle(f"compiled: {1e3 * step_s:.1f} ms a step, {1e3 * self.plan.eager_s:.1f} ms eager")
        else:
            self.plan.end = step
            self._settle(f"eager: {1e3 * self.plan.eager_s:.1f} ms a step, {1e3 * step_s:.1f} ms compiled")

    def _compile(self, batch: Batch) -> None:
        """Compile, and try it on a batch before training depends on it."""
        networks = self.training.compilable
        compile_networks(networks)
        try:
            self.training.backward(batch)
            self.on = True
        except Exception as error:  # whatever a missing or broken compiler raises
            decompile(networks)
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            print(f"torch.compile does not work here ({reason}); training goes on without", file=sys.stderr)
            self.plan.first = None
            self._settle(f"eager: torch.compile failed ({reason})")

    def _settle(self, reason: str) -> None:
        self.plan.settled, self.plan.reason = True, reason
        self.keep(asdict(self.plan))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


# Compiled is an attribute of the instance that hides its class's method; the weights keep their names.


def compile_networks(networks: Iterable[nn.Module]) -> None:
    """Make the networks run compiled from their next call on."""
    for network in networks:
        network.forward = torch.compile(network.forward)


def decompile(networks: Iterable[nn.Module]) -> None:
    """Make the networks run eagerly again."""
    for network in networks:
        network.__dict__.pop("forward", None)


@contextmanager
def eagerly(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Within it the networks run eagerly: other batch sizes and precisions would be compiled anew."""
    compiled = [(network, network.__dict__.pop("forward", None)) for network in networks]
    try:
        yield
    finally:
        for network, forward in compiled:
            if forward is not None:
                network.forward = forward
