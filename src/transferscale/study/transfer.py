"""The `transfer` section: label counts, draws, folds, and which read-out runs where."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator

from transferscale.errors import UserError
from transferscale.study.base import DISTINCT, Depths, Labels, Name, Part, Positive

# splits.json holds this many nested label orders a fold whatever the study asks for, so that asking for one more
# draw leaves splits.json, and what was fitted on it, untouched.
LABEL_ORDERS = 20

Baseline = Literal[
    "connectivity", "tangent", "raw:linear", "smooth", "spectrum", "confounds", "drift", "dummy"
]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)

# Read-outs that train, and the arm that each starts from where nothing was pretrained: `random` where the network stays
# as it was drawn but for small parts, `scratch` where all of it is trained.
ReadOut = Literal["ridge", "attentive", "fpt", "lora", "full"]
START = {"ridge": "random", "attentive": "random", "fpt": "random", "lora": "random", "full": "scratch"}
TrainedArm = Literal["video", "control", "fmri", "video+fmri", "hub", "raw:mlp"]

Above0 = Annotated[float, Field(gt=0)]
LabelCount = Annotated[Labels | Literal["all"], Field(description="labelled subjects, or 'all'")]


def rising(value: list[int | Literal["all"]]) -> list[int | Literal["all"]]:
    """Refuse label counts that do not rise."""
    order = [float("inf") if v == "all" else float(v) for v in value]
    if sorted(set(order)) != order:
        raise ValueError("label counts must rise and not repeat, 'all' last")
    return value


class Ridge(Part):
    """Ridge (logistic for classes) on frozen, unpooled tokens of every checkpoint."""

    penalties: Annotated[list[Above0], DISTINCT] = Field(
        [0.01, 0.1, 1.0, 10.0],
        min_length=1,
        description="penalties relative to the mean squared feature norm",
    )
    # From simulated data: docs/benchmarks/fixed-choices.md.
    fixed_penalty: float = Field(0.1, gt=0, description="penalty below 16 labelled subjects")
    inner_folds: Annotated[int, Field(ge=2, le=10)] = Field(
        3,
        description="inner folds that choose layer and penalty; the penalty of the head of other read-outs too",
    )


# Keys of a read-out that trains which say where it runs, and nothing of a fit.
WHERE = ("arms", "depths", "rungs", "labels", "draws", "tasks")


class Trained(Part):
    """A read-out that trains, at stated depths, rungs and label counts; what it starts from without pretraining
    (:data:`START`) always runs beside its arms."""

    arms: Annotated[list[TrainedArm], DISTINCT] = Field(
        ["video"],
        min_length=1,
        description="arms beside the untrained one: 'control' is every control corpus, 'hub' all published weights, "
        "and 'raw:mlp' (read-out full only) a multilayer perceptron on the raw windows",
    )
    depths: Depths = Field(description="depths that are read out")
    rungs: Annotated[list[Positive | Literal["last"]], DISTINCT] = Field(
        ["last"], min_length=1, description="rungs that are read out"
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
    # From simulated data: docs/benchmarks/fixed-choices.md.
    learning_rates: Annotated[list[Above0], DISTINCT] = Field(
        [1e-2],
        min_length=1,
        description="learning rates; from 16 subjects up chosen inside the training subjects, below the first is used",
    )
    weight_decay: float = Field(0.05, ge=0, description="decoupled weight decay")

    _labels_rise = field_validator("labels")(rising)

    @property
    def options(self) -> dict[str, Any]:
        """What a fit depends on: the section without where it runs."""
        return {key: value for key, value in self.spec().items() if key not in WHERE}


class Lora(Trained):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685)."""

    rank: Positive = Field(4, description="rank of the adapters")


class ReadOuts(Part):
    """Which read-outs run where."""

    ridge: Ridge = Field(Ridge(), description="on every checkpoint")
    attentive: Trained | None = Field(
        None, description="attention pooling over frozen, unpooled tokens, at stated cells"
    )
    fpt: Trained | None = Field(
        None,
        description="norms, tokenizer and head are trained (frozen pretrained transformer), at stated cells",
    )
    lora: Lora | None = Field(None, description="low-rank adapters and head are trained, at stated cells")
    full: Trained | None = Field(None, description="the whole network is trained, at stated cells")

    def options(self, read_out: str) -> dict[str, Any]:
        """What a fit depends on: the read-out's own, and ridge's, by which the head of every other is penalised too.

        Raises
        ------
        UserError
            If the section does not have the read-out.
        """
        if read_out == "ridge":
            return self.ridge.spec()
        if read_out not in self.trained:
            raise UserError(f"the study has no transfer.read_outs.{read_out}")
        return {**self.ridge.spec(), **self.trained[read_out].options}

    @property
    def trained(self) -> dict[str, Trained]:
        """Read-outs that train, by name."""
        given = {name: getattr(self, name) for name in ("attentive", "fpt", "lora", "full")}
        return {name: options for name, options in given.items() if options is not None}


class Hub(Part):
    """Published weights that are put to the test: arm ``hub:<name>``."""

    name: Name = Field(description="what they are called")
    path: str = Field(
        description="folder in the layout of transformers, or a file of weights with its config.json beside it; "
        "{data_root} is replaced"
    )


class Transfer(Part):
    """How checkpoints are put to the test."""

    labels: list[LabelCount] = Field(min_length=1, description="label counts, in subjects")
    draws: Annotated[int, Field(ge=1, le=LABEL_ORDERS)] = Field(10, description="nested label draws a fold")
    folds: Annotated[int, Field(ge=2)] = Field(5, description="outer folds over subjects")
    repeats: Positive = Field(1, description="repeats of the outer K-fold")
    seed: int = Field(0, description="seed of the folds and label draws")
    baselines: Annotated[list[Baseline], DISTINCT] = Field(
        ["connectivity", "raw:linear", "dummy"],
        description="classical baselines; they get the same tuning as the arms",
    )
    hub: list[Hub] = Field([], description="published VideoMAE or V-JEPA 2 weights that lie on this machine")
    normalisation: Literal["recording", "window", "column"] = Field(
        "recording",
        description="input of every arm alike: a window as its recording was standardised, standardised as a whole, or "
        "column by column",
    )
    permute_labels: Annotated[int, Field(ge=0)] | None = Field(
        None, description="seed of a permutation of all labels: a null study, in which no arm may beat chance"
    )
    read_outs: ReadOuts = Field(ReadOuts(), description="which read-out runs where")

    _labels_rise = field_validator("labels")(rising)

    @property
    def null(self) -> str:
        """What must be said first of a study on permuted labels; empty where labels are the subjects' own."""
        if self.permute_labels is None:
            return ""
        return (
            f"LABELS ARE PERMUTED (transfer.permute_labels: {self.permute_labels}): a null study, in which every arm "
            "should score at chance; nothing here is a result."
        )


# A study without medical datasets reads nothing out.
NOTHING_TO_TRANSFER = Transfer(labels=["all"])
