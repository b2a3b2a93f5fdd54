"""Layers of several networks of one shape, computed as one: matrix products become grouped ones.

The networks lie one after the other along the batch: of a batch of ``networks`` x clips, each network's layer works on
its own clips. Whatever has no weights (attention, tokenizing, losses) need not know of it. This is what ``torch.vmap``
over ``torch.func.functional_call`` would do, without its losses: it has no rule for the fused attention of a CPU, and
turns the whole rows that are taken from tokens and filters into gathers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, layer_norm
from torch.nn.utils.parametrize import register_parametrization

from transferscale.models.convnet import ResponseNorm
from transferscale.models.mup import Filter, Linear


def stacked(layers: Sequence[nn.Module], name: str) -> nn.Parameter:
    """One parameter of every layer, (networks, ...); each layer's own becomes a view of it.

    So an optimiser that moves a network's parameters moves the stack, and the other way round.
    """
    own = [layer.get_parameter(name) for layer in layers]
    whole = nn.Parameter(torch.stack([p.detach() for p in own]), requires_grad=own[0].requires_grad)
    for parameter, part in zip(own, whole.data, strict=True):
        parameter.data = part
    return whole


class GroupedLinear(nn.Module):
    """Linear maps, each of its own network's tokens."""

    def __init__(self, layers: Sequence[Linear]) -> None:
        super().__init__()
        self.weight = stacked(layers, "weight")
        self.bias = None if layers[0].bias is None else stacked(layers, "bias")

    def forward(self, x: Float[Tensor, "batch *tokens inputs"]) -> Float[Tensor, "batch *tokens outputs"]:
        """Map the tokens."""
        return _mapped(x, self.weight, self.bias)

    def apart(
        self, outputs: int, x: Float[Tensor, "batch tokens inputs"], y: Float[Tensor, "batch others inputs"]
    ) -> tuple[Float[Tensor, "batch tokens outputs"], Float[Tensor, "batch others rest"]]:
        """As :meth:`transferscale.models.mup.Linear.apart`."""
        one, other = torch.split(self.weight, [outputs, self.weight.shape[1] - outputs], dim=1)
        return _mapped(x, one, None), _mapped(y, other, None)


def _mapped(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    rows, across = x.reshape(len(weight), -1, x.shape[-1]), weight.transpose(1, 2)
    y = torch.bmm(rows, across) if bias is None else torch.baddbmm(bias.unsqueeze(1), rows, across)
    return y.reshape(*x.shape[:-1], weight.shape[1])


class GroupedNorm(nn.Module):
    """Layer norms, each of its own network's tokens."""

    def __init__(self, layers: Sequence[nn.LayerNorm]) -> None:
        super().__init__()
        self.shape, self.eps = layers[0].normalized_shape, layers[0].eps
        self.weight = stacked(layers, "weight")
        self.bias = None if layers[0].bias is None else stacked(layers, "bias")

    def forward(self, x: Float[Tensor, "batch *tokens width"]) -> Float[Tensor, "batch *tokens width"]:
        """Normalise the tokens."""
        normed = layer_norm(x, self.shape, eps=self.eps)
        y = normed.reshape(len(self.weight), -1, x.shape[-1])
        weight = self.weight.unsqueeze(1)
        y = y * weight if self.bias is None else torch.addcmul(self.bias.unsqueeze(1), y, weight)
        return y.reshape(x.shape)


class GroupedFilter(nn.Module):
    """Depthwise filters, each over its own network's channels: one filter over the channels of all."""

    def __init__(self, layers: Sequence[Filter]) -> None:
        super().__init__()
        self.padding = layers[0].padding
        self.weight = stacked(layers, "weight")
        self.bias = None if layers[0].bias is None else stacked(layers, "bias")

    def forward(
        self, x: Float[Tensor, "batch rows columns width"]
    ) -> Float[Tensor, "batch rows columns width"]:
        """Filter over rows and columns."""
        networks, (_, rows, columns, width) = len(self.weight), x.shape
        channels = networks * width
        # Channels last in memory, first in shape, those of all networks side by side.
        y = x.reshape(networks, -1, rows, columns, width).permute(1, 2, 3, 0, 4).flatten(3)
        bias = None if self.bias is None else self.bias.flatten()
        y = conv2d(
            y.permute(0, 3, 1, 2), self.weight.flatten(0, 1), bias, padding=self.padding, groups=channels
        )
        y = y.permute(0, 2, 3, 1).reshape(-1, rows, columns, networks, width)
        return y.permute(3, 0, 1, 2, 4).reshape(x.shape)


class Repeated(nn.Module):
    """A vector of each network, once for every clip of it: (networks, width) -> (batch, 1, width)."""

    def __init__(self, clips: int) -> None:
        super().__init__()
        self.clips = clips

    def forward(self, x: Float[Tensor, "networks width"]) -> Float[Tensor, "batch 1 width"]:
        """Repeat the vectors."""
        return x.unsqueeze(1).expand(-1, self.clips, -1).reshape(-1, 1, x.shape[1])


LAYERS: dict[type[nn.Module], Callable[[Sequence[Any]], nn.Module]] = {
    Linear: GroupedLinear,
    nn.LayerNorm: GroupedNorm,
    Filter: GroupedFilter,
}


def group(
    shell: nn.Module,
    networks: Sequence[nn.Module],
    clips: int,
    vectors: tuple[type[nn.Module], ...] = (ResponseNorm,),
) -> dict[str, nn.Parameter]:
    """Make ``shell``, a copy of one of the networks, compute all of them.

    Parameters
    ----------
    clips
        Clips of each network in a batch.
    vectors
        Modules whose own parameters are vectors that are added to, or multiplied with, tokens.

    Returns
    -------
    dict
        Name of a parameter of the networks to the stack of it, (networks, ...), whose parts theirs now are.

    Raises
    ------
    ValueError
        If a network has weights in a module for which there is no grouped form.
    """
    found: dict[str, nn.Parameter] = {}
    for path, module in list(shell.named_modules()):
        layers = [network.get_submodule(path) for network in networks]
        names = [name for name, _ in module.named_parameters(recurse=False)]
        prefix = f"{path}." if path else ""
        if type(module) in LAYERS:
            grouped = LAYERS[type(module)](layers)
            parent, _, child = path.rpartition(".")
            setattr(shell.get_submodule(parent), child, grouped)
            found |= {prefix + name: grouped.get_parameter(name) for name in names}
        elif names and not isinstance(module, vectors):
            raise ValueError(f"{type(module).__name__} has weights of its own and no grouped form")
        else:
            for name in names:
                setattr(module, name, stacked(layers, name))
                register_parametrization(module, name, Repeated(clips), unsafe=True)
                found[prefix + name] = module.get_parameter(f"parametrizations.{name}.original")
    return found
