"""Held-out clips: the same clips and masks for every checkpoint, in fp32, with an interval over videos."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from transferscale.pretrain.batch import Batch
from transferscale.pretrain.objective import Objective

RESAMPLES = 1000


@dataclass(frozen=True)
class HeldOut:
    """Mean loss on held-out clips with its 95 % interval over videos."""

    value: float
    low: float
    high: float

    def facts(self) -> dict[str, float]:
        """Columns of table ``checkpoints``."""
        return {"heldout_loss": self.value, "heldout_low": self.low, "heldout_high": self.high}


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of the held-out clips.

    Attributes
    ----------
    losses
        Loss of every clip, over every masked token, (clips,).
    features
        Mean token of every clip, (clips, width).
    """

    losses: npt.NDArray[np.float64]
    features: npt.NDArray[np.float32]


@torch.no_grad()
def evaluate(objective: Objective, batches: Iterable[Batch]) -> Evaluation:
    """Losses and features of held-out clips; fp32, whatever the precision of training."""
    device, losses, features = next(objective.encoder.parameters()).device, [], []
    with torch.autocast(device.type, enabled=False):
        for given in batches:
            batch = given.to(device)
            losses.append(objective.losses(batch, whole=True).double().cpu().numpy())
            features.append(objective.encoder(batch.clip).mean(dim=1).float().cpu().numpy())
    return Evaluation(np.concatenate(losses), np.concatenate(features))


def interval_over_videos(losses: npt.NDArray[np.float64], videos: list[str], seed: int = 0) -> HeldOut:
    """Mean loss and its percentile interval when videos, not clips, are drawn with replacement.

    Clips of one video are alike, so an interval over clips would be too narrow.
    """
    names, which = np.unique(np.asarray(videos), return_inverse=True)
    sums, counts = np.bincount(which, weights=losses), np.bincount(which)
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), RESAMPLES
    )
    means: Any = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [0.025, 0.975])
    return HeldOut(float(losses.mean()), float(low), float(high))
