"""The `verdict` section: the primary claim, declared before anything is trained."""

from typing import Literal

from pydantic import Field

from transferscale.study.base import Labels, Part, Positive
from transferscale.study.pretrain import Family
from transferscale.study.transfer import Baseline, ReadOut


class Claim(Part):
    """One primary claim; it alone carries the verdict of its task."""

    dataset: str | None = Field(None, description="dataset; default: the study's only one")
    task: str = Field(description="task of the dataset")
    arm: Literal["video"] = Field("video", description="arm")
    reference: (
        Literal["scratch", "random"]
        | Baseline
        | Literal["control:static", "control:shuffled", "control:phase", "control:noise"]
    ) = Field("scratch", description="what it is compared with")
    read_out: ReadOut = Field("full", description="read-out")
    family: Family | None = Field(None, description="family; default: the first of the study")
    depth: Positive = Field(description="depth")
    rung: Positive | Literal["last"] = Field("last", description="rung")
    n_labels: Labels | Literal["all"] = Field(description="labelled subjects")
    metric: Literal["auroc", "balanced_accuracy", "accuracy", "r", "r2"] = Field(description="metric")
    sesoi: float = Field(gt=0, description="smallest effect size of interest, in units of the metric")


class KnownAnswer(Part):
    """A figure that a baseline must reproduce on this data, or the run is wrong."""

    dataset: str | None = Field(None, description="dataset; default: the study's only one")
    task: str = Field(description="task of the dataset")
    arm: Baseline = Field(description="baseline")
    n_labels: Labels | Literal["all"] = Field("all", description="labelled subjects")
    metric: Literal["auroc", "balanced_accuracy", "accuracy", "r", "r2"] = Field(description="metric")
    at_least: float = Field(description="the score must reach this")
    source: str = Field("", description="where the figure is from")
