"""Blocks whose attention turns queries and keys by their place: V-JEPA 2 (Assran et al. 2025, arXiv 2506.09985).

Rotary positions (Su et al. 2021, arXiv 2104.09864) on three axes: a third of every head turns with the time, a third
with the row, a third with the column; what is left over stays. A place is its index on the axis, so that another grid
needs no rule: the distance between neighbours stays what it was.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from transferscale.ladder import Scale
from transferscale.models.attention import attend
from transferscale.models.mup import Linear
from transferscale.models.seen import Seen
from transferscale.models.vit import mlp

BASE = 10000.0


class Rotation(nn.Module):
    """Cosines and sines of the angles by which every place of a grid turns a head, (tokens, head)."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, grid: tuple[int, int, int], head: int) -> None:
        super().__init__()
        self.grid = grid
        angle = angles(grid, head)
        self.register_buffer("cosines", angle.cos().float(), persistent=False)
        self.register_buffer("sines", angle.sin().float(), persistent=False)

    def forward(
        self, x: Float[Tensor, "batch heads tokens head"], seen: Seen | None
    ) -> Float[Tensor, "batch heads tokens head"]:
        """Turn queries or keys of the seen tokens."""
        cosines, sines = self.cosines, self.sines
        if seen is not None:
            where = seen.tokens(self.grid)
            cosines, sines = cosines[where].unsqueeze(1), sines[where].unsqueeze(1)
        first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
        turned = torch.stack((-second, first), dim=-1).flatten(-2)
        return x * cosines.to(x.dtype) + turned * sines.to(x.dtype)


def angles(grid: tuple[int, int, int], head: int) -> Float[Tensor, "tokens head"]:
    """Angle of every place and number of a head; 0 for what is left over.

    Pairs are neighbours, (0, 1), (2, 3), ..., but the list of frequencies is laid out twice, one after the other, as
    V-JEPA 2 was trained; the two numbers of a pair so turn by different angles.
    """
    share = 2 * ((head // 3) // 2)
    frequency = BASE ** -(torch.arange(share // 2, dtype=torch.float64) / (share / 2))
    columns = []
    for axis, length in enumerate(grid):
        shape = [1, 1, 1]
        shape[axis] = length
        place = torch.arange(length, dtype=torch.float64).reshape(shape).expand(grid).reshape(-1, 1)
        columns.append((place * frequency).repeat(1, 2))
    table = torch.cat(columns, dim=1)
    return nn.functional.pad(table, (0, head - table.shape[1]))


class RotaryAttention(nn.Module):
    """Multi-head self-attention on turned queries and keys; with ``qkv_bias`` all three have a bias."""

    def __init__(self, scale: Scale, rotation: Rotation) -> None:
        super().__init__()
        self.heads, self.rotation = scale.heads, rotation
        self.qkv = Linear(scale.width, 3 * scale.width, bias=scale.qkv_bias)
        self.out = Linear(scale.width, scale.width)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], seen: Seen | None
    ) -> Float[Tensor, "batch tokens width"]:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = attend(self.rotation(q, seen), self.rotation(k, seen), v)
        return self.out(y.transpose(1, 2).flatten(2))


class RotaryBlock(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)), both branches times ``residual``."""

    def __init__(self, scale: Scale, rotation: Rotation) -> None:
        super().__init__()
        self.residual = scale.multipliers.residual
        self.norm_attention = nn.LayerNorm(scale.width, eps=scale.eps)
        self.attention = RotaryAttention(scale, rotation)
        self.norm_mlp = nn.LayerNorm(scale.width, eps=scale.eps)
        self.mlp = mlp(scale.width, scale.mlp)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], seen: Seen | None = None
    ) -> Float[Tensor, "batch tokens width"]:
        """Transform the tokens, which lie time by time."""
        x = x + self.residual * self.attention(self.norm_attention(x), seen)
        return x + self.residual * self.mlp(self.norm_mlp(x))


def blocks(scale: Scale) -> nn.ModuleList:
    """The blocks of a transformer of that shape; they share one table of angles."""
    rotation = Rotation(scale.grid, scale.width // scale.heads)
    return nn.ModuleList(RotaryBlock(scale, rotation) for _ in range(scale.depth))
