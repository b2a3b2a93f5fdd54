"""How long and how fast a network and its head are trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.adamw import adamw

BETAS = (0.9, 0.95)
CLIP_NORM = 1.0
WARMUP = 0.1


@dataclass(frozen=True)
class Plan:
    """How long and how fast one network is trained: ``steps`` of a schedule made for ``of``."""

    learning_rate: float
    steps: int
    of: int

    def factor(self, step: int) -> float:
        """Factor on the learning rate at a step, from 0: linear warm-up over a tenth, then linear decay."""
        warmup = max(1, round(WARMUP * self.of))
        return min((step + 1) / (warmup + 1), (self.of - step) / (self.of - warmup + 1))


def marks(steps: int) -> list[int]:
    """Steps at which a run may stop: a quarter, half, all."""
    return sorted({max(1, steps // 4), max(1, steps // 2), steps})


class Optimiser:
    """AdamW.

    By torch's functional form, because the class imports torch's compiler, a second a job.

    Parameters
    ----------
    groups
        ``params``, ``lr``, ``weight_decay`` and ``eps`` of each.
    """

    def __init__(self, groups: Sequence[dict[str, Any]]) -> None:
        self.groups = groups
        self.parameters: list[nn.Parameter] = [p for group in self.groups for p in group["params"]]
        self.state = [
            [[torch.zeros_like(p) for p in group["params"]] for _ in range(2)]
            + [[torch.zeros((), device=p.device) for p in group["params"]]]
            for group in self.groups
        ]

    def clip(self) -> None:
        """Clip the gradient norm."""
        nn.utils.clip_grad_norm_(self.parameters, CLIP_NORM)

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Clip the gradient norm, update with learning rates times ``factor``, and clear the gradients."""
        self.clip()
        for group, (first, second, steps) in zip(self.groups, self.state, strict=True):
            adamw(
                group["params"],
                [p.grad for p in group["params"]],
                first,
                second,
                [],
                steps,
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=group["lr"] * factor,
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )
        for parameter in self.parameters:
            parameter.grad = None
