"""Extraction of frozen features against the network's bare forward pass.

    python -m benchmarks.feature_speed [--rounds 5] [--threads 1] [--out docs/benchmarks/feature-speed.md]

The windows are those of the real study in number and shape: 77 people, 8 windows each of 20 x 32 x 32. "Bare" is the
network's forward pass over all of them, 32 a batch, its result thrown away. "Extraction" adds what features need: the
windows are read from the view's clip store, and a layer goes over all windows before the next one does, so that the
unpooled tokens of every layer, the embedding included, are there at one time, one layer after another. Its share of the
bare pass is what reading and keeping cost. "Inner products" is what follows once a layer, whatever the
number of labels, draws, penalties and folds that are fitted later: those of all pairs of windows, and of all pairs of
people in mean, SD and covariance. They replace a file of (windows x tokens x width) numbers a layer, and are no part of
the forward pass; for small networks on many windows they are the larger part of the job, because they grow with
the square of the windows and the pass with their number. All take turns in one run; figures are medians over rounds.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from benchmarks.machine import heading, publish

from transferscale.clips.store import ClipStore, ClipWriter
from transferscale.ladder import scale
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import generator, initialise
from transferscale.transfer.aggregate import membership
from transferscale.transfer.features import BATCH_WINDOWS, layers, token_grams

PEOPLE, WINDOWS, FRAMES, SIZE = 77, 8, 20, 32
DEPTHS = (1, 2, 4, 6)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of a piece of work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def written(folder: Path) -> ClipStore:
    """A store of windows of noise."""
    rng = np.random.default_rng(0)
    with ClipWriter(folder, (FRAMES, SIZE, SIZE), "float32") as writer:
        for _ in range(PEOPLE * WINDOWS):
            writer.add(rng.standard_normal((FRAMES, SIZE, SIZE), dtype=np.float32))
    return ClipStore(folder)


def row(depth: int, store: ClipStore, rounds: int) -> str:
    """A network as a row of the table."""
    model = VideoEncoder(scale(depth, FRAMES, SIZE, {"frames": 2, "size": 8}, "vit"))
    initialise(model, generator("encoder", 0))
    model.eval()
    clips = store.take(np.arange(len(store))).astype(np.float32)
    owner = np.repeat(np.arange(PEOPLE), WINDOWS)
    member = torch.from_numpy(membership(owner, PEOPLE))

    def bare() -> None:
        with torch.inference_mode():
            for start in range(0, len(clips), BATCH_WINDOWS):
                model(torch.from_numpy(clips[start : start + BATCH_WINDOWS]))

    def extraction() -> None:
        for _ in layers(model, lambda rows: store.take(rows).astype(np.float32), len(store)):
            pass

    def products() -> None:
        for tokens in kept:
            token_grams(tokens.reshape(len(clips), model.grid[0], -1), member)

    kept = [tokens.clone() for tokens in layers(model, lambda rows: clips[rows], len(clips))]
    extraction()
    bare()
    times: dict[str, list[float]] = {"bare": [], "extraction": [], "products": []}
    for _ in range(rounds):
        times["bare"].append(seconds(bare))
        times["extraction"].append(seconds(extraction))
        times["products"].append(seconds(products))
    median = {name: statistics.median(found) for name, found in times.items()}
    shares = [b / e for b, e in zip(times["bare"], times["extraction"], strict=True)]
    return (
        f"| {depth} | {model.width} | {len(clips) / median['bare']:.0f} | {len(clips) / median['extraction']:.0f} | "
        f"{100 * statistics.median(shares):.0f} % | {100 * min(shares):.0f} to {100 * max(shares):.0f} % | "
        f"{median['extraction']:.2f} | {median['products']:.2f} |"
    )


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        store = written(Path(temporary) / "clips")
        rows = [row(depth, store, given.rounds) for depth in DEPTHS]
    lines = [
        "# Speed of feature extraction",
        "",
        heading("--rounds", str(given.rounds), "--threads", str(given.threads))
        + f", load {load:.1f} when it began",
        "",
        (__doc__ or "").split("\n\n", 2)[2].strip(),
        "",
        "| depth | width | bare, windows/s | extraction, windows/s | share | range over rounds | extraction, s | inner "
        "products, s |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]
    publish(lines, given.out)


if __name__ == "__main__":
    main()
