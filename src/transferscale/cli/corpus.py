"""`transferscale corpus`: synth, index, clips, controls, card; add does all of them for one folder."""

from pathlib import Path
from typing import Any

import click

from transferscale.cli import options
from transferscale.cli.options import Stage


@click.group(cls=Stage)
def corpus() -> None:
    """Videos into clips: synthetic corpus, manifest, clips, control corpora, card."""


@corpus.command(
    example="transferscale corpus synth --out videos "
    """--spec '{"seed":0,"heldout":0.1,"files":20,"seconds":3,"fps":16,"size":64}'"""
)
@options.spec
@options.threads
@options.out
def synth(spec: dict[str, Any], threads: int, out: Path) -> None:
    """Make synthetic videos: photographs and flat shapes in motion, as mp4 files."""
    from transferscale.corpus.synth import write_videos

    write_videos(spec, out, threads)


@corpus.command(example="""transferscale corpus index --spec spec.json --out manifest.parquet""")
@options.spec
@options.path("--synthetic", "Folder of the synthetic videos, if the corpus has any.", required=False)
@options.threads
@options.out
def index(spec: dict[str, Any], synthetic: Path | None, threads: int, out: Path) -> None:
    """List and audit every video; the bad ones are quarantined with a reason."""
    from transferscale.corpus.manifest import index as run

    run(spec, synthetic, out, threads)


@corpus.command(
    example="transferscale corpus clips --spec spec.json --manifest m.parquet --store clips --index c.parquet"
)
@options.spec
@options.path("--manifest", "Manifest of the corpus.")
@options.path("--store", "Folder of the clip store to write.")
@options.path("--index", "Table of the clips to write.")
@options.threads
def clips(spec: dict[str, Any], manifest: Path, store: Path, index: Path, threads: int) -> None:
    """Decode the videos and cut them into clips of one geometry."""
    from transferscale.corpus.clipping import cut

    cut(spec, manifest, store, index, threads)


@corpus.command(
    example="""transferscale corpus controls --spec '{"control":"phase","seed":0}' --store clips --index c.parquet"""
)
@options.spec
@options.path("--store", "Clip store of the corpus.")
@options.path("--index", "Table of the clips, which is also that of the control corpus.")
@options.out
def controls(spec: dict[str, Any], store: Path, index: Path, out: Path) -> None:
    """Spoil every clip on purpose: one frame repeated, frames shuffled, phases scrambled, or noise."""
    from transferscale.corpus.controls import make

    make(spec, store, index, out)


@corpus.command(
    example="transferscale corpus card --spec spec.json --manifest m.parquet --store clips --index c.parquet ..."
)
@options.spec
@options.path("--manifest", "Manifest of the corpus.")
@options.path("--store", "Clip store.")
@options.path("--index", "Table of the clips.")
@options.path("--readme", "Card to write.")
@options.path("--contact", "Contact sheet (PNG) to write.")
@options.path("--statistics", "Statistics (JSON) to write.")
def card(
    spec: dict[str, Any],
    manifest: Path,
    store: Path,
    index: Path,
    readme: Path,
    contact: Path,
    statistics: Path,
) -> None:
    """Describe a corpus: counts, licences, natural-video statistics, a contact sheet."""
    from transferscale.corpus.card import write_card

    write_card(spec, manifest, store, index, readme, contact, statistics)


@corpus.command(example="transferscale corpus add ~/videos --name street --out corpora/street")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the corpus; default: the folder's name.")
@click.option("--out", type=click.Path(path_type=Path), help="Where it goes; default: corpora/NAME.")
@options.threads
def add(folder: Path, name: str | None, out: Path | None, threads: int) -> None:
    """Turn one folder of videos into a corpus, without a study."""
    from transferscale.corpus.add import add as run

    called = name or folder.resolve().name
    run(folder, called, out or Path("corpora") / called, threads)
