"""`transferscale scaling`: one file a verb. All but those of `study.py` work on anybody's table."""

import click

from transferscale.cli.options import Stage
from transferscale.cli.scaling.compare import compare
from transferscale.cli.scaling.fit import fit
from transferscale.cli.scaling.gain import gain
from transferscale.cli.scaling.plan import plan
from transferscale.cli.scaling.relative import relative
from transferscale.cli.scaling.study import checkpoints, curves
from transferscale.cli.scaling.transitions import transitions


@click.group(cls=Stage)
def scaling() -> None:
    """Predictions and losses into scores, gains and laws; works on any CSV or parquet table."""


for verb in (fit, compare, gain, plan, relative, transitions, checkpoints, curves):
    scaling.add_command(verb)
