"""Options that the scaling verbs have in common."""

from collections.abc import Callable
from typing import Any

import click

seed = click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the random draws."
)
delta = click.option("--delta", default=1e-3, show_default=True, help="Delta of huber and likelihood.")


def layout(default: str = "table") -> Callable[[Any], Any]:
    """What is printed."""
    kind = click.Choice(["table", "json", "csv"])
    return click.option("--format", "layout", type=kind, default=default, show_default=True)


def bootstrap(default: int = 1000, text: str = "Resamples; 0 for no intervals.") -> Callable[[Any], Any]:
    """How many resamples."""
    return click.option("--bootstrap", default=default, show_default=True, type=click.IntRange(0), help=text)


def better(auto: str = "as the column goes with scale") -> Callable[[Any], Any]:
    """Which way is better."""
    return click.option(
        "--better",
        type=click.Choice(["auto", "lower", "higher"]),
        default="auto",
        show_default=True,
        help=f"Which values are better; auto: {auto}.",
    )


def score_range(function: Any) -> Any:
    """``--ceiling`` and ``--chance`` of a score."""
    for option in (
        click.option(
            "--chance", type=float, help="Score of a guess; the error is a share of ceiling - chance (0)."
        ),
        click.option(
            "--ceiling", type=float, help="Best value of a score; the error below it is fitted (1)."
        ),
    ):
        function = option(function)
    return function
