"""Colour networks on grey clips: three channels become one, exactly.

A published network takes intensities in [0, 1], normalised a channel: x_c = (g / 255 - mean_c) / sd_c. Ours takes
luminance brought to about zero mean and unit SD: z = (g - m) / s, grey levels g in 0..255. For a grey clip all
channels show g, so that the tokenizer's sum over channels of W_c x_c + b is W' z + b' with

    W' = sum_c W_c s / (255 sd_c),    b' = b + sum_c sum(W_c) (m - 255 mean_c) / (255 sd_c).

Nothing is lost for grey clips; what the network knew of colour is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LEVELS = 255.0


@dataclass(frozen=True)
class Grey:
    """Mean and SD, in grey levels 0..255, that bring clips to zero mean and unit SD."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Normalisation:
    """Mean and SD of a published network's input, intensities in [0, 1], a channel each."""

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    @classmethod
    def of(cls, mean: Sequence[float], sd: Sequence[float]) -> "Normalisation":
        """Check and make one.

        Raises
        ------
        ValueError
            If the two differ in length, or an SD is not above zero.
        """
        found = cls(tuple(float(value) for value in mean), tuple(float(value) for value in sd))
        if len(found.mean) != len(found.sd) or not found.mean:
            raise ValueError(f"{len(found.mean)} means and {len(found.sd)} SDs")
        if not all(map(math.isfinite, (*found.mean, *found.sd))) or min(found.sd) <= 0:
            raise ValueError("a mean is not finite or an SD is not above zero")
        return found

    @property
    def grey(self) -> Grey:
        """Grey levels on which the network's input has, on average over channels, zero mean and unit SD."""
        count = len(self.mean)
        return Grey(sum(LEVELS * m for m in self.mean) / count, sum(LEVELS * s for s in self.sd) / count)


def fold_channels(
    weight: Float[Tensor, "width channels frames size size"],
    bias: Float[Tensor, " width"],  # type: ignore[name-defined]
    normalisation: Normalisation,
    grey: Grey,
) -> tuple[Float[Tensor, "width patch"], Float[Tensor, " width"]]:  # type: ignore[name-defined]
    """Weight and bias of the tokenizer for standardised luminance (the equations above).

    Computed in float64, so that a network of one channel whose normalisation is ``grey`` keeps its weights to the
    last bit.
    """
    gains = torch.tensor([grey.sd / (LEVELS * s) for s in normalisation.sd], dtype=torch.float64)
    offsets = torch.tensor(
        [
            (grey.mean - LEVELS * m) / (LEVELS * s)
            for m, s in zip(normalisation.mean, normalisation.sd, strict=True)
        ],
        dtype=torch.float64,
    )
    exact = weight.double()
    folded = (exact * gains[:, None, None, None]).sum(1).flatten(1)
    shifted = bias.double() + exact.sum((2, 3, 4)) @ offsets
    return folded.to(weight.dtype), shifted.to(bias.dtype)
