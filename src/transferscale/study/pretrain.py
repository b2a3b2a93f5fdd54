"""The `pretrain` section: objective, ladder of scales, ladder of budgets."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from transferscale.study.base import Part, Positive


class Seeds(Part):
    """How many seeds a depth gets; ``{1: 3, 2: 3, default: 1}`` in the study."""

    default: Positive = 1
    by_depth: dict[int, int] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_mapping(cls, value: object) -> object:
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

    depths: Annotated[list[Positive], Field(min_length=1)] = Field(description="values of the dial")
    seeds: Seeds = Field(Seeds(), description="seeds by depth")

    @field_validator("depths")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if sorted(set(value)) != value:
            raise ValueError("depths must rise and not repeat")
        return value


class Budgets(Part):
    """Geometric budgets in clips seen: B_k = first * ratio^(k-1), k = 1..rungs."""

    first: Positive = Field(description="budget of the first rung, clips seen")
    ratio: float = Field(2.0, gt=1, description="factor from one rung to the next")
    rungs: Positive = Field(3, description="number of rungs")

    def at(self, rung: int) -> int:
        """Budget of rung ``rung`` (from 1), in clips seen."""
        return round(self.first * self.ratio ** (rung - 1))


class Tubelet(Part):
    """Size of a token: ``frames`` x ``size`` x ``size`` pixels."""

    frames: Positive = 2
    size: Positive = 8


class Pretrain(Part):
    """How checkpoints are made."""

    objective: Literal["mae"] = Field("mae", description="pretraining objective")
    vit: Ladder = Field(description="the ladder of video transformers")
    budgets: Budgets = Field(description="the ladder of budgets")
    tubelet: Tubelet = Field(Tubelet(), description="size of a token")
    batch: Positive = Field(32, description="clips a step")
    learning_rate: float = Field(
        4e-3, gt=0, description="base learning rate, at depth 1; larger depths follow by muP"
    )
    weight_decay: float = Field(
        0.05, ge=0, description="decoupled weight decay at depth 1; larger depths follow"
    )
    warmup: float = Field(0.2, gt=0, lt=0.8, description="warm-up, as a share of the first budget")
    mask_ratio: float = Field(0.9, gt=0, lt=1, description="share of the tokens that is masked")
    heldout_clips: Positive = Field(128, description="held-out clips, at most, for the held-out loss")
    threads: Positive = Field(1, description="CPU threads a training job; part of the result's last digits")
