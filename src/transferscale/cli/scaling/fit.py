"""`transferscale scaling fit`: a law on any table."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transferscale.cli import options
from transferscale.cli.options import Verb
from transferscale.cli.scaling import shared
from transferscale.errors import UserError

if TYPE_CHECKING:
    from transferscale.scaling.fits.fit import Fit

LAWS = (
    "power, power-floor, m1 to m4, broken, chinchilla (x = N, x2 = D; or x = C), repeated (D, U; or N, D, U), "
    "transfer (D_F, N), finetune (X, D_f), exp-link, sigmoid-link (x = loss), or auto"
)


@click.command(
    cls=Verb,
    example="transferscale scaling fit runs.csv --x params --y loss --law power-floor --cluster seed --holdout-top 1",
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--x", required=True, help="Column of the scale.")
@click.option("--x2", help="Second column of scale, for a law of two variables.")
@click.option("--x3", help="Third column of scale.")
@click.option("--y", required=True, help="Column of the outcome: a loss, or a score (fitted as 1 - score).")
@click.option("--law", required=True, multiple=True, help=f"{LAWS} (may be repeated).")
@click.option("--breaks", default="1", show_default=True, help="Breaks of the broken law, 0 to 3, or auto.")
@click.option("--group", multiple=True, help="Fit each value of this column alone (may be repeated).")
@click.option("--cluster", help="Column that names what varies together: trunk, seed, subject.")
@click.option("--weight", help="Column of weights of the points.")
@click.option("--flops", is_flag=True, help="The column --x2 holds training FLOPs C, and D = C / 6 N.")
@shared.better()
@shared.score_range
@click.option("--holdout", metavar="COL=VALUE", help="Rows kept out of the fit and predicted.")
@click.option(
    "--holdout-top",
    default=0,
    type=click.IntRange(0),
    help="Largest different scales kept out of the fit and predicted.",
)
@click.option(
    "--objective",
    default="log-lsq",
    show_default=True,
    help="log-lsq, huber, likelihood (Huber density, scale fitted) or log1p-lsq.",
)
@shared.delta
@shared.bootstrap()
@click.option(
    "--starts", default=20, show_default=True, type=click.IntRange(1), help="Starting points followed."
)
@shared.seed
@click.option(
    "--at", multiple=True, help="Also predict at this scale (may be repeated; N,D for two variables)."
)
@click.option(
    "--preregister",
    type=click.Path(path_type=Path),
    help="Write the predictions at --at, with their intervals and a hash, to this new file.",
)
@click.option(
    "--preregistered",
    type=click.Path(path_type=Path),
    help="Say whether the predictions of this file held on this table.",
)
@shared.layout()
@options.path("--out", "Also write the `laws` table (parquet) here.", required=False)
@options.plot
@options.empty_ok
def fit(
    table: Path,
    x: str,
    x2: str | None,
    x3: str | None,
    y: str,
    law: tuple[str, ...],
    breaks: str,
    group: tuple[str, ...],
    cluster: str | None,
    weight: str | None,
    flops: bool,
    better: str,
    ceiling: float | None,
    chance: float | None,
    holdout: str | None,
    holdout_top: int,
    objective: str,
    delta: float,
    bootstrap: int,
    starts: int,
    seed: int,
    at: tuple[str, ...],
    preregister: Path | None,
    preregistered: Path | None,
    layout: str,
    out: Path | None,
    plot: Path | None,
    empty_ok: bool,
) -> None:
    """Fit a scaling law to any CSV, TSV or parquet table, with intervals and warnings."""
    from transferscale.scaling.fits.preregister import judge, read_preregistration
    from transferscale.scaling.fits.preregister import preregister as write_down
    from transferscale.scaling.fits.rows import as_csv, write_laws
    from transferscale.scaling.fits.table import Request, fit_table

    registered = read_preregistration(preregistered) if preregistered else None
    if preregister and not at:
        raise UserError("--preregister: give the scale to predict with --at")
    if holdout and holdout_top:
        raise UserError("give --holdout or --holdout-top, not both")
    requests = [
        Request(
            law=name,
            breaks=_breaks(breaks),
            objective=objective,
            delta=delta,
            better=better,
            ceiling=ceiling,
            chance=chance,
            top=holdout_top,
            starts=starts,
            bootstrap=bootstrap,
            seed=seed,
            flops=flops,
        )
        for name in law
    ]
    fits, refused = fit_table(
        table,
        [name for name in (x, x2, x3) if name],
        y,
        requests,
        group=group,
        cluster=cluster,
        weight=weight,
        holdout=_holdout(holdout),
    )
    if not fits and not empty_ok:
        more = f" (and {len(refused) - 1} more that could not be fitted)" if len(refused) > 1 else ""
        raise UserError(refused[0] + more)
    scales = _scales(at)
    found = [one.as_json() for one in fits]
    for one, fitted in zip(found, fits, strict=True):
        if scales is not None:
            one["predictions"] = _predictions(fitted, scales)
    if registered is not None and preregistered is not None:
        judged, left_out = judge(registered, fits, preregistered)
        for one, own in zip(found, judged, strict=True):
            if own is not None:
                one["preregistered"] = own.predictions
                one["warnings"] = [*one["warnings"], *own.warnings]
        for sentence in left_out:
            click.echo(f"not judged: {sentence}", err=True)
    if preregister and scales is not None:
        written = write_down(fits, scales, preregister)
        click.echo(f"{preregister}: written {written['written']}, sha256 {written['sha256']}", err=True)
    for sentence in refused:
        click.echo(f"not fitted: {sentence}", err=True)
    if out:
        write_laws(out, fits, registered is not None)
    if plot is not None and fits:
        from transferscale.scaling.pictures.fit import draw_fit

        draw_fit(fits, plot)
    if layout == "json":
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    elif layout == "csv":
        click.echo(as_csv(fits), nl=False)
    else:
        click.echo("\n\n".join(map(_text, found)))


def _breaks(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise UserError(f"--breaks: '{text}' is neither a whole number nor 'auto'") from None


def _holdout(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--holdout: expected COL=VALUE, found '{text}'")
    return name, value


def _scales(at: tuple[str, ...]) -> Any:
    import numpy as np

    if not at:
        return None
    try:
        rows = [[float(part) for part in text.split(",")] for text in at]
        scales = np.array(rows)
    except ValueError:
        raise UserError(f"--at: expected numbers, as 1e9 or 1e9,2e10, found '{' '.join(at)}'") from None
    if not ((scales > 0) & (scales < np.inf)).all():
        raise UserError("--at: scales must be numbers above zero")
    return scales


def _predictions(fitted: "Fit", scales: Any) -> list[dict[str, Any]]:
    if scales.shape[1] != fitted.points.shape[1]:
        raise UserError(f"--at: law '{fitted.law}' takes {fitted.points.shape[1]} values, as --at 1e9,2e10")
    middle, low, high = fitted.curve(scales)
    # On either side of the points; within them it is at most 1.
    above, below = scales / fitted.points.max(0), fitted.points.min(0) / scales
    beyond = [max(float(a), float(b)) for a, b in zip(above.max(1), below.max(1), strict=True)]
    return [
        {
            "x": list(map(float, scales[i])),
            "value": float(middle[i]),
            "interval": None if low is None or high is None else [float(low[i]), float(high[i])],
            "factor_beyond": beyond[i] if beyond[i] > 1 else None,
        }
        for i in range(len(scales))
    ]


def _text(fitted: dict[str, Any]) -> str:
    """One fit for a person."""
    name = ", ".join(f"{key} {value}" for key, value in fitted["group"].items())
    title = f"{name + ': ' if name else ''}{fitted['y']} ~ {', '.join(fitted['x'])}, {fitted['law']}"
    lines = [f"{title}, {fitted['n']} points", f"  {fitted['equation']}"]
    if fitted["outcome"] != fitted["y"]:
        lines.append(f"  y is the error {fitted['outcome']}")
    width = max(5, *map(len, fitted["params"])) + 1
    for key, value in fitted["params"].items():
        known = "" if fitted["identified"].get(key, True) else "  not identified"
        lines.append(f"  {key:<{width}}{value:.6g}{_span(fitted['intervals'].get(key))}{known}")
    for key, value in fitted["derived"].items():
        lines.append(f"  {key} {value:.6g}{_span(fitted['derived_intervals'].get(key))}")
    lines.append(f"  {fitted['objective_name']}: {fitted['objective']:.6g}; RMSLE {fitted['rmsle_fit']:.4g}")
    for key, what in (("rmsle_holdout", "held-out points"), ("rmsle_backtest", "largest scale, held out")):
        if fitted[key] is not None:
            plain = ", ".join(f"{k.replace('_', ' ')} {v:.4g}" for k, v in fitted["baselines"].items())
            lines.append(f"  RMSLE of the {what} {fitted[key]:.4g} (baselines: {plain})")
    for one in fitted.get("ranking", ()):
        tested = "not tested" if one["backtest"] is None else f"backtest RMSLE {one['backtest']:.4g}"
        lines.append(f"  {one['law']:<12} {tested}, weight {one['weight']:.2f}")
    for one in fitted.get("predictions", ()):
        beyond = one["factor_beyond"]
        far = f"  extrapolated {beyond:.3g} x beyond the points" if beyond else ""
        lines.append(
            f"  at {', '.join(f'{v:g}' for v in one['x'])}: {one['value']:.6g}{_span(one['interval'])}{far}"
        )
    for one in fitted.get("preregistered", ()):
        span = f"{one['value']:.6g}{_span([one['low'], one['high']])}"
        where = ", ".join(f"{v:g}" for v in one["x"])
        lines.append(f"  preregistered at {where}: {span}, {_observed(one)}")
    return "\n".join([*lines, *(f"  warning: {warning}" for warning in fitted["warnings"])])


def _observed(registered: dict[str, Any]) -> str:
    """What was seen at a registered scale, and whether the prediction held."""
    if registered["observed"] is None:
        return "not observed yet"
    verdict = "held" if registered["held"] else "did not hold"
    runs = registered["runs"]
    if runs == 1:
        return f"observed {registered['observed']:.6g}: {verdict}"
    span = _span([registered["mean_low"], registered["mean_high"]]).strip()
    return (
        f"{registered['inside']} of {runs} runs inside; their mean {registered['observed']:.6g} against "
        f"{span} for a mean of {runs}: {verdict}"
    )


def _span(interval: list[float] | None) -> str:
    if interval and interval[0] == interval[1]:
        return ""
    return f"  95 % {interval[0]:.6g} to {interval[1]:.6g}" if interval else ""
