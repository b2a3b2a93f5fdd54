"""The Lightning module of a rung: one step, its optimiser, its learning rate, and whether it was finite."""

import math
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from transferscale.artefacts import canonical_json
from transferscale.models.mup import parameter_groups
from transferscale.pretrain.averaging import average_of
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.objective import Objective
from transferscale.pretrain.optimiser import optimiser
from transferscale.pretrain.schedule import Schedule

# On a GPU, reading a loss waits for the step; it is read every so many steps where a bad step can be left out
# without knowing of it.
READ_EVERY = 16
# Key of a checkpoint under which the trunk's identity lies.
OURS = "transferscale"


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


class RungModule(LightningModule):  # type: ignore[misc]
    """Training of one rung.

    Parameters
    ----------
    identity
        What the trunk depends on; goes into its checkpoints.
    read_every
        Steps between two looks at the losses; 0 for what suits device and optimiser.

    Attributes
    ----------
    ready
        Steps whose loss was read and found finite, until :meth:`take`.
    """

    def __init__(
        self,
        objective: Objective,
        schedule: Schedule,
        spec: Mapping[str, Any],
        identity: Mapping[str, Any],
        read_every: int = 0,
    ) -> None:
        super().__init__()
        self.objective, self.schedule, self.spec, self.identity = objective, schedule, spec, identity
        self.networks, self.teachers = nn.ModuleDict(objective.networks), nn.ModuleDict(objective.teachers)
        self.average = average_of(self.networks, float(spec["ema"]))
        self.batch = int(spec["batch"])
        self.read_every = read_every
        self.losses: list[Tensor] = []
        self.pending: list[tuple[int, Tensor, Tensor]] = []
        self.ready: list[Taken] = []
        self.failed: NotFiniteError | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; the name of the current hook, some fifty times a step, without looking for weights."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def compilable(self) -> list[nn.Module]:
        """Networks that may be compiled."""
        return [*self.networks.values(), *self.teachers.values()]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW or Muon over the muP groups; each group remembers its rate at factor 1."""
        scale, spec = self.objective.encoder.scale, self.spec
        groups = parameter_groups(
            self.networks.values(),
            scale.multipliers,
            float(spec["learning_rate"]),
            float(spec["weight_decay"]),
        )
        found = optimiser(spec["optimizer"], groups, scale.width, scale.multipliers)
        self.rates = [group["lr"] for group in found.param_groups]
        self.parameters_trained = [p for group in found.param_groups for p in group["params"]]
        if not self.read_every:
            # Averages, teachers and Muon would move on after a bad step.
            alone = spec["optimizer"] == "adamw" and self.average is None and not self.teachers
            self.read_every = READ_EVERY if self.device.type == "cuda" and alone else 1
        self.bad = torch.zeros((), device=self.device)
        return found

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """The batch on the device; it is on the CPU already."""
        if device.type == "cpu":
            return batch
        clip, label = batch.clip.to(device, non_blocking=True), batch.label.to(device, non_blocking=True)
        return Batch(clip, batch.draw, label)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rate: a function of the step alone, whatever a restored optimiser held."""
        factor = self.schedule.factor(self.global_step)
        for group, rate in zip(self.trainer.optimizers[0].param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of a (micro-)batch."""
        loss: Tensor = self.objective.losses(batch).mean()
        self.losses.append(loss.detach())
        return loss

    def configure_gradient_clipping(self, *args: Any, **kwargs: Any) -> None:
        """Clip the norm over all parameters; a step that is not finite is not taken.

        Raises
        ------
        NotFiniteError
            Before the update where every step is read. Elsewhere later: then this step and those after it were
            left out on the device.
        """
        norm = nn.utils.clip_grad_norm_(self.parameters_trained, float(self.spec["clip_norm"]))
        loss = self.losses[0] if len(self.losses) == 1 else torch.stack(self.losses).mean()
        self.losses = []
        self.pending.append((self.global_step + 1, loss, norm))
        if self.read_every == 1:
            self.read()
        else:
            # The fused kernel leaves out a step when this is 1, without the CPU knowing.
            self.bad = torch.maximum(self.bad, (~torch.isfinite(loss + norm)).float())
            self.trainer.optimizers[0].found_inf = self.bad

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take the step, then move what follows the weights: average and teacher."""
        super().optimizer_step(*args, **kwargs)
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
        pending, self.pending = self.pending, []
        if len(pending) == 1:
            values = [[pending[0][1].item(), pending[0][2].item()]]
        else:
            pairs = [torch.stack([loss.float(), norm.float()]) for _, loss, norm in pending]
            values = torch.stack(pairs).tolist() if pairs else []
        for (step, _, _), (loss, norm) in zip(pending, values, strict=True):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                self.failed = NotFiniteError(step, loss, norm)
                raise self.failed
            self.ready.append(Taken(step, loss, norm))

    def take(self) -> list[Taken]:
        """The steps that were read, once."""
        ready, self.ready = self.ready, []
        return ready

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the trunk's identity; after a bad step, count the steps before it alone."""
        checkpoint[OURS] = canonical_json(self.identity)
        if self.failed is not None:
            rewind(checkpoint, self.failed.step - 1, int(self.spec["accumulate"]))
        checkpoint.update({key: unshared(value) for key, value in checkpoint.items()})


def unshared(value: Any) -> Any:
    """A value with containers of its own and one object for equal texts.

    Pickle writes an object once and refers to it where it comes again, so equal checkpoints would differ in their bytes
    by what they share: a resumed run shares other objects than one that ran through.
    """
    if isinstance(value, Mapping):
        return {unshared(key): unshared(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(unshared, value))
    return sys.intern(value) if isinstance(value, str) else value


def rewind(checkpoint: dict[str, Any], steps: int, parts: int) -> None:
    """Set the counters of a checkpoint that was saved within a step to the end of step ``steps``."""
    loops = checkpoint["loops"]["fit_loop"]
    back = checkpoint["global_step"] - steps
    checkpoint["global_step"] = steps
    optimiser = loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]
    for counters in (optimiser["step"]["total"], optimiser["step"]["current"]):
        counters["completed"] -= back
        counters["ready"] = counters["completed"]
    batches = loops["epoch_loop.batch_progress"]
    for counters in (batches["total"], batches["current"]):
        done = counters["completed"] - counters["completed"] % parts
        counters.update(dict.fromkeys(("ready", "started", "processed", "completed"), done - back * parts))
