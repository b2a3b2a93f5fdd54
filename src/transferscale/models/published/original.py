"""Names of weights in the original repositories, and what transformers calls them.

VideoMAE (github.com/MCG-NJU/VideoMAE) and V-JEPA 2 (github.com/facebookresearch/vjepa2) keep queries, keys and values
in one matrix and number their blocks as ``blocks.0``.
"""

import re

from torch import Tensor

BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")

VIDEOMAE = {
    "norm1": "layernorm_before",
    "attn.q_bias": "attention.attention.q_bias",
    "attn.v_bias": "attention.attention.v_bias",
    "attn.proj": "attention.output.dense",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
VIDEOMAE_OUTER = {
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "norm": "layernorm",
    "head": "classifier",
}
VJEPA2 = {"attn.proj": "attention.proj"}
VJEPA2_OUTER = {"patch_embed.proj": "encoder.embeddings.patch_embeddings.proj", "norm": "encoder.layernorm"}


def is_original(weights: dict[str, Tensor]) -> bool:
    """Whether the names are those of an original repository."""
    return any(BLOCK.search(name) for name in weights)


def videomae_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of VideoMAE by transformers' names.

    Pretrained files say ``encoder.`` before the encoder's names and have a decoder; fine-tuned ones have a head.
    """
    return _renamed(weights, "encoder.", VIDEOMAE, VIDEOMAE_OUTER, "attention.attention.")


def vjepa2_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of V-JEPA 2 by transformers' names, without the table of positions, which rotary attention ignores."""
    plain = {re.sub(r"^(module\.)?(backbone\.)?", "", name): value for name, value in weights.items()}
    plain.pop("pos_embed", None)
    return _renamed(plain, "", VJEPA2, VJEPA2_OUTER, "attention.")


def _renamed(
    weights: dict[str, Tensor], prefix: str, block: dict[str, str], outer: dict[str, str], attention: str
) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    for full, value in weights.items():
        name = full.removeprefix(prefix)
        found = BLOCK.fullmatch(name)
        if found is None:
            out[_replaced(name, outer)] = value
            continue
        within = f"encoder.layer.{found[1]}."
        if found[2].startswith("attn.qkv."):
            kind = found[2].removeprefix("attn.qkv.")
            for part, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
                out[f"{within}{attention}{part}.{kind}"] = third
        else:
            out[within + _replaced(found[2], block)] = value
    return out


def _replaced(name: str, table: dict[str, str]) -> str:
    """The name with its layer renamed; a bare parameter is its own layer."""
    layer, _, kind = name.rpartition(".")
    if name in table:
        return table[name]
    return f"{table[layer]}.{kind}" if layer in table else name
