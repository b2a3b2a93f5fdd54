"""`transferscale medical`: add, check, show, fetch; simulate, index, part, view, split, audit, corpus."""

import json
from pathlib import Path
from typing import Any

import click

from transferscale.cli import options
from transferscale.cli.options import Stage
from transferscale.errors import UserError


@click.group(cls=Stage)
def medical() -> None:
    """Recordings into views: index, layout as clips, outer folds."""


@medical.command(example="""transferscale medical simulate --out simulated --spec '{...}'""")
@options.spec
@options.threads
@options.out
def simulate(spec: dict[str, Any], threads: int, out: Path) -> None:
    """Simulate a BIDS-derivatives dataset of 4D NIfTI files with planted, documented effects."""
    from transferscale.medical.simulate import write_dataset

    write_dataset(spec, out, threads)


@medical.command(
    example="transferscale medical index --spec spec.json --recordings ok.parquet --quarantine bad.parquet"
)
@options.spec
@options.path("--recordings", "Table of usable recordings to write.")
@options.path("--quarantine", "Table of quarantined recordings to write.")
def index(spec: dict[str, Any], recordings: Path, quarantine: Path) -> None:
    """Find and check the recordings of a dataset and the columns its tasks name."""
    from transferscale.medical.index import index as run

    run(spec, recordings, quarantine)


@medical.command(
    example="transferscale medical part --spec spec.json --recordings recordings.parquet --out .prepared/roi-0.json"
)
@options.spec
@options.path("--recordings", "Table of recordings.")
@options.threads
@options.out
def part(spec: dict[str, Any], recordings: Path, threads: int, out: Path) -> None:
    """Prepare the recordings of a share of the subjects, for `medical view` to find."""
    from transferscale.medical.view import build_part

    build_part(spec, recordings, out, threads)


@medical.command(
    example="transferscale medical view --spec spec.json --recordings ok.parquet --quarantine bad.parquet --out roi"
)
@options.spec
@options.path("--recordings", "Table of recordings.")
@options.path("--quarantine", "Table of quarantined recordings.")
@options.threads
@options.out
def view(spec: dict[str, Any], recordings: Path, quarantine: Path, threads: int, out: Path) -> None:
    """Clean the recordings, cut them into windows and lay each window out as a clip."""
    from transferscale.medical.view import build

    build(spec, recordings, out, threads, quarantine)


@medical.command(
    example="transferscale medical split --spec spec.json --recordings recordings.parquet --out splits.json"
)
@options.spec
@options.path("--recordings", "Table of recordings.")
@options.out
def split(spec: dict[str, Any], recordings: Path, out: Path) -> None:
    """Fix the outer folds and the nested label orders, audited for leaks, before anything is trained."""
    from transferscale.medical.split import split as run

    run(spec, recordings, out)


@medical.command(
    example="transferscale medical audit --view roi --recordings ok.parquet --splits splits.json --out audit.json"
)
@options.path("--view", "Folder of the view.")
@options.path("--recordings", "Table of recordings.")
@options.path("--splits", "splits.json.")
@options.out
def audit(view: Path, recordings: Path, splits: Path, out: Path) -> None:
    """Look for leaks before anything is trained: copies under two names, shared statistics, torn recordings."""
    from transferscale.medical.leaks import audit_view

    audit_view(splits, recordings, view, out)


@medical.command(
    example="transferscale medical corpus --spec spec.json --view roi --splits splits.json --out clips.parquet"
)
@options.spec
@options.path("--view", "Folder of the view.")
@options.path("--splits", "splits.json.")
@options.out
def corpus(spec: dict[str, Any], view: Path, splits: Path, out: Path) -> None:
    """List the windows of a fold's training subjects as clips to pretrain on."""
    from transferscale.medical.corpus import write_corpus

    write_corpus(spec, view, splits, out)


