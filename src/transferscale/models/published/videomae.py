"""VideoMAE (Tong et al. 2022, arXiv 2203.12602) in the layout of transformers, and our transformer: both ways.

It is the same transformer without QK-norm and without scaled residual branches; queries and values have a bias, keys
none; positions are sines and cosines of a token's number; the output is normed unless the model pools by the mean.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transferscale.errors import UserError
from transferscale.ladder import Scale
from transferscale.models.encoder import VideoEncoder
from transferscale.models.published.configuration import VideoMAEConfig, checked
from transferscale.models.published.files import CONFIG, Published
from transferscale.models.published.original import is_original, videomae_names
from transferscale.models.published.weights import Weights, assembled, kernel

PREFIX = "videomae."
OUTSIDE = ("decoder.", "encoder_to_decoder.", "mask_token", "classifier.", "fc_norm.")


def scale_of_config(path: Path, found: dict[str, Any]) -> Scale:
    """Shape of the encoder that a ``config.json`` describes.

    Raises
    ------
    UserError
        If a key is missing, wrong or not one that our transformer can have.
    """
    config = checked(VideoMAEConfig, path, found)
    return Scale(
        family="vit",
        depth=config.num_hidden_layers,
        width=config.hidden_size,
        heads=config.num_attention_heads,
        mlp=config.intermediate_size,
        frames=config.num_frames,
        size=config.image_size,
        tubelet_frames=config.tubelet_size,
        tubelet_size=config.patch_size,
        channels=config.num_channels,
        qk_norm=False,
        qkv_bias=config.qv_bias,
        eps=config.layer_norm_eps,
        final_norm=not config.use_mean_pooling,
        positions="sinusoid",
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
        tensors = videomae_names(tensors)
    tensors = {_stored_name(name.removeprefix(PREFIX)): value for name, value in tensors.items()}
    weights = Weights(published.path, tensors, OUTSIDE)
    encoder = assembled(weights, scale, "embeddings.patch_embeddings.projection", "layernorm", _block)
    return encoder, weights.left_out


def _stored_name(name: str) -> str:
    """transformers 5 calls the biases query.bias and value.bias in memory, q_bias and v_bias in its files."""
    name = name.replace("attention.attention.query.bias", "attention.attention.q_bias")
    return name.replace("attention.attention.value.bias", "attention.attention.v_bias")


def _block(weights: Weights, scale: Scale, i: int) -> dict[str, dict[str, Tensor]]:
    theirs, ours, width = f"encoder.layer.{i}", f"blocks.{i}", scale.width
    inner = f"{theirs}.attention.attention"
    parts = {
        f"{ours}.norm_attention": weights.layer(f"{theirs}.layernorm_before", width),
        f"{ours}.attention.qkv": {
            "weight": torch.cat(
                [weights.take(f"{inner}.{part}.weight", width, width) for part in ("query", "key", "value")]
            )
        },
        f"{ours}.attention.out": weights.layer(f"{theirs}.attention.output.dense", width, width),
        f"{ours}.norm_mlp": weights.layer(f"{theirs}.layernorm_after", width),
        f"{ours}.mlp.0": weights.layer(f"{theirs}.intermediate.dense", scale.mlp, width),
        f"{ours}.mlp.2": weights.layer(f"{theirs}.output.dense", width, scale.mlp),
    }
    if scale.qkv_bias:
        parts[f"{ours}.attention"] = {
            "bias_q": weights.take(f"{inner}.q_bias", width),
            "bias_v": weights.take(f"{inner}.v_bias", width),
        }
    return parts


def unfit(scale: Scale) -> str | None:
    """What of a network VideoMAE's layout cannot express; None where it fits."""
    if scale.family != "vit":
        return f"blocks of the family '{scale.family}'"
    if scale.attention != "joint":
        return f"{scale.attention} attention"
    if scale.qk_norm:
        return "normalised queries and keys (qk_norm)"
    if scale.positions != "sinusoid":
        return f"'{scale.positions}' positions (it has a fixed table of its own, 'sinusoid')"
    return None


def config_of(scale: Scale) -> dict[str, Any]:
    """``config.json`` of a network that fits."""
    return {
        "architectures": ["VideoMAEModel"],
        "model_type": "videomae",
        "dtype": "float32",
        "image_size": scale.size,
        "patch_size": scale.tubelet_size,
        "num_channels": scale.channels,
        "num_frames": scale.frames,
        "tubelet_size": scale.tubelet_frames,
        "hidden_size": scale.width,
        "num_hidden_layers": scale.depth,
        "num_attention_heads": scale.heads,
        "intermediate_size": scale.mlp,
        "hidden_act": "gelu",
        "layer_norm_eps": scale.eps,
        "qv_bias": scale.qkv_bias,
        "use_mean_pooling": not scale.final_norm,
    }


def weights_of(encoder: VideoEncoder) -> dict[str, Tensor]:
    """Weights of an encoder by transformers' names.

    The factor on residual branches goes into the linear maps that end them, which changes no output beyond rounding
    and no weight where it is 1.

    Raises
    ------
    UserError
        If the layout cannot express the network.
    """
    scale = encoder.scale
    reason = unfit(scale)
    if reason is not None:
        raise UserError(
            f"the layout 'videomae' cannot express {reason}; export this network with '--layout safetensors'"
        )
    state = {name: value.detach().cpu() for name, value in encoder.state_dict().items()}
    out = _moved(state, "tokenizer", "embeddings.patch_embeddings.projection")
    convolution = "embeddings.patch_embeddings.projection.weight"
    out[convolution] = out[convolution].reshape(kernel(scale))
    for i in range(scale.depth):
        ours, theirs = f"blocks.{i}", f"encoder.layer.{i}"
        inner = f"{theirs}.attention.attention"
        qkv = state[f"{ours}.attention.qkv.weight"].chunk(3)
        for part, weight in zip(("query", "key", "value"), qkv, strict=True):
            out[f"{inner}.{part}.weight"] = weight
        if scale.qkv_bias:
            out[f"{inner}.q_bias"] = state[f"{ours}.attention.bias_q"]
            out[f"{inner}.v_bias"] = state[f"{ours}.attention.bias_v"]
        factor = scale.multipliers.residual
        out |= _moved(state, f"{ours}.norm_attention", f"{theirs}.layernorm_before")
        out |= _moved(state, f"{ours}.attention.out", f"{theirs}.attention.output.dense", factor)
        out |= _moved(state, f"{ours}.norm_mlp", f"{theirs}.layernorm_after")
        out |= _moved(state, f"{ours}.mlp.0", f"{theirs}.intermediate.dense")
        out |= _moved(state, f"{ours}.mlp.2", f"{theirs}.output.dense", factor)
    if scale.final_norm:
        out |= _moved(state, "norm", "layernorm")
    return {name: value.contiguous() for name, value in out.items()}


def _moved(state: dict[str, Tensor], ours: str, theirs: str, factor: float = 1.0) -> dict[str, Tensor]:
    return {f"{theirs}.{kind}": state[f"{ours}.{kind}"] * factor for kind in ("weight", "bias")}
