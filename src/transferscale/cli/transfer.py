"""`transferscale transfer`: features, baseline, fit, collect."""

from pathlib import Path
from typing import Any

import click

from transferscale.cli import options
from transferscale.cli.options import Stage


@click.group(cls=Stage)
def transfer() -> None:
    """Checkpoints and recordings into every test subject's prediction."""


@transfer.command(
    example="transferscale transfer features --spec spec.json --view roi --checkpoint rung1 --out features.safetensors"
)
@options.spec
@options.path("--view", "Folder of the view.")
@options.path(
    "--checkpoint", "Checkpoint (its folder or model.safetensors); none for random weights.", required=False
)
@options.threads
@options.out
def features(spec: dict[str, Any], view: Path, checkpoint: Path | None, threads: int, out: Path) -> None:
    """Frozen features of one reader on every window, every layer, as Gram matrices."""
    from transferscale.transfer.features import extract

    extract(spec, view, _folder(checkpoint), out, threads)


@transfer.command(
    example="transferscale transfer baseline --spec spec.json --view roi --out connectivity.safetensors"
)
@options.spec
@options.path("--view", "Folder of the view.")
@options.path("--splits", "splits.json (tangent).", required=False)
@options.out
def baseline(spec: dict[str, Any], view: Path, splits: Path | None, out: Path) -> None:
    """Features of a classical baseline, in the same form as a checkpoint's."""
    from transferscale.transfer.baselines import extract

    extract(spec, view, out, splits)


@transfer.command(
    example="transferscale transfer fit --spec spec.json --features f.safetensors --view roi ... --out p.parquet"
)
@options.spec
@options.path("--features", "Features of the reader (frozen read-outs).", required=False)
@options.path(
    "--checkpoint",
    "Checkpoint to fine-tune (its folder or model.safetensors); none for scratch.",
    required=False,
)
@options.path("--view", "Folder of the view.")
@options.path("--recordings", "Table of recordings.")
@options.path("--splits", "splits.json.")
@click.option(
    "--permute-labels",
    type=click.IntRange(min=0),
    metavar="SEED",
    help="Permute the labels of every task first: a null, in which no arm may beat chance.",
)
@options.threads
@options.out
def fit(
    spec: dict[str, Any],
    features: Path | None,
    checkpoint: Path | None,
    view: Path,
    recordings: Path,
    splits: Path,
    permute_labels: int | None,
    threads: int,
    out: Path,
) -> None:
    """Fit a read-out on the labelled subjects of every fold and draw, and predict every test subject."""
    if permute_labels is not None:
        for task in spec["tasks"].values():
            task["permute_labels"] = permute_labels
    if spec.get("read_out") != "ridge":
        from transferscale.transfer.finetune import fit as finetune

        finetune(spec, _folder(checkpoint), view, recordings, splits, out, threads)
    elif features is None:
        raise click.UsageError("a frozen read-out needs --features")
    else:
        from transferscale.transfer.fit import fit as fit_frozen

        fit_frozen(spec, features, view, recordings, splits, out)


@transfer.command(
    example="transferscale transfer behave --spec spec.json --checkpoint rung1 --view roi ... --out p.parquet"
)
@options.spec
@options.path(
    "--checkpoint",
    "Checkpoint (its folder or model.safetensors); none for random weights and raw:linear.",
    required=False,
)
@options.path("--view", "Folder of the view.")
@options.path("--recordings", "Table of recordings.")
@options.path("--splits", "splits.json.")
@click.argument("onto", nargs=-1, type=click.Path(path_type=Path))
@options.threads
@options.out
def behave(
    spec: dict[str, Any],
    checkpoint: Path | None,
    view: Path,
    recordings: Path,
    splits: Path,
    onto: tuple[Path, ...],
    threads: int,
    out: Path,
) -> None:
    """Fit a read-out, and test it on corrupted and attacked recordings, at other sites and on other datasets.

    ONTO are the views of the other datasets that the spec names, in its order.
    """
    from transferscale.transfer.behaviour.behave import behave as run

    run(spec, _folder(checkpoint), view, recordings, splits, onto, out, threads)


@transfer.command(
    example="transferscale transfer continual --spec spec.json --checkpoint rung1 --out p.parquet medical/demo/roi"
)
@options.spec
@options.path(
    "--checkpoint",
    "Checkpoint (its folder or model.safetensors); none for random weights and raw:linear.",
    required=False,
)
@click.argument("views", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.threads
@options.out
def continual(
    spec: dict[str, Any], checkpoint: Path | None, views: tuple[Path, ...], threads: int, out: Path
) -> None:
    """Learn a sequence of tasks one after another, and test all tasks so far after each.

    VIEWS are the views of the sequence's datasets, in the order of their first task, with splits.json beside each.
    """
    from transferscale.transfer.behaviour.continual import continual as run

    run(spec, _folder(checkpoint), views, out, threads)


@transfer.command(example="transferscale transfer collect --study results/demo/study.json --out predictions")
@options.path("--study", "The study's file, or the completed study.json.")
@options.out
def collect(study: Path, out: Path) -> None:
    """Gather every prediction of a study in one partitioned table, a folder; a missing one is an error."""
    from transferscale.study.load import load_study
    from transferscale.transfer.collect import collect as run

    run(load_study(study), out)


def _folder(checkpoint: Path | None) -> Path | None:
    """The checkpoint's folder; the workflow names the file in it, because that is what it declared."""
    return checkpoint.parent if checkpoint is not None and checkpoint.suffix == ".safetensors" else checkpoint
