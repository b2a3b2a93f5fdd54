"""A finished model on disk: weights in ``model.safetensors``, all else in ``model.json``; never a pickle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from transferscale.artefacts import atomic, read_json, sha256_file, write_json
from transferscale.errors import UserError
from transferscale.models.build import scale_of
from transferscale.models.encoder import VideoEncoder

WEIGHTS, FACTS = "model.safetensors", "model.json"


def save_model(
    folder: Path, encoder: VideoEncoder, decoder: nn.Module | None, facts: Mapping[str, Any]
) -> None:
    """Write a finished model to ``folder``.

    Parameters
    ----------
    facts
        Goes to ``model.json``; must hold ``model``, the model spec. The weights' checksum is added.
    """
    if "model" not in facts:
        raise ValueError("facts lacks 'model', the model spec")
    parts = {"encoder": encoder} | ({} if decoder is None else {"decoder": decoder})
    weights = {
        f"{part}.{name}": value.detach().cpu().contiguous()
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }
    folder = Path(folder)
    with atomic(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save(weights))
    write_json(folder / FACTS, {**facts, "weights_sha256": sha256_file(folder / WEIGHTS)})


def load_facts(folder: Path) -> dict[str, Any]:
    """Read ``model.json`` of a finished model.

    Raises
    ------
    UserError
        If it is missing, broken or lacks the model spec.
    """
    path = Path(folder) / FACTS
    facts = read_json(path)
    if not isinstance(facts, dict) or not isinstance(facts.get("model"), dict):
        raise UserError(f"{path}: key 'model' (the model spec) is missing; pretrain this checkpoint again")
    return facts


def load_encoder(folder: Path) -> VideoEncoder:
    """Load the encoder of a finished model, every weight checked for name and shape.

    Raises
    ------
    UserError
        If a file is missing, the weights differ from their checksum, or they do not fit the model spec.
    """
    facts, path = load_facts(folder), Path(folder) / WEIGHTS
    try:
        content = path.read_bytes()
        found = load(content)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except SafetensorError as error:
        raise UserError(
            f"{path}: not a readable safetensors file ({error}); pretrain this checkpoint again"
        ) from None
    if "weights_sha256" in facts and sha256_file(path) != facts["weights_sha256"]:
        raise UserError(f"{path}: differs from the checksum in {FACTS}; pretrain this checkpoint again")
    try:
        encoder = VideoEncoder(scale_of(facts["model"]))
    except UserError as error:
        raise UserError(f"{Path(folder) / FACTS}: {error}") from None
    weights = {
        name.removeprefix("encoder."): value for name, value in found.items() if name.startswith("encoder.")
    }
    _check_fit(path, encoder.state_dict(), weights)
    encoder.load_state_dict(weights, strict=True)
    return encoder


def _check_fit(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    for name, value in expected.items():
        if name not in found:
            raise UserError(f"{path}: weight 'encoder.{name}' is missing; the file does not fit its {FACTS}")
        if found[name].shape != value.shape:
            raise UserError(
                f"{path}: weight 'encoder.{name}' has shape {tuple(found[name].shape)}, "
                f"but {FACTS} calls for {tuple(value.shape)}"
            )
    extra = sorted(set(found) - set(expected))
    if extra:
        raise UserError(f"{path}: weight 'encoder.{extra[0]}' is not part of the network that {FACTS} names")
