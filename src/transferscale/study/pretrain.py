"""The `pretrain` section: objective, families of scales, ladder of budgets, and the trunks beside the ladder."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from transferscale.study.base import DISTINCT, Depths, Name, Part, Positive
from transferscale.study.objective import Mae, Objective

FAMILIES = ("vit", "convnet")
Family = Literal["vit", "convnet"]
# Nested fractions are named in thousandths (``motion-f250``).
Fraction = Annotated[float, Field(gt=0, lt=1)]
Rungs = Annotated[list[Positive | Literal["last"]], Field(min_length=1), DISTINCT]


def steps(clips: int, batch: int) -> int:
    """Optimiser steps that see about that many clips."""
    return round(clips / batch)


# JSON schema of a number of seeds.
COUNT = {"type": "integer", "minimum": 1}


class Seeds(Part):
    """How many seeds a depth gets; ``3``, or ``{1: 3, 2: 3, default: 1}`` in the study."""

    model_config = ConfigDict(
        json_schema_extra=lambda schema: schema.update(
            {"type": ["integer", "object"], "properties": {"default": COUNT}, "additionalProperties": COUNT}
        )
    )

    default: Positive = 1
    by_depth: dict[int, Positive] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_mapping(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return {"default": value}
        if not isinstance(value, dict | Seeds):
            raise ValueError("write a number of seeds, or one by depth, as in {1: 3, default: 1}")
        if isinstance(value, dict) and "by_depth" not in value:
            depths = {k: v for k, v in value.items() if isinstance(k, int) or str(k).isdigit()}
            rest = {k: v for k, v in value.items() if k not in depths}
            return {**rest, "by_depth": {int(k): v for k, v in depths.items()}}
        return value

    def at(self, depth: int) -> int:
        """Number of seeds at a depth."""
        return self.by_depth.get(depth, self.default)


class Ladder(Part):
    """The scales of one family."""

    depths: Depths = Field(description="values of the dial")
    seeds: Seeds = Field(Seeds(), description="seeds: a number, or one by depth")
    learning_rate: float | None = Field(
        None, gt=0, description="base learning rate of the family; default: pretrain.learning_rate"
    )

    def network(self) -> dict[str, Any]:
        """What the family's networks depend on, besides depth and clip."""
        return {}


class TransformerLadder(Ladder):
    """The scales of the video transformers."""

    attention: Literal["joint", "factorised"] = Field(
        "joint", description="attention over all tokens at once, or over space and time in turn"
    )
    qk_norm: bool = Field(True, description="normalise queries and keys; transformers' VideoMAE does not")
    positions: Literal["axes", "sinusoid"] = Field(
        "axes", description="fixed positions of tokens: an axis at a time, or by number, as VideoMAE's"
    )

    def network(self) -> dict[str, Any]:
        """What the family's networks depend on, besides depth and clip."""
        return {"attention": self.attention, "qk_norm": self.qk_norm, "positions": self.positions}


class Budgets(Part):
    """Geometric budgets in clips seen: B_k = first * ratio^(k-1), k = 1..rungs."""

    first: Positive = Field(description="budget of the first rung, clips seen")
    ratio: float = Field(2.0, gt=1, description="factor from one rung to the next")
    rungs: Positive = Field(3, description="number of rungs")

    def at(self, rung: int) -> int:
        """Budget of rung ``rung`` (from 1), in clips seen."""
        return round(self.first * self.ratio ** (rung - 1))

    def start(self, rung: int) -> int:
        """Clips seen at which rung ``rung`` takes over the trunk."""
        return trunk_of(self.at(rung - 1)) if rung > 1 else 0


def trunk_of(budget: int) -> int:
    """Clips of a budget that are seen before the decay."""
    return round(0.8 * budget)


class Tubelet(Part):
    """Size of a token: ``frames`` x ``size`` x ``size`` pixels."""

    frames: Positive = 2
    size: Positive = 8


class Places(Part):
    """Where on the ladder trunks beside it stand: at these depths of every family that has them, and its seeds."""

    depths: Depths = Field(description="depths")
    rungs: Rungs = Field(
        ["last"], description="rungs that become checkpoints; those before them are passed through"
    )


