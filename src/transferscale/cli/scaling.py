"""`transferscale scaling`: fit (any table); gain, checkpoints, laws (a study's)."""

import json
from pathlib import Path
from typing import Any

import click

from transferscale.cli import options
from transferscale.cli.options import Stage


@click.group(cls=Stage)
def scaling() -> None:
    """Predictions and losses into scores, gains and laws; works on any CSV or parquet table."""


@scaling.command(
    example="transferscale scaling fit runs.csv --x params --y loss --law power-floor --cluster seed --holdout-top 1"
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--x", required=True, help="Column of the scale.")
@click.option("--y", required=True, help="Column of the outcome, above zero.")
@click.option("--law", required=True, help="power or power-floor.")
@click.option("--group", multiple=True, help="Fit each value of this column alone (may be repeated).")
@click.option("--cluster", help="Column that names what varies together: trunk, seed, subject.")
@click.option(
    "--holdout-top",
    default=0,
    type=click.IntRange(0),
    help="Largest scales kept out of the fit and predicted.",
)
@click.option(
    "--bootstrap",
    default=1000,
    show_default=True,
    type=click.IntRange(0),
    help="Resamples; 0 for no intervals.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the resamples.")
@click.option("--format", "layout", type=click.Choice(["table", "json"]), default="table", show_default=True)
def fit(
    table: Path,
    x: str,
    y: str,
    law: str,
    group: tuple[str, ...],
    cluster: str | None,
    holdout_top: int,
    bootstrap: int,
    seed: int,
    layout: str,
) -> None:
    """Fit a scaling law to any CSV, TSV or parquet table, with intervals and warnings."""
    from transferscale.scaling.fit import fit_table

    fits = fit_table(
        table,
        x,
        y,
        law,
        group=group,
        cluster=cluster,
        bootstrap=bootstrap,
        holdout_top=holdout_top,
        seed=seed,
    )
    found = [one.as_json() for one in fits]
    click.echo(json.dumps(found, indent=2) if layout == "json" else "\n\n".join(map(_text, found)))


def _text(fitted: dict[str, Any]) -> str:
    """One fit for a person."""
    name = ", ".join(f"{key} {value}" for key, value in fitted["group"].items())
    lines = [
        f"{name + ': ' if name else ''}{fitted['y']} ~ {fitted['x']}, {fitted['law']}, {fitted['n']} points"
    ]
    for key, value in fitted["params"].items():
        interval = fitted["intervals"].get(key)
        span = f"  95 % {interval[0]:.6g} to {interval[1]:.6g}" if interval else ""
        known = "" if fitted["identified"].get(key) else "  not identified"
        lines.append(f"  {key:<4}{value:.6g}{span}{known}")
    lines.append(f"  RMSLE of the fit {fitted['rmsle_fit']:.4g}")
    if fitted["rmsle_holdout"] is not None:
        baselines = ", ".join(
            f"{key.replace('_', ' ')} {value:.4g}" for key, value in fitted["baselines"].items()
        )
        lines.append(f"  RMSLE of the held-out scales {fitted['rmsle_holdout']:.4g} (baselines: {baselines})")
    return "\n".join([*lines, *(f"  warning: {warning}" for warning in fitted["warnings"])])


@scaling.command(
    example="transferscale scaling gain --study study.json --predictions p.parquet --scores s.parquet --gains g.parquet"
)
@options.path("--study", "The study's file, or the completed study.json.")
@options.path("--predictions", "Table of predictions.")
@options.path("--scores", "Table of scores to write.")
@options.path("--gains", "Table of gains to write.")
def gain(study: Path, predictions: Path, scores: Path, gains: Path) -> None:
    """Score every arm and its gain over its reference, with intervals for new subjects, draws and seeds."""
    from transferscale.scaling.gains import run
    from transferscale.study.load import load_study

    run(load_study(study), predictions, scores, gains)


@scaling.command(
    example="transferscale scaling checkpoints --study results/demo/study.json --out checkpoints.parquet"
)
@options.path("--study", "The study's file, or the completed study.json.")
@options.out
def checkpoints(study: Path, out: Path) -> None:
    """Gather one row a checkpoint: parameters, FLOPs, clips, losses."""
    from transferscale.scaling.checkpoints import checkpoints as run
    from transferscale.study.load import load_study

    run(load_study(study), out)


@scaling.command(
    example="transferscale scaling laws --study study.json --checkpoints c.parquet --scores s.parquet --out l.parquet"
)
@options.path("--study", "The study's file, or the completed study.json.")
@options.path("--checkpoints", "Table of checkpoints.")
@options.path("--scores", "Table of scores.")
@options.out
def laws(study: Path, checkpoints: Path, scores: Path, out: Path) -> None:
    """Fit the study's scaling laws: held-out loss and task error against scale."""
    from transferscale.scaling.checkpoints import run_laws
    from transferscale.study.load import load_study

    run_laws(load_study(study), checkpoints, scores, out)
