"""`transferscale scaling plan`: the least that it takes to reach a target score."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transferscale.cli import options
from transferscale.cli.options import Verb
from transferscale.cli.scaling import shared

if TYPE_CHECKING:
    from transferscale.scaling.plans.plan import Plan
    from transferscale.scaling.plans.ways import Amount, Option, Way


@click.command(
    cls=Verb,
    example="transferscale scaling plan runs.csv --target 0.75 --metric auroc --flops-per-second 1e14 "
    "--price-gpu-hour 2 --price-subject 500",
)
@click.argument("table", type=click.Path(path_type=Path), required=False)
@click.option("--target", type=float, help="Score to reach.")
@click.option("--metric", help="Its metric: auroc, accuracy, r, ..., or loss, mae, rmse.")
@click.option(
    "--compute", default="flops", show_default=True, help="Column of pretraining FLOPs; 0 for none."
)
@click.option("--labels", default="n_labels", show_default=True, help="Column of labelled subjects.")
@click.option("--score", default="score", show_default=True, help="Column of the score.")
@click.option("--arm", help="Column of the arm; each is fitted alone. Default: pretrained or not.")
@click.option("--cluster", help="Column that names what varies together: trunk, seed.")
@click.option("--group", multiple=True, help="Plan for each value of this column alone (may be repeated).")
@click.option("--flops-per-second", type=float, help="Training speed of one GPU, for hours and prices.")
@click.option("--price-gpu-hour", type=float, help="Price of an hour of that GPU.")
@click.option("--price-subject", type=float, help="Price of labelling a subject, in the same currency.")
@click.option("--subjects", type=float, help="Subjects that can be labelled at most.")
@click.option(
    "--beyond",
    default=10.0,
    show_default=True,
    help="Largest multiple of the data's largest compute and label count that a plan may use; 1 for none.",
)
@click.option(
    "--law",
    type=click.Choice(["finetune", "chinchilla"]),
    default="finetune",
    show_default=True,
    help="Law of compute and labels: a product, or a sum of two terms.",
)
@click.option("--chance", type=float, help="Score of a guess; known for auroc, r, r2.")
@click.option("--ceiling", type=float, help="Best score there can be; known for the metrics above.")
@shared.bootstrap()
@shared.seed
@shared.layout()
@options.path("--out", "Also write the plan here, as parquet.", required=False)
@options.plot
@options.path("--study", "For a study: its file, or the completed study.json.", required=False)
@options.path("--scores", "For a study: table of scores.", required=False)
@options.path("--checkpoints", "For a study: table of checkpoints.", required=False)
@options.empty_ok
def plan(
    table: Path | None,
    target: float | None,
    metric: str | None,
    compute: str,
    labels: str,
    score: str,
    arm: str | None,
    cluster: str | None,
    group: tuple[str, ...],
    flops_per_second: float | None,
    price_gpu_hour: float | None,
    price_subject: float | None,
    subjects: float | None,
    beyond: float,
    law: str,
    chance: float | None,
    ceiling: float | None,
    bootstrap: int,
    seed: int,
    layout: str,
    out: Path | None,
    plot: Path | None,
    study: Path | None,
    scores: Path | None,
    checkpoints: Path | None,
    empty_ok: bool,
) -> None:
    """Least pretraining compute, labelled subjects and money to reach a score, or that it cannot be reached.

    TABLE is a CSV, TSV or parquet file with a row a run: pretraining FLOPs (0 for none), labelled subjects, score.
    Without prices the frontier is told: the subjects that each level of compute needs. A study is planned for with
    --study, --scores and --checkpoints; its FLOP rate is then measured, and its section `plan` says what is not given
    here.
    """
    if table is None and (study is None or scores is None or checkpoints is None):
        raise click.UsageError("give a TABLE, or --study, --scores and --checkpoints")
    if table is not None and any((study, scores, checkpoints)):
        raise click.UsageError("give either a TABLE or --study, not both")
    if table is not None:
        if target is None or metric is None:
            raise click.UsageError("give --target and --metric")
        from transferscale.scaling.verbs import plan as plan_of_a_table

        plans, refused = plan_of_a_table(
            table,
            target,
            metric,
            compute=compute,
            labels=labels,
            score=score,
            arm=arm,
            cluster=cluster,
            group=group,
            flops_per_second=flops_per_second,
            price_gpu_hour=price_gpu_hour,
            price_subject=price_subject,
            subjects=subjects,
            beyond=beyond,
            law=law,
            chance=chance,
            ceiling=ceiling,
            bootstrap=bootstrap,
            seed=seed,
        )
    elif study is not None and scores is not None and checkpoints is not None:
        from transferscale.scaling.plans.study import plan_study, study_question
        from transferscale.study.load import load_study
        from transferscale.study.plan import plan_for

        loaded = load_study(study)
        given = {
            "metric": metric,
            "target": target,
            "flops_per_second": flops_per_second,
            "price_gpu_hour": price_gpu_hour,
            "price_subject": price_subject,
            "subjects": subjects,
        }
        said = plan_for(loaded.plan, given)
        if said is None:
            raise click.UsageError("give --target and --metric, or the study a section `plan`")
        more = {"law": law, "beyond": beyond, "bootstrap": bootstrap, "seed": seed}
        question = study_question(loaded, study, checkpoints, said, chance=chance, ceiling=ceiling, **more)
        plans, refused = plan_study(loaded, scores, checkpoints, question, empty_ok)
    if out is not None:
        from transferscale.scaling.plans.plan import write_plans

        write_plans(out, plans)
    if plot is not None and plans:
        from transferscale.scaling.pictures.plan import draw_plan

        draw_plan(plans, plot)
    for sentence in refused:
        click.echo(f"left out: {sentence}", err=True)
    if layout == "json":
        click.echo(json.dumps([one.as_json() for one in plans], indent=2))
    elif layout == "csv":
        from transferscale.scaling.gains.table import as_text

        click.echo(as_text([row for one in plans for row in one.rows()]), nl=False)
    else:
        click.echo("\n\n".join(map(_text, plans)))


def _text(plan: "Plan") -> str:
    """One plan for a person."""
    name = ", ".join(f"{key} {value}" for key, value in plan.group.items())
    lines = [f"{name + ': ' if name else ''}{plan.words}"]
    if plan.question.rate is not None:
        lines.append(f"  hours at {plan.question.rate.source}")
    for one in plan.options:
        lines += ["", *_option(plan, one)]
    return "\n".join([*lines, *(f"  warning: {warning}" for warning in plan.warnings)])


def _option(plan: "Plan", one: "Option") -> list[str]:
    if one.surface is None:
        return [f"  {one.arm}: left out, {one.refused}"]
    found = one.surface
    ranges = ", ".join(
        f"{name} {_number(low)}" + (f" to {_number(high)}" if high > low else "")
        for name, low, high in zip(found.scales, found.least, found.largest, strict=True)
    )
    lines = [f"  {one.arm}: {found.fit.form.equation}, {found.fit.n} runs, {ranges}"]
    # Without pretraining the frontier is a single point, which the cheapest way has told already.
    told = one.ways if one.pretrained or plan.question.prices is None else one.ways[:-1]
    for way in told:
        mark = "*" if way.kind == "least" and one.arm == plan.best else " "
        lines.append(f"  {mark} {_way(way, one.pretrained)}".rstrip())
    return [*lines, *(f"    warning: {warning}" for warning in one.warnings)]


def _way(way: "Way", pretrained: bool) -> str:
    """One way in one line, with how far it is extrapolated."""
    from transferscale.scaling.plans.words import extrapolated

    name = {"least": "least cost", "least within the data": "within data"}.get(way.kind, "")
    parts = []
    if way.status != "reachable" and not (way.kind == "frontier" and pretrained):
        parts.append(_unknown(way))
    else:
        if pretrained:
            hours = "" if way.hours.value is None else f" ({_number(way.hours.value)} hours)"
            parts.append(f"{_number(way.flops.value or 0)} FLOPs{hours}{_interval(way.flops)}")
        if way.status == "reachable":
            parts.append(f"{way.bound}{_number(way.subjects.value or 0)} subjects{_interval(way.subjects)}")
            if way.cost.value is not None:
                parts.append(f"cost {_number(way.cost.value)}{_interval(way.cost)}")
        else:
            parts.append(_unknown(way))
    return f"{name:<12}" + ", ".join(filter(None, [*parts, extrapolated(way)]))


def _unknown(way: "Way") -> str:
    """Why a way has no numbers, and what is known all the same."""
    told = way.status
    if way.reached is not None and way.status == "not identified":
        told += f" (reached in {100 * way.reached:.0f} % of the draws"
        amount, what = (way.cost, "cost") if way.cost.low is not None else (way.subjects, "subjects")
        if amount.low is not None and amount.low < float("inf"):
            told += f"; {what} from {_number(amount.low)}"
            told += f" to {_number(amount.high)}" if amount.high and amount.high < float("inf") else " up"
        told += ")"
    return told


def _interval(amount: "Amount") -> str:
    if amount.low is None or amount.high is None:
        return ""
    high = "beyond the range" if amount.high == float("inf") else _number(amount.high)
    return f" [{_number(amount.low)} to {high}]"


def _number(value: float) -> str:
    """A number of subjects, hours, FLOPs or money."""
    if value == 0 or 0.01 <= value < 100:
        return f"{value:.3g}"
    return f"{value:,.0f}" if value < 1e6 and value >= 1 else f"{value:.2e}".replace("e+", "e")
