"""What a rung costs beside its arithmetic: loop and ledger, data, and the start of its job.

    python -m benchmarks.pretrain_overheads CORPUS [--out docs/benchmarks/pretrain-overheads.md]

CORPUS is a folder with clips/ and clips.parquet, 16 x 32 x 32, such as results/ladder-cpu/corpus/motion. In one run,
taking turns, on as many threads as a study gives a rung (--threads, 1): the shares are medians over rounds, each of a
second a course.

"Bare" is a torch loop and nothing else: batch, loss, backward pass, clipping, AdamW. "Rung" is the real loop of
`pretrain rung` with curve, account, progress and resuming on. Probes come at their interval (six a decade of steps),
so what one costs stands apart. "No data" is the bare loop on one batch again and again; "data" is what it costs to
make the batches, in the step's own thread ("in turn") or one step ahead in another ("ahead"). A job starts in a fresh
process, its files in the page cache: the real verb, from the command to its first step, and a whole rung of ten.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from benchmarks.machine import heading, publish
from torch import nn

from transferscale.artefacts import Stopwatch
from transferscale.models.mup import parameter_groups
from transferscale.pretrain.account import Account
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.data import ClipStream, Corpus, batches, open_corpus
from transferscale.pretrain.heldout import evaluate
from transferscale.pretrain.loop import fabric_of, train
from transferscale.pretrain.objective import build_objective
from transferscale.pretrain.optimiser import optimiser
from transferscale.pretrain.prefetch import prefetched
from transferscale.pretrain.probe import PROBE_CLIPS
from transferscale.pretrain.resume import Workspace
from transferscale.pretrain.rung import probed_values
from transferscale.pretrain.schedule import Schedule
from transferscale.pretrain.training import Training
from transferscale.study.grid import Grid
from transferscale.study.load import load_study

DEPTHS, FAMILIES, ROUNDS, ROUND_S, WARM, STARTS = (1, 2, 4), ("vit", "convnet"), 9, 1.0, 5, 5
STUDY = Path("config/studies/ladder-cpu.yaml")
CPU = torch.device("cpu")
# Stops the verb after its first step and tells when that was.
FIRST_STEP = """
import sys, time
from transferscale.pretrain.training import Training
update = Training.update
def first(self, step, loss):
    update(self, step, loss)
    print(time.time(), flush=True)
    sys.exit()
