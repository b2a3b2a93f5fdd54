"""Shapes: what the dial makes of a network, and its parameters.

Width is 32 x depth: the aspect ratio of ViT-S (12 blocks, 384) and close to that of ViT-g (40 blocks, 1408). Depth 1
has some 20 thousand parameters, depth 43 a billion.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from transferscale.ladder.blocks import AttentionBlock, ConvBlock
from transferscale.ladder.multipliers import UNSCALED, Multipliers

HEAD = 32
MLP = 4
DECODER_HEAD = 16
FAMILIES = ("vit", "convnet")
ATTENTIONS = ("joint", "factorised")
# Of networks of the ladder; published ones have more (see Scale).
POSITIONS = ("axes", "sinusoid")


@dataclass(frozen=True)
class Scale:
    """The shape of a network: one of the ladder (:func:`scale`), or one whose weights were published.

    Attributes
    ----------
    family
        ``vit`` or ``convnet``.
    depth, width, heads, mlp
        Blocks, width of a token, attention heads (0 for a convnet), hidden units of the MLP.
    frames, size, channels
        Shape of a clip.
    tubelet_frames, tubelet_size
        Shape of a token.
    attention
        ``joint`` over space and time, or ``factorised``: across space, then along time (Arnab et al. 2021,
        arXiv 2103.15691, model 3).
    qk_norm, qkv_bias
        Whether queries and keys are normalised; whether queries and values have a bias (with rotary positions also
        keys: softmax does not notice theirs otherwise).
    eps
        Epsilon of the norms.
    final_norm
        Whether the encoder's output is normed.
    positions
        ``axes``: sines and cosines of time, row and column; ``sinusoid``: of the token's number, as in VideoMAE;
        ``stored``: a table that comes with the weights; ``rotary``: queries and keys turn, as in V-JEPA 2.
    multipliers
        Of muP and CompleteP, relative to depth 1; all 1 for published weights.
    """

    family: str
    depth: int
    width: int
    heads: int
    mlp: int
    frames: int
    size: int
    tubelet_frames: int
    tubelet_size: int
    channels: int = 1
    attention: str = "joint"
    qk_norm: bool = True
    qkv_bias: bool = False
    eps: float = 1e-5
    final_norm: bool = True
    positions: str = "axes"
    multipliers: Multipliers = UNSCALED

    @property
    def decoder_width(self) -> int:
        """Width of the decoder: half the encoder's, in whole heads of 16."""
        return max(1, self.width // (2 * DECODER_HEAD)) * DECODER_HEAD

    @property
    def grid(self) -> tuple[int, int, int]:
        """Tokens along time, height and width."""
        across = self.size // self.tubelet_size
        return self.frames // self.tubelet_frames, across, across

    @property
    def times(self) -> int:
        """Tokens along time."""
        return self.grid[0]

    @property
    def places(self) -> int:
        """Tokens of one time step."""
        return self.grid[1] * self.grid[2]

    @property
    def tokens(self) -> int:
        """Tokens of a clip."""
        return self.times * self.places

    @property
    def patch(self) -> int:
        """Numbers of a token: its pixels, all channels."""
        return self.channels * self.tubelet_frames * self.tubelet_size**2

    def kept_places(self, mask_ratio: float) -> int:
        """Places of two or more that the encoder sees under a tube mask: at least one, and at least one stays masked.

        A small grid has few tubes: of 4 x 4 at a ratio of 0.9 it sees 2, which is 12.5 %.
        """
        return min(max(1, round(self.places * (1 - mask_ratio))), self.places - 1)

    @property
    def block(self) -> AttentionBlock | ConvBlock:
        """One block of the encoder."""
        if self.family == "convnet":
            return ConvBlock(self.width, self.mlp)
        return AttentionBlock(
            self.width,
            self.heads,
            self.mlp,
            self.attention == "factorised",
            self.qk_norm,
            self.qkv_bias,
            key_bias=self.qkv_bias and self.positions == "rotary",
        )

    @property
    def decoder_block(self) -> AttentionBlock:
        """The one block of the decoder, the same for both families: what is compared are encoders."""
        d = self.decoder_width
        return AttentionBlock(d, d // DECODER_HEAD, MLP * d)

    @property
    def params_nonembedding(self) -> int:
        """Encoder parameters without the tokenizer: the blocks and the final norm."""
        return self.depth * self.block.params + 2 * self.width * self.final_norm

    @property
    def params_encoder(self) -> int:
        """Encoder parameters, N: what is kept for transfer (positions are fixed and not counted)."""
        return self.params_nonembedding + (self.patch + 1) * self.width


def scale(
    depth: int,
    frames: int,
    size: int,
    tubelet: Mapping[str, int],
    family: str = "vit",
    attention: str = "joint",
    qk_norm: bool = True,
    positions: str = "axes",
) -> Scale:
    """The network of the ladder at ``depth``, for clips of ``frames`` x ``size`` x ``size``.

    Parameters
    ----------
    tubelet
        Size of a token, ``{"frames": ..., "size": ...}``, as in the study.

    Raises
    ------
    ValueError
        If the clip is not divisible by the tubelet, or a value is out of range.
    """
    if depth < 1:
        raise ValueError(f"depth is {depth}; it must be at least 1")
    if family not in FAMILIES:
        raise ValueError(f"unknown family '{family}'; one of {', '.join(FAMILIES)}")
    if attention not in ATTENTIONS:
        raise ValueError(f"unknown attention '{attention}'; one of {', '.join(ATTENTIONS)}")
    if positions not in POSITIONS:
        raise ValueError(f"unknown positions '{positions}'; one of {', '.join(POSITIONS)}")
    if frames % tubelet["frames"] or size % tubelet["size"]:
        raise ValueError(
            f"a clip of {frames} x {size} x {size} is not divisible by the tubelet {dict(tubelet)}"
        )
    return Scale(
        family=family,
        depth=depth,
        width=HEAD * depth,
        heads=depth if family == "vit" else 0,
        mlp=MLP * HEAD * depth,
        frames=frames,
        size=size,
        tubelet_frames=tubelet["frames"],
        tubelet_size=tubelet["size"],
        attention=attention,
        qk_norm=qk_norm,
        positions=positions,
        multipliers=Multipliers(width=float(depth), depth=float(depth)),
    )