class MedicalRuns(Places):
    """Pretraining on a dataset's own recordings: a trunk a fold, on the fold's training subjects alone.

    The folds are those of the task with the dataset's primary claim.
    """

    datasets: Annotated[list[Name], Field(min_length=1), DISTINCT] = Field(description="datasets")
    arms: Annotated[list[Literal["fmri", "video+fmri"]], Field(min_length=1), DISTINCT] = Field(
        ["fmri", "video+fmri"], description="recordings alone, and mixed with the corpus"
    )
    with_corpus: float | None = Field(
        None, gt=0, lt=1, description="share of the corpus in the mixture; default: by number of clips"
    )

    @model_validator(mode="after")
    def _mixes(self) -> "MedicalRuns":
        if self.with_corpus is not None and "video+fmri" not in self.arms:
            raise ValueError(
                "with_corpus is the share of the corpus in the arm 'video+fmri', which arms lacks; add the arm or "
                "delete with_corpus"
            )
        return self


class Overfit(Part):
    """Trunks far past overfitting: few clips, seen very often, in one rung."""

    family: Family | None = Field(None, description="family; default: the first of the study")
    depths: Depths = Field(description="depths, with the seeds of the family")
    fraction: Fraction = Field(description="nested fraction of the corpus, in thousandths")
    budget: Positive = Field(description="clips seen")
    weight_decay: float | None = Field(None, ge=0, description="default: pretrain.weight_decay")


