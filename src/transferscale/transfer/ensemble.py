"""Fits of one shape trained as one: same reader, read-out, task and number of labelled subjects, other folds and draws.

A small network leaves a GPU idle: launching its kernels takes longer than they run. Stacked, as many kernels serve all
networks (:mod:`transferscale.models.grouped`), and the heads, whose weights differ, are mapped over by ``torch.func``.
Each fit has its own batches and clips its own gradient, so that it becomes what it would have become alone, to
rounding. Subjects and windows that a batch lacks beside a larger one are filled up and weigh nothing.

Which fits are trained together is decided by :func:`at_once`, from measurements (``python -m benchmarks.ensemble``).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from transferscale.ladder.cost import Work, training_bytes
from transferscale.models.grouped import group, stacked
from transferscale.transfer.head import Head
from transferscale.transfer.perceptron import Perceptron
from transferscale.transfer.trained.network import Network
from transferscale.transfer.trained.optimiser import CLIP_NORM, Optimiser

# Read-outs whose networks have a grouped form. The adapters of ``lora`` have none; ``attentive`` runs no network.
STACKED = ("full", "fpt")

# Added to the norm of a gradient before it divides, as torch's own clipping does.
TINY = 1e-6
# Of a GPU's memory, the share that fits may take together by the estimate for one, and the most at once.
SHARE, MOST = 0.5, 64


def at_once(network: Network, windows: int, device: torch.device) -> int:
    """How many fits of a network are trained together: on a CPU one, on a GPU as many as half of its memory holds.

    On a CPU one small fit keeps the cores busy, and more were measured not to pay (docs/benchmarks/ensemble.md).

    Parameters
    ----------
    windows
        Windows of a step of one fit.
    """
    if device.type == "cpu":
        return 1
    if isinstance(network, Perceptron):
        return MOST
    scale = network.scale
    work = Work(scale.times, scale.places, watched=False, asked=0, outputs=1)
    memory = torch.cuda.mem_get_info(device)[1]
    return max(1, min(MOST, int(SHARE * memory / training_bytes(scale, work, windows))))


@dataclass(frozen=True)
class Batch:
    """A step's windows of one fit: clips, whose they are, and what they tell.

    Attributes
    ----------
    windows
        Rows of the view's clips (windows,).
    member
        (windows, subjects).
    target, weight
        (rows, outputs) and (rows,); weights sum to 1 over the rows that count.
    """

    windows: Tensor
    member: Tensor
    target: Tensor
    weight: Tensor


def filled(batch: Batch, windows: int, subjects: int, state: bool) -> Batch:
    """A batch of that many windows and subjects, of which the added weigh nothing.

    An added window is the first again, and nobody's; added subjects own the last one, so that their means exist, and a
    window must be added where a subject is. In a ``state`` task rows are windows.
    """
    more, others = windows - len(batch.windows), subjects - batch.member.shape[1]
    member = nn.functional.pad(batch.member, (0, others, 0, more))
    if others:
        member[-1, -others:] = 1
    rows = more if state else others
    return Batch(
        torch.cat([batch.windows, batch.windows[:1].expand(more)]),
        member,
        nn.functional.pad(batch.target, (0, 0, 0, rows)),
        nn.functional.pad(batch.weight, (0, rows)),
    )


class Objective(nn.Module):
    """A head with its loss on a batch, in one call, as ``torch.func`` maps it."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(
        self,
        features: Float[Tensor, "windows times features"],
        member: Float[Tensor, "windows subjects"],
        target: Float[Tensor, "rows outputs"],
        weight: Tensor,
    ) -> Tensor:
        """Weighted mean of the rows' losses, and a row's share of the penalty."""
        loss: Tensor = (self.head.losses(self.head(features, member), target) * weight).sum()
        return loss + self.head.shrinkage()


class Ensemble:
    """Networks of one shape and their heads, trained as one.

    Parameters
    ----------
    networks, heads
        Of each fit. From now on their weights are views of the stack's.
    groups
        Those of the first network and head, for AdamW; all have the same rates.
    windows
        Windows of each fit in a batch.

    Raises
    ------
    ValueError
        If a network has weights in a module for which there is no grouped form.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        heads: Sequence[Head],
        groups: Sequence[dict[str, Any]],
        windows: int,
    ) -> None:
        self.shell = copy.deepcopy(networks[0])
        own = {id(p): name for name, p in networks[0].named_parameters()}
        own_head = {id(p): f"head.{name}" for name, p in heads[0].named_parameters()}
        of_networks = group(self.shell, networks, windows)
        objectives = [Objective(head) for head in heads]
        # Without weights of its own: they are given at every call.
        self.objective = copy.deepcopy(objectives[0]).to("meta")
        self.of_heads: dict[str, Tensor] = {
            name: stacked(objectives, name) for name, _ in self.objective.named_parameters()
        }
        self.buffers = {
            name: torch.stack([own.get_buffer(name) for own in objectives])
            for name, _ in self.objective.named_buffers()
        }
        self.optimiser = StackedOptimiser(
            [
                {
                    **part,
                    "params": [
                        of_networks[own[id(p)]] if id(p) in own else self.of_heads[own_head[id(p)]]
                        for p in part["params"]
                    ],
                }
                for part in groups
            ]
        )

    def step(self, clips: Tensor, batches: Sequence[Batch], factor: float) -> None:
        """Train every fit on its batch, the learning rates times ``factor``."""
        tokens = self.shell(clips[torch.cat([batch.windows for batch in batches]).to(clips.device)])
        features = tokens.reshape(len(batches), len(batches[0].windows), self.shell.grid[0], -1)

        def loss(weights: dict[str, Tensor], buffers: dict[str, Tensor], *rest: Tensor) -> Tensor:
            found: Tensor = functional_call(self.objective, (weights, buffers), rest)
            return found

        names = ("member", "target", "weight")
        rest = [torch.stack([getattr(b, name) for b in batches]).to(clips.device) for name in names]
        losses = vmap(loss)(self.of_heads, self.buffers, features, *rest)
        torch.autograd.backward(losses.sum())
        self.optimiser.step(factor)


class StackedOptimiser(Optimiser):
    """AdamW on stacks of weights, (fits, ...)."""

    def clip(self) -> None:
        """Clip the gradient norm of each fit."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norms = [torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients]
        norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)
        factors = (CLIP_NORM / (norm + TINY)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(factors.reshape(-1, *[1] * (gradient.dim() - 1)))
