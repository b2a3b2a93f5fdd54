"""`transferscale pretrain import` and `export`: published weights in, finished models out."""

from pathlib import Path

import click

from transferscale.cli import options
from transferscale.cli.options import Stage
from transferscale.errors import UserError


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers with commas between them; ``example`` is shown to who gives something else."""

    name = "NUMBERS"

    def __init__(self, example: str = "0.485,0.456,0.406") -> None:
        self.example = example

    def convert(
        self, value: str | tuple[float, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Read the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"'{value}' is not a list of numbers such as {self.example}", param, ctx)


def register(group: Stage) -> None:
    """Add the verbs to the group of the stage."""
    group.command(
        "import",
        example="transferscale pretrain import videomae-base --name videomae-b --frames 16 --size 32 "
        "--out hub/videomae-b",
    )(import_verb)
    group.command(
        "export", example="transferscale pretrain export rung5 --layout safetensors --out to-publish"
    )(export_verb)


@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="What the model is called; its arm is hub:NAME.")
@click.option("--frames", type=click.IntRange(1), help="Frames of the clips it shall take; as published.")
@click.option("--size", type=click.IntRange(1), help="Height and width of those clips; as published.")
@click.option(
    "--mean",
    type=Numbers(),
    help="Mean of the published input, in [0, 1], a channel each; preprocessor_config.json.",
)
@click.option("--sd", type=Numbers(), help="SD of the published input; as for --mean.")
@click.option(
    "--grey-mean", type=float, help="Mean grey level, 0 to 255, of the clips; of the published input."
)
@click.option("--grey-sd", type=click.FloatRange(0, min_open=True), help="SD of their grey levels; likewise.")
@options.out
def import_verb(
    path: Path,
    name: str,
    frames: int | None,
    size: int | None,
    mean: tuple[float, ...] | None,
    sd: tuple[float, ...] | None,
    grey_mean: float | None,
    grey_sd: float | None,
    out: Path,
) -> None:
    """Read a published VideoMAE or V-JEPA 2 checkpoint (PATH: folder or file; nothing is downloaded)."""
    if (mean is None) != (sd is None):
        raise UserError("--mean and --sd go together; give both or none")
    if (grey_mean is None) != (grey_sd is None):
        raise UserError("--grey-mean and --grey-sd go together; give both or none")
    from transferscale.models.published.grey import Grey, Normalisation
    from transferscale.models.published.importing import import_published

    try:
        normalisation = None if mean is None or sd is None else Normalisation.of(mean, sd)
    except ValueError as error:
        raise UserError(f"--mean and --sd: {error}") from None
    grey = None if grey_mean is None or grey_sd is None else Grey(grey_mean, grey_sd)
    adapted = import_published(path, name, out, frames, size, normalisation, grey)
    click.echo(f"{out}: hub:{name}")
    for rule in adapted:
        click.echo(f"  {rule}")


@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--layout",
    type=click.Choice(["videomae", "safetensors"]),
    required=True,
    help="videomae: as transformers reads it; safetensors: as it is, for any network.",
)
@options.out
def export_verb(folder: Path, layout: str, out: Path) -> None:
    """Write a finished model (FOLDER) for others, with a model card to complete."""
    from transferscale.models.published.exporting import export

    export(folder, layout, out)
    click.echo(f"{out}: complete README.md before you publish it")
