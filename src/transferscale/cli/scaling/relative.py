"""`transferscale scaling relative`: what a score takes against the difficulty of the task."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transferscale.cli import options
from transferscale.cli.options import Verb
from transferscale.cli.scaling import shared

if TYPE_CHECKING:
    from transferscale.scaling.requirements.need import Need
    from transferscale.scaling.requirements.need_law import NeedLaw
    from transferscale.scaling.requirements.relative import Relative


@click.command(
    cls=Verb,
    example="transferscale scaling relative runs.csv --difficulty classes --compute flops --labels n_labels "
    "--metric accuracy --target 0.8",
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--difficulty", required=True, help="Column of the difficulty (or diversity): a number above 0."
)
@click.option("--order", help="Difficulties that are no numbers, from the easiest: easy,medium,hard.")
@click.option("--compute", required=True, help="Column of pretraining FLOPs.")
@click.option("--params", help="Column of the model's parameters.")
@click.option("--labels", help="Column of labelled subjects.")
@click.option("--score", default="score", show_default=True, help="Column of the score.")
@click.option("--target", required=True, type=float, help="Score to reach.")
@click.option(
    "--metric", help="Its metric: auroc, accuracy, r, ..., or loss, mae, rmse. Default: the column's name."
)
@click.option("--chance", type=float, help="Score of a guess; 0 unless the metric is known.")
@click.option("--ceiling", type=float, help="Best score there can be; 1 unless the metric is known.")
@click.option("--cluster", help="Column that names what varies together: trunk, seed.")
@click.option("--group", multiple=True, help="Fit each value of this column alone (may be repeated).")
@click.option(
    "--tolerance",
    default=0.02,
    show_default=True,
    help="By how much a score may fall short of the best and still be enough, in its own unit.",
)
@click.option(
    "--law",
    type=click.Choice(["finetune", "chinchilla"]),
    default="finetune",
    show_default=True,
    help="Law of a resource and labels, where both vary: a product, or a sum of two terms.",
)
@shared.bootstrap()
@shared.seed
@shared.layout()
@options.path("--out", "Also write the requirements here, as parquet.", required=False)
@options.plot
def relative(
    table: Path,
    difficulty: str,
    order: str | None,
    compute: str,
    params: str | None,
    labels: str | None,
    score: str,
    target: float,
    metric: str | None,
    chance: float | None,
    ceiling: float | None,
    cluster: str | None,
    group: tuple[str, ...],
    tolerance: float,
    law: str,
    bootstrap: int,
    seed: int,
    layout: str,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Compute, model size and labels that a score takes, against the difficulty of the task.

    TABLE is a CSV, TSV or parquet file with a row a run. Each requirement is told with the other resources at their
    largest; it is a bound where the target is reached at the smallest scale, or not at the largest. Then: the law of
    the requirement, and the least that comes close to the best score. For continual learning name the column of the
    sequence's diversity.
    """
    from transferscale.scaling.verbs import relative as relative_of_a_table

    found, refused = relative_of_a_table(
        table,
        target,
        difficulty=difficulty,
        compute=compute,
        params=params,
        labels=labels,
        score=score,
        metric=metric,
        chance=chance,
        ceiling=ceiling,
        group=group,
        cluster=cluster,
        order=[name.strip() for name in order.split(",")] if order else (),
        tolerance=tolerance,
        law=law,
        bootstrap=bootstrap,
        seed=seed,
    )
    if out is not None:
        from transferscale.scaling.requirements.relative import write_relative

        write_relative(out, found)
    if plot is not None:
        from transferscale.scaling.pictures.relative import draw_relative

        draw_relative(found, plot)
    for sentence in [*refused, *(sentence for one in found for sentence in one.left_out)]:
        click.echo(f"left out: {sentence}", err=True)
    if layout == "json":
        click.echo(json.dumps([one.as_json() for one in found], indent=2))
    elif layout == "csv":
        from transferscale.scaling.gains.table import as_text

        click.echo(as_text([row for one in found for row in one.rows()]), nl=False)
    else:
        click.echo("\n\n".join(map(_text, found)))


def _text(found: "Relative") -> str:
    """One group for a person."""
    name = ", ".join(f"{key} {value}" for key, value in found.group.items())
    lines = [f"{name + ': ' if name else ''}{found.target.words} against {found.difficulty}"]
    width = 2 + max(map(len, found.enough))
    for law in found.laws:
        lines += ["", f"  {law.resource} that it takes"]
        own = [need for need in found.needs if need.resource == law.resource]
        lines += [f"    {need.difficulty:<{width}}{_need(need)}" for need in own]
        lines.append(f"    {_law(law, found)}")
    lines += ["", f"  enough: the least within {found.tolerance:g} of the best score"]
    for difficulty, least in found.enough.items():
        best = found.best[difficulty]
        lines.append(
            f"    {difficulty:<{width}}best score {best.score:.3f} with {_scales(best.scales)}{_runs(best.runs)}"
        )
        for one in least:
            less = f"{one.saving:.3g} x less" if one.saving > 1 else "no less"
            others = {name: value for name, value in one.cell.scales.items() if name != one.resource}
            told = f"{one.resource} {one.cell.scales[one.resource]:.3g} ({less}): score {one.cell.score:.3f}"
            told += f" with {_scales(others)}" if others else ""
            lines.append(f"    {'':<{width}}{told}{_runs(one.cell.runs)}")
    warnings = dict.fromkeys(warning for need in found.needs for warning in need.warnings)
    return "\n".join([*lines, *(f"  warning: {warning}" for warning in warnings)])


def _need(need: "Need") -> str:
    if need.bound == "not identified":
        return need.bound
    told = f"{need.bound and need.bound + ' '}{need.value:.3g}"
    told += {"<=": " (the smallest suffices)", ">=": " (the largest does not suffice)"}.get(need.bound, "")
    if need.low is None or need.high is None:
        return told
    below, above = ("<= " if need.open == "low" else ""), (">= " if need.open == "high" else "")
    return f"{told} [{below}{need.low:.3g} to {above}{need.high:.3g}]"


def _law(law: "NeedLaw", found: "Relative") -> str:
    if law.exponent is None:
        return f"no law: {law.refused}"
    grows = f"{found.difficulty}^{law.exponent:.3g}{_interval('95 % ', law.low, law.high)}"
    step = "twice as difficult takes"
    if found.ranked:
        grows = f"exp({law.exponent:.3g} x rank){_interval('95 % ', law.low, law.high)}"
        step = "a step takes"
    counts = f"{law.measured} measured" + (f", {law.bounded} bounded" if law.bounded else "")
    told = f"{law.resource} ~ {grows}, {counts}: {step} {law.growth:.3g} x"
    told += _interval("", law.growth_low, law.growth_high)
    return told if law.identified else f"{told}; not identified"


def _interval(what: str, low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({what}{low:.3g} to {high:.3g})"


def _scales(scales: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in scales.items())


def _runs(runs: int) -> str:
    return f" ({runs} run{'s' * (runs != 1)})"
