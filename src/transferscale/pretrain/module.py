"""The Lightning module of a rung: one step, the optimiser, the learning rate, the curve."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from transferscale.errors import UserError
from transferscale.models.mup import parameter_groups
from transferscale.pretrain.data import Batch
from transferscale.pretrain.objective import Objective
from transferscale.pretrain.schedule import Schedule

CLIP_NORM = 1.0
BETAS = (0.9, 0.95)


class RungModule(LightningModule):  # type: ignore[misc]
    """Training of one rung.

    Attributes
    ----------
    curve
        One row a step: columns of table ``curve``.
    """

    def __init__(self, objective: Objective, schedule: Schedule, spec: dict[str, Any]) -> None:
        super().__init__()
        self.objective, self.schedule = objective, schedule
        self.networks = nn.ModuleDict({"encoder": objective.encoder, "decoder": objective.decoder})
        self.batch, self.rate, self.decay = int(spec["batch"]), spec["learning_rate"], spec["weight_decay"]
        self.curve: list[dict[str, Any]] = []
        self._loss, self._norm = float("nan"), float("nan")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW over the muP groups; each group remembers its rate at factor 1."""
        multipliers = self.objective.encoder.scale.multipliers
        groups = parameter_groups(self.networks.values(), multipliers, self.rate, self.decay)
        self.rates = [group["lr"] for group in groups]
        return torch.optim.AdamW(groups, betas=BETAS, fused=True)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rate: a function of the step alone, whatever a restored optimiser held."""
        factor = self.schedule.factor(self.global_step)
        for group, rate in zip(self.trainer.optimizers[0].param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of a batch."""
        loss = self.objective.losses(*batch).mean()
        self._loss = loss.item()
        if not torch.isfinite(loss.detach()):
            raise UserError(
                f"loss is {self._loss} at step {self.global_step + 1} of the trunk; lower pretrain.learning_rate "
                f"(now {self.rate}) or look at the clips"
            )
        return loss

    def configure_gradient_clipping(self, *args: Any, **kwargs: Any) -> None:
        """Clip the norm over all parameters, and keep what it was."""
        self._norm = float(nn.utils.clip_grad_norm_(self.networks.parameters(), CLIP_NORM))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Add a row to the curve."""
        step: int = self.global_step
        self.curve.append(
            {
                "step": step,
                "clips_seen": step * self.batch,
                "phase": self.schedule.phase(step - 1),
                "loss": self._loss,
                "learning_rate": self.schedule.factor(step - 1),
                "grad_norm": self._norm,
            }
        )
