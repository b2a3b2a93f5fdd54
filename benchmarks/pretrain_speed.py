"""Speed of a training step: beside transformers' VideoMAE, and against this machine's own matrix products.

    python -m benchmarks.pretrain_speed [--device cuda] [--out docs/benchmarks/pretrain-speed.md]

Side by side, in one run, taking turns: same clips, same shapes, same precision, same optimiser (AdamW, fused), as many
tubes hidden. "Same work" is a network of the same arithmetic (no QK-norm, biases as theirs, every hidden token
decoded); "as pretrained here" is what a study trains (half of the hidden tokens decoded, seen patches alone embedded,
attention by device and precision). Model FLOPs are counted by formula (tested against torch's counter); utilisation
is FLOPs a second over the best large matrix product of that precision, measured first.
"""

import logging
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from benchmarks.device import asked, on_device
from benchmarks.machine import heading, publish
from torch import nn

from transferscale.ladder import Scale, scale
from transferscale.ladder.cost import training_flops
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import generator, initialise, parameter_groups
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.counter import Draw
from transferscale.pretrain.mae import MaskedAutoencoder

RATIO, ROUNDS, ROUND_S = 0.9, 7, 1.0
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
Step = Callable[[], None]


@dataclass(frozen=True)
class Shape:
    """Clips and tokens of a comparison."""

    size: int
    tubelet: int
    batch: int

    def scale(self, depth: int, family: str = "vit") -> Scale:
        """The ladder's network on these clips."""
        return scale(depth, 16, self.size, {"frames": 2, "size": self.tubelet}, family)


def autocast(device: str, precision: str) -> AbstractContextManager[Any]:
    """Autocast to the precision."""
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")


def ours(shape: Scale, batch: int, share: float, device: str, precision: str) -> tuple[Step, int]:
    """A step of our masked autoencoder, and its model FLOPs."""
    encoder = VideoEncoder(shape)
    initialise(encoder, generator("encoder", 0))
    options = {"name": "mae", "mask_ratio": RATIO, "decoder_share": share}
    objective = MaskedAutoencoder(encoder, options, 0)
    for network in objective.networks.values():
        network.to(device)
    parameters = [p for network in objective.networks.values() for p in network.parameters()]
    groups = parameter_groups(objective.networks.values(), shape.multipliers, 1e-3, 0.05)
    optimiser = torch.optim.AdamW(groups, fused=True)
    clip = noise(shape, batch, device)
    visits = iter(range(10**9))

    def step() -> None:
        draw = Draw(0, np.full(batch, next(visits)), np.arange(batch, dtype=np.uint64))
        with autocast(device, precision):
            loss = objective.losses(Batch(clip, draw, torch.zeros(batch, dtype=torch.int64))).mean()
        finish(loss, parameters, optimiser)

    return step, training_flops(shape, objective.work) * batch


def theirs(shape: Scale, batch: int, device: str, precision: str) -> Step:
    """A step of transformers' VideoMAEForPreTraining of that shape."""
    from transformers import VideoMAEConfig, VideoMAEForPreTraining

    logging.getLogger("transformers").setLevel(logging.ERROR)
    config = VideoMAEConfig(
        image_size=shape.size,
        patch_size=shape.tubelet_size,
        num_channels=1,
        num_frames=shape.frames,
        tubelet_size=shape.tubelet_frames,
        hidden_size=shape.width,
        num_hidden_layers=shape.depth,
        num_attention_heads=shape.heads,
        intermediate_size=shape.mlp,
        decoder_num_attention_heads=shape.decoder_block.heads,
        decoder_hidden_size=shape.decoder_width,
        decoder_num_hidden_layers=1,
        decoder_intermediate_size=shape.decoder_block.mlp,
        use_mean_pooling=False,
        norm_pix_loss=True,
    )
    model = VideoMAEForPreTraining(config).to(device)
    parameters = list(model.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.05, fused=True)
    clip = noise(shape, batch, device).unsqueeze(2)
    source, kept = np.random.default_rng(0), shape.kept_places(RATIO)

    def step() -> None:
        order = np.argsort(source.random((batch, shape.places)), axis=1)
        hidden = np.repeat((order >= kept)[:, None], shape.times, axis=1).reshape(batch, -1)
        with autocast(device, precision):
            loss = model(clip, bool_masked_pos=torch.from_numpy(hidden).to(device)).loss
        finish(loss, parameters, optimiser)

    return step


def noise(shape: Scale, batch: int, device: str) -> torch.Tensor:
    """Clips of noise."""
    clip = torch.randn(
        batch, shape.frames, shape.size, shape.size, generator=torch.Generator().manual_seed(0)
    )
    return clip.to(device)


