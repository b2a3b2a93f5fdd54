"""`pretrain ladder`: the ladder of a study and what it costs on this machine, before anything runs."""

import os
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from transferscale.ladder import Scale
from transferscale.ladder.cost import Work, params_total, training_flops, work_of
from transferscale.models.build import scale_of
from transferscale.pretrain.memory import needed_bytes, refuse_what_does_not_fit
from transferscale.pretrain.schedule import steps
from transferscale.study.grid import Grid
from transferscale.study.study import Study
from transferscale.study.trunks import Trunk, ladder_trunks, trunks_beside

# Wall time of a rung outside its steps: imports, opening the clips, held-out loss, writing; measured on a server CPU
# (benchmarks/pretrain_overheads.py).
START_UP_S = 6.0
# Calibration: this long at a network, and with steps of at most this many FLOPs.
MEASURE_S = 1.5
MEASURE_FLOPS = 2e10
# Classes that a supervised head is counted with, before the corpus is read.
CLASSES = 10

HEAD = (
    "family",
    "depth",
    "width",
    "encoder",
    "with decoder",
    "MFLOP/clip",
    "MB",
    "trunks",
    "rungs",
    "clips/trunk",
    "clips/s",
    "min",
)


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


@dataclass(frozen=True)
class Line:
    """Trunks of one network on one kind of corpus.

    Attributes
    ----------
    what
        Family, and the corpus where it is not the ladder's.
    trunks, rungs
        Number of trunks; rungs of each, those passed through included.
    clips
        Clips that training one of them takes, decays included.
    seconds
        Of all trunks, one after the other, start-up included.
    """

    what: str
    scale: Scale
    work: Work
    trunks: int
    rungs: int
    clips: int
    speed: float
    seconds: float