@medical.command(example="transferscale medical add ../data/fmriprep --target age --target diagnosis")
@click.argument("path")
@click.option(
    "--target", "targets", multiple=True, metavar="COLUMN", help="Column to predict; may be repeated."
)
@click.option("--name", help="Name of the dataset; default: the folder's.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write; default: config/datasets/NAME.yaml."
)
@click.option(
    "--view", type=click.Choice(["roi", "flatmap", "mosaic", "volume"]), help="How windows are laid out."
)
@click.option(
    "--tr", "tr_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Repetition time."
)
@click.option(
    "--files",
    type=click.Choice(["volume", "surface", "cifti"]),
    help="Form of BIDS derivatives; default: the first there is.",
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def add(
    path: str,
    targets: tuple[str, ...],
    name: str | None,
    out: Path | None,
    view: str | None,
    tr_s: float | None,
    files: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Look at a folder or table, say what it is, and write its dataset file with a comment for every choice.

    PATH is a folder, a participants table, one file that holds everybody's series, or a pattern in quotes where a
    folder holds several kinds of recordings.
    """
    from transferscale.medical.add.add import add as run

    added = run(path, targets, name, out, view, tr_s, force, files)
    if as_json:
        click.echo(json.dumps({**added.facts, "checked": added.checked and added.checked.spec()}, indent=2))
    else:
        click.echo("\n".join(added.report()))
    if added.problem:
        raise UserError(f"{added.file} is written, but cannot be used yet: {added.problem}")


@medical.command(example="transferscale medical check demo --study config/config.yaml")
@click.argument("dataset", metavar="NAME_OR_FILE")
@options.study
@options.data_root
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def check(dataset: str, study: Path | None, data_root: str | None, as_json: bool) -> None:
    """Check a dataset: its recordings, conditions, tasks and folds, and that nothing leaks between them."""
    from transferscale.medical.check import check as run
    from transferscale.medical.check import load

    found = run(load(dataset, study, data_root))
    click.echo(json.dumps(found.spec(), indent=2) if as_json else "\n".join(found.lines()))


@medical.command(example="transferscale medical show demo --study config/config.yaml --out pictures")
@click.argument("dataset", metavar="NAME_OR_FILE")
@options.study
@options.data_root
@click.option("--subject", help="Whose recording is shown; default: the first.")
@click.option(
    "--view",
    "views",
    multiple=True,
    type=click.Choice(["roi", "flatmap", "mosaic", "volume"]),
    help="View to draw; may be repeated; default: the dataset's.",
)
@click.option("--size", type=click.IntRange(8), help="Side of a clip in pixels; default: the study's.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Folder of the pictures.")
def show(
    dataset: str,
    study: Path | None,
    data_root: str | None,
    subject: str | None,
    views: tuple[str, ...],
    size: int | None,
    out: Path,
) -> None:
    """Draw one subject's recording as its view lays it out: frames, the mean map, a carpet plot, motion."""
    from transferscale.medical.check import load
    from transferscale.medical.show import show as run

    for picture in run(load(dataset, study, data_root), subject, views, size, out):
        click.echo(picture)


@medical.command(example="transferscale medical fetch development_fmri --data-root ../data")
@click.argument("dataset", metavar="NAME_OR_FILE", required=False)
@click.option("--spec", type=options.Spec(), help="The dataset as JSON (what the workflow hands over).")
@options.study
@options.data_root
@click.option("--out", type=click.Path(path_type=Path), help="Write the record of the download here too.")
def fetch(
    dataset: str | None,
    spec: dict[str, Any] | None,
    study: Path | None,
    data_root: str | None,
    out: Path | None,
) -> None:
    """Download a public dataset into its root: resumable, checked, its licence printed and kept in downloads.json."""
    from transferscale.medical.check import load
    from transferscale.medical.fetch.fetch import fetch as run

    if (dataset is None) == (spec is None):
        raise click.UsageError("give the dataset's name or file, or --spec")
    if dataset is not None:
        grid = load(dataset, study, data_root)
        spec = grid.fetch_spec(grid.study.datasets[0].dataset)
    click.echo(run(spec or {}, out))
