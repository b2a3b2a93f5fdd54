"""Loss on held-out clips, the same clips and masks for every checkpoint, with an interval over videos."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from transferscale.clips.store import ClipStore
from transferscale.pretrain.counter import Draw
from transferscale.pretrain.data import Moments, Subset
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


@torch.no_grad()
def heldout_losses(
    objective: Objective, store: ClipStore, clips: Subset, scale: Moments, batch: int
) -> npt.NDArray[np.float64]:
    """Loss of every held-out clip, (clips,); masks depend on the clip alone, not on the seed or the run."""
    device, losses = next(objective.encoder.parameters()).device, []
    for start in range(0, len(clips), batch):
        part = slice(start, start + batch)
        draw = Draw("heldout", np.zeros(len(clips.ids[part]), np.int64), clips.ids[part])
        clip = scale.scale(store.take(clips.rows[part])).to(device)
        losses.append(objective.losses(clip, draw).double().cpu().numpy())
    return np.concatenate(losses)


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
