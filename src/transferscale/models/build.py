"""From a spec to a network with its initial weights."""

from collections.abc import Mapping
from typing import Any

from transferscale.errors import UserError, nearest
from transferscale.ladder import FAMILIES, Scale, scale
from transferscale.models.architecture import scale_from
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import generator, initialise
from transferscale.versions import STAGE_VERSION


def scale_of(spec: Mapping[str, Any]) -> Scale:
    """The shape that a model spec names: a rung of the ladder, or an ``architecture`` of its own.

    Raises
    ------
    UserError
        If a key is missing, the family is unknown or the clip is not divisible by the tubelet.
    """
    dial = "architecture" if "architecture" in spec else "depth"
    missing = [key for key in ("version", "family", dial, "frames", "size", "tubelet") if key not in spec]
    if missing:
        raise UserError(f"model spec: key '{missing[0]}' is missing")
    if spec["family"] not in FAMILIES:
        raise UserError(f"model spec: unknown family '{spec['family']}'; {nearest(spec['family'], FAMILIES)}")
    if spec["version"] != STAGE_VERSION["models"]:
        raise UserError(
            f"model spec: version {spec['version']} of the networks, but this transferscale builds version "
            f"{STAGE_VERSION['models']}; pretrain again or install the release that made it"
        )
    if "architecture" in spec:
        return scale_from(spec["architecture"])
    try:
        return scale(
            int(spec["depth"]),
            int(spec["frames"]),
            int(spec["size"]),
            spec["tubelet"],
            spec["family"],
            spec.get("attention", "joint"),
            spec.get("qk_norm", True),
            spec.get("positions", "axes"),
        )
    except ValueError as error:
        raise UserError(f"model spec: {error}") from None


def build(spec: Mapping[str, Any], seed: int) -> VideoEncoder:
    """Build the network of a model spec (``Grid.model_spec``); its random weights depend on ``seed`` alone.

    The global random state is neither read nor changed.

    Raises
    ------
    UserError
        If the spec names an unknown family, another version, or a clip that the tubelet does not divide.
    """
    model = VideoEncoder(scale_of(spec))
    initialise(model, generator("encoder", seed))
    return model
