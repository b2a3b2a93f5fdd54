"""Layers that know their role: one place draws the weights of any depth and groups them for the optimiser.

The multipliers are those of :class:`transferscale.ladder.Multipliers` (muP and CompleteP).
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from transferscale.ladder import Multipliers

Role = Literal["embedding", "hidden", "output"]


class Linear(nn.Linear):
    """A linear map with a role: ``embedding`` reads pixels, ``hidden`` is inside, ``output`` writes pixels.

    Its weights are undefined until :func:`initialise` draws them: torch's own initialisation would consume
    the global random state.
    """

    def __init__(self, inputs: int, outputs: int, role: Role = "hidden", bias: bool = True) -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.role = role

    def reset_parameters(self) -> None:
        """Leave the memory as it is; see the class."""

    def apart(
        self, outputs: int, x: Float[Tensor, "batch tokens inputs"], y: Float[Tensor, "batch others inputs"]
    ) -> tuple[Float[Tensor, "batch tokens outputs"], Float[Tensor, "batch others rest"]]:
        """The first ``outputs`` of ``x`` and the others of ``y``, without bias."""
        one, other = torch.split(self.weight, [outputs, self.out_features - outputs])
        return linear(x, one), linear(y, other)


class Filter(nn.Module):
    """One filter a channel over rows and columns: its fan-in does not grow with the width.

    Its weights are undefined until :func:`initialise` draws them. For the optimiser they are vectors.
    """

    def __init__(self, width: int, rows: int, columns: int, bias: bool) -> None:
        super().__init__()
        self.taps, self.padding = rows * columns, (rows // 2, columns // 2)
        self.weight = nn.Parameter(torch.empty(width, 1, rows, columns))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(
        self, x: Float[Tensor, "batch rows columns width"]
    ) -> Float[Tensor, "batch rows columns width"]:
        # Channels last in memory, first in shape: torch's fast depthwise kernel.
        y = conv2d(x.permute(0, 3, 1, 2), self.weight, self.bias, padding=self.padding, groups=x.shape[-1])
        return y.permute(0, 2, 3, 1)


def generator(*identity: int | str) -> torch.Generator:
    """A random generator of its own for anything with a name, the same in every process."""
    digest = hashlib.sha256("/".join(map(str, identity)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@torch.no_grad()
def initialise(model: nn.Module, source: torch.Generator) -> None:
    """Draw the weights of every :class:`Linear` and depthwise filter in ``model``, in order.

    SD is fan_in^-1/2, which is muP's variance / m_d for hidden matrices; outputs and biases start at zero.
    """
    for module in model.modules():
        if isinstance(module, Filter):
            module.weight.normal_(0.0, module.taps**-0.5, generator=source)
        if isinstance(module, Linear):
            if module.role == "output":
                module.weight.zero_()
            else:
                module.weight.normal_(0.0, module.in_features**-0.5, generator=source)
            if module.bias is not None:
                module.bias.zero_()


def parameter_groups(
    models: Iterable[nn.Module],
    multipliers: Multipliers,
    learning_rate: float,
    weight_decay: float,
    epsilon: float = 1e-8,
) -> list[dict[str, Any]]:
    """Group parameters for AdamW so that values chosen at depth 1 serve every depth.

    Parameters
    ----------
    models
        Networks whose matrices are all :class:`Linear`; any other parameter (norm, bias, token, filter of a channel)
        is a vector and does not decay. Adam's epsilon of vectors is that of the residual branches, where most are.
    learning_rate, weight_decay, epsilon
        Values at depth 1.

    Returns
    -------
    list of dict
        Groups with ``params``, ``lr``, ``weight_decay``, ``eps`` and ``name``.
    """
    parts: dict[str, list[nn.Parameter]] = {"hidden": [], "embedding": [], "vector": []}
    for model in models:
        for module in model.modules():
            for name, parameter in module.named_parameters(recurse=False):
                matrix = isinstance(module, Linear) and name == "weight"
                role = "vector" if not matrix else "hidden" if module.role == "hidden" else "embedding"
                parts[role].append(parameter)
    values = {
        "hidden": (
            learning_rate * multipliers.hidden_rate,
            weight_decay * multipliers.hidden_decay,
            epsilon * multipliers.hidden_epsilon,
        ),
        "embedding": (learning_rate, weight_decay, epsilon * multipliers.embedding_epsilon),
        "vector": (learning_rate, 0.0, epsilon * multipliers.hidden_epsilon),
    }
    return [
        {"name": role, "params": parts[role], "lr": rate, "weight_decay": decay, "eps": eps}
        for role, (rate, decay, eps) in values.items()
        if parts[role]
    ]
