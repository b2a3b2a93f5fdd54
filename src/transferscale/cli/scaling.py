"""`transferscale scaling`: fit (any table); gain, checkpoints, laws (a study's)."""

from pathlib import Path

import click

from transferscale.cli import options
from transferscale.cli.options import Stage


@click.group(cls=Stage)
def scaling() -> None:
    """Predictions and losses into scores, gains and laws; works on any CSV or parquet table."""


@scaling.command(example="transferscale scaling gain --study results/demo/study.json --predictions p.parquet --scores s.parquet --gains g.parquet")
@options.path("--study", "The study's file, or the completed study.json.")
@options.path("--predictions", "Table of predictions.")
@options.path("--scores", "Table of scores to write.")
@options.path("--gains", "Table of gains to write.")
def gain(study: Path, predictions: Path, scores: Path, gains: Path) -> None:
    """Score every arm and its gain over its reference, with intervals for new subjects, draws and seeds."""
    from transferscale.scaling.gains import run
    from transferscale.study.load import load_study

    run(load_study(study), predictions, scores, gains)


@scaling.command(example="transferscale scaling checkpoints --study results/demo/study.json --out checkpoints.parquet")
@options.path("--study", "The study's file, or the completed study.json.")
@options.out
def checkpoints(study: Path, out: Path) -> None:
    """Gather one row a checkpoint: parameters, FLOPs, clips, losses."""
    from transferscale.scaling.checkpoints import checkpoints as run
    from transferscale.study.load import load_study

    run(load_study(study), out)


@scaling.command(example="transferscale scaling laws --study results/demo/study.json --checkpoints c.parquet --scores s.parquet --out laws.parquet")
@options.path("--study", "The study's file, or the completed study.json.")
@options.path("--checkpoints", "Table of checkpoints.")
@options.path("--scores", "Table of scores.")
@options.out
def laws(study: Path, checkpoints: Path, scores: Path, out: Path) -> None:
    """Fit the study's scaling laws: held-out loss and task error against scale."""
    from transferscale.scaling.checkpoints import run_laws
    from transferscale.study.load import load_study

    run_laws(load_study(study), checkpoints, scores, out)
