"""What training a clip costs: FLOPs and memory, from what an objective does with the clip's tokens.

FLOPs count a multiply-add as two, matrix products and convolutions only, as torch's FlopCounterMode does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transferscale.ladder.blocks import ConvBlock
from transferscale.ladder.scale import Scale

# The interpreter with torch, and what is mapped of the clips: the ledger of a network of a few thousand parameters.
INTERPRETER_BYTES = 800_000_000
# What allocator, optimiser and evaluation take beyond what training itself keeps: in the ledger of twelve networks of
# two families the peak above the interpreter's was 1.3 to 2.4 times :func:`training_bytes`.
SLACK = 2


@dataclass(frozen=True)
class Work:
    """What an objective does with the tokens of a clip in one training step.

    Attributes
    ----------
    times, places
        The encoder encodes ``places`` tokens of each of the first ``times`` time steps, with gradient.
    watched
        Whether a teacher encodes the whole clip, without gradient.
    asked
        Tokens that the decoder predicts; 0 where a linear head reads the mean token instead.
    outputs
        Numbers predicted a token: pixels, features, or classes of the head.
    """

    times: int
    places: int
    watched: bool
    asked: int
    outputs: int

    @property
    def encoded(self) -> int:
        """Tokens encoded with gradient."""
        return self.times * self.places


def work_of(scale: Scale, objective: Mapping[str, Any], classes: int = 0) -> Work:
    """The work of an objective (``rung_spec["objective"]``) on a clip.

    Raises
    ------
    ValueError
        If the objective is unknown, or leaves nothing to predict.
    """
    name = objective["name"]
    if name == "supervised":
        return Work(scale.times, scale.places, watched=False, asked=0, outputs=classes)
    if name == "next":
        times = context_times(scale, float(objective["context"]))
        asked = asked_places(scale.places, float(objective["decoder_share"]))
        return Work(
            times, scale.places, watched=False, asked=(scale.times - times) * asked, outputs=scale.patch
        )
    if name not in ("mae", "jepa"):
        raise ValueError(f"unknown objective '{name}'")
    if scale.places < 2:
        raise ValueError("a clip of one place has no tube to hide; lower the tubelet's size")
    kept = scale.kept_places(float(objective["mask_ratio"]))
    asked = asked_places(scale.places - kept, float(objective["decoder_share"]))
    jepa = name == "jepa"
    return Work(scale.times, kept, jepa, scale.times * asked, scale.width if jepa else scale.patch)


def context_times(scale: Scale, context: float) -> int:
    """Time steps that are given when the rest is to be predicted: at least one, and at least one is left.

    Raises
    ------
    ValueError
        If the clip has a single time step.
    """
    if scale.times < 2:
        raise ValueError("a clip of one time step has no following one; lower the tubelet's frames")
    return min(max(1, round(scale.times * context)), scale.times - 1)


def asked_places(masked: int, share: float) -> int:
    """Masked places that the decoder predicts in training (VideoMAE V2's decoder masking, arXiv 2303.16727)."""
    return max(1, round(masked * share))


def params_decoder(scale: Scale, work: Work) -> int:
    """Parameters that are dropped after pretraining: projection, mask token, block, norm, output; or a head."""
    if not work.asked:
        return (scale.width + 1) * work.outputs
    d = scale.decoder_width
    return (scale.width + 1) * d + d + scale.decoder_block.params + 2 * d + (d + 1) * work.outputs


def params_total(scale: Scale, work: Work) -> int:
    """All trained parameters."""
    return scale.params_encoder + params_decoder(scale, work)


def encoder_flops(scale: Scale, times: int | None = None, places: int | None = None) -> int:
    """FLOPs of the encoder's forward pass over ``times`` x ``places`` tokens of a clip (all by default)."""
    t = scale.times if times is None else times
    p = scale.places if places is None else places
    block = scale.block
    one = block.flops(t, p, scale.places) if isinstance(block, ConvBlock) else block.flops(t, p)
    return _tokenizer_flops(scale, t * p) + scale.depth * one


def forward_flops(scale: Scale, work: Work) -> int:
    """FLOPs of a clip's forward pass, without the teacher's."""
    encoder = encoder_flops(scale, work.times, work.places)
    if not work.asked:
        return encoder + 2 * scale.width * work.outputs
    d, seen = scale.decoder_width, work.encoded
    block = scale.decoder_block.flops(1, seen + work.asked, work.asked)
    return encoder + 2 * seen * scale.width * d + block + 2 * work.asked * d * work.outputs


def training_flops(scale: Scale, work: Work) -> int:
    """FLOPs of training a clip: three forward passes, less the gradient of the pixels, and the teacher's pass."""
    teacher = encoder_flops(scale) if work.watched else 0
    return 3 * forward_flops(scale, work) - _tokenizer_flops(scale, work.encoded) + teacher


def training_bytes(scale: Scale, work: Work, batch: int) -> int:
    """Bytes of training in fp32: weights, gradients, Adam's moments, teacher, and what the backward pass needs."""
    block, seen = scale.block, work.encoded
    one = block.saved(seen, work.times * scale.places) if isinstance(block, ConvBlock) else block.saved(seen)
    saved = scale.depth * one + seen * (scale.patch + scale.width)
    if work.asked:
        saved += scale.decoder_block.saved(seen + work.asked) + work.asked * work.outputs
    weights = 4 * params_total(scale, work) + scale.params_encoder * work.watched
    return 4 * (weights + batch * saved)


def needed_bytes(scale: Scale, work: Work, batch: int) -> int:
    """Bytes that a process which trains ``batch`` clips at once takes, interpreter included; an estimate, in fp32."""
    return SLACK * training_bytes(scale, work, batch) + INTERPRETER_BYTES


def _tokenizer_flops(scale: Scale, tokens: int) -> int:
    return 2 * tokens * scale.patch * scale.width
