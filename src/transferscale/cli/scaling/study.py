"""`transferscale scaling checkpoints` and `curves`: the tables of a study."""

from pathlib import Path

import click

from transferscale.cli import options
from transferscale.cli.options import Verb


@click.command(
    cls=Verb,
    example="transferscale scaling checkpoints --study results/demo/study.json --out checkpoints.parquet",
)
@options.path("--study", "The study's file, or the completed study.json.")
@options.out
def checkpoints(study: Path, out: Path) -> None:
    """Gather one row a checkpoint: parameters, FLOPs, clips, losses."""
    from transferscale.scaling.checkpoints import checkpoints as run
    from transferscale.study.load import load_study

    run(load_study(study), out)


@click.command(
    cls=Verb,
    example="transferscale scaling curves --study study.json --checkpoints c.parquet --scores s.parquet "
    "--laws l.parquet --arms a.parquet",
)
@options.path("--study", "The study's file, or the completed study.json.")
@options.path("--checkpoints", "Table of checkpoints.")
@options.path("--scores", "Table of scores.")
@options.path("--laws", "Table of curves to write, for `scaling fit`.")
@options.path("--arms", "Table of curves to write, several arms each, for `scaling compare`.")
def curves(study: Path, checkpoints: Path, scores: Path, laws: Path, arms: Path) -> None:
    """Lay the study's results out as curves: held-out loss and task error against scale."""
    from transferscale.scaling.curves import run
    from transferscale.study.load import load_study

    run(load_study(study), checkpoints, scores, laws, arms)
