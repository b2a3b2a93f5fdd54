"""The Lightning module of a rung: one step, the optimiser, the learning rate, the curve."""

import math
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
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
    loss, norm
        Loss and gradient norm (before clipping) of the last step.
    """

    def __init__(
        self, objective: Objective, schedule: Schedule, batch: int, learning_rate: float, weight_decay: float
    ) -> None:
        super().__init__()
        self.objective, self.schedule = objective, schedule
        self.networks = nn.ModuleDict({"encoder": objective.encoder, "decoder": objective.decoder})
        self.batch, self.rate, self.decay = batch, learning_rate, weight_decay
        self.loss, self.norm = float("nan"), float("nan")

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
        loss: Tensor = self.objective.losses(*batch).mean()
        self.loss = loss.item()
        if not math.isfinite(self.loss):
            raise UserError(
                f"loss is {self.loss} at step {self.global_step + 1}; "
                f"lower pretrain.learning_rate (now {self.rate}) or look at the clips"
            )
        return loss

    def configure_gradient_clipping(self, *args: Any, **kwargs: Any) -> None:
        """Clip the norm over all parameters, and keep what it was."""
        self.norm = float(nn.utils.clip_grad_norm_(self.networks.parameters(), CLIP_NORM))


class Curve(Callback):  # type: ignore[misc]
    """The training curve, one row a step: columns of table ``curve``."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def on_train_batch_end(self, trainer: Trainer, module: RungModule, *args: Any) -> None:
        """Add the row of the step that was just taken."""
        step = trainer.global_step
        self.rows.append(
            {
                "step": step,
                "clips_seen": step * module.batch,
                "phase": module.schedule.phase(step - 1),
                "loss": module.loss,
                "learning_rate": module.schedule.factor(step - 1),
                "grad_norm": module.norm,
            }
        )
