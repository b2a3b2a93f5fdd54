"""V-JEPA 2 (Assran et al. 2025, arXiv 2506.09985) in the layout of transformers, read into our transformer.

It is the same transformer without QK-norm and without scaled residual branches; queries, keys and values have a bias;
positions are rotations of queries and keys (:mod:`transferscale.models.rotary`).
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transferscale.errors import UserError
from transferscale.ladder import Scale
from transferscale.models.encoder import VideoEncoder
from transferscale.models.published.configuration import VJEPA2Config, checked
from transferscale.models.published.files import CONFIG, Published
from transferscale.models.published.original import is_original, vjepa2_names
from transferscale.models.published.weights import Weights, assembled

PREFIX = "vjepa2."
OUTSIDE = ("predictor.", "pooler.", "classifier.")


def scale_of_config(path: Path, found: dict[str, Any]) -> Scale:
    """Shape of the encoder that a ``config.json`` describes.

    Raises
    ------
    UserError
        If a key is missing, wrong or not one that our transformer can have.
    """
    config = checked(VJEPA2Config, path, found)
    if config.hidden_size // config.num_attention_heads % 2:
        raise UserError(
            f"{path}: heads of an odd width cannot turn in pairs; hidden_size or num_attention_heads is wrong"
        )
    return Scale(
        family="vit",
        depth=config.num_hidden_layers,
        width=config.hidden_size,
        heads=config.num_attention_heads,
        mlp=int(config.hidden_size * config.mlp_ratio),
        frames=config.frames_per_clip,
        size=config.crop_size,
        tubelet_frames=config.tubelet_size,
        tubelet_size=config.patch_size,
        channels=config.in_chans,
        qk_norm=False,
        qkv_bias=config.qkv_bias,
        eps=config.layer_norm_eps,
        positions="rotary",
    )


def read_encoder(published: Published) -> tuple[VideoEncoder, list[str]]:
    """The encoder as it was published, in all its channels, and the names of the parts that were left out.

    Raises
    ------
    UserError
        If a weight is missing, left over or of another shape.
    """
    scale = scale_of_config(published.path.parent / CONFIG, published.config)
    tensors = published.weights
    if is_original(tensors):
        tensors = vjepa2_names(tensors)
    weights = Weights(
        published.path, {name.removeprefix(PREFIX): value for name, value in tensors.items()}, OUTSIDE
    )
    encoder = assembled(
        weights, scale, "encoder.embeddings.patch_embeddings.proj", "encoder.layernorm", _block
    )
    return encoder, weights.left_out


def _block(weights: Weights, scale: Scale, i: int) -> dict[str, dict[str, Tensor]]:
    theirs, ours, width = f"encoder.layer.{i}", f"blocks.{i}", scale.width
    heads = [f"{theirs}.attention.{part}" for part in ("query", "key", "value")]
    qkv = {"weight": torch.cat([weights.take(f"{name}.weight", width, width) for name in heads])}
    if scale.qkv_bias:
        qkv["bias"] = torch.cat([weights.take(f"{name}.bias", width) for name in heads])
    return {
        f"{ours}.norm_attention": weights.layer(f"{theirs}.norm1", width),
        f"{ours}.attention.qkv": qkv,
        f"{ours}.attention.out": weights.layer(f"{theirs}.attention.proj", width, width),
        f"{ours}.norm_mlp": weights.layer(f"{theirs}.norm2", width),
        f"{ours}.mlp.0": weights.layer(f"{theirs}.mlp.fc1", scale.mlp, width),
        f"{ours}.mlp.2": weights.layer(f"{theirs}.mlp.fc2", width, scale.mlp),
    }