class Pretrain(Part):
    """How checkpoints are made."""

    objective: Objective = Field(Mae(), description="pretraining objective, with its options")
    vit: TransformerLadder | None = Field(None, description="the ladder of video transformers")
    convnet: Ladder | None = Field(None, description="the ladder of 3-D convolutional networks")
    budgets: Budgets = Field(description="the ladder of budgets")
    tubelet: Tubelet = Field(Tubelet(), description="size of a token")
    batch: Positive = Field(32, description="clips a step")
    accumulate: Positive = Field(1, description="parts that a batch is taken in, for memory; divides batch")
    learning_rate: float = Field(
        3e-3, gt=0, description="base learning rate, at depth 1; larger depths follow by muP"
    )
    weight_decay: float = Field(
        0.05, ge=0, description="decoupled weight decay at depth 1; larger depths follow"
    )
    optimizer: Literal["adamw", "muon"] = Field("adamw", description="optimiser")
    clip_norm: float = Field(
        1.0, gt=0, description="largest norm of the gradient; a longer one is scaled down"
    )
    ema: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="decay a step of the weights' moving average, which is then the model; 0 for none",
    )
    precision: Literal["fp32", "bf16", "auto"] = Field("fp32", description="precision of training")
    compile: Literal["off", "auto"] = Field("off", description="compile the networks where it pays")
    warmup: float = Field(0.2, gt=0, description="warm-up, as a share of the first budget")
    crop: float = Field(
        1.0, gt=0, le=1, description="smallest share of a clip's area that a crop takes; 1 for none"
    )
    heldout_clips: Positive = Field(128, description="held-out clips, at most, for the held-out loss")
    probes_per_decade: Annotated[int, Field(ge=0)] = Field(
        6, description="probes of the model in training, a factor of ten in steps"
    )
    threads: Positive = Field(1, description="CPU threads a training job; part of the result's last digits")
    gpus: Literal[0, 1] = Field(
        0, description="GPUs that a training job asks the scheduler for; no part of the result's identity"
    )
    controls: Places | None = Field(None, description="where the control corpora are trained")
    fractions: list[Fraction] = Field([], description="nested fractions of the corpus, in thousandths")
    fraction_runs: Places | None = Field(None, description="where the fractions are trained")
    medical: MedicalRuns | None = Field(None, description="pretraining on a dataset's own recordings")
    overfit: Overfit | None = Field(None, description="trunks far past overfitting")

    @property
    def families(self) -> dict[str, Ladder]:
        """The ladder of every family of the study, in the order of :data:`FAMILIES`."""
        ladders: dict[str, Ladder | None] = {"vit": self.vit, "convnet": self.convnet}
        return {name: ladder for name, ladder in ladders.items() if ladder is not None}

    def rate(self, family: str) -> float:
        """Base learning rate of a family."""
        return self.families[family].learning_rate or self.learning_rate

    @model_validator(mode="after")
    def _one_family(self) -> "Pretrain":
        if not self.families:
            raise ValueError(
                f"pretrain names no family; give it one of {', '.join(FAMILIES)}, each with its depths"
            )
        for name, ladder in self.families.items():
            for depth in ladder.seeds.by_depth:
                if depth not in ladder.depths:
                    raise ValueError(
                        f"pretrain.{name}.seeds names depth {depth}, which pretrain.{name}.depths {ladder.depths} lacks"
                    )
        return self

    @model_validator(mode="after")
    def _steps(self) -> "Pretrain":
        if self.batch % self.accumulate:
            raise ValueError(
                f"pretrain.batch {self.batch} cannot be taken in pretrain.accumulate {self.accumulate} equal parts"
            )
        return self

    @model_validator(mode="after")
    def _fractions(self) -> "Pretrain":
        named = [("pretrain.fractions", fraction) for fraction in self.fractions]
        named += [("pretrain.overfit.fraction", self.overfit.fraction)] if self.overfit else []
        for key, fraction in named:
            if abs(1000 * fraction - round(1000 * fraction)) > 1e-9:
                raise ValueError(f"{key}: {fraction} is no multiple of 0.001")
        if sorted(set(self.fractions)) != self.fractions:
            raise ValueError("pretrain.fractions must rise and not repeat")
        if self.overfit and self.overfit.fraction in self.fractions:
            raise ValueError(
                f"pretrain.overfit.fraction {self.overfit.fraction} is also in pretrain.fractions; choose another, "
                "so that each names its own trunks"
            )
        if bool(self.fractions) != (self.fraction_runs is not None):
            raise ValueError("pretrain.fractions and pretrain.fraction_runs go together; give both or none")
        return self

    @model_validator(mode="after")
    def _places(self) -> "Pretrain":
        known = sorted({depth for ladder in self.families.values() for depth in ladder.depths})
        for key in ("controls", "fraction_runs", "medical"):
            places: Places | None = getattr(self, key)
            if places is None:
                continue
            for depth in places.depths:
                if depth not in known:
                    raise ValueError(
                        f"pretrain.{key}.depths has {depth}, which no ladder of pretrain has ({known})"
                    )
            for rung in places.rungs:
                if rung != "last" and rung > self.budgets.rungs:
                    raise ValueError(
                        f"pretrain.{key}.rungs has {rung}, but pretrain.budgets.rungs is {self.budgets.rungs}"
                    )
        return self

    @model_validator(mode="after")
    def _overfit(self) -> "Pretrain":
        if self.overfit is None:
            return self
        first = next(iter(self.families))
        family = self.overfit.family or first
        if family not in self.families:
            raise ValueError(f"pretrain.overfit.family is '{family}', but pretrain.{family} is missing")
        for depth in self.overfit.depths:
            if depth not in self.families[family].depths:
                raise ValueError(
                    f"pretrain.overfit.depths has {depth}, which pretrain.{family}.depths "
                    f"{self.families[family].depths} lacks"
                )
        return self

    @model_validator(mode="after")
    def _warm(self) -> "Pretrain":
        warm = self.warmup * self.budgets.first
        for key, budget in (
            ("budgets.first", self.budgets.first),
            ("overfit.budget", self.overfit.budget if self.overfit else self.budgets.first),
        ):
            if 0.8 * budget <= warm:
                raise ValueError(
                    f"pretrain.{key} {budget} leaves nothing between the warm-up of {warm:.0f} clips (pretrain.warmup "
                    f"{self.warmup} of pretrain.budgets.first) and the decay from {0.8 * budget:.0f} clips on; raise "
                    "it or lower pretrain.warmup"
                )
        return self
