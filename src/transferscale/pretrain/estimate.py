"""`pretrain ladder`: the ladder of a study and what it costs on this machine, before anything runs."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from transferscale.ladder import Scale, scale
from transferscale.pretrain.schedule import steps
from transferscale.study.grid import Grid
from transferscale.study.study import Study

# Wall time of importing torch and Lightning, measured on one core of a server CPU; paid by every rung.
START_UP_S = 5.0
MEASURE_S = 1.5
MEASURE_FLOPS = 2e10

HEAD = [
    "depth",
    "width",
    "heads",
    "encoder",
    "with decoder",
    "MFLOP/clip",
    "MB",
    "seeds",
    "clips/seed",
    "clips/s",
    "min",
]


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


def ladder_text(study: Study) -> str:
    """The ladder as a table: shape, parameters, FLOPs, memory, clips and minutes of every depth.

    The minutes come from a few seconds of measured training at two depths.
    """
    pretrain, ladder = study.pretrain, study.pretrain.vit
    scales = [study_scale(study, depth) for depth in ladder.depths]
    speed = Speed.through(
        [(s.training_flops(pretrain.mask_ratio), measure(study, s.depth)) for s in probes(scales)]
    )
    clips = clips_a_trunk(study)
    lines, total = [], 0.0
    for s in scales:
        flops, seeds = s.training_flops(pretrain.mask_ratio), ladder.seeds.at(s.depth)
        minutes = seeds * (clips * speed.seconds(flops) + pretrain.budgets.rungs * START_UP_S) / 60
        total += minutes
        lines.append(
            [
                str(s.depth),
                str(s.width),
                str(s.heads),
                f"{s.params_encoder:,}",
                f"{s.params_total:,}",
                f"{flops / 1e6:,.1f}",
                f"{s.training_bytes(pretrain.mask_ratio, pretrain.batch) / 1e6:,.0f}",
                str(seeds),
                f"{clips:,}",
                f"{1 / speed.seconds(flops):,.0f}",
                f"{minutes:,.1f}",
            ]
        )
    lead = ", ".join(f"{pretrain.budgets.at(rung):,}" for rung in range(1, pretrain.budgets.rungs + 1))
    return "\n".join(
        [
            f"Pretraining ladder ({pretrain.objective}, family vit), budgets {lead} clips:",
            *_columns([HEAD, *lines]),
            f"All seeds, one job at a time, CPU threads {pretrain.threads}: about {total:,.1f} min, of which",
            f"{START_UP_S:.0f} s a rung are start-up. MB is training memory; the interpreter adds about 500.",
        ]
    )


def study_scale(study: Study, depth: int) -> Scale:
    """The rung of the ladder at a depth of the study."""
    clip = study.corpus.clip
    return scale(depth, clip.frames, clip.size, study.pretrain.tubelet.spec())


def probes(scales: list[Scale]) -> list[Scale]:
    """The depths that are measured: the smallest, and the largest up to four times its depth."""
    largest = [s for s in scales if s.depth <= 4 * scales[0].depth][-1]
    return [scales[0]] if largest is scales[0] else [scales[0], largest]


def clips_a_trunk(study: Study) -> int:
    """Clips that training a whole trunk with all its decays takes."""
    total, grid, depth = 0, Grid(study), study.pretrain.vit.depths[0]
    for rung in range(1, study.pretrain.budgets.rungs + 1):
        spec = grid.rung_spec("vit", depth, 0, rung)
        total += steps(spec["budget"], spec["batch"]) - steps(spec["trunk_start"], spec["batch"])
    return total * study.pretrain.batch


def measure(study: Study, depth: int) -> float:
    """Seconds a clip of training at a depth, measured on clips of noise with the study's threads."""
    import torch

    from transferscale.models.mup import parameter_groups
    from transferscale.pretrain.counter import Draw
    from transferscale.pretrain.objective import build_objective

    spec: dict[str, Any] = Grid(study).rung_spec("vit", depth, 0, 1)
    before = torch.get_num_threads()
    torch.set_num_threads(study.pretrain.threads)
    try:
        objective = build_objective(spec)
        flops = objective.encoder.scale.training_flops(study.pretrain.mask_ratio)
        # Large networks are measured on fewer clips a step, so that a step stays below a second.
        batch = min(study.pretrain.batch, max(1, round(MEASURE_FLOPS / flops)))
        groups = parameter_groups(
            [objective.encoder, objective.decoder], objective.encoder.scale.multipliers, 1e-3, 0.0
        )
        optimiser = torch.optim.AdamW(groups, fused=True)
        noise = np.random.default_rng(0).standard_normal((batch, *_clip_shape(study)), dtype=np.float32)
        clip, draw = (
            torch.from_numpy(noise),
            Draw(0, np.zeros(batch, np.int64), np.arange(batch, dtype=np.uint64)),
        )
        taken, start = 0, 0.0
        # The first two steps allocate memory and choose kernels; they are not counted.
        while taken < 3 or time.perf_counter() - start < MEASURE_S:
            if taken == 2:
                start = time.perf_counter()
            objective.losses(clip, draw).mean().backward()
            optimiser.step()
            optimiser.zero_grad()
            taken += 1
        return (time.perf_counter() - start) / ((taken - 2) * batch)
    finally:
        torch.set_num_threads(before)


def _clip_shape(study: Study) -> tuple[int, int, int]:
    clip = study.corpus.clip
    return clip.frames, clip.size, clip.size


def _columns(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
