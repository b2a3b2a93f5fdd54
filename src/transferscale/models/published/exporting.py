"""From a finished model to a folder that can be published: ``transferscale pretrain export``."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save

from transferscale.artefacts import atomic
from transferscale.errors import UserError
from transferscale.models.checkpoint import FACTS, WEIGHTS, load_encoder, load_facts
from transferscale.models.encoder import VideoEncoder
from transferscale.models.published.card import card
from transferscale.models.published.files import CONFIG, NORMALISATION
from transferscale.models.published.grey import LEVELS
from transferscale.models.published.videomae import config_of, weights_of

LAYOUTS = ("videomae", "safetensors")


def export(folder: Path, layout: str, out: Path) -> None:
    """Write the finished model in ``folder`` to ``out``, with a model card to complete.

    Parameters
    ----------
    layout
        ``videomae``: ``config.json`` and ``model.safetensors`` as transformers' ``VideoMAEModel`` reads them, and
        the normalisation of its input. ``safetensors``: ``model.safetensors`` and ``model.json`` as they are, for
        any network.

    Raises
    ------
    UserError
        If the model is broken, ``out`` is there already, or the layout cannot express the network.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is there already; give --out a new folder")
    encoder, facts = load_encoder(folder), load_facts(folder)
    try:
        files = _videomae(encoder, facts) if layout == "videomae" else {}
    except UserError as error:
        raise UserError(f"{folder}: {error}") from None
    with atomic(out) as temporary:
        temporary.mkdir()
        if layout == "safetensors":
            for name in (WEIGHTS, FACTS):
                shutil.copyfile(folder / name, temporary / name)
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        (temporary / "README.md").write_text(card(encoder.scale, facts, layout), encoding="utf-8")


def _videomae(encoder: VideoEncoder, facts: Mapping[str, Any]) -> dict[str, bytes]:
    """Files of transformers' layout by name."""
    # transformers refuses weights that do not say which framework wrote them.
    files = {WEIGHTS: save(weights_of(encoder), metadata={"format": "pt"})}
    files[CONFIG] = _json(config_of(encoder.scale))
    scale = facts.get("input")
    if encoder.scale.channels == 1 and isinstance(scale, Mapping):
        files[NORMALISATION[0]] = _json(
            {
                "do_convert_rgb": False,
                "do_normalize": True,
                "do_rescale": True,
                "rescale_factor": 1 / LEVELS,
                "image_mean": [float(scale["mean"]) / LEVELS],
                "image_std": [float(scale["sd"]) / LEVELS],
            }
        )
    return files


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
