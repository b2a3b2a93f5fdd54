"""Several networks of one shape trained as one: seeds and learning rates of a small scale, together on one device.

A small network leaves a GPU idle: launching its kernels takes longer than they run. Stacked, as many kernels serve all
networks (:mod:`transferscale.models.grouped`). Each sees its own clips and masks, has its own learning rate and clips
its own gradient, so that it becomes what it would have become alone, to rounding; one that diverges leaves the others
alone. Nothing else is shared, so optimiser, averages and teachers are those of a rung.

Which networks are stacked is decided by :func:`at_once`, from measurements (``python -m benchmarks.stacked``).
"""

import copy
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from transferscale.errors import UserError
from transferscale.ladder import Scale
from transferscale.ladder.cost import Work, training_bytes, training_flops
from transferscale.models.convnet import ResponseNorm
from transferscale.models.grouped import group
from transferscale.models.mup import parameter_groups
from transferscale.pretrain.accumulation import check_parts, micro_batches
from transferscale.pretrain.averaging import average_of, exchange
from transferscale.pretrain.batch import Batch, Stream
from transferscale.pretrain.counter import Bits, Draw
from transferscale.pretrain.decoder import Decoder
from transferscale.pretrain.objective import Objective
from transferscale.pretrain.optimiser import optimiser
from transferscale.pretrain.prefetch import in_turn
from transferscale.pretrain.schedule import Schedule

# Added to the norm of a gradient before it divides, as torch's own clipping does.
TINY = 1e-6
# Of a GPU's memory, the share that a stack may take by the estimate for one network, and the most networks in it.
SHARE, MOST = 0.5, 32
# On a CPU eight networks of fp32 pay up to this many FLOPs a step of one: at 1.3e8 (depth 1 of the demo) eight were
# trained 1.3 to 1.4 times as fast as one after the other, at 5e8 (depth 2) 1.1 times; in bf16 they were no faster
# (docs/benchmarks/stacked.md).
CPU_FLOPS, CPU_MOST = 2.5e8, 8


def at_once(scale: Scale, work: Work, clips: int, device: torch.device, precision: str, memory: int) -> int:
    """How many networks of a shape are trained together.

    On a GPU as many as fit in half of its memory, at most 32. On a CPU, whose cores one small network keeps busy, one,
    except the very smallest in fp32: eight of up to 2.5e8 FLOPs a step each. More was measured not to pay.

    Parameters
    ----------
    clips
        Clips of each network at a time.
    precision
        ``fp32`` or ``bf16``.
    memory
        Bytes of the device.
    """
    if device.type == "cpu":
        pays = precision == "fp32" and training_flops(scale, work) * clips <= CPU_FLOPS
        return CPU_MOST if pays else 1
    return max(1, min(MOST, int(SHARE * memory / training_bytes(scale, work, clips))))


