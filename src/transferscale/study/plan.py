"""The `plan` section: the score that would be useful, and what things cost."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from transferscale.errors import UserError
from transferscale.study.base import Part


class PlanFor(Part):
    """What it takes to reach ``target`` is told for every task that is scored by ``metric``."""

    metric: Literal["auroc", "balanced_accuracy", "accuracy", "r", "r2"] = Field(description="metric")
    target: float = Field(lt=1, description="score to reach")
    flops_per_second: float | None = Field(
        None, gt=0, description="training speed of one GPU; default: as measured in the study's own runs"
    )
    price_gpu_hour: float | None = Field(None, ge=0, description="price of an hour of that GPU")
    price_subject: float | None = Field(
        None, ge=0, description="price of labelling a subject, in the same currency"
    )
    subjects: float | None = Field(None, gt=0, description="subjects that can be labelled at most")

    @model_validator(mode="after")
    def _prices(self) -> "PlanFor":
        if (self.price_gpu_hour is None) != (self.price_subject is None):
            raise ValueError(
                "plan: give both prices, price_gpu_hour and price_subject (0 for what costs nothing)"
            )
        return self


def plan_for(said: PlanFor | None, given: Mapping[str, Any]) -> PlanFor | None:
    """What a study says, with what is given beside it in its place; None without metric or target.

    Raises
    ------
    UserError
        If the two do not go together.
    """
    own = said.model_dump() if said else {}
    merged = own | {key: value for key, value in given.items() if value is not None}
    if "metric" not in merged or "target" not in merged:
        return None
    try:
        return PlanFor(**merged)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "plan"
        raise UserError(f"plan, key '{place}': {first['msg'].removeprefix('Value error, ')}") from None
