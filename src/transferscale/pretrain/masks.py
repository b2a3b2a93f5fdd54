"""Which tokens of a clip are seen, and which are asked for; by counter, the same at every visit of a held-out clip."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from transferscale.ladder import Scale
from transferscale.ladder.cost import asked_places, context_times
from transferscale.models.seen import Seen
from transferscale.pretrain.counter import Draw


class Question(NamedTuple):
    """What the encoder sees, and the tokens that the decoder is asked for, numbered within the clip."""

    seen: Seen
    asked: Int[Tensor, "batch asked"]


def tubes(scale: Scale, draw: Draw, mask_ratio: float, share: float, device: torch.device) -> Question:
    """Hide the same random places at all times; ask for a ``share`` of the hidden ones.

    Tube masking: Tong et al. 2022, arXiv 2203.12602. Asking for a part: Wang et al. 2023, arXiv 2303.16727.
    """
    order, kept = _places(draw, scale.places, device), scale.kept_places(mask_ratio)
    asked = order[:, kept : kept + asked_places(scale.places - kept, share)]
    return Question(Seen(scale.times, order[:, :kept]), Seen(scale.times, asked).tokens(scale.grid))


def future(scale: Scale, draw: Draw, context: float, share: float, device: torch.device) -> Question:
    """See the first ``context`` of the frames whole; ask for a ``share`` of the places of the following ones."""
    order, times = _places(draw, scale.places, device), context_times(scale, context)
    asked = order[:, : asked_places(scale.places, share)]
    every = torch.arange(scale.places, device=device).expand(len(order), -1)
    following = Seen(scale.times - times, asked).tokens(scale.grid, first=times)
    return Question(Seen(times, every), following)


def _places(draw: Draw, places: int, device: torch.device) -> Int[Tensor, "batch places"]:
    order = np.argsort(draw.bits("mask", places), axis=1, kind="stable")
    return torch.from_numpy(order).to(device, non_blocking=True)