Training.update = first
from transferscale.cli import main
main()
"""
Course = Callable[[int], float]


def spec_of(family: str, depth: int, threads: int) -> dict[str, Any]:
    """A rung of the study, of ten steps."""
    spec = Grid(load_study(STUDY)).rung_spec(family, depth, 0, 1)
    batch = int(spec["batch"])
    return {**spec, "warmup_clips": batch, "trunk_end": 8 * batch, "budget": 10 * batch, "threads": threads}


def opened(corpus: Path, spec: dict[str, Any]) -> Corpus:
    """The clips of a folder."""
    return open_corpus(spec, [corpus / "clips"], [corpus / "clips.parquet"], None, None)


@dataclass
class Clocked:
    """A stream that notes when each batch is asked for: the beginnings of the steps."""

    stream: ClipStream
    times: list[float] = field(default_factory=list)

    @property
    def batch(self) -> int:
        """Clips a step."""
        return self.stream.batch

    def at(self, step: int) -> Batch:
        """The batch of a step."""
        self.times.append(time.perf_counter())
        return self.stream.at(step)

    @property
    def seconds(self) -> float:
        """Of a step, once warm."""
        return (self.times[-1] - self.times[WARM]) / (len(self.times) - 1 - WARM)


def bare(spec: dict[str, Any], clips: Callable[[], Iterator[Batch]]) -> Course:
    """Seconds of a step of a bare torch loop."""
    objective = build_objective(spec)
    scale, networks = objective.encoder.scale, objective.networks.values()
    groups = parameter_groups(networks, scale.multipliers, spec["learning_rate"], spec["weight_decay"])
    own = optimiser(spec["optimizer"], groups, scale.width, scale.multipliers)
    parameters = [p for group in own.param_groups for p in group["params"]]

    def course(steps: int) -> float:
        start = 0.0
        for step, batch in zip(range(steps + WARM), clips(), strict=False):
            if step == WARM:
                start = time.perf_counter()
            own.zero_grad()
            objective.losses(batch).mean().backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            own.step()
        return (time.perf_counter() - start) / steps

    return course


def real(spec: dict[str, Any], stream: ClipStream) -> Course:
    """Seconds of a step of the rung's own loop, between two batches."""
    spec = {**spec, "probes_per_decade": 0}

    def course(steps: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            schedule = Schedule(warmup=1, start=0, trunk_end=steps + WARM, end=steps + WARM + 1)
            fabric = fabric_of(CPU, "fp32", [])
            training = Training(fabric, "fp32", build_objective(spec), schedule, spec, {})
            workspace, clocked = Workspace(Path(folder)), Clocked(stream)
            account = Account(workspace.costs, CPU, torch.get_num_threads(), Stopwatch())
            train(training, clocked, dict, None, workspace, account, "")
            # The last step saved the trunk before the next batch was asked for: it is no part of every step.
            clocked.times.pop()
            return clocked.seconds

    return course


def shares(courses: dict[str, Course]) -> dict[str, float]:
    """Median seconds a step of the first course, and of each over the first, from rounds in which they take turns."""
    first = next(iter(courses))
    steps = max(20, round(ROUND_S / courses[first](10)))
    rounds = [{name: course(steps) for name, course in courses.items()} for _ in range(ROUNDS)]
    over = {name: statistics.median(one[name] / one[first] for one in rounds) for name in courses}
    return {**over, first: statistics.median(one[first] for one in rounds)}


def steps_of(corpus: Path, family: str, depth: int, threads: int) -> str:
    """A row: what loop, data and probe of a network cost."""
    spec = spec_of(family, depth, threads)
    clips = opened(corpus, spec)
    stream = ClipStream(clips, 0, int(spec["batch"]), 1.0)
    one = stream.at(0)
    found = shares(
        {
            "no data": bare(spec, lambda: itertools.repeat(one)),
            "in turn": bare(spec, lambda: map(stream.at, itertools.count())),
            "ahead": bare(spec, lambda: prefetched(stream.at, 0)),
            "rung": real(spec, stream),
        }
    )
    # The rung's loop makes its batches in turn with one thread, else ahead.
    beside = found["in turn" if threads == 1 else "ahead"]
    objective, asked, times = build_objective(spec), clips.heldout.first(PROBE_CLIPS), []
    for _ in range(3):
        start = time.perf_counter()
        probed_values(evaluate(objective, batches(asked, int(spec["batch"]))), asked)
        times.append(time.perf_counter() - start)
    step, reading = found["no data"], quickest_read(stream)
    return (
        f"| {family} | {depth} | {1e3 * step:.2f} | {found['rung'] / beside - 1:+.1%} | {1e3 * reading:.2f} | "
        f"{reading / step:.1%} | {found['in turn'] - 1:+.1%} | {found['ahead'] - 1:+.1%} | "
        f"{1e3 * statistics.median(times):.0f} |"
    )


def quickest_read(stream: ClipStream) -> float:
    """Median seconds to make a batch."""
    times = []
    for step in range(300):
        start = time.perf_counter()
        stream.at(step)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def starts(corpus: Path, threads: int) -> list[str]:
    """Rows: seconds of a job to its first step, and of a whole rung of ten steps."""
    found: dict[str, list[float]] = {"first step": [], "ten steps": []}
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "spec.json")
        spec.write_text(json.dumps(spec_of("vit", 1, threads)))
        clips = ["--store", str(corpus / "clips"), "--index", str(corpus / "clips.parquet")]
        for number in range(STARTS):
            out = str(Path(folder, f"rung{number}"))
            verb = ["pretrain", "rung", "--spec", str(spec), *clips, "--out", out]
            for name, code in (("first step", ["-c", FIRST_STEP]), ("ten steps", ["-m", "transferscale"])):
                start = time.time()
                done = subprocess.run(
                    [sys.executable, *code, *verb], check=True, stdout=subprocess.PIPE, text=True
                )
                end = float(done.stdout) if name == "first step" else time.time()
                found[name].append(end - start)
    return [
        f"| {name} | {statistics.median(times):.1f} | {min(times):.1f} to {max(times):.1f} |"
        for name, times in found.items()
    ]


def main() -> None:
    """Measure and print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    about = (__doc__ or "").split("\n\n")
    lines = [
        "# What a rung costs beside its arithmetic",
        "",
        heading("CORPUS", "--threads", str(options.threads)) + f", torch {torch.__version__}",
        "",
        *about[3].splitlines(),
        "",
        f"## A step, fp32, batch of {spec_of('vit', 1, 1)['batch']} clips of 16 x 32 x 32",
        "",
        "| family | depth | bare step without data, ms | rung's loop over bare | a batch, ms | of the step | "
        "data in turn | data ahead | a probe, ms |",
        "|---|---|---|---|---|---|---|---|---|",
        *[
            steps_of(options.corpus, family, depth, options.threads)
            for family in FAMILIES
            for depth in DEPTHS
        ],
        "",
        "## Start of a job",
        "",
        f"| depth 1, seconds from the command on | median of {STARTS} | range |",
        "|---|---|---|",
        *starts(options.corpus, options.threads),
    ]
    publish(lines, options.out)


if __name__ == "__main__":
    main()
