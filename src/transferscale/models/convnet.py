"""Blocks of the family ``convnet``: ConvNeXt V2 in three dimensions, all blocks of one width.

Notable:
- Woo et al. 2023, arXiv 2301.00808: depthwise convolution, norm, MLP with global response normalisation; the
  isotropic variant of Liu et al. 2022, arXiv 2201.03545, so that tokenizer, width and dial are the transformer's;
- the filter is 3 x 3 across space, then 3 along time: grids here are 4 to 14 tokens across, and a dense 3 x 3 x 3
  filter takes five times as long on a CPU;
- masked as a sparse convolution would be: unseen cells are zero before the filter, and what it says there is
  dropped, so that norm and MLP, where the arithmetic is, work on the seen tokens only.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from transferscale.ladder import Scale
from transferscale.models.mup import Filter, Linear
from transferscale.models.seen import Seen


class ResponseNorm(nn.Module):
    """x + gamma x N(x) + beta, N the norm of a channel over a clip's tokens relative to the mean channel's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        response = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        relative = response / (response.mean(dim=-1, keepdim=True) + 1e-6)
        return x + x * (self.gamma * relative) + self.beta


class ConvBlock(nn.Module):
    """x + MLP(norm(filter(x))), the branch times ``residual``."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.grid, self.residual = scale.grid, scale.multipliers.residual
        self.space = Filter(scale.width, 3, 3, bias=False)
        self.time = Filter(scale.width, 3, 1, bias=True)
        self.norm = nn.LayerNorm(scale.width, eps=scale.eps)
        self.up, self.down = Linear(scale.width, scale.mlp), Linear(scale.mlp, scale.width)
        self.response = ResponseNorm(scale.mlp)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], seen: Seen | None = None
    ) -> Float[Tensor, "batch tokens width"]:
        """Transform the tokens, which lie time by time."""
        branch = self.norm(self._filtered(x, seen))
        branch = self.down(self.response(nn.functional.gelu(self.up(branch))))
        return x + self.residual * branch

    def _filtered(
        self, x: Float[Tensor, "batch tokens width"], seen: Seen | None
    ) -> Float[Tensor, "batch tokens width"]:
        batch, tokens, width = x.shape
        times, down, across = self.grid if seen is None else (seen.times, *self.grid[1:])
        cells, where = down * across, None
        if seen is not None:
            # Rows of the seen tokens among all cells of the batch.
            first = torch.arange(0, batch * times * cells, cells, device=x.device).reshape(batch, times, 1)
            where = (first + seen.places[:, None]).flatten()
            x = x.new_zeros(batch * times * cells, width).index_copy(0, where, x.reshape(-1, width))
        mixed = self.space(x.reshape(batch * times, down, across, width))
        mixed = self.time(mixed.reshape(batch, times, cells, width)).reshape(-1, width)
        return (mixed if where is None else mixed.index_select(0, where)).reshape(batch, tokens, width)


def blocks(scale: Scale) -> nn.ModuleList:
    """The blocks of a convnet of that shape."""
    return nn.ModuleList(ConvBlock(scale) for _ in range(scale.depth))
