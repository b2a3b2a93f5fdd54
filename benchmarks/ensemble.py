"""Small fits trained together against the same fits one after the other.

    python -m benchmarks.ensemble [--device cuda] [--out docs/benchmarks/ensemble.md]

Fits a second of read-out `full`: 6 steps of 4 subjects with 8 windows each, windows of 20 x 32 x 32, 8 labelled
subjects, noise for recordings, fits with other labelled subjects each. "One after the other" is a loop over the fits as
a study runs it; "together" is :mod:`transferscale.transfer.ensemble`. All take turns in one run; a ratio is of medians
over the rounds. The last column is the largest difference between the test scores of the two, in units of their SD.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import torch
from benchmarks.device import asked, on_device
from benchmarks.machine import heading, publish

from transferscale.ladder import scale
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import generator, initialise
from transferscale.transfer.task import Cell, Task
from transferscale.transfer.tuner import Tuned, Tuner

SUBJECTS, WINDOWS, LABELLED, LOOPED, ROUNDS = 40, 8, 8, 4, 3
COUNTS = {"cpu": (4, 8), "cuda": (4, 16, 64)}
OPTIONS = {"steps": 6, "batch_subjects": 4, "learning_rates": [1e-2], "weight_decay": 0.05}
OPTIONS |= {"penalties": [0.1, 1.0], "fixed_penalty": 0.1, "inner_folds": 3}


def tuner_of(family: str, depth: int, device: str) -> Tuner:
    """What fine-tunes a network of random weights on noise."""
    encoder = VideoEncoder(scale(depth, 20, 32, {"frames": 2, "size": 8}, family))
    initialise(encoder, generator("encoder", 0))
    clips = torch.randn(SUBJECTS * WINDOWS, 20, 32, 32, generator=generator("clips", 0))
    owner = np.repeat(np.arange(SUBJECTS), WINDOWS)
    return Tuner(encoder.eval().to(device), clips.to(device), owner, OPTIONS)


def task_of(kind: str) -> Task:
    """Two classes of subjects, or the number of a window."""
    if kind == "state":
        y = np.tile(np.arange(WINDOWS), SUBJECTS).astype(float)
        names = [str(number) for number in range(WINDOWS)]
        return Task("film", kind, names, y, np.repeat(np.arange(SUBJECTS), WINDOWS))
    return Task("group", kind, ["a", "b"], np.arange(SUBJECTS) % 2.0, np.arange(SUBJECTS))


def cells_of(count: int) -> list[Cell]:
    """Fits whose labelled subjects differ."""
    random, found = np.random.default_rng(0), []
    for draw in range(count):
        order = 2 * random.permutation(SUBJECTS // 2)
        train = np.sort(np.concatenate([order[: LABELLED // 2], order[: LABELLED // 2] + 1]))
        found.append(Cell(0, 0, draw, train, np.setdiff1d(np.arange(SUBJECTS), train), 0))
    return found


def seconds(work: Callable[[], object], device: str) -> float:
    """Wall time of the work."""
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def row(family: str, depth: int, kind: str, device: str) -> str:
    """Fits a second one after the other and together, and how far their scores are apart."""
    counts = COUNTS[device]
    tuner, task, cells = tuner_of(family, depth, device), task_of(kind), cells_of(max(counts))
    identities = [("benchmark", cell.draw) for cell in cells]
    found: dict[int, list[Tuned]] = {}

    def loop() -> None:
        found[0] = [tuner.fit(task, *one) for one in zip(cells[:LOOPED], identities, strict=False)]

    def together(count: int) -> None:
        found[count] = tuner.fit_together(task, cells[:count], identities[:count])

    works = {0: loop, **{count: partial(together, count) for count in counts}}
    taken: dict[int, list[float]] = {name: [] for name in works}
    for number in range(ROUNDS):
        for name, work in works.items():
            spent = seconds(work, device)
            # The first round warms up.
            taken[name] += [spent] if number else []
    rate = {name: (name or LOOPED) / statistics.median(times) for name, times in taken.items()}
    apart = 0.0
    for one, other, cell in zip(found[0], found[max(counts)], cells, strict=False):
        first, second = (tuner.predict(tuned, task, cell)[0] for tuned in (one, other))
        apart = max(apart, float(np.abs(first - second).max() / first.std()))
    told = " | ".join(f"{rate[count]:,.2f} ({rate[count] / rate[0]:.2f})" for count in counts)
    return f"| {family} | {depth} | {kind} | {rate[0]:,.2f} | {told} | {apart:.0e} |"


def main() -> None:
    """Measure and print the page."""
    options = asked(__doc__)
    device = options.device
    head = " | ".join(f"{count} together (ratio)" for count in COUNTS[device])
    lines = [
        "# Small fits trained together",
        "",
        heading("--device", device, "--threads", str(options.threads)) + on_device(options),
        "",
        *(__doc__ or "").split("\n\n")[2].splitlines(),
        "",
        f"| family | depth | task | one after the other, fits/s | {head} | apart |",
        "|---" * (len(COUNTS[device]) + 5) + "|",
        *[row(*case, device) for case in product(("vit", "convnet"), (1, 2), ("state", "classification"))],
    ]
    if device == "cpu":
        lines += ["", "No GPU was at hand; `python -m benchmarks.ensemble --device cuda` measures one."]
    publish(lines, options.out)


if __name__ == "__main__":
    main()
