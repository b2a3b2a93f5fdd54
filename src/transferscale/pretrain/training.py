"""Training of a rung: its networks and optimiser, gradients and update of a step, and whether it was finite."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor, nn

from transferscale.models.mup import parameter_groups
from transferscale.pretrain.accumulation import micro_batches
from transferscale.pretrain.averaging import average_of
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.objective import Objective
from transferscale.pretrain.optimiser import optimiser
from transferscale.pretrain.schedule import Schedule

# On a GPU, reading a loss waits for the step; it is read every so many steps where a bad step can be left out
# without knowing of it.
READ_EVERY = 16


class Taken(NamedTuple):
    """A step that was taken: its number (from 1), mean loss, and gradient norm before clipping."""

    step: int
    loss: float
    norm: float


class NotFiniteError(Exception):
    """Loss or gradient of a step is not finite; weights and optimiser are as they were before it.

    Attributes
    ----------
    step
        The bad step, from 1.
    loss, norm
        What it had.
    """

    def __init__(self, step: int, loss: float, norm: float) -> None:
        super().__init__(f"step {step}: loss {loss}, gradient norm {norm}")
        self.step, self.loss, self.norm = step, loss, norm


class Training:
    """What one step of a rung does to its networks.

    Parameters
    ----------
    fabric
        Device and precision.
    precision
        Its name, ``fp32`` or ``bf16``; goes into the trunk's states, whose rungs all keep it.
    spec
        ``Grid.rung_spec``.
    identity
        What the trunk depends on; goes into its states.

    Attributes
    ----------
    average
        Moving average of the networks' weights; None where it is off.
    read_every
        Steps between two looks at the losses.
    """

    def __init__(
        self,
        fabric: Fabric,
        precision: str,
        objective: Objective,
        schedule: Schedule,
        spec: Mapping[str, Any],
        identity: Mapping[str, Any],
    ) -> None:
        self.fabric, self.precision, self.objective, self.schedule = fabric, precision, objective, schedule
        self.spec, self.identity = spec, identity
        self.parts, self.clip_norm = int(spec["accumulate"]), float(spec["clip_norm"])
        self.networks = fabric.to_device(nn.ModuleDict(objective.networks))
        self.teachers = fabric.to_device(nn.ModuleDict(objective.teachers))
        self.average = average_of(self.networks, float(spec["ema"]))
        scale = objective.encoder.scale
        groups = parameter_groups(
            self.networks.values(),
            scale.multipliers,
            float(spec["learning_rate"]),
            float(spec["weight_decay"]),
        )
        self.optimiser = optimiser(spec["optimizer"], groups, scale.width, scale.multipliers)
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        # Averages, teachers and Muon would move on after a bad step.
        alone = spec["optimizer"] == "adamw" and self.average is None and not objective.teachers
        self.read_every = steps_between_reads(fabric.device, alone)
        self._bad = torch.zeros((), device=fabric.device)
        self._pending: list[tuple[int, Tensor, Tensor]] = []
        self._ready: list[Taken] = []

    @property
    def compilable(self) -> list[nn.Module]:
        """Networks that may be compiled."""
        return [*self.networks.values(), *self.teachers.values()]

    def set_rate(self, step: int) -> None:
        """Learning rates of ``step`` (from 0): a function of the step alone, whatever a restored optimiser held."""
        factor = self.schedule.factor(step)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def backward(self, batch: Batch) -> Float[Tensor, ""]:
        """Gradients of the mean loss of a batch, a micro-batch at a time; the loss."""
        self.optimiser.zero_grad()
        losses = []
        for part in micro_batches(batch.to(self.fabric.device), self.parts):
            with self.fabric.autocast():
                loss = self.objective.losses(part).mean()
            self.fabric.backward(loss / self.parts)
            losses.append(loss.detach())
        return losses[0] if self.parts == 1 else torch.stack(losses).mean()

    def update(self, step: int, loss: Float[Tensor, ""]) -> None:
        """Clip the norm over all gradients, take ``step`` (from 0), and move what follows: average and teacher.

        Raises
        ------
        NotFiniteError
            Before the update where every step is read. Elsewhere later, from :meth:`read`: then this step and those
            after it were left out on the device.
        """
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        self._pending.append((step + 1, loss, norm))
        if self.read_every == 1:
            self.read()
        else:
            # The fused kernel leaves out a step when this is 1, without the CPU knowing.
            self._bad = torch.maximum(self._bad, (~torch.isfinite(loss + norm)).float())
            self.optimiser.found_inf = self._bad  # type: ignore[attr-defined]
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.networks)
        self.objective.after_step()

    def read(self) -> None:
        """Read the losses of the steps since the last call.

        Raises
        ------
        NotFiniteError
            At the first step that is not finite.
        """
        pending, self._pending = self._pending, []
        if len(pending) == 1:
            values = [[pending[0][1].item(), pending[0][2].item()]]
        else:
            pairs = [torch.stack([loss.float(), norm.float()]) for _, loss, norm in pending]
            values = torch.stack(pairs).tolist() if pairs else []
        for (step, _, _), (loss, norm) in zip(pending, values, strict=True):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise NotFiniteError(step, loss, norm)
            self._ready.append(Taken(step, loss, norm))

    def take(self) -> list[Taken]:
        """The steps that were read and found finite, once."""
        ready, self._ready = self._ready, []
        return ready


def steps_between_reads(device: torch.device, alone: bool) -> int:
    """Steps between two looks at the losses.

    Parameters
    ----------
    alone
        Whether the optimiser leaves a bad step out by itself and nothing else moves with the weights.
    """
    return READ_EVERY if device.type == "cuda" and alone else 1
