"""`transferscale scaling compare`: which family leads, from which scale, on any table."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transferscale.cli import options
from transferscale.cli.options import Verb
from transferscale.cli.scaling import shared

if TYPE_CHECKING:
    from transferscale.scaling.comparisons.compare import Comparison, FamilyPair


@click.command(
    cls=Verb,
    example="transferscale scaling compare runs.csv --x params --y loss --family arch --law power-floor --pair seed",
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--x", required=True, help="Column of the scale.")
@click.option("--y", required=True, help="Column of the outcome: a loss, or a score such as accuracy.")
@click.option("--family", required=True, help="Column that names what is compared: architecture, arm.")
@click.option("--law", required=True, help="Law fitted to every family, as power-floor; or auto.")
@click.option("--breaks", default=1, show_default=True, type=int, help="Breaks of the broken law.")
@click.option("--group", multiple=True, help="Compare within each value of this column (may be repeated).")
@click.option(
    "--cluster", help="Column that names what varies together within a family: trunk, seed, subject."
)
@click.option("--pair", help="Column that names what varies together across families: seed, subject.")
@click.option(
    "--range",
    "bounds",
    nargs=2,
    type=float,
    metavar="LOW HIGH",
    help="Scales in question.  [default: all scales of the table]",
)
@click.option(
    "--target", type=float, help="Scale at which the families are ranked.  [default: the range's upper end]"
)
@click.option(
    "--level",
    "levels",
    multiple=True,
    type=float,
    help="Outcome at which scales are compared (may be repeated).  [default: the best that both reach]",
)
@shared.better()
@shared.score_range
@click.option(
    "--objective",
    "objective_name",
    type=click.Choice(["log-lsq", "huber", "likelihood"]),
    default="log-lsq",
    show_default=True,
    help="What the fits minimise.",
)
@shared.delta
@shared.bootstrap()
@shared.seed
@shared.layout("json")
@options.path("--out", "Also write the crossovers here (.parquet).", required=False)
@options.plot
@options.empty_ok
def compare(
    table: Path,
    x: str,
    y: str,
    family: str,
    law: str,
    breaks: int,
    group: tuple[str, ...],
    cluster: str | None,
    pair: str | None,
    bounds: tuple[float, float] | None,
    target: float | None,
    levels: tuple[float, ...],
    better: str,
    ceiling: float | None,
    chance: float | None,
    objective_name: str,
    delta: float,
    bootstrap: int,
    seed: int,
    layout: str,
    out: Path | None,
    plot: Path | None,
    empty_ok: bool,
) -> None:
    """Say from which scale one family overtakes another, and which is best at a target, with intervals.

    TABLE is a CSV, TSV or parquet file with one row a run. The answer is a crossover with its interval, or "none in
    range", or "not identified" with the reason. With --group the result is a list with one object a group.
    """
    from transferscale.artefacts import Stopwatch
    from transferscale.scaling.comparisons.table import compare_table, write_comparisons
    from transferscale.scaling.fits.objectives import objective

    watch = Stopwatch()
    found, left_out = compare_table(
        table,
        x,
        y,
        family,
        law,
        breaks=breaks,
        group=group,
        cluster=cluster,
        pair=pair,
        empty_ok=empty_ok,
        bounds=bounds,
        target=target,
        levels=levels,
        better=better,
        ceiling=ceiling,
        chance=chance,
        objective=objective(objective_name, delta),
        bootstrap=bootstrap,
        seed=seed,
    )
    if out is not None:
        write_comparisons(out, found, watch)
    if plot is not None and found:
        from transferscale.scaling.pictures.compare import draw_compare

        draw_compare(found, plot)
    if layout == "json":
        plain = [one.as_json() for one in found]
        click.echo(json.dumps(plain if group or not plain else plain[0], indent=2, allow_nan=False))
    elif layout == "csv":
        from transferscale.scaling.gains.table import as_text

        # One column a group, as in the table that was read.
        rows = [{**row, "group": one.group} for one in found for row in one.rows()]
        click.echo(as_text(rows), nl=False)
    else:
        click.echo("\n\n".join(map(_text, found)))
    for sentence in left_out:
        click.echo(f"left out: {sentence}", err=True)


def _text(found: "Comparison") -> str:
    """One comparison for a person."""
    from transferscale.scaling.comparisons.verdict import number

    name = ", ".join(f"{key} {value}" for key, value in found.group.items())
    window = found.window
    lines = [
        f"{name + ': ' if name else ''}{found.outcome.describe(found.y)} ~ {found.x}, "
        f"{number(window.low)} to {number(window.high)}"
    ]
    for key, one in found.fits.items():
        low, high = number(one.points.min()), number(one.points.max())
        lines.append(f"  {key}: {one.law}, {one.n} points from {low} to {high}, RMSLE {one.rmsle_fit:.2g}")
    lines.append(f"  {found.verdict}")
    for pair in found.pairs:
        lines += [f"  {sentence}" for sentence in _multipliers(pair, found)]
    told = dict.fromkeys(warning for pair in found.pairs for warning in pair.warnings)
    return "\n".join([*lines, *(f"  warning: {warning}" for warning in told)])


def _multipliers(pair: "FamilyPair", found: "Comparison") -> list[str]:
    """Scale of one family over that of the other at each level."""
    from transferscale.scaling.comparisons.verdict import number

    first, second = pair.families
    out = []
    for one in pair.multipliers:
        level = f"for {found.y} {one.level:.4g}"
        if one.unreached:
            out.append(
                f"{level}: not reached by {' or '.join(one.unreached)} up to {number(found.window.searched[1])}"
            )
            continue
        if one.ratio is None:
            out.append(f"{level}: reached below {number(found.window.searched[0])}")
            continue
        ends = ""
        if pair.crossover.p_roots is not None:
            low = "no lower end" if one.low is None else number(one.low)
            high = "no upper end" if one.high is None else number(one.high)
            ends = f" (95 % {low} to {high})"
        away = [f"{factor:.3g} times outside the data of {name}" for name, factor in one.outside.items()]
        out.append(
            f"{level}, {first} needs {number(one.ratio)} times{ends} the {found.x} of {second}"
            + (f"; {' and '.join(away)}" if away else "")
        )
    return out