def finish(loss: torch.Tensor, parameters: list[nn.Parameter], optimiser: torch.optim.Optimizer) -> None:
    """Backward pass, clipping, update: the same for both."""
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimiser.step()
    optimiser.zero_grad()


def take_turns(steps: dict[str, Step], device: str) -> dict[str, float]:
    """Median seconds a step of each, over rounds in which they take turns."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        for _ in range(2):
            step()
    for _ in range(ROUNDS):
        for name, step in steps.items():
            wait(device)
            start, count = time.perf_counter(), 0
            while not count or time.perf_counter() - start < ROUND_S:
                step()
                count += 1
            wait(device)
            found[name].append((time.perf_counter() - start) / count)
    return {name: statistics.median(times) for name, times in found.items()}


def wait(device: str) -> None:
    """Until the device has done what it was asked."""
    if device == "cuda":
        torch.cuda.synchronize()


def peak(precision: str, device: str) -> float:
    """FLOPs a second of the best of a few large square matrix products, on random numbers."""
    best = 0.0
    for size in (1024, 2048, 4096) if device == "cpu" else (4096, 8192, 16384):
        a, b = (torch.randn(size, size, device=device).to(PRECISIONS[precision]) for _ in range(2))
        times = []
        for _ in range(6):
            wait(device)
            start = time.perf_counter()
            a @ b
            wait(device)
            times.append(time.perf_counter() - start)
        best = max(best, 2 * size**3 / min(times[1:]))
    return best


def beside(shape: Shape, depth: int, precision: str, device: str) -> str:
    """A row: their clips a second, ours at the same work, ours as pretrained here."""
    ladder = shape.scale(depth)
    same = replace(ladder, qk_norm=False, qkv_bias=True)
    steps = {
        "theirs": theirs(ladder, shape.batch, device, precision),
        "same": ours(same, shape.batch, 1.0, device, precision)[0],
        "here": ours(ladder, shape.batch, 0.5, device, precision)[0],
    }
    speed = {name: shape.batch / seconds for name, seconds in take_turns(steps, device).items()}
    return (
        f"| 16 x {shape.size} x {shape.size} | {depth} | {ladder.width} | {precision} | {speed['theirs']:.0f} | "
        f"{speed['same']:.0f} | {speed['same'] / speed['theirs']:.2f} | {speed['here']:.0f} | "
        f"{speed['here'] / speed['theirs']:.2f} |"
    )


def utilisation(shape: Shape, depths: list[int], families: list[str], device: str) -> list[str]:
    """Rows: clips a second and utilisation of every scale, as pretrained here."""
    lines = []
    for precision in PRECISIONS:
        ceiling = peak(precision, device)
        lines.append(f"| {precision} matrix product | | | | {ceiling / 1e9:,.0f} | |")
        for family in families:
            for depth in depths:
                ladder = shape.scale(depth, family)
                step, flops = ours(ladder, shape.batch, 0.5, device, precision)
                seconds = take_turns({"one": step}, device)["one"]
                lines.append(
                    f"| {precision} {family} | {depth} | {ladder.params_encoder:,} | {shape.batch / seconds:,.0f} | "
                    f"{flops / seconds / 1e9:,.0f} | {flops / seconds / ceiling:.0%} |"
                )
    return lines


def main() -> None:
    """Measure and print the page."""
    options = asked(__doc__)
    device = options.device
    shapes = (
        [(Shape(32, 8, 32), 4), (Shape(64, 8, 32), 6), (Shape(112, 16, 16), 8)]
        if device == "cpu"
        else [(Shape(224, 16, 32), 12), (Shape(224, 16, 32), 24)]
    )
    lines = [
        "# Speed of pretraining",
        "",
        heading("--device", device) + on_device(options),
        "",
        *(__doc__ or "").split("\n\n")[2].splitlines(),
        "",
        "## Beside transformers' VideoMAEForPreTraining, clips a second",
        "",
        "| clips | depth | width | precision | transformers | same work | ratio | as pretrained here | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
        *[beside(shape, depth, precision, device) for shape, depth in shapes for precision in PRECISIONS],
        "",
        "## Utilisation at every scale",
        "",
    ]
    for shape, _ in shapes[:2] if device == "cpu" else shapes[:1]:
        depths = [1, 2, 4, 6, 8, 12, 16] if device == "cpu" else [4, 8, 12, 24, 32]
        lines += [
            f"Clips of 16 x {shape.size} x {shape.size}, tubelets of 2 x {shape.tubelet} x {shape.tubelet}, "
            f"batch {shape.batch}.",
            "",
            "| | depth | N | clips/s | GFLOP/s | of the peak |",
            "|---|---|---|---|---|---|",
            *utilisation(shape, depths, ["vit", "convnet"], device),
            "",
        ]
    publish(lines, options.out)


if __name__ == "__main__":
    main()
