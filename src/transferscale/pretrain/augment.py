"""Crops by counter: a random part of every clip, resized to the whole, the same part in all of its frames."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from transferscale.pretrain.counter import Draw

# Widest and narrowest crop, width / height (Szegedy et al. 2015, arXiv 1409.4842).
ASPECT = (3 / 4, 4 / 3)


def resized_crops(
    clip: Float[Tensor, "batch time height width"], draw: Draw, smallest: float
) -> Float[Tensor, "batch time height width"]:
    """A crop of each clip, resized to the clip's size by linear interpolation.

    Its share of the area is uniform in [``smallest``, 1], its aspect log-uniform in :data:`ASPECT` as far as the
    clip holds it, its place uniform. A crop is never smaller than a pixel of the result, so nothing aliases.

    Parameters
    ----------
    smallest
        Smallest share of a clip's area, in (0, 1].
    """
    area, aspect, down, across = torch.from_numpy(draw.uniform("crop", 4)).unbind(1)
    area = smallest + (1 - smallest) * area
    low, high = map(math.log, ASPECT)
    ratio = torch.exp(low + (high - low) * aspect)
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    # Affine map from the result's coordinates, [-1, 1] each way, to the clip's.
    maps = torch.zeros(len(clip), 2, 3, dtype=torch.float64)
    maps[:, 0, 0], maps[:, 0, 2] = width, (1 - width) * (2 * across - 1)
    maps[:, 1, 1], maps[:, 1, 2] = height, (1 - height) * (2 * down - 1)
    # Time stands where images have channels, so one grid serves all frames.
    grid = functional.affine_grid(maps.to(clip), list(clip.shape), align_corners=False)
    return functional.grid_sample(clip, grid, padding_mode="border", align_corners=False)
