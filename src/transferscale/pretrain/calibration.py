"""How fast this machine trains: a few seconds at a small network and at a large one."""

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from transferscale.ladder.cost import training_flops
from transferscale.models.mup import parameter_groups
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.counter import Draw
from transferscale.pretrain.objective import build_objective
from transferscale.pretrain.optimiser import optimiser
from transferscale.pretrain.precision import chosen_precision
from transferscale.study.grid import CLASSES, Grid
from transferscale.study.study import Study

# Seconds at a network, and the FLOPs of a step that takes well below a second.
MEASURE_S = 1.5
MEASURE_FLOPS = {"cpu": 2e10, "cuda": 2e13}


@dataclass(frozen=True)
class Speed:
    """Seconds a clip as a straight line in its training FLOPs."""

    overhead: float
    per_flop: float

    def seconds(self, flops: float) -> float:
        """Seconds of training one clip."""
        return self.overhead + self.per_flop * flops

    @classmethod
    def through(cls, points: list[tuple[float, float]]) -> "Speed":
        """The line through one or two points (FLOPs, seconds); it passes through zero when there is one.

        Noise can give two points a negative overhead or slope; then the line is that of the larger network.
        """
        (few, fast), (many, slow) = points[0], points[-1]
        slope = (slow - fast) / (many - few) if many > few else 0.0
        overhead = fast - slope * few
        return cls(overhead, slope) if slope > 0 and overhead > 0 else cls(0.0, slow / many)


def device_here() -> torch.device:
    """What rungs train on here."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def jobs_at_once(threads: int) -> int:
    """Rungs that this machine runs side by side: one a GPU, else as many as its cores have threads for."""
    if device_here().type == "cuda":
        return torch.cuda.device_count()
    return max(1, len(os.sched_getaffinity(0)) // threads)


def probes(flops: dict[int, int]) -> list[int]:
    """The depths that are measured: the smallest, and the largest of which a clip is quick on this device.

    Parameters
    ----------
    flops
        Training FLOPs of a clip at every depth.
    """
    depths, most = sorted(flops), MEASURE_FLOPS[device_here().type]
    quick = [depth for depth in depths if flops[depth] <= most]
    return sorted({depths[0], quick[-1] if quick else depths[0]})


def measure(study: Study, family: str, depth: int) -> float:
    """Seconds a clip of training, measured on clips of noise with the study's threads and precision."""
    spec: dict[str, Any] = Grid(study).rung_spec(family, depth, 0, 1)
    device, before = device_here(), torch.get_num_threads()
    torch.set_num_threads(study.pretrain.threads)
    try:
        objective = build_objective(spec, CLASSES)
        for network in [*objective.networks.values(), *objective.teachers.values()]:
            network.to(device)
        shape, half = objective.encoder.scale, chosen_precision(spec["precision"], device) == "bf16"
        # Large networks are measured on fewer clips a step, so that a step stays below a second.
        clip = training_flops(shape, objective.work)
        batch = min(study.pretrain.batch, max(1, round(MEASURE_FLOPS[device.type] / clip)))
        groups = parameter_groups(objective.networks.values(), shape.multipliers, 1e-3, 0.0)
        updates = optimiser(spec["optimizer"], groups, shape.width, shape.multipliers)
        shown = (batch, shape.frames, shape.size, shape.size)
        noise = torch.from_numpy(np.random.default_rng(0).standard_normal(shown, dtype=np.float32))
        draw = Draw(0, np.zeros(batch, np.int64), np.arange(batch, dtype=np.uint64))
        label = torch.zeros(batch, dtype=torch.int64, device=device)
        clips, taken, start = Batch(noise.to(device), draw, label), 0, 0.0
        # The first two steps allocate memory and choose kernels; they are not counted.
        while taken < 3 or time.perf_counter() - start < MEASURE_S:
            if taken == 2:
                start = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = objective.losses(clips).mean()
            loss.backward()
            updates.step()
            updates.zero_grad()
            loss.item()
            taken += 1
        return (time.perf_counter() - start) / ((taken - 2) * batch)
    finally:
        torch.set_num_threads(before)
