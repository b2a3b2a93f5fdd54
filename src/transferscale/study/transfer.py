"""The `transfer` section: label counts, draws, folds, and which read-out runs where."""

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from transferscale.study.base import DISTINCT, Depths, Labels, Part, Positive

# splits.json holds this many nested label orders a fold whatever the study asks for, so that asking for one more
# draw leaves splits.json, and what was fitted on it, untouched.
LABEL_ORDERS = 20

Baseline = Literal["connectivity", "raw:linear", "spectrum", "drift", "dummy"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)

LabelCount = Annotated[Labels | Literal["all"], Field(description="labelled subjects, or 'all'")]


def _rising(value: list[int | Literal["all"]]) -> list[int | Literal["all"]]:
    order = [float("inf") if v == "all" else float(v) for v in value]
    if sorted(set(order)) != order:
        raise ValueError("label counts must rise and not repeat, 'all' last")
    return value


class Ridge(Part):
    """Ridge (logistic for classes) on frozen, unpooled tokens of every checkpoint."""

    penalties: list[float] = Field(
        [0.01, 0.1, 1.0, 10.0],
        min_length=1,
        description="penalties relative to the mean squared feature norm",
    )
    fixed_penalty: float = Field(1.0, gt=0, description="penalty below 16 labelled subjects")
    inner_folds: Annotated[int, Field(ge=2, le=10)] = Field(
        3, description="inner folds that choose layer and penalty"
    )


class Full(Part):
    """Full fine-tuning, of a checkpoint (`video`) and from random weights (`scratch`)."""

    depths: Depths = Field(description="depths that are fine-tuned")
    rungs: Annotated[list[Positive | Literal["last"]], DISTINCT] = Field(
        ["last"], description="rungs that are fine-tuned"
    )
    labels: list[LabelCount] = Field(min_length=1, description="label counts")
    draws: Positive = Field(
        1,
        description="label draws a seed; seed s takes draws s * draws ... s * draws + draws - 1: both vary together",
    )
    tasks: Annotated[list[str], DISTINCT] | None = Field(
        None, description="tasks, as 'dataset/task'; default: all"
    )
    steps: Positive = Field(40, description="optimiser steps")
    batch_subjects: Positive = Field(16, description="subjects a step, each with all its windows")
    learning_rates: list[float] = Field(
        [1e-3],
        min_length=1,
        description="learning rates; from 16 subjects up chosen inside the training subjects, below the first is used",
    )
    weight_decay: float = Field(0.05, ge=0, description="decoupled weight decay")

    _labels_rise = field_validator("labels")(_rising)


class ReadOuts(Part):
    """Which read-outs run where."""

    ridge: Ridge = Field(Ridge(), description="on every checkpoint")
    full: Full | None = Field(None, description="at stated depths, rungs and label counts")


class Transfer(Part):
    """How checkpoints are put to the test."""

    labels: list[LabelCount] = Field(min_length=1, description="label counts, in subjects")
    draws: Annotated[int, Field(ge=1, le=LABEL_ORDERS)] = Field(5, description="nested label draws a fold")
    folds: Annotated[int, Field(ge=2)] = Field(5, description="outer folds over subjects")
    repeats: Positive = Field(1, description="repeats of the outer K-fold")
    seed: int = Field(0, description="seed of the folds and label draws")
    baselines: Annotated[list[Baseline], DISTINCT] = Field(
        ["connectivity", "raw:linear", "dummy"],
        description="classical baselines; they get the same tuning as the arms",
    )
    read_outs: ReadOuts = Field(ReadOuts(), description="which read-out runs where")

    _labels_rise = field_validator("labels")(_rising)


# A study without medical datasets reads nothing out.
NOTHING_TO_TRANSFER = Transfer(labels=["all"])
