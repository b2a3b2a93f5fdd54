"""The ladder of scales: one dial, ``depth``, from which all else about a network follows. Arithmetic only.

Notable:
- width = 32 x depth, the aspect ratio of ViT-S (12 blocks, 384) and close to that of ViT-g (40 blocks, 1408);
- parameters and FLOPs are counted exactly and tested against torch (6 N is far off at small widths);
- the multipliers are muP's (Yang et al. 2022, arXiv 2203.03466) and CompleteP's (Dey et al. 2025, arXiv
  2505.01618, alpha = 1), relative to depth 1, so that the learning rate found at depth 1 serves every depth.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

HEAD = 32
MLP = 4
DECODER_HEAD = 16


@dataclass(frozen=True)
class Multipliers:
    """What muP and CompleteP multiply the values of depth 1 with, at width ratio m_d and depth ratio m_L.

    "Hidden" are matrices both of whose sides grow with the width; "embedding" are those that read pixels, and
    vectors (norms, biases); "output" is the one that writes pixels.
    """

    width: float
    depth: float

    @property
    def residual(self) -> float:
        """Factor on every residual branch of the encoder, 1 / m_L."""
        return 1 / self.depth

    @property
    def hidden_init(self) -> float:
        """Factor on the SD of hidden matrices, m_d^-1/2 (drawing with SD fan_in^-1/2 has it built in)."""
        return 1 / math.sqrt(self.width)

    @property
    def hidden_rate(self) -> float:
        """Factor on the learning rate of hidden matrices, 1 / m_d."""
        return 1 / self.width

    @property
    def hidden_decay(self) -> float:
        """Factor on the weight decay of hidden matrices, m_d, so that rate times decay stays as it is."""
        return self.width

    @property
    def hidden_epsilon(self) -> float:
        """Factor on Adam's epsilon inside residual branches, 1 / (m_d m_L)."""
        return 1 / (self.width * self.depth)

    @property
    def embedding_epsilon(self) -> float:
        """Factor on Adam's epsilon outside residual branches, 1 / m_d."""
        return 1 / self.width

    @property
    def output(self) -> float:
        """Factor on the output, 1 / m_d."""
        return 1 / self.width


