"""`transferscale study`: show, check, schema."""

import json
from pathlib import Path
from typing import Any

import click

from transferscale.cli import options
from transferscale.cli.options import Stage


@click.group(cls=Stage)
def study() -> None:
    """The study: what would run, whether its inputs are there, which keys it knows."""


@study.command(example="transferscale study show config/config.yaml")
@click.argument("file", type=click.Path(path_type=Path), default=Path("config/config.yaml"))
@click.option(
    "--no-calibration", is_flag=True, help="Leave out the minutes, which need a ten-second measurement."
)
def show(file: Path, no_calibration: bool) -> None:
    """Print what a study would run: jobs, checkpoints, fits, claims, and what is left out."""
    from transferscale.study.load import load_study
    from transferscale.study.show import summary

    loaded = load_study(file)
    click.echo(summary(loaded))
    if not no_calibration:
        from transferscale.pretrain.estimate import estimate, ladder_text
        from transferscale.transfer.estimate import transfer_text

        lines = estimate(loaded)
        click.echo("\n" + ladder_text(loaded, lines=lines))
        if loaded.datasets:
            click.echo("\n" + transfer_text(loaded, lines))


@study.command(example="transferscale study check config/config.yaml")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--spec", type=options.Spec(), help="The study as JSON (what the workflow hands over).")
@click.option("--out", type=click.Path(path_type=Path), help="Write the completed study here.")
def check(file: Path | None, spec: dict[str, Any] | None, out: Path | None) -> None:
    """Check a study and that every folder and column it names exists, before anything long runs."""
    from transferscale.artefacts import write_json
    from transferscale.study.beforehand import check_label_counts, detectable_gains
    from transferscale.study.checks import check_inputs
    from transferscale.study.load import load_study

    if (file is None) == (spec is None):
        raise click.UsageError("give the study's file, or --spec")
    loaded = load_study(file if file is not None else spec or {}, "study")
    check_inputs(loaded)
    check_label_counts(loaded)
    for sentence in detectable_gains(loaded):
        click.echo(f"beforehand: {sentence}", err=out is not None)
    if out is None:
        click.echo(f"study '{loaded.study}' is complete: its keys, folders and columns are all there")
    else:
        write_json(out, loaded.spec())


@study.command(example="transferscale study schema > study.schema.json")
def schema() -> None:
    """Print the JSON schema of a study file (for editors that complete keys)."""
    from transferscale.study.study import Study

    click.echo(json.dumps(Study.model_json_schema(), indent=2))
