"""Does one base learning rate serve the whole ladder? A coordinate check and a sweep at three sizes, both families.

    python -m benchmarks.mup CORPUS [--out docs/benchmarks/mup.md]

CORPUS is a folder with ``clips/`` and ``clips.parquet``, such as results/ladder-cpu/corpus/motion.
Coordinate check (Yang et al. 2022, arXiv 2203.03466): how much a few steps of training change the output of the
encoder and of the decoder, in RMS, must not depend on the size. Sweep: the same budget at every base learning rate, a
few seeds each, loss on held-out clips; the best rate is the vertex of a parabola in log rate through the points around
the lowest mean, its interval from resampled seeds. Runs are spread over processes of one thread.
"""

import argparse
import itertools
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from benchmarks.machine import heading, publish

from transferscale.pretrain.rates import best_rate, interval

OBJECTIVE = {"name": "mae", "mask_ratio": 0.9, "decoder_share": 0.5}
TUBELET = {"frames": 2, "size": 8}
BATCH, HELDOUT, WARMUP, DECAY = 32, 128, 0.1, 0.2
# The sweep's sizes, budgets and rates; the coordinate check's sizes and steps.
DEPTHS, CLIPS, SEEDS = (1, 3, 6), 6400, 3
RATES = tuple(1e-3 * 2.0 ** (k / 2) for k in range(1, 7))
# A study's default, ``pretrain.learning_rate``.
DEFAULT = 3e-3
CHECKED, STEPS, CHECK_RATE = (1, 2, 4, 8, 12), 10, 4e-3
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One training run: its network, base learning rate, seed and steps."""

    corpus: Path
    family: str
    depth: int
    rate: float
    seed: int
    steps: int
    mup: bool = True


def network(run: Run):  # type: ignore[no-untyped-def]
    """Objective and optimiser of a run; without muP every depth takes the values of depth 1."""
    import torch

    from transferscale.ladder import Multipliers, scale
    from transferscale.models.encoder import VideoEncoder
    from transferscale.models.mup import generator, initialise, parameter_groups
    from transferscale.pretrain.mae import MaskedAutoencoder

    torch.set_num_threads(1)
    shape = scale(run.depth, 16, 32, TUBELET, run.family)
    encoder = VideoEncoder(shape)
    initialise(encoder, generator("encoder", run.seed))
    objective = MaskedAutoencoder(encoder, OBJECTIVE, run.seed)
    multipliers = shape.multipliers if run.mup else Multipliers(1.0, 1.0)
    groups = parameter_groups(objective.networks.values(), multipliers, run.rate, 0.05)
    return objective, torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)


def clips(corpus: Path, split: str) -> npt.NDArray[np.float32]:
    """Clips of a split, (clips, time, height, width), at zero mean and unit SD of the training clips."""
    import pyarrow.parquet as pq

    from transferscale.clips.store import ClipStore

    store = ClipStore(corpus / "clips")
    table = pq.read_table(corpus / "clips.parquet").to_pylist()

    def rows(name: str) -> npt.NDArray[np.int64]:
        own = [row for row in table if row["split"] == name and not row["dropped"]]
        return store.rows([row["shard"] for row in own], [row["offset"] for row in own])

    train = store.take(rows("train")).astype(np.float32)
    wanted = train if split == "train" else store.take(rows(split)[:HELDOUT]).astype(np.float32)
    return (wanted - train.mean()) / train.std()


def batches(pixels: npt.NDArray[np.float32], run: Run):  # type: ignore[no-untyped-def]
    """Endless batches in random order."""
    import torch

    from transferscale.pretrain.batch import Batch
    from transferscale.pretrain.counter import Draw

    order = np.random.default_rng(run.seed)
    for visit in itertools.count():
        which = order.choice(len(pixels), BATCH, replace=False)
        draw = Draw(run.seed, np.full(BATCH, visit), which.astype(np.uint64))
        yield Batch(torch.from_numpy(pixels[which]), draw, torch.full((BATCH,), -1))


def trained(run: Run) -> float:
    """Held-out loss at the end of a run; infinite where it diverged."""
    import torch

    from transferscale.pretrain.batch import Batch
    from transferscale.pretrain.counter import Draw

    objective, optimiser = network(run)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    rates = [group["lr"] for group in optimiser.param_groups]
    stream = batches(clips(run.corpus, "train"), run)
    for step in range(run.steps):
        warm = (step + 1) / (WARMUP * run.steps)
        decay = 1 - math.sqrt(max(0.0, (step + 1) / run.steps - (1 - DECAY)) / DECAY)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, warm, decay + 1e-9)
        objective.losses(next(stream)).mean().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
    held = clips(run.corpus, "heldout")
    draw = Draw("heldout", np.zeros(len(held), np.int64), np.arange(len(held), dtype=np.uint64))
    whole = Batch(torch.from_numpy(held), draw, torch.full((len(held),), -1))
    with torch.no_grad():
        loss = objective.losses(whole, whole=True).mean().item()
    return loss if math.isfinite(loss) else math.inf


def moved(run: Run) -> tuple[list[float], list[float]]:
    """RMS change of the encoder's last block and of the decoder's output after every step of a few."""
    import torch

    objective, optimiser = network(run)
    stream = batches(clips(run.corpus, "train"), run)
    probe = next(stream)
    seen, asked = objective.question(probe, whole=True)

    def outputs():  # type: ignore[no-untyped-def]
        with torch.no_grad():
            encoded = objective.encoder(probe.clip, seen)
            said = objective.decoder(encoded, seen.tokens(objective.encoder.grid), asked)
            return objective.encoder.layers(probe.clip)[-1], said

    before, encoder, decoder = outputs(), [], []
    for _ in range(run.steps):
        objective.losses(next(stream)).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
        now = outputs()
        encoder.append((now[0] - before[0]).square().mean().sqrt().item())
        decoder.append((now[1] - before[1]).square().mean().sqrt().item())
    return encoder, decoder


def main() -> None:
    """Run check and sweep, print the page, draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--families", nargs="+", default=["vit", "convnet"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    sweeps = [
        Run(options.corpus, family, depth, rate, seed, CLIPS // BATCH)
        for family in options.families
        for depth in reversed(DEPTHS)
        for rate in RATES
        for seed in range(SEEDS)
    ]
    checks = [
        Run(options.corpus, family, depth, CHECK_RATE, 0, STEPS, mup)
        for family in options.families
        for depth in CHECKED
        for mup in (True, False)
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        losses = dict(zip(sweeps, pool.map(trained, sweeps), strict=True))
        changes = dict(zip(checks, pool.map(moved, checks), strict=True))
    publish(page(options.families, losses, changes), options.out)
    if options.out:
        draw(options.families, losses, changes, options.out.with_suffix(".png"))


def by_depth(losses: dict[Run, float], family: str, depth: int) -> Reals:
    """Losses of a size, (rates, seeds)."""
    own = {
        (run.rate, run.seed): loss
        for run, loss in losses.items()
        if (run.family, run.depth) == (family, depth)
    }
    return np.array([[own[rate, seed] for seed in range(SEEDS)] for rate in RATES])


def page(
    families: list[str], losses: dict[Run, float], changes: dict[Run, tuple[list[float], list[float]]]
) -> list[str]:
    """The tables."""
    lines = [
        "# One learning rate for the whole ladder",
        "",
        heading("CORPUS"),
        "",
        "![sweep and check](mup.png)",
        "",
    ]
    lines += [
        f"Sweep: {CLIPS} clips at every base learning rate, {SEEDS} seeds, AdamW, batch {BATCH}, clips of",
        "16 x 32 x 32; loss on the same held-out clips with the same masks. Lost: how much higher the loss is at a",
        "study's default rate, between the rates tried, than at the best of them.",
        "",
    ]
    for family in families:
        best, told = [], []
        for depth in DEPTHS:
            own = by_depth(losses, family, depth)
            rate, between = best_rate(np.array(RATES), own.mean(axis=1)), interval(np.array(RATES), own)
            best.append(rate)
            span = "" if between is None else f" ({between[0]:.1e} to {between[1]:.1e})"
            mean = own.mean(axis=1)
            row = " | ".join(f"{value:.4f}" for value in mean)
            lost = 100 * (np.interp(math.log(DEFAULT), np.log(RATES), mean) / mean.min() - 1)
            told.append(f"| {depth} | {row} | {rate:.2e}{span} | {lost:.2f} % |")
        lines += [
            f"## {family}",
            "",
            "| depth | "
            + " | ".join(f"{r:.1e}" for r in RATES)
            + f" | best rate (95 %) | lost at {DEFAULT:.0e} |",
        ]
        lines += ["|---" * (len(RATES) + 3) + "|", *told, ""]
        lines += [
            f"The best base learning rate moves by a factor {max(best) / min(best):.2f} over the ladder.",
            "",
        ]
    lines += [f"## Coordinate check: RMS change after {STEPS} steps at {CHECK_RATE:g}", ""]
    lines += [
        "| family | output | rule | "
        + " | ".join(f"depth {depth}" for depth in CHECKED)
        + " | largest / smallest |"
    ]
    lines += ["|---" * (len(CHECKED) + 4) + "|"]
    for family, (place, output), mup in itertools.product(
        families, enumerate(("encoder", "decoder")), (True, False)
    ):
        own = [
            changes[run][place][-1]
            for depth in CHECKED
            for run in changes
            if (run.family, run.depth, run.mup) == (family, depth, mup)
        ]
        row = " | ".join(f"{value:.3f}" for value in own)
        rule = "muP" if mup else "none"
        lines.append(f"| {family} | {output} | {rule} | {row} | {max(own) / min(own):.2f} |")
    return lines


def draw(
    families: list[str],
    losses: dict[Run, float],
    changes: dict[Run, tuple[list[float], list[float]]],
    out: Path,
) -> None:
    """Sweep on top, check below, a column a family."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(families), figsize=(5.2 * len(families), 7.2), squeeze=False)
    for column, family in enumerate(families):
        top, low = axes[:, column]
        for number, depth in enumerate(DEPTHS):
            own, colour = by_depth(losses, family, depth), f"C{number}"
            mean, rate = own.mean(axis=1), best_rate(np.array(RATES), own.mean(axis=1))
            top.plot(RATES, mean, "o-", color=colour, label=f"depth {depth}")
            top.fill_between(RATES, own.min(axis=1), own.max(axis=1), color=colour, alpha=0.15, lw=0)
            top.axvline(rate, color=colour, ls=":", lw=1)
        top.set(xscale="log", xlabel="base learning rate", ylabel="held-out loss", title=family)
        top.legend(frameon=False)
        for mup, style in ((True, "o-"), (False, "x--")):
            own = {
                run.depth: changes[run][0][-1] for run in changes if (run.family, run.mup) == (family, mup)
            }
            label = "muP and CompleteP" if mup else "values of depth 1"
            low.plot(list(own), list(own.values()), style, color="C0" if mup else "0.5", label=label)
        low.set(
            xscale="log", yscale="log", xlabel="depth", ylabel=f"RMS change of the encoder in {STEPS} steps"
        )
        low.legend(frameon=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
