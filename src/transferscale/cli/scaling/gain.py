"""`transferscale scaling gain`: an arm against its reference, on any table or for a study."""

import json
from pathlib import Path
from typing import Any

import click

from transferscale.cli import options
from transferscale.cli.options import Verb
from transferscale.cli.scaling import shared

METRICS = ("auroc", "accuracy", "balanced_accuracy", "r", "r2")


@click.command(
    cls=Verb,
    example="transferscale scaling gain predictions.csv --arm video --reference scratch --metric auroc --sesoi 0.05",
)
@click.argument("table", type=click.Path(path_type=Path), required=False)
@click.option("--arm", help="The arm that is tested: a value of column 'arm'.")
@click.option("--reference", help="The arm that it is compared with.")
@click.option("--metric", type=click.Choice(METRICS), help="What is compared.")
@click.option("--against", multiple=True, help="A further reference, as connectivity (may be repeated).")
@click.option(
    "--sesoi",
    type=click.FloatRange(0, min_open=True),
    help="Smallest effect size of interest, in units of the metric; without it nothing is equivalent.",
)
@click.option("--group", multiple=True, help="Compare each value of this column alone (may be repeated).")
@click.option(
    "--positive",
    metavar="CLASS",
    help="The class whose score a y_score of one number is. Default: the last in sorted order.",
)
@shared.layout()
@options.path("--out", "Also write the gains here: .parquet, .csv, .tsv or .json.", required=False)
@options.plot
@options.path("--study", "For a study: its file, or the completed study.json.", required=False)
@options.path("--predictions", "For a study: table of predictions.", required=False)
@options.path("--scores", "For a study: table of scores to write.", required=False)
@options.path("--gains", "For a study: table of gains to write.", required=False)
def gain(
    table: Path | None,
    arm: str | None,
    reference: str | None,
    metric: str | None,
    against: tuple[str, ...],
    sesoi: float | None,
    group: tuple[str, ...],
    positive: str | None,
    layout: str,
    out: Path | None,
    plot: Path | None,
    study: Path | None,
    predictions: Path | None,
    scores: Path | None,
    gains: Path | None,
) -> None:
    """Gain of an arm over a reference on the same subjects, folds and draws, at every label count.

    TABLE is a CSV, TSV or parquet file of test predictions with the columns arm, subject, y_true and y_pred or
    y_score, and where they apply n_labels, n_train, draw, seed, repeat, fold, window, task, family_group. Intervals
    are for new subjects, draws and seeds. A study is compared instead with --study, --predictions, --scores, --gains.
    """
    if table is None:
        if study is None or predictions is None or scores is None or gains is None:
            raise click.UsageError("give a TABLE, or --study, --predictions, --scores and --gains")
        from transferscale.scaling.gains.study import run
        from transferscale.study.load import load_study

        run(load_study(study), predictions, scores, gains, tell=lambda text: click.echo(text, err=True))
        return
    if any((study, predictions, scores, gains)):
        raise click.UsageError("give either a TABLE or --study, not both")
    if arm is None or reference is None or metric is None:
        raise click.UsageError("with a TABLE, give --arm, --reference and --metric")
    from transferscale.scaling.gains.comparison import ASSUMPTION
    from transferscale.scaling.gains.table import as_text, gain_table, write_gains

    found = gain_table(
        table, arm, reference, metric, against=against, sesoi=sesoi, group=group, positive=positive
    )
    if out is not None:
        write_gains(out, found.rows)
    if plot is not None:
        from transferscale.scaling.pictures.gain import draw_gain

        draw_gain(found, plot)
    # What could be detected comes before what was found.
    said = [f"beforehand ({ASSUMPTION}):", *(f"  {sentence}" for sentence in found.beforehand), ""]
    if found.assumptions:
        said.insert(0, f"assumed: {'; '.join(found.assumptions)}")
    click.echo("\n".join(said), err=layout != "table")
    if layout == "json":
        click.echo(json.dumps(found.rows, indent=2))
    elif layout == "csv":
        click.echo(as_text(found.rows), nl=False)
    else:
        click.echo("\n\n".join(_text(row) for row in found.rows))
    for sentence in found.failures:
        click.echo(f"left out: {sentence}", err=True)


def _text(row: dict[str, Any]) -> str:
    """One comparison for a person."""
    name = ", ".join(f"{key} {value}" for key, value in row["group"].items())
    counts = ((row["n_subjects"], "subject"), (row["n_draws"], "draw"), (row["n_seeds"], "seed"))
    tested = ", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts)
    compared = f"{row['arm']} against {row['reference']}"
    lines = [
        f"{name + ', ' if name else ''}n = {row['n_labels']}: {compared} ({tested})",
        f"  {row['metric']} {row['arm_value']:.3f} against {row['reference_value']:.3f}",
        f"  gain {row['estimate']:+.3f}, 95 % {row['low']:+.3f} to {row['high']:+.3f}, p {row['p_value']:.2g}"
        + (f" (Holm {row['p_holm']:.2g})" if row["p_holm"] > row["p_value"] else ""),
    ]
    if row["nb_low"] is not None:
        lines.append(
            f"  cross-check by Nadeau and Bengio 95 % {row['nb_low']:+.3f} to {row['nb_high']:+.3f}, "
            f"p {row['nb_p_value']:.2g}"
        )
    if row["effective_data"] is not None:
        lines.append(_transferred(row))
    lines.append(f"  {row['words']}")
    return "\n".join([*lines, *(f"  warning: {warning}" for warning in row["warnings"])])


def _transferred(row: dict[str, Any]) -> str:
    """Effective data and multiplier, with what is only a bound marked."""
    bound = {"": "", "flat": "flat curve, "}.get(row["bound"], row["bound"] + " ")
    below, above = row["effective_open"] in ("low", "both"), row["effective_open"] in ("high", "both")

    def span(low: str, high: str) -> str:
        return f"95 % {'<= ' * below}{low} to {'>= ' * above}{high}"

    data = span(f"{row['effective_low']:+.1f}", f"{row['effective_high']:+.1f}")
    times = span(f"{row['multiplier_low']:.2f}", f"{row['multiplier_high']:.2f}")
    return (
        f"  effective data transferred {bound}{row['effective_data']:+.1f} subjects ({data}), "
        f"data multiplier {bound}{row['multiplier']:.2f} ({times})"
    )
