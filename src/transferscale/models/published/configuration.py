"""``config.json`` of transformers: what shapes the encoder; the rest (decoder, dropout, labels) is passed over."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError

from transferscale.errors import UserError


def _side(value: Any) -> Any:
    """One side of a square, which may be given as both."""
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        return value[0]
    return value


Side = Annotated[int, BeforeValidator(_side), Field(ge=1)]
Count = Annotated[int, Field(ge=1)]


class VideoMAEConfig(BaseModel):
    """Keys of ``VideoMAEConfig`` that shape the encoder, with its defaults where old files lack them."""

    image_size: Side
    patch_size: Side
    num_channels: Count
    num_frames: Count
    tubelet_size: Count
    hidden_size: Count
    num_hidden_layers: Count
    num_attention_heads: Count
    intermediate_size: Count
    hidden_act: Literal["gelu"] = "gelu"
    layer_norm_eps: float = Field(default=1e-12, gt=0)
    # transformers 4 wrote qkv_bias for the same thing.
    qv_bias: bool = Field(default=True, validation_alias=AliasChoices("qv_bias", "qkv_bias"))
    use_mean_pooling: bool = True


class VJEPA2Config(BaseModel):
    """Keys of ``VJEPA2Config`` that shape the encoder."""

    crop_size: Count
    patch_size: Side
    in_chans: Count
    frames_per_clip: Count
    tubelet_size: Count
    hidden_size: Count
    num_hidden_layers: Count
    num_attention_heads: Count
    mlp_ratio: float = Field(gt=0)
    hidden_act: Literal["gelu"] = "gelu"
    layer_norm_eps: float = Field(default=1e-6, gt=0)
    qkv_bias: bool = True


Config = TypeVar("Config", VideoMAEConfig, VJEPA2Config)


def checked(kind: type[Config], path: Path, found: dict[str, Any]) -> Config:
    """The configuration, every key checked.

    Raises
    ------
    UserError
        If a key is missing or its value is none that the encoder can have.
    """
    try:
        config = kind.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: key '{first['loc'][0]}': {first['msg'].lower()}") from None
    if config.hidden_size % config.num_attention_heads:
        raise UserError(
            f"{path}: hidden_size {config.hidden_size} is not a multiple of num_attention_heads "
            f"{config.num_attention_heads}"
        )
    return config
