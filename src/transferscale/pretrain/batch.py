"""A batch of clips, as the data hands it to an objective."""

from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from transferscale.pretrain.counter import Draw


class Batch(NamedTuple):
    """Clips of one step.

    Attributes
    ----------
    clip
        Luminance, of about zero mean and unit SD, (batch, time, height, width).
    draw
        What may be random about each clip at this visit.
    label
        Class of each clip, -1 where the corpus has none, (batch,).
    """

    clip: Float[Tensor, "batch time height width"]
    draw: Draw
    label: Int[Tensor, " batch"]

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device; itself where it is there already."""
        if self.clip.device == device:
            return self
        return self._replace(
            clip=self.clip.to(device, non_blocking=True), label=self.label.to(device, non_blocking=True)
        )


class Stream(Protocol):
    """Batches by step."""

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        ...
