"""Clips cut into tokens: their pixels, and where they lie."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def patches(
    clip: Float[Tensor, "batch *channels time height width"], frames: int, size: int
) -> Float[Tensor, "batch tokens patch"]:
    """Cut clips into tubelets of ``frames`` x ``size`` x ``size`` pixels: time first, then rows, columns.

    Within a tubelet pixels lie channel by channel, then frame by frame.
    """
    batch, *channels, time, height, width = clip.shape
    t, h, w = time // frames, height // size, width // size
    blocks = clip.reshape(batch, -1, t, frames, h, size, w, size)
    cut = blocks.permute(0, 2, 4, 6, 1, 3, 5, 7)
    return cut.reshape(batch, t * h * w, math.prod(channels) * frames * size * size)


def positions(grid: tuple[int, int, int], width: int) -> Float[Tensor, "tokens width"]:
    """Fixed positions: sines and cosines of time, row and column, a third each; what is left over is zero.

    Periods rise geometrically from 4 tokens to 4 times the axis, so that every frequency tells tokens of this
    grid apart (the usual base of 10000 would leave most columns constant on an axis of 4).
    """
    frequencies = width // 6
    columns = []
    for axis, length in enumerate(grid):
        shape = [1, 1, 1]
        shape[axis] = length
        place = torch.arange(length, dtype=torch.float64).reshape(shape).expand(grid).reshape(-1, 1)
        decay = torch.arange(frequencies, dtype=torch.float64) / max(1, frequencies - 1)
        angle = place * (math.pi / 2) * float(length) ** -decay
        columns += [angle.sin(), angle.cos()]
    table = torch.cat(columns, dim=1).float()
    return torch.nn.functional.pad(table, (0, width - table.shape[1]))


def rows(
    x: Float[Tensor, "batch tokens width"], which: Int[Tensor, "batch chosen"]
) -> Float[Tensor, "batch chosen width"]:
    """Some tokens of each clip.

    By whole rows: ``gather`` with an expanded index takes nine times as long on a CPU.
    """
    batch, tokens, width = x.shape
    first = torch.arange(0, batch * tokens, tokens, device=x.device)
    chosen = x.reshape(batch * tokens, width).index_select(0, (first[:, None] + which).flatten())
    return chosen.unflatten(0, (batch, which.shape[1]))
