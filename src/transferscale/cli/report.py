"""`transferscale report`: build, verdict."""

from pathlib import Path

import click

from transferscale.cli import options
from transferscale.cli.options import Stage


@click.group(cls=Stage)
def report() -> None:
    """Tables into one HTML page, and the verdict in one sentence."""


@report.command(
    example="transferscale report build --study results/demo/study.json --out results/demo/report"
)
@options.path("--study", "The study's file, or the completed study.json.")
@options.out
def build(study: Path, out: Path) -> None:
    """Write the page: verdict first, then curves, tables and provenance."""
    from transferscale.report.build import build as run
    from transferscale.study.load import load_study

    run(load_study(study), out)


@report.command(example="transferscale report verdict results/demo")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("results/demo"))
def verdict(folder: Path) -> None:
    """Print where the report is and what it found; status 1 if a known answer was missed."""
    from transferscale.artefacts import read_json
    from transferscale.errors import UserError

    found = read_json(folder / "report" / "verdict.json")
    for known in found["known_answers"]:
        click.echo(known["sentence"])
    click.echo(f"report: {folder / 'report' / 'index.html'}")
    for sentence in found["verdicts"]:
        click.echo(sentence)
    missed = [known for known in found["known_answers"] if not known["reached"]]
    if missed:
        raise UserError(
            f"{folder}: {len(missed)} known answer(s) missed, so this run is wrong; see the first lines above"
        )
