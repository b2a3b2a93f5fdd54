"""The shape of a network that no dial of the ladder gives, as JSON: key ``architecture`` of a model spec."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from transferscale.errors import UserError, nearest
from transferscale.ladder import FAMILIES, Scale
from transferscale.ladder.scale import ATTENTIONS
from transferscale.versions import STAGE_VERSION

POSITIONS = ("axes", "sinusoid", "stored", "rotary")
KEYS = tuple(field.name for field in fields(Scale) if field.name != "multipliers")


def spec_of(scale: Scale) -> dict[str, Any]:
    """Model spec of a network with this shape; its residual branches are not scaled."""
    shape = asdict(scale)
    return {
        "version": STAGE_VERSION["models"],
        "family": scale.family,
        "frames": scale.frames,
        "size": scale.size,
        "tubelet": {"frames": scale.tubelet_frames, "size": scale.tubelet_size},
        "architecture": {key: shape[key] for key in KEYS},
    }


def scale_from(architecture: Mapping[str, Any]) -> Scale:
    """The shape that ``architecture`` holds.

    Raises
    ------
    UserError
        If a key is missing, unknown, of another type or out of range.
    """
    for key in architecture:
        if key not in KEYS:
            raise UserError(f"model spec: unknown key 'architecture.{key}'; {nearest(key, KEYS)}")
    missing = [key for key in KEYS if key not in architecture]
    if missing:
        raise UserError(f"model spec: key 'architecture.{missing[0]}' is missing")
    try:
        # As JSON, because only there strictness lets a whole number stand for a real one.
        scale = TypeAdapter(Scale).validate_json(json.dumps(dict(architecture)), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"model spec: key 'architecture.{first['loc'][0]}': {first['msg'].lower()}") from None
    _check(scale)
    return scale


def _check(scale: Scale) -> None:
    """Refuse a shape that no network can have."""
    for key, known in (("family", FAMILIES), ("attention", ATTENTIONS), ("positions", POSITIONS)):
        if getattr(scale, key) not in known:
            raise UserError(
                f"model spec: unknown architecture.{key} '{getattr(scale, key)}'; {nearest(getattr(scale, key), known)}"
            )
    for key in ("depth", "width", "mlp", "frames", "size", "tubelet_frames", "tubelet_size", "channels"):
        if getattr(scale, key) < 1:
            raise UserError(f"model spec: key 'architecture.{key}' must be at least 1")
    if scale.family == "vit" and (scale.heads < 1 or scale.width % scale.heads):
        raise UserError("model spec: architecture.heads must divide architecture.width")
    if scale.frames % scale.tubelet_frames or scale.size % scale.tubelet_size:
        raise UserError("model spec: the architecture's tubelet must divide its clip")
