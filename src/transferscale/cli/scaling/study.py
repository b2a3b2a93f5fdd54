"""`transferscale scaling checkpoints`, `ladder`, `curves`, `predict` and `hindsight`: the tables of a study."""

from pathlib import Path

import click

from transferscale.cli import options
from transferscale.cli.options import Verb


@click.command(
    cls=Verb,
    example="transferscale scaling checkpoints --study results/demo/study.json --out checkpoints.parquet",
)
@options.path("--study", "The study's file, or the completed study.json.")
@click.option("--before-last", is_flag=True, help="Only the rungs of the ladder before the last one.")
@options.out
def checkpoints(study: Path, before_last: bool, out: Path) -> None:
    """Gather one row a checkpoint: parameters, FLOPs, clips, losses."""
    from transferscale.scaling.checkpoints import checkpoints as run
    from transferscale.study.load import load_study

    run(load_study(study), out, before_last)


@click.command(
    cls=Verb, example="transferscale scaling ladder --checkpoints checkpoints.parquet --out ladder.parquet"
)
@options.path("--checkpoints", "Table of checkpoints.")
@options.out
def ladder(checkpoints: Path, out: Path) -> None:
    """Keep the checkpoints of the whole corpus as it is, each with its trunk, for the laws of pretraining."""
    from transferscale.scaling.rungs.ladder import run

    run(checkpoints, out)


@click.command(
    cls=Verb,
    example="transferscale scaling predict --study study.json --checkpoints earlier.parquet --out prediction.parquet",
)
@options.path("--study", "The study's file, or the completed study.json.")
@options.path("--checkpoints", "Table of checkpoints of the rungs before the last.")
@options.out
def predict(study: Path, checkpoints: Path, out: Path) -> None:
    """Foretell the held-out loss of every size at the last rung from the rungs before it."""
    from transferscale.scaling.rungs.prediction import run
    from transferscale.study.load import load_study

    run(load_study(study), checkpoints, out)


@click.command(
    cls=Verb,
    example="transferscale scaling hindsight --prediction prediction.parquet --checkpoints checkpoints.parquet "
    "--out test.parquet",
)
@options.path("--prediction", "What was foretold of the last rung.")
@options.path("--checkpoints", "Table of checkpoints with the last rung.")
@options.out
def hindsight(prediction: Path, checkpoints: Path, out: Path) -> None:
    """Hold the last rung against what was foretold of it, beside guesses that need no law."""
    from transferscale.scaling.rungs.hindsight import run

    run(prediction, checkpoints, out)


@click.command(
    cls=Verb,
    example="transferscale scaling curves --study study.json --checkpoints c.parquet --scores s.parquet "
    "--laws l.parquet --arms a.parquet",
)
@options.path("--study", "The study's file, or the completed study.json.")
@options.path("--checkpoints", "Table of checkpoints.")
@options.path("--scores", "Table of scores; none of a study of pretraining alone.", required=False)
@options.path("--laws", "Table of curves to write, for `scaling fit`.")
@options.path("--arms", "Table of curves to write, several arms each, for `scaling compare`.")
def curves(study: Path, checkpoints: Path, scores: Path | None, laws: Path, arms: Path) -> None:
    """Lay the study's results out as curves: held-out loss and task error against scale."""
    from transferscale.scaling.curves import run
    from transferscale.study.load import load_study

    run(load_study(study), checkpoints, scores, laws, arms)
