"""`transferscale pretrain`: rung, ledger, ladder, sweep, import, export."""

import math
from pathlib import Path
from typing import Any

import click

from transferscale.cli import options, publishing, sweeping
from transferscale.cli.options import Stage


@click.group(cls=Stage)
def pretrain() -> None:
    """Clips into checkpoints: the ladder of scales and budgets."""


@pretrain.command(
    example="transferscale pretrain rung --spec spec.json --store clips --index clips.parquet --out rung1"
)
@options.spec
@options.paths(
    "--store", "Clip store of a part of the corpus (may be repeated, in the order of the spec's parts)."
)
@options.paths("--index", "Table of its clips (once for each --store).")
@options.path(
    "--heldout-store", "Clip store of the held-out clips; the first --store without.", required=False
)
@options.path("--heldout-index", "Table of the held-out clips; the first --index without.", required=False)
@options.path("--previous", "Trunk of the rung before (trunk.ckpt); none for the first.", required=False)
@options.threads
@click.option(
    "--logger",
    type=click.Choice(["csv", "tensorboard"]),
    help="Also log the curve beside the output, in the folder 'log'.",
)
@options.out
def rung(
    spec: dict[str, Any],
    store: tuple[Path, ...],
    index: tuple[Path, ...],
    heldout_store: Path | None,
    heldout_index: Path | None,
    previous: Path | None,
    threads: int,
    logger: str | None,
    out: Path,
) -> None:
    """Continue a trunk to the end of its rung and decay from there to the finished model."""
    from transferscale.pretrain.rung import ClipFiles, run

    run(spec, ClipFiles(store, index, heldout_store, heldout_index), previous, out, threads, logger)


@pretrain.command(
    example="transferscale pretrain ledger --study results/demo/study.json --out ledger.parquet "
    "--training training.parquet"
)
@options.path("--study", "The study's file, or the completed study.json.")
@options.path("--training", "Where the table of all training curves goes.")
@options.out
def ledger(study: Path, training: Path, out: Path) -> None:
    """Gather what every checkpoint is and cost, and the course of every training."""
    from transferscale.pretrain.ledger import run
    from transferscale.study.load import load_study

    run(load_study(study), out, training)


@pretrain.command(example="transferscale pretrain ladder config/config.yaml")
@click.argument("file", type=click.Path(path_type=Path), default=Path("config/config.yaml"))
@click.option(
    "--price",
    type=click.FloatRange(0, 1e6),
    help="Price of an hour of this machine; default: the study's plan.",
)
def ladder(file: Path, price: float | None) -> None:
    """Print the ladder of a study before anything runs: parameters, FLOPs, memory, minutes, cost on this machine.

    The minutes come from some ten seconds of measured training. Networks that do not fit this machine's memory are
    marked in the table, and the exit status is then 1.
    """
    from transferscale.pretrain.estimate import ladder_text, refuse_what_cannot_run
    from transferscale.study.load import load_study

    if price is not None and math.isnan(price):
        raise click.BadParameter("nan is no price.", param_hint="--price")
    study = load_study(file)
    click.echo(ladder_text(study, price))
    refuse_what_cannot_run(study)


publishing.register(pretrain)
sweeping.register(pretrain)
