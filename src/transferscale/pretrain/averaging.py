"""Exponential moving average of the weights, the finished model where it is on (Polyak & Juditsky 1992)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def average_of(networks: nn.Module, decay: float) -> AveragedModel | None:
    """The average of some networks, None at decay 0; it starts at the weights after the first step."""
    if not decay:
        return None
    average = AveragedModel(networks, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]
    return average.requires_grad_(False)


@contextmanager
def averaged(networks: nn.Module, average: AveragedModel | None) -> Iterator[None]:
    """Within it the networks have their averaged weights; afterwards their own again, to the last bit."""
    if average is None:
        yield
        return
    exchange(networks, average)
    try:
        yield
    finally:
        exchange(networks, average)


@torch.no_grad()
def exchange(networks: nn.Module, average: AveragedModel) -> None:
    """Swap the networks' weights and their average."""
    for own, mean in zip(networks.parameters(), average.module.parameters(), strict=True):
        kept = own.detach().clone()
        own.copy_(mean)
        mean.copy_(kept)
