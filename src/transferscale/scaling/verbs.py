"""The verbs of `transferscale scaling` as functions: a table in, results out.

They take a CSV, TSV or parquet file with one row a run, as the command line does, and have its options. Beneath them
are functions of arrays: :func:`transferscale.scaling.fits.fit.fit` and its like.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transferscale.scaling.changes.table import transitions_table as transitions
from transferscale.scaling.comparisons.table import compare_table as compare
from transferscale.scaling.fits.fit import BOOTSTRAP, Fit
from transferscale.scaling.fits.table import Request, fit_table
from transferscale.scaling.gains.table import gain_table as gain
from transferscale.scaling.minima.table import isoflop_table as isoflop
from transferscale.scaling.plans.cost import given_rate, prices_of
from transferscale.scaling.plans.plan import Plan
from transferscale.scaling.plans.table import Columns, plan_table
from transferscale.scaling.plans.target import METRICS, target_of
from transferscale.scaling.plans.ways import BEYOND, Question
from transferscale.scaling.requirements.relative import Relative
from transferscale.scaling.requirements.table import relative_table

__all__ = ["compare", "fit", "gain", "isoflop", "plan", "relative", "transitions"]


def fit(
    table: Path | str,
    x: str | Sequence[str],
    y: str,
    law: str | Sequence[str],
    *,
    group: Sequence[str] = (),
    cluster: str | None = None,
    weight: str | None = None,
    holdout: tuple[str, str] | None = None,
    **options: Any,
) -> tuple[list[Fit], list[str]]:
    """Fit one or several laws to every group of a table.

    Parameters
    ----------
    x, y
        Column or columns of scale, and column of the outcome.
    law
        Names of laws, or "auto".
    group, cluster, weight
        Columns: what is fitted alone, what varies together, weights of the points.
    holdout
        Column and value of the rows that are kept out and predicted.
    **options
        Fields of :class:`transferscale.scaling.fits.table.Request`: breaks, top, objective, bootstrap, ...

    Returns
    -------
    fits, refused
        Fits, and a sentence for everything that could not be fitted.

    Raises
    ------
    UserError
        If the file, a column or a law does not exist.
    """
    laws = [law] if isinstance(law, str) else law
    return fit_table(
        Path(table),
        [x] if isinstance(x, str) else list(x),
        y,
        [Request(law=name, **options) for name in laws],
        group=group,
        cluster=cluster,
        weight=weight,
        holdout=holdout,
    )


def plan(
    table: Path | str,
    target: float,
    metric: str,
    *,
    compute: str = "flops",
    labels: str = "n_labels",
    score: str = "score",
    arm: str | None = None,
    cluster: str | None = None,
    group: Sequence[str] = (),
    flops_per_second: float | None = None,
    price_gpu_hour: float | None = None,
    price_subject: float | None = None,
    subjects: float | None = None,
    beyond: float = BEYOND,
    law: str = "finetune",
    chance: float | None = None,
    ceiling: float | None = None,
    bootstrap: int = BOOTSTRAP,
    seed: int = 0,
) -> tuple[list[Plan], list[str]]:
    """The least pretraining compute, labelled subjects and money that reach a score, in every group of a table.

    Parameters
    ----------
    compute, labels, score, arm, cluster, group
        Columns.
    flops_per_second, price_gpu_hour, price_subject
        Training speed and price of one GPU, and price of labelling a subject; without them the frontier is told.
    subjects, beyond
        Subjects that can be labelled at most; how many times the largest measured scale a plan may use.

    Returns
    -------
    plans, refused
        A plan a group, and a sentence for each group that has none.

    Raises
    ------
    UserError
        If an option is wrong, a column is missing, or no group has a plan.
    """
    wanted = target_of(metric, target, chance, ceiling)
    rate = None if flops_per_second is None else given_rate(flops_per_second)
    question = Question(
        wanted,
        rate,
        prices_of(rate, price_gpu_hour, price_subject),
        law,
        beyond,
        subjects,
        bootstrap,
        seed,
        (compute, labels),
    )
    return plan_table(Path(table), question, Columns(compute, labels, score, arm, cluster), group)


def relative(
    table: Path | str,
    target: float,
    *,
    difficulty: str,
    compute: str,
    params: str | None = None,
    labels: str | None = None,
    score: str = "score",
    metric: str | None = None,
    chance: float | None = None,
    ceiling: float | None = None,
    **options: Any,
) -> tuple[list[Relative], list[str]]:
    """Compute, model size and labels that a score takes against the difficulty of the task.

    Parameters
    ----------
    difficulty, compute, params, labels, score
        Columns.
    metric
        Its metric; default: the name of the score's column. A score of unknown name lies between 0 and 1.
    **options
        Those of :func:`transferscale.scaling.requirements.table.relative_table`: group, cluster, order, ...

    Returns
    -------
    found, refused
        Requirements of every group, and a sentence for each group that has none.

    Raises
    ------
    UserError
        If an option is wrong, a column is missing, or nothing can be told of any group.
    """
    named = metric or score
    top = 1.0 if metric is None and named not in METRICS and ceiling is None else ceiling
    resources = {"compute": compute, "params": params, "labels": labels}
    return relative_table(
        Path(table),
        target_of(named, target, chance, top),
        difficulty,
        {name: column for name, column in resources.items() if column},
        score,
        **options,
    )
