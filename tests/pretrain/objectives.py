"""Objectives of every family, small, with weights that say something."""

from typing import Any

import numpy as np
import torch

from transferscale.ladder import scale
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import generator, initialise
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.counter import Draw, identify
from transferscale.pretrain.jepa import JointEmbedding
from transferscale.pretrain.mae import MaskedAutoencoder
from transferscale.pretrain.next import NextFrames
from transferscale.pretrain.objective import Objective
from transferscale.pretrain.supervised import Supervised

TUBELET = {"frames": 2, "size": 8}
OPTIONS: dict[str, dict[str, Any]] = {
    "mae": {"name": "mae", "mask_ratio": 0.9, "decoder_share": 0.5},
    "jepa": {"name": "jepa", "mask_ratio": 0.9, "decoder_share": 0.5, "momentum": 0.99},
    "next": {"name": "next", "context": 0.5, "decoder_share": 0.5},
    "supervised": {"name": "supervised"},
}
NETWORKS = [("vit", "joint"), ("vit", "factorised"), ("convnet", "joint")]
CLASSES = 5


def objective(
    name: str,
    family: str = "vit",
    attention: str = "joint",
    depth: int = 2,
    frames: int = 16,
    size: int = 32,
    **changes: Any,
) -> Objective:
    """An objective whose every parameter is drawn, so that nothing is silent."""
    encoder = VideoEncoder(scale(depth, frames, size, TUBELET, family, attention))
    initialise(encoder, generator("encoder", 0))
    options = {**OPTIONS[name], **changes}
    made: Objective
    if name == "supervised":
        made = Supervised(encoder, CLASSES, 0)
    else:
        kinds = {"mae": MaskedAutoencoder, "jepa": JointEmbedding, "next": NextFrames}
        made = kinds[name](encoder, options, 0)
    source = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for network in made.networks.values():
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.normal_(0, 0.1, generator=source)
        for teacher in made.teachers.values():
            teacher.load_state_dict(made.encoder.state_dict())
    return made


def batch(clips: int = 6, frames: int = 16, size: int = 32, visit: int = 0, seed: int = 1) -> Batch:
    """Noise, drawn at a visit."""
    source = torch.Generator().manual_seed(seed)
    ids = identify([f"clip-{i}" for i in range(clips)])
    return Batch(
        torch.randn(clips, frames, size, size, generator=source),
        Draw(0, np.full(clips, visit), ids),
        torch.arange(clips) % CLASSES,
    )


def take(whole: Batch, order: list[int]) -> Batch:
    """Some clips of a batch."""
    draw = Draw(whole.draw.seed, whole.draw.visit[order], whole.draw.ids[order])
    return Batch(whole.clip[order], draw, whole.label[order])
