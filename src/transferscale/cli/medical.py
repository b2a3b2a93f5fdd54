"""`transferscale medical`: simulate, index, view, split, corpus."""

from pathlib import Path
from typing import Any

import click

from transferscale.cli import options
from transferscale.cli.options import Stage


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
    example="transferscale medical view --spec spec.json --recordings recordings.parquet --out roi"
)
@options.spec
@options.path("--recordings", "Table of recordings.")
@options.threads
@options.out
def view(spec: dict[str, Any], recordings: Path, threads: int, out: Path) -> None:
    """Clean the recordings, cut them into windows and lay each window out as a clip."""
    from transferscale.medical.view import build

    build(spec, recordings, out, threads)


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
