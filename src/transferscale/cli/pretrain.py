"""`transferscale pretrain`: rung, ladder."""

from pathlib import Path
from typing import Any

import click

from transferscale.cli import options
from transferscale.cli.options import Stage


@click.group(cls=Stage)
def pretrain() -> None:
    """Clips into checkpoints: the ladder of scales and budgets."""


@pretrain.command(
    example="transferscale pretrain rung --spec spec.json --store clips --index clips.parquet --out rung1"
)
@options.spec
@options.path("--store", "Clip store of the corpus.")
@options.path("--index", "Table of the clips.")
@options.path("--previous", "Trunk of the rung before (trunk.ckpt); none for the first.", required=False)
@options.threads
@options.out
def rung(
    spec: dict[str, Any], store: Path, index: Path, previous: Path | None, threads: int, out: Path
) -> None:
    """Continue a trunk to the end of its rung and decay from there to the finished model."""
    from transferscale.pretrain.rung import run

    run(spec, store, index, previous, out, threads)


@pretrain.command(example="transferscale pretrain ladder config/config.yaml")
@click.argument("file", type=click.Path(path_type=Path), default=Path("config/config.yaml"))
def ladder(file: Path) -> None:
    """Print the ladder of a study before anything runs: parameters, FLOPs, memory, minutes on this machine."""
    from transferscale.pretrain.estimate import ladder_text
    from transferscale.study.load import load_study

    click.echo(ladder_text(load_study(file)))
