"""Weights taken from a file one by one: each must be there and of its shape, and none may be left over."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from transferscale.errors import UserError
from transferscale.ladder import Scale
from transferscale.models.encoder import VideoEncoder

# Weights of a block, by layer, from a file.
Block = Callable[["Weights", Scale, int], dict[str, dict[str, Tensor]]]


class Weights:
    """Weights of a file, by name.

    Parameters
    ----------
    path
        The file, for what is said.
    tensors
        Its weights.
    outside
        Beginnings of the names of what belongs to the published model but not to its encoder (decoder, head).

    Attributes
    ----------
    left_out
        First parts of the names that were outside.
    """

    def __init__(self, path: Path, tensors: dict[str, Tensor], outside: Iterable[str]) -> None:
        self.path, beginnings = path, tuple(outside)
        self.rest = {name: value for name, value in tensors.items() if not name.startswith(beginnings)}
        self.left_out = sorted({name.split(".")[0] for name in tensors if name.startswith(beginnings)})

    def take(self, name: str, *shape: int) -> Tensor:
        """The weight, in float32.

        Raises
        ------
        UserError
            If it is missing, of another shape, or not of floating point.
        """
        if name not in self.rest:
            raise UserError(f"{self.path}: weight '{name}' is missing; the file does not fit its config.json")
        value = self.rest.pop(name)
        if tuple(value.shape) != shape:
            raise UserError(
                f"{self.path}: weight '{name}' has shape {tuple(value.shape)}, but its config.json calls for {shape}"
            )
        if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
            raise UserError(f"{self.path}: weight '{name}' holds numbers that are not finite, or not real")
        return value.float()

    def layer(self, name: str, *shape: int) -> dict[str, Tensor]:
        """Weight and bias of a layer; the bias has the first length of the shape."""
        return {
            "weight": self.take(f"{name}.weight", *shape),
            "bias": self.take(f"{name}.bias", shape[0]),
        }

    def finish(self) -> None:
        """Refuse what was not taken.

        Raises
        ------
        UserError
            If a weight is left over.
        """
        if self.rest:
            raise UserError(
                f"{self.path}: weight '{min(self.rest)}' is not part of the network that its config.json describes"
            )


def kernel(scale: Scale) -> tuple[int, ...]:
    """Shape of the tokenizer where it is a convolution over tubelets."""
    return scale.width, scale.channels, scale.tubelet_frames, scale.tubelet_size, scale.tubelet_size


def assembled(weights: Weights, scale: Scale, tokenizer: str, norm: str, block: Block) -> VideoEncoder:
    """The encoder of that shape with the weights of a file, all of which must be used.

    Parameters
    ----------
    tokenizer, norm
        Names that the file has for the tokenizer, a convolution, and for the final norm.

    Raises
    ------
    UserError
        If a weight is missing, left over or of another shape.
    """
    parts = {"tokenizer": weights.layer(tokenizer, *kernel(scale))}
    parts["tokenizer"]["weight"] = parts["tokenizer"]["weight"].flatten(1)
    for i in range(scale.depth):
        parts |= block(weights, scale, i)
    if scale.final_norm:
        parts["norm"] = weights.layer(norm, scale.width)
    weights.finish()
    encoder = VideoEncoder(scale)
    encoder.load_state_dict(
        {f"{layer}.{name}": value for layer, values in parts.items() for name, value in values.items()},
        strict=True,
    )
    return encoder
