"""The `objective` of pretraining: ``mae``, or ``{name: mae, mask_ratio: 0.75}`` where its options matter."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from transferscale.study.base import Part, Share

DecoderShare = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        description="share of the hidden tokens that is predicted in training; the held-out loss predicts all",
    ),
]
MaskRatio = Annotated[float, Field(gt=0, lt=1, description="share of a clip's tubes that is hidden")]


class Mae(Part):
    """Predict the pixels of hidden tubes."""

    name: Literal["mae"] = "mae"
    mask_ratio: MaskRatio = 0.9
    decoder_share: DecoderShare = 0.5


class Jepa(Part):
    """Predict a slowly moving teacher's features of hidden tubes."""

    name: Literal["jepa"]
    mask_ratio: MaskRatio = 0.9
    decoder_share: DecoderShare = 0.5
    momentum: float = Field(0.99, ge=0, lt=1, description="share of itself that the teacher keeps at a step")


class Next(Part):
    """Predict the pixels of the frames that follow."""

    name: Literal["next"]
    context: Share = Field(0.5, description="share of a clip's time steps that is seen")
    decoder_share: DecoderShare = 0.5


class Supervised(Part):
    """Predict the labels of the corpus."""

    name: Literal["supervised"]


def _named(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, dict | Part):
        raise ValueError("write one objective, as in mae, or {name: mae, mask_ratio: 0.75} for its options")
    return value


Options = Annotated[Mae | Jepa | Next | Supervised, Field(discriminator="name")]
Objective = Annotated[
    Options,
    BeforeValidator(_named, json_schema_input_type=Options | Literal["mae", "jepa", "next", "supervised"]),
]