@dataclass(frozen=True)
class Scale:
    """A video transformer of the ladder and its masked-autoencoder decoder (one block, half as wide).

    FLOPs count a multiply-add as two, matrix products only, as torch's FlopCounterMode does.
    """

    depth: int
    frames: int
    size: int
    tubelet_frames: int
    tubelet_size: int

    # -- shape --
    @property
    def width(self) -> int:
        """Width of the encoder."""
        return HEAD * self.depth

    @property
    def heads(self) -> int:
        """Attention heads of the encoder, 32 wide each."""
        return self.depth

    @property
    def decoder_width(self) -> int:
        """Width of the decoder, half the encoder's, in heads of 16."""
        return DECODER_HEAD * self.depth

    @property
    def grid(self) -> tuple[int, int, int]:
        """Tokens along time, height and width."""
        across = self.size // self.tubelet_size
        return self.frames // self.tubelet_frames, across, across

    @property
    def tokens(self) -> int:
        """Tokens of a clip."""
        time, height, width = self.grid
        return time * height * width

    @property
    def patch(self) -> int:
        """Pixels of a token."""
        return self.tubelet_frames * self.tubelet_size**2

    def kept(self, mask_ratio: float) -> int:
        """Tokens that the encoder sees: at least one, and at least one stays masked."""
        return min(max(1, round(self.tokens * (1 - mask_ratio))), self.tokens - 1)

    @property
    def multipliers(self) -> Multipliers:
        """Multipliers relative to depth 1."""
        return Multipliers(width=float(self.depth), depth=float(self.depth))

    # -- parameters --
    @property
    def params_nonembedding(self) -> int:
        """Encoder parameters without the tokenizer: the blocks and the final norm."""
        return self.depth * _block_params(self.width, HEAD) + 2 * self.width

    @property
    def params_encoder(self) -> int:
        """Encoder parameters, N: what is kept for transfer (positions are fixed and not counted)."""
        return self.params_nonembedding + (self.patch + 1) * self.width

    @property
    def params_decoder(self) -> int:
        """Decoder parameters: projection, mask token, one block, norm, pixel head."""
        d = self.decoder_width
        return (self.width + 1) * d + d + _block_params(d, DECODER_HEAD) + 2 * d + (d + 1) * self.patch

    @property
    def params_total(self) -> int:
        """All trained parameters."""
        return self.params_encoder + self.params_decoder

    # -- cost --
    def encoder_flops(self, tokens: int | None = None) -> int:
        """FLOPs of the encoder's forward pass on one clip, over ``tokens`` tokens (all by default)."""
        t = self.tokens if tokens is None else tokens
        return self._tokenizer_flops(t) + self.depth * _block_flops(self.width, t)

    def forward_flops(self, mask_ratio: float) -> int:
        """FLOPs of the masked autoencoder's forward pass on one clip."""
        kept, d = self.kept(mask_ratio), self.decoder_width
        project = 2 * kept * self.width * d
        head = 2 * (self.tokens - kept) * d * self.patch
        return self.encoder_flops(kept) + project + _block_flops(d, self.tokens) + head

    def training_flops(self, mask_ratio: float) -> int:
        """FLOPs of training a clip: three forward passes, less the gradient of the pixels (not needed)."""
        return 3 * self.forward_flops(mask_ratio) - self._tokenizer_flops(self.kept(mask_ratio))

    def training_bytes(self, mask_ratio: float, batch: int) -> int:
        """Bytes of training: weights, gradients, Adam's two moments, and what is kept for the backward pass.

        The interpreter with torch and Lightning (about 0.5 GB) comes on top.
        """
        kept = self.kept(mask_ratio)
        encoder = self.depth * _block_saved(self.width, self.heads, kept) + kept * (self.patch + self.width)
        decoder = _block_saved(self.decoder_width, self.depth, self.tokens)
        decoder += 2 * self.tokens * self.decoder_width + (self.tokens - kept) * self.patch
        return 4 * (4 * self.params_total + batch * (encoder + decoder))

    def _tokenizer_flops(self, tokens: int) -> int:
        return 2 * tokens * self.patch * self.width


def scale(depth: int, frames: int, size: int, tubelet: Mapping[str, int]) -> Scale:
    """The rung of the ladder at ``depth``, for clips of ``frames`` x ``size`` x ``size``.

    Parameters
    ----------
    tubelet
        Size of a token, ``{"frames": ..., "size": ...}``, as in the study.

    Raises
    ------
    ValueError
        If the clip is not divisible by the tubelet, or the depth is below 1.
    """
    if depth < 1:
        raise ValueError(f"depth is {depth}; it must be at least 1")
    if frames % tubelet["frames"] or size % tubelet["size"]:
        raise ValueError(
            f"a clip of {frames} x {size} x {size} is not divisible by the tubelet {dict(tubelet)}"
        )
    return Scale(depth, frames, size, tubelet["frames"], tubelet["size"])


def _block_params(width: int, head: int) -> int:
    """Queries, keys, values without bias, output and MLP with bias, two norms, two gains of the QK-norm."""
    attention = 3 * width**2 + width**2 + width + 2 * head
    mlp = 2 * MLP * width**2 + MLP * width + width
    return attention + mlp + 4 * width


def _block_flops(width: int, tokens: int) -> int:
    return 2 * (12 * tokens * width**2 + 2 * tokens**2 * width)


def _block_saved(width: int, heads: int, tokens: int) -> int:
    """Numbers a block keeps for the backward pass: 19 activations of its width a token, and a few a head."""
    return tokens * (19 * width + 5 * heads)
