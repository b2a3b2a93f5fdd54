"""`transferscale scaling transitions`: sharp changes along scale or along training, on any table."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transferscale.cli import options
from transferscale.cli.options import Verb
from transferscale.cli.scaling import shared

if TYPE_CHECKING:
    from transferscale.scaling.changes.transitions import Transitions


@click.command(
    cls=Verb,
    example="transferscale scaling transitions runs.csv --x params --y accuracy --control log_prob --cluster seed",
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--x", required=True, help="Column of the scale or training step.")
@click.option("--y", required=True, help="Column of the metric: a score such as accuracy, or a loss.")
@click.option("--group", multiple=True, help="Each value of this column is a curve (may be repeated).")
@click.option("--cluster", help="Column that names what varies together: seed, trunk, subject.")
@click.option(
    "--control", help="Column of a continuous metric at the same points: a loss or a log-probability."
)
@click.option(
    "--train", help="Column of the metric on training data, where x is a step: for the grokking delay."
)
@click.option("--control-train", help="Column of the control on training data.")
@click.option(
    "--threshold",
    type=float,
    help="Value of the metric that counts for the delay.  [default: 0.95 of the way from chance to the ceiling; of a "
    "loss half-way between start and best]",
)
@click.option("--breaks", default=2, show_default=True, type=int, help="Breaks that are tried at most.")
@click.option("--forecast", is_flag=True, help="Also tell whether a faster fall comes beyond the largest x.")
@shared.better("by the column's name, or as it goes with x")
@shared.score_range
@shared.bootstrap(400, "Simulated curves for each test and interval; 0 for none.")
@shared.seed
@shared.layout()
@options.path("--out", "Also write the `transitions` table (parquet) here.", required=False)
@options.plot
def transitions(
    table: Path,
    x: str,
    y: str,
    group: tuple[str, ...],
    cluster: str | None,
    control: str | None,
    train: str | None,
    control_train: str | None,
    threshold: float | None,
    breaks: int,
    forecast: bool,
    better: str,
    ceiling: float | None,
    chance: float | None,
    bootstrap: int,
    seed: int,
    layout: str,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Say where a metric changes sharply, and whether a continuous metric does so too.

    TABLE is a CSV, TSV or parquet file with a row a point. Along training (x a step, --train the same metric on
    training data) the delay of the test curve is told as well. A forecast on five groups or more is backtested on
    their own curves, cut off before their breaks.
    """
    from transferscale.artefacts import Stopwatch
    from transferscale.scaling.changes.table import backtest_groups, transitions_table, write_transitions

    watch = Stopwatch()
    found, refused = transitions_table(
        table,
        x,
        y,
        group=group,
        cluster=cluster,
        control=control,
        train=train,
        control_train=control_train,
        threshold=threshold,
        breaks=breaks,
        foretell=forecast,
        better=better,
        ceiling=ceiling,
        chance=chance,
        bootstrap=bootstrap,
        seed=seed,
    )
    tested = backtest_groups(found, seed) if forecast and bootstrap else None
    if out is not None:
        write_transitions(out, found, watch, tested)
    if plot is not None:
        from transferscale.scaling.pictures.transitions import draw_transitions

        draw_transitions(found, plot)
    for sentence in refused:
        click.echo(f"left out: {sentence}", err=True)
    if layout == "json":
        plain = [one.as_json() for one in found]
        for one in plain:
            if one["forecast"] is not None:
                one["forecast"]["backtest"] = tested.as_json() if tested else None
        click.echo(json.dumps(plain, indent=2, allow_nan=False))
    elif layout == "csv":
        from transferscale.scaling.gains.table import as_text
        from transferscale.tables import TABLES

        # Rows of breaks, delays and forecasts have different columns.
        blank = dict.fromkeys(TABLES["transitions"].columns)
        rows = [{**blank, **row, "group": one.group} for one in found for row in one.rows()]
        click.echo(as_text(rows), nl=False)
    else:
        click.echo("\n\n".join(map(_text, found)))
        if tested is not None:
            click.echo(f"\nforecasts, backtested on these curves: {tested.words}")


def _text(found: "Transitions") -> str:
    """One curve for a person."""
    from transferscale.scaling.changes.words import a_break, delay, foretold, sharp, sizes, tested
    from transferscale.scaling.comparisons.verdict import number

    name = ", ".join(f"{key} {value}" for key, value in found.group.items())
    course = found.metric.course
    span = f"{number(course.places[0])} to {number(course.places[-1])}"
    lines = [
        f"{name + ': ' if name else ''}{course.name} ~ {found.x}, {len(course.x)} points, {span}",
        f"  {sharp(found.metric, found.control)}",
    ]
    for role, one in found.changes:
        own = one.course
        lines.append(f"  {own.name}{' (control)' if role == 'control' else ''}: {tested(one)}")
        lines += [f"    {a_break(found_break, own.outcome.describe(own.name))}" for found_break in one.breaks]
        lines.append(f"    {sizes(one)}")
    if found.delays is not None:
        lines.append(f"  delay: {delay(*found.delays)}")
    if found.forecast is not None:
        lines.append(f"  forecast: {foretold(found.x, found.forecast)}")
    return "\n".join([*lines, *(f"  warning: {warning}" for warning in found.warnings)])
