"""Tables of positions that are added to tokens, by their name in a network's shape."""

import torch
from jaxtyping import Float
from torch import Tensor

from transferscale.models.patches import positions as axes

Grid = tuple[int, int, int]


def sinusoid(grid: Grid, width: int) -> Float[Tensor, "tokens width"]:
    """Sine and cosine, in turn, of n / 10000^(2 floor(j / 2) / width), n the token's number (Vaswani et al. 2017).

    The table of VideoMAE, which numbers tokens through: time first, then rows, then columns.
    """
    tokens = grid[0] * grid[1] * grid[2]
    column = torch.arange(width, dtype=torch.float64)
    angle = torch.arange(tokens, dtype=torch.float64)[:, None] / 10000.0 ** (2 * (column // 2) / width)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()


def position_table(kind: str, grid: Grid, width: int) -> Float[Tensor, "tokens width"]:
    """The table of a network whose ``Scale.positions`` is ``kind``.

    A ``stored`` table comes with the weights; until then it is the ladder's. ``rotary`` positions turn queries and keys
    instead (:mod:`transferscale.models.rotary`): nothing is added.
    """
    if kind == "rotary":
        return torch.zeros(grid[0] * grid[1] * grid[2], width)
    return sinusoid(grid, width) if kind == "sinusoid" else axes(grid, width)


def interpolate(table: Float[Tensor, "tokens width"], old: Grid, new: Grid) -> Float[Tensor, "places width"]:
    """A table for another grid: trilinear between the old positions, with the clip's edges kept together.

    The first token of a coarser grid so lies between the first tokens of the finer one (``align_corners=False``, as is
    usual for vision transformers).
    """
    if old == new:
        return table
    volume = table.double().T.reshape(1, -1, *old)
    moved = torch.nn.functional.interpolate(volume, size=new, mode="trilinear", align_corners=False)
    return moved.reshape(table.shape[1], -1).T.to(table.dtype).contiguous()
