"""Small networks trained together against the same networks one after the other.

    python -m benchmarks.stacked [--device cuda] [--out docs/benchmarks/stacked.md]

Aggregate clips a second of whole training steps (questions drawn, forward and backward pass, clipping, AdamW) of the
masked autoencoder on clips of 16 x 32 x 32, batch 32 a network. Each network has its own clips, masks and learning
rate. "One after the other" steps through 16 networks in turn, each on its own, as a study trains them; "stacked" is
:mod:`transferscale.pretrain.stacked`. All take turns in one run; a ratio is of medians over the rounds.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from benchmarks.device import asked, on_device
from benchmarks.machine import heading, publish
from benchmarks.pretrain_speed import noise, take_turns

from transferscale.ladder import Scale, scale
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import generator, initialise
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.counter import Draw
from transferscale.pretrain.mae import MaskedAutoencoder
from transferscale.pretrain.schedule import Schedule
from transferscale.pretrain.stacked import Member, Together

COUNTS, DEPTHS, BATCH = (1, 2, 4, 8, 16), (1, 2, 4), 32
OPTIONS = {"name": "mae", "mask_ratio": 0.9, "decoder_share": 0.5}
SCHEDULE = Schedule(warmup=10, start=0, trunk_end=10**9, end=2 * 10**9)
SPEC: dict[str, Any] = {
    "batch": BATCH,
    "accumulate": 1,
    "weight_decay": 0.05,
    "optimizer": "adamw",
    "clip_norm": 1.0,
    "ema": 0.0,
}


@dataclass(frozen=True)
class Same:
    """The same clips at every step, other masks; on the device, because reading is not what is measured."""

    clip: torch.Tensor
    seed: int

    def at(self, step: int) -> Batch:
        """The batch of a step."""
        draw = Draw(self.seed, np.full(BATCH, step), np.arange(BATCH, dtype=np.uint64))
        return Batch(self.clip, draw, torch.full((BATCH,), -1, device=self.clip.device))


def networks(shape: Scale, count: int, device: str) -> list[Member]:
    """Networks of one shape, each with its own weights, clips and rate."""
    members = []
    for seed in range(count):
        encoder = VideoEncoder(shape)
        initialise(encoder, generator("encoder", seed))
        objective = MaskedAutoencoder(encoder, OPTIONS, seed)
        members.append(Member(objective, 1e-3 * (1 + seed), Same(noise(shape, BATCH, device), seed)))
    return members


def stepping(trainings: list[Together]) -> Callable[[], None]:
    """A function that takes the next step of the next training."""
    turns = itertools.cycle(trainings)
    steps = itertools.count()

    def step() -> None:
        number = next(steps)
        training = next(turns)
        training.step(number, training.read(number))

    return step


def row(shape: Scale, family: str, precision: str, device: str) -> str:
    """Clips a second of one network after the other, and of stacks, with their ratio to it."""
    place = torch.device(device)

    def training(members: list[Member]) -> Together:
        return Together(members, SCHEDULE, SPEC, place, precision)

    separate = [training([member]) for member in networks(shape, max(COUNTS), device)]
    steps = {"separate": stepping(separate)}
    for count in COUNTS[1:]:
        steps[str(count)] = stepping([training(networks(shape, count, device))])
    seconds = take_turns(steps, device)
    base = BATCH / seconds["separate"]
    cells = [f"{count * BATCH / seconds[str(count)]:,.0f}" for count in COUNTS[1:]]
    gains = [count * BATCH / seconds[str(count)] / base for count in COUNTS[1:]]
    told = " | ".join(f"{cell} ({gain:.2f})" for cell, gain in zip(cells, gains, strict=True))
    return f"| {family} | {shape.depth} | {shape.params_encoder:,} | {precision} | {base:,.0f} | {told} |"


def main() -> None:
    """Measure and print the page."""
    options = asked(__doc__)
    device = options.device
    head = " | ".join(f"{count} stacked (ratio)" for count in COUNTS[1:])
    lines = [
        "# Small networks trained together",
        "",
        heading("--device", device, "--threads", str(options.threads)) + on_device(options),
        "",
        *(__doc__ or "").split("\n\n")[2].splitlines(),
        "",
        f"| family | depth | N | precision | one after the other, clips/s | {head} |",
        "|---" * (len(COUNTS) + 4) + "|",
        *[
            row(scale(depth, 16, 32, {"frames": 2, "size": 8}, family), family, precision, device)
            for family, depth, precision in itertools.product(("vit", "convnet"), DEPTHS, ("fp32", "bf16"))
        ],
    ]
    if device == "cpu":
        lines += ["", "No GPU was at hand; `python -m benchmarks.stacked --device cuda` measures one."]
    publish(lines, options.out)


if __name__ == "__main__":
    main()
