"""`transferscale scaling isoflop`: the best size of model at each compute budget, on any table."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transferscale.cli import options
from transferscale.cli.options import Verb
from transferscale.cli.scaling import shared

if TYPE_CHECKING:
    from transferscale.scaling.minima.isoflop import Budget, Isoflop
    from transferscale.scaling.minima.table import Isoflops


@click.command(
    cls=Verb,
    example="transferscale scaling isoflop runs.csv --n params --c flops --d clips --y loss --group family "
    "--cluster trunk",
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--n", required=True, help="Column of the size: parameters.")
@click.option("--c", required=True, help="Column of the compute: training FLOPs of the run.")
@click.option("--d", help="Column of the data seen: clips, tokens.  [default: C / 6 N]")
@click.option("--y", required=True, help="Column of the outcome: a loss, or a score (fitted as 1 - score).")
@click.option("--group", multiple=True, help="Minima for each value of this column alone (may be repeated).")
@click.option(
    "--cluster", help="Column that names what varies together, the budgets of one training run: trunk."
)
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    type=float,
    help="Compute budget (may be repeated).  [default: seven, where three sizes have runs]",
)
@shared.better()
@shared.score_range
@shared.bootstrap()
@shared.seed
@shared.layout()
@options.path("--out", "Also write the `isoflop` table (parquet) here.", required=False)
@options.path("--laws", "Also write the laws of the frontiers, a `laws` table, here.", required=False)
@options.path("--crossovers", "Also write where frontiers cross, a `crossovers` table, here.", required=False)
@options.plot
@options.empty_ok
def isoflop(
    table: Path,
    n: str,
    c: str,
    d: str | None,
    y: str,
    group: tuple[str, ...],
    cluster: str | None,
    budgets: tuple[float, ...],
    better: str,
    ceiling: float | None,
    chance: float | None,
    bootstrap: int,
    seed: int,
    layout: str,
    out: Path | None,
    laws: Path | None,
    crossovers: Path | None,
    plot: Path | None,
    empty_ok: bool,
) -> None:
    """Say which size is best at each compute budget, with intervals, and whether its minimum is bracketed.

    TABLE is a CSV, TSV or parquet file with one row a finished run, several budgets of each of three sizes or more.
    Beside each minimum stands that of the fitted surface L(N, D); then come the laws of the frontier, and with several
    groups where one frontier overtakes another.
    """
    from transferscale.scaling.minima.table import (
        isoflop_table,
        write_crossovers,
        write_frontiers,
        write_isoflop,
    )

    found = isoflop_table(
        table,
        n,
        c,
        y,
        d=d,
        group=group,
        cluster=cluster,
        budgets=budgets,
        better=better,
        ceiling=ceiling,
        chance=chance,
        bootstrap=bootstrap,
        seed=seed,
        empty_ok=empty_ok,
    )
    for path, write in ((out, write_isoflop), (laws, write_frontiers), (crossovers, write_crossovers)):
        if path is not None:
            write(path, found)
    if plot is not None and found.groups:
        from transferscale.scaling.pictures.isoflop import draw_isoflop

        draw_isoflop(found, plot)
    for sentence in found.left_out:
        click.echo(f"left out: {sentence}", err=True)
    if layout == "json":
        click.echo(json.dumps(found.as_json(), indent=2, allow_nan=False))
    elif layout == "csv":
        from transferscale.scaling.gains.table import as_text

        # One column a group, as in the table that was read.
        rows = [{**row, "group": one.group} for one in found.groups for row in one.rows()]
        click.echo(as_text(rows) if rows else "", nl=False)
    else:
        click.echo(_text(found))


def _text(found: "Isoflops") -> str:
    """All groups for a person."""
    parts = [_group(one) for one in found.groups]
    if found.comparison is not None:
        parts.append(f"frontiers: {found.comparison.verdict}")
    return "\n\n".join(parts)


def _group(found: "Isoflop") -> str:
    name = ", ".join(f"{key} {value}" for key, value in found.group.items())
    lines = [
        f"{name + ': ' if name else ''}least {found.outcome.describe(found.y_name)} at equal {found.c_name}, "
        f"{len(found.trunks)} independent runs"
    ]
    lines += [f"  {found.c_name} {one.compute:.3g}: {_budget(one, found.n_name)}" for one in found.budgets]
    grows = found.allocation
    if grows is not None:
        lines.append(
            f"  best {found.n_name} ~ {found.c_name}^a over {grows.budgets} bracketed budgets: a "
            f"{grows.a:.3g}{_ends('95 % ', grows.low, grows.high)}; surface {grows.surface_a:.3g}"
            f"{_ends('95 % ', grows.surface_low, grows.surface_high)}"
        )
    for law in found.frontier:
        values = ", ".join(
            f"{key} {value:.3g}{_ends('', *(law.intervals[key] or (None, None)))}"
            f"{'' if law.identified[key] else ' not identified'}"
            for key, value in law.params.items()
        )
        lines.append(f"  frontier, {law.law}: {law.form.equation}; {values}")
    return "\n".join([*lines, *(f"  warning: {warning}" for warning in found.warnings)])


def _budget(one: "Budget", n: str) -> str:
    told = f"best {n} {one.n:.3g}{_ends('95 % ', one.n_low, one.n_high)}" if not one.side else one.words
    told += f", loss {one.loss:.4g}{_ends('', one.loss_low, one.loss_high, 4)}; {len(one.sizes)} sizes"
    if one.p_bracketed is not None:
        told += f", bracketed in {one.p_bracketed:.0%} of draws"
    return f"{told}; surface {one.surface_n:.3g}{_ends('', one.surface_low, one.surface_high)}"


def _ends(what: str, low: float | None, high: float | None, digits: int = 3) -> str:
    if low is None or high is None:
        return ""
    return f" ({what}{low:.{digits}g} to {high:.{digits}g})"
