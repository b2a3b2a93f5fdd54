"""`transferscale scaling`: one file a verb. All but those of `study.py` work on anybody's table."""

import click

from transferscale.cli.options import Stage
from transferscale.cli.scaling.behaviour import behaviour
from transferscale.cli.scaling.compare import compare
from transferscale.cli.scaling.fit import fit
from transferscale.cli.scaling.gain import gain
from transferscale.cli.scaling.isoflop import isoflop
from transferscale.cli.scaling.plan import plan
from transferscale.cli.scaling.relative import relative
from transferscale.cli.scaling.study import checkpoints, curves, hindsight, ladder, predict
from transferscale.cli.scaling.transitions import transitions


@click.group(cls=Stage)
def scaling() -> None:
    """Predictions and losses into scores, gains and laws; works on any CSV or parquet table."""


for verb in (
    fit,
    compare,
    isoflop,
    gain,
    plan,
    relative,
    transitions,
    checkpoints,
    ladder,
    curves,
    predict,
    hindsight,
    behaviour,
):
    scaling.add_command(verb)
