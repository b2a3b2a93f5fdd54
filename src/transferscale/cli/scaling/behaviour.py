"""`transferscale scaling behaviour`: what corruption, attack, other sites, datasets and other tasks cost."""

from pathlib import Path

import click

from transferscale.cli import options
from transferscale.cli.options import Verb


@click.command(
    cls=Verb,
    example="transferscale scaling behaviour --study study.json --predictions tables/predictions "
    "--behaviour behaviour.parquet --continual continual.parquet",
)
@options.path("--study", "The study's file, or the completed study.json.")
@options.path("--predictions", "Predictions, as `transfer collect` gathers them.")
@options.path("--behaviour", "Table of scores under every condition to write.")
@options.path("--continual", "Table of tasks learned one after another to write.")
def behaviour(study: Path, predictions: Path, behaviour: Path, continual: Path) -> None:
    """Score every condition of a study's section behaviour, with its paired drop against clean recordings."""
    from transferscale.scaling.behaviour.study import run
    from transferscale.study.load import load_study

    run(load_study(study), predictions, behaviour, continual)