class Joined(Draw):
    """What may be random about several batches, one after the other, each with its own seed."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Draw]) -> None:
        super().__init__(
            "joined", np.concatenate([d.visit for d in parts]), np.concatenate([d.ids for d in parts])
        )
        self.parts = parts

    def bits(self, purpose: str, count: int) -> Bits:
        """Those of the parts, (clips, count)."""
        return np.concatenate([part.bits(purpose, count) for part in self.parts])


class Stack:
    """Objectives of one shape as one. A stack of one is that objective itself.

    Parameters
    ----------
    objectives
        On their device; from now on their weights and gradients are views of the stack's.
    clips
        Clips of each in a batch.

    Attributes
    ----------
    gradients
        Gradient of every parameter, (networks, ...).

    Raises
    ------
    UserError
        If a part of the network has no grouped form.
    """

    def __init__(self, objectives: Sequence[Objective], clips: int) -> None:
        self.objectives, self.clips = objectives, clips
        self.whole = objectives[0] if len(objectives) == 1 else copy.deepcopy(objectives[0])
        self.gradients: list[Tensor] = []
        if len(objectives) == 1:
            for parameter in nn.ModuleDict(self.whole.networks).parameters():
                parameter.grad = torch.zeros_like(parameter)
                self.gradients.append(parameter.grad.unsqueeze(0))
            return
        for name, shell in {**self.whole.networks, **self.whole.teachers}.items():
            networks = [{**own.networks, **own.teachers}[name] for own in objectives]
            try:
                leaves = group(shell, networks, clips, (Decoder, ResponseNorm))
            except ValueError as error:
                raise UserError(f"these networks cannot be stacked: {error}; train them one by one") from None
            if name in self.whole.networks:
                for path, whole in leaves.items():
                    whole.grad = torch.zeros_like(whole)
                    self.gradients.append(whole.grad)
                    for network, part in zip(networks, whole.grad, strict=True):
                        network.get_parameter(path).grad = part

    def losses(self, batches: Sequence[Batch]) -> Float[Tensor, "networks batch"]:
        """Loss of every clip, of each network on its own batch."""
        if len(batches) == 1:
            return self.whole.losses(batches[0]).unsqueeze(0)
        joined = Batch(
            torch.cat([batch.clip for batch in batches]),
            Joined([batch.draw for batch in batches]),
            torch.cat([batch.label for batch in batches]),
        )
        return self.whole.losses(joined).unflatten(0, (len(batches), self.clips))

    @torch.no_grad()
    def clip_gradients(self, most: float) -> Float[Tensor, " networks"]:  # type: ignore[name-defined]
        """Scale the gradient of each network down to the norm ``most``; return its norm before."""
        parts = [torch.linalg.vector_norm(own.flatten(1), dim=1) for own in self.gradients]
        norms = torch.linalg.vector_norm(torch.stack(parts), dim=0)
        factors = (most / (norms + TINY)).clamp(max=1.0)
        for own in self.gradients:
            own.mul_(factors.reshape(-1, *[1] * (own.dim() - 1)))
        return norms

    @torch.no_grad()
    def zero_gradients(self) -> None:
        """Forget the gradients."""
        torch._foreach_zero_(self.gradients)


@dataclass(frozen=True)
class Member:
    """One network to train: its objective, base learning rate, and clips."""

    objective: Objective
    learning_rate: float
    stream: Stream


class Together:
    """Training of several members, step by step.

    Parameters
    ----------
    members
        Of one shape; those that share a stream share its batches.
    schedule
        Steps and learning rate of each.
    spec
        ``Grid.rung_spec``: batch, accumulate, weight_decay, optimizer, clip_norm and ema are taken from it.
    precision
        ``fp32`` or ``bf16``.

    Raises
    ------
    UserError
        If the batch does not divide into equal micro-batches, or the networks cannot be stacked.
    """

    def __init__(
        self,
        members: Sequence[Member],
        schedule: Schedule,
        spec: Mapping[str, Any],
        device: torch.device,
        precision: str,
    ) -> None:
        self.members, self.schedule, self.spec = members, schedule, spec
        self.device, self.precision = device, precision
        batch, parts = int(spec["batch"]), int(spec["accumulate"])
        streams = {id(member.stream): member.stream for member in members}
        # Which stream each member reads: the same one, not one that equals it.
        self.which = [list(streams).index(id(member.stream)) for member in members]
        check_parts(batch, parts)
        self.streams, self.parts = list(streams.values()), parts
        objectives = [member.objective for member in members]
        for own in objectives:
            nn.ModuleDict({**own.networks, **own.teachers}).to(device)
        self.networks = [nn.ModuleDict(own.networks) for own in objectives]
        # Before they are stacked: a copy of a view would be one of the whole stack.
        self.averages = [average_of(own, float(spec["ema"])) for own in self.networks]
        self.stack = Stack(objectives, batch // parts)
        scale = objectives[0].encoder.scale
        groups = [
            part
            for member, own in zip(members, self.networks, strict=True)
            for part in parameter_groups(
                own.values(), scale.multipliers, member.learning_rate, float(spec["weight_decay"])
            )
        ]
        self.optimiser = optimiser(spec["optimizer"], groups, scale.width, scale.multipliers)
        self.rates = [part["lr"] for part in self.optimiser.param_groups]

    def read(self, step: int) -> list[list[Batch]]:
        """Micro-batches of a step, of every stream."""
        return [micro_batches(stream.at(step), self.parts) for stream in self.streams]

    def step(self, number: int, read: list[list[Batch]]) -> Float[Tensor, " networks"]:
        """Take step ``number`` of the schedule; return the loss of every network."""
        factor = self.schedule.factor(number)
        for own, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            own["lr"] = rate * factor
        self.stack.zero_gradients()
        total = torch.zeros(len(self.members), device=self.device)
        for micro in zip(*read, strict=True):
            there = [batch.to(self.device) for batch in micro]
            given = [there[stream] for stream in self.which]
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                losses = self.stack.losses(given).mean(dim=1)
            (losses.sum() / len(read[0])).backward()
            total += losses.detach() / len(read[0])
        self.stack.clip_gradients(float(self.spec["clip_norm"]))
        self.optimiser.step()
        for networks, average in zip(self.networks, self.averages, strict=True):
            if average is not None:
                average.update_parameters(networks)
        for member in self.members:
            member.objective.after_step()
        return total

    def run(self) -> Float[np.ndarray, "steps networks"]:
        """Take all steps; the objectives then hold the finished weights. Return the losses.

        Raises
        ------
        UserError
            If the GPU's memory does not suffice.
        """
        steps = range(self.schedule.start, self.schedule.end)
        try:
            with closing(in_turn(self.read, self.schedule.start, self.device)) as batches:
                losses = [self.step(number, next(batches)) for number in steps]
        except torch.OutOfMemoryError:
            raise UserError(
                f"{len(self.members)} networks with {self.stack.clips} clips each do not fit the GPU's memory; raise "
                f"pretrain.accumulate (now {self.spec['accumulate']})"
            ) from None
        for networks, average in zip(self.networks, self.averages, strict=True):
            if average is not None:
                exchange(networks, average)
        return torch.stack(losses).double().cpu().numpy()