def ladder_text(study: Study, price_hour: float | None = None) -> str:
    """The ladder as a table: shape, parameters, FLOPs, memory, clips and minutes of every depth.

    The minutes come from some ten seconds of measured training: two networks a family.

    Parameters
    ----------
    price_hour
        Price of an hour of this machine; by default ``plan.price_gpu_hour`` of the study, if it has one.

    Raises
    ------
    UserError
        If a network does not fit this machine's memory.
    """
    lines = estimate(study)
    pretrain = study.pretrain
    part = pretrain.batch // pretrain.accumulate
    rows = [
        (
            line.what,
            str(line.scale.depth),
            str(line.scale.width),
            f"{line.scale.params_encoder:,}",
            f"{params_total(line.scale, line.work):,}",
            f"{training_flops(line.scale, line.work) / 1e6:,.1f}",
            f"{needed_bytes(line.scale, line.work, part) / 1e6:,.0f}",
            str(line.trunks),
            str(line.rungs),
            f"{line.clips:,}",
            f"{line.speed:,.0f}",
            f"{line.seconds / 60:,.1f}",
        )
        for line in lines
    ]
    budgets = ", ".join(f"{pretrain.budgets.at(rung):,}" for rung in range(1, pretrain.budgets.rungs + 1))
    minutes = sum(line.seconds for line in lines) / 60
    flops = sum(training_flops(line.scale, line.work) * line.clips * line.trunks for line in lines)
    jobs = sum(line.trunks * line.rungs for line in lines)
    price = price_hour if price_hour is not None else study.plan.price_gpu_hour if study.plan else None
    cost = f", {minutes / 60 * price:,.2f} at {price:g} an hour" if price else ""
    at_once = max(1, (os.cpu_count() or 1) // pretrain.threads)
    return "\n".join(
        [
            f"Pretraining ladder ({pretrain.objective.name}, {pretrain.precision}), budgets {budgets} clips:",
            *_columns([HEAD, *rows]),
            f"{jobs} jobs, {flops:.2e} FLOPs, about {minutes:,.1f} min one after the other on this machine{cost};",
            f"{minutes / at_once:,.1f} min with {at_once} at a time, of {pretrain.threads} CPU threads each. "
            f"{START_UP_S:.0f} s a job are not training.",
        ]
    )


def estimate(study: Study) -> list[Line]:
    """Every kind of trunk of a study, with what it costs here.

    Raises
    ------
    UserError
        If a network does not fit this machine's memory.
    """
    pretrain, grid = study.pretrain, Grid(study)
    shapes: dict[tuple[str, int], tuple[Scale, Work]] = {}
    for family, ladder in study.families.items():
        for depth in ladder.depths:
            shape = scale_of(grid.model_spec(family, depth))
            work = work_of(shape, pretrain.objective.spec(), CLASSES)
            refuse_what_does_not_fit(shape, work, pretrain.batch, pretrain.accumulate)
            shapes[family, depth] = shape, work
    speeds = {
        family: Speed.through(
            [
                (training_flops(*shapes[family, depth]), measure(study, family, depth))
                for depth in probes(
                    {depth: training_flops(*shapes[family, depth]) for depth in ladder.depths}
                )
            ]
        )
        for family, ladder in study.families.items()
    }
    lines = []
    trunks = [*ladder_trunks(study), *trunks_beside(study)]
    kinds = Counter((_kind(trunk), trunk.family, trunk.depth, max(trunk.rungs)) for trunk in trunks)
    examples = {(_kind(t), t.family, t.depth, max(t.rungs)): t for t in trunks}
    for (kind, family, depth, rungs), count in kinds.items():
        shape, work = shapes[family, depth]
        clips = clips_of(study, examples[kind, family, depth, rungs])
        seconds = speeds[family].seconds(training_flops(shape, work))
        lines.append(
            Line(
                f"{family} {kind}".strip(),
                shape,
                work,
                count,
                rungs,
                clips,
                1 / seconds,
                count * (clips * seconds + rungs * START_UP_S),
            )
        )
    return lines


def probes(flops: dict[int, int]) -> list[int]:
    """The depths that are measured: the smallest, and the largest of which a clip is done within a second.

    Parameters
    ----------
    flops
        Training FLOPs of a clip at every depth.
    """
    depths = sorted(flops)
    affordable = [depth for depth in depths if flops[depth] <= MEASURE_FLOPS]
    return sorted({depths[0], affordable[-1] if affordable else depths[0]})


def clips_of(study: Study, trunk: Trunk) -> int:
    """Clips that training a whole trunk with all its decays takes."""
    grid, total = Grid(study), 0
    for rung in range(1, max(trunk.rungs) + 1):
        spec = grid.rung_spec(trunk.family, trunk.depth, trunk.seed, rung, str(trunk.label))
        total += steps(spec["budget"], spec["batch"]) - steps(spec["trunk_start"], spec["batch"])
    return total * study.pretrain.batch


def measure(study: Study, family: str, depth: int) -> float:
    """Seconds a clip of training, measured on clips of noise with the study's threads and precision."""
    import torch

    from transferscale.models.mup import parameter_groups
    from transferscale.pretrain.batch import Batch
    from transferscale.pretrain.counter import Draw
    from transferscale.pretrain.objective import build_objective
    from transferscale.pretrain.optimiser import optimiser
    from transferscale.pretrain.precision import chosen_precision

    spec: dict[str, Any] = Grid(study).rung_spec(family, depth, 0, 1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    before = torch.get_num_threads()
    torch.set_num_threads(study.pretrain.threads)
    try:
        objective = build_objective(spec, CLASSES)
        for network in [*objective.networks.values(), *objective.teachers.values()]:
            network.to(device)
        shape, half = objective.encoder.scale, chosen_precision(spec["precision"], device) == "bf16"
        # Large networks are measured on fewer clips a step, so that a step stays below a second.
        flops = training_flops(shape, objective.work)
        batch = min(study.pretrain.batch, max(1, round(MEASURE_FLOPS / flops)))
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


def _kind(trunk: Trunk) -> str:
    """What a trunk is trained on, empty for the whole corpus; folds are alike."""
    label = trunk.label
    if label.dataset:
        return f"fmri {label.dataset}" + (f" + {label.corpus}" if label.corpus else "")
    return label.control or (f"fraction {label.fraction:g}" if label.fraction < 1 else "")


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if not i else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
