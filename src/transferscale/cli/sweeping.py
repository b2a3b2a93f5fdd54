"""`transferscale pretrain sweep`: which base learning rate suits a corpus."""

from pathlib import Path

import click

from transferscale.cli import options
from transferscale.cli.options import Stage
from transferscale.cli.publishing import Numbers
from transferscale.cli.scaling import shared


def register(group: Stage) -> None:
    """Add the verb to the group of the stage."""
    group.command(
        "sweep",
        example="transferscale pretrain sweep config/config.yaml --rates 2e-3,4e-3,8e-3,1.6e-2 --seeds 3",
    )(sweep_verb)


@click.argument("file", metavar="STUDY", type=click.Path(path_type=Path))
@click.option("--family", help="Architecture family of the study; its first without.")
@click.option("--depth", default=1, show_default=True, type=click.IntRange(1), help="The dial.")
@click.option(
    "--rates", type=Numbers("1e-3,2e-3,4e-3"), help="Base learning rates; seven around the study's without."
)
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1), help="Seeds of each rate.")
@click.option("--clips", type=click.IntRange(1), help="Clips of a run; the study's first budget without.")
@click.option(
    "--store",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Clip store of a part of the corpus; those in the study's results without.",
)
@click.option(
    "--index",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Table of its clips (once for each --store).",
)
@shared.layout()
@options.path("--out", "Also write the table of runs (parquet) here.", required=False)
def sweep_verb(
    file: Path,
    family: str | None,
    depth: int,
    rates: tuple[float, ...] | None,
    seeds: int,
    clips: int | None,
    store: tuple[Path, ...],
    index: tuple[Path, ...],
    layout: str,
    out: Path | None,
) -> None:
    """Train one small network at several learning rates, and tell the best one with an interval.

    Runs are trained together where that was measured to be faster: on a GPU, and on a CPU the very smallest in fp32. A
    run that diverges has an infinite loss and does not stop the others.
    """
    from transferscale.pretrain.sweep import as_csv, as_json, as_text, sweep
    from transferscale.study.load import load_study

    found = sweep(load_study(file), family, depth, rates or (), seeds, clips, store, index, out)
    click.echo({"table": as_text, "json": as_json, "csv": as_csv}[layout](found))
