"""The part of a clip's tokens that is encoded."""

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor


class Seen(NamedTuple):
    """Tokens at ``places`` of each of the first ``times`` time steps, time by time.

    A tube mask hides the same places at all times (Tong et al. 2022, arXiv 2203.12602), so what is seen is a block of
    the grid, on which attention can be factorised and convolutions know their neighbours.

    Attributes
    ----------
    times
        Time steps, from the first.
    places
        Row-major places on the grid of height and width, (batch, places).
    """

    times: int
    places: Int[Tensor, "batch places"]

    def tokens(self, grid: tuple[int, int, int], first: int = 0) -> Int[Tensor, "batch tokens"]:
        """Numbers of the tokens within the whole clip, from time step ``first`` on."""
        place = self.places
        time = torch.arange(first, first + self.times, device=place.device)
        return (time[None, :, None] * (grid[1] * grid[2]) + place[:, None]).flatten(1)
