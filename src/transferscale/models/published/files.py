"""A published checkpoint on disk: its configuration, its weights, and how its input was normalised.

Nothing is downloaded and no pickle runs code: weights are safetensors, or what ``torch.load(weights_only=True)``
reads.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from transferscale.artefacts import read_json, sha256_file
from transferscale.errors import UserError
from transferscale.models.published.grey import Normalisation

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# transformers 5 writes the second for video models, transformers 4 the first.
NORMALISATION = ("preprocessor_config.json", "video_preprocessor_config.json")
PICKLES = (".bin", ".pth", ".pt", ".ckpt")
# Where training programs keep a network in what they save: VideoMAE, DeepSpeed, Lightning, V-JEPA (teacher first).
NESTED = ("model", "module", "state_dict", "target_encoder", "encoder")


@dataclass(frozen=True)
class Published:
    """A published checkpoint.

    Attributes
    ----------
    path
        The file of weights.
    sha256
        Its checksum.
    config
        ``config.json`` of transformers.
    weights
        Tensors by name, as they are in the file.
    normalisation
        How its input was normalised; None where no file beside the weights says so.
    """

    path: Path
    sha256: str
    config: dict[str, Any]
    weights: dict[str, Tensor]
    normalisation: Normalisation | None


def read_published(path: Path) -> Published:
    """Read a folder in the layout of transformers, or a file of weights with its ``config.json`` beside it.

    Raises
    ------
    UserError
        If something is missing, broken, or a pickle that holds more than weights.
    """
    if not path.exists():
        hint = ""
        if not path.is_absolute() and path.suffix == "" and len(path.parts) == 2:
            hint = f"; nothing is downloaded: 'hf download {path} --local-dir DIR' fetches a model, then give DIR"
        raise UserError(f"{path}: no such file or folder{hint}")
    folder = path if path.is_dir() else path.parent
    weights = _weights_file(path) if path.is_dir() else path
    if not (folder / CONFIG).exists():
        raise UserError(
            f"{folder / CONFIG}: no such file; put the {CONFIG} that transformers publishes for this model there"
        )
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict):
        raise UserError(f"{folder / CONFIG}: expected a JSON object")
    return Published(weights, sha256_file(weights), config, read_weights(weights), _normalisation(folder))


def _weights_file(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).exists():
            return folder / name
    raise UserError(f"{folder}: holds neither {' nor '.join(WEIGHTS)}")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a file by name.

    Raises
    ------
    UserError
        If the file is unreadable, of an unknown kind, or holds more than weights.
    """
    if path.suffix == ".safetensors":
        try:
            found: dict[str, Tensor] = load_file(path)
        except SafetensorError as error:
            raise UserError(f"{path}: not a readable safetensors file ({error}); fetch it again") from None
        return found
    if path.suffix not in PICKLES:
        raise UserError(
            f"{path}: weights are read from .safetensors or {', '.join(PICKLES)} files, not '{path.suffix}'"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path}: a pickle that holds more than weights and could run code; save its weights alone as "
            "safetensors, where you trust it, and import that"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UserError(f"{path}: not a readable torch file ({_first_line(error)}); fetch it again") from None
    return _tensors(path, content)


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    for key in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{path}: holds no weights by name")
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise UserError(f"{path}: '{name}' is not a weight but a {type(value).__name__}")
    return dict(content)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _normalisation(folder: Path) -> Normalisation | None:
    for name in NORMALISATION:
        if (folder / name).exists():
            facts = read_json(folder / name)
            try:
                return Normalisation.of(facts["image_mean"], facts["image_std"])
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(
                    f"{folder / name}: image_mean and image_std must be lists of numbers, a channel each ({error})"
                ) from None
    return None
