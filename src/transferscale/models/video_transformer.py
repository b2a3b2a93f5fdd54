"""The video transformer of the ladder: a plain vision transformer over tubelets.

Notable:
- luminance in, because fMRI has one channel: a clip is (time, height, width) of about zero mean and unit SD;
- pre-norm blocks with QK-norm (Dehghani et al. 2023, arXiv 2302.05442), residual branches scaled by 1 / depth
  (CompleteP, arXiv 2505.01618);
- a masked encoder embeds and encodes the kept tokens only (He et al. 2022, arXiv 2111.06377).
"""

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from transferscale.ladder import MLP, Scale
from transferscale.models.mup import Linear
from transferscale.models.patches import patches, positions


class Attention(nn.Module):
    """Multi-head self-attention with normalised queries and keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width, bias=False)
        self.norm_q = nn.LayerNorm(width // heads, bias=False)
        self.norm_k = nn.LayerNorm(width // heads, bias=False)
        self.out = Linear(width, width)

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        batch, tokens, width = x.shape
        q, k, v = (
            self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        )
        y = scaled_dot_product_attention(self.norm_q(q), self.norm_k(k), v)
        return self.out(y.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)), both branches times ``residual``."""

    def __init__(self, width: int, heads: int, residual: float) -> None:
        super().__init__()
        self.residual = residual
        self.norm_attention, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(Linear(width, MLP * width), nn.GELU(), Linear(MLP * width, width))

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        x = x + self.residual * self.attention(self.norm_attention(x))
        return x + self.residual * self.mlp(self.norm_mlp(x))


class VideoTransformer(nn.Module):
    """A tubelet tokenizer, fixed positions, ``depth`` blocks and a final norm.

    Attributes
    ----------
    scale
        Its rung of the ladder: shapes, counts, multipliers.
    width
        Width of a token.
    grid
        Tokens along time, height and width.
    tokens
        Number of tokens of a clip.
    """

    positions: Tensor

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.scale, self.width, self.grid, self.tokens = scale, scale.width, scale.grid, scale.tokens
        self.tokenizer = Linear(scale.patch, scale.width, role="embedding")
        self.register_buffer("positions", positions(scale.grid, scale.width), persistent=False)
        residual = scale.multipliers.residual
        self.blocks = nn.ModuleList(Block(scale.width, scale.heads, residual) for _ in range(scale.depth))
        self.norm = nn.LayerNorm(scale.width)

    def forward(
        self, clip: Float[Tensor, "batch time height width"], keep: Int[Tensor, "batch kept"] | None = None
    ) -> Float[Tensor, "batch tokens width"]:
        """Encode clips, or only the tokens ``keep`` of each; the result is normed."""
        x = self.embed(clip, keep)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def layers(
        self, clip: Float[Tensor, "batch time height width"]
    ) -> list[Float[Tensor, "batch tokens width"]]:
        """The embedding and every block's output, not normed: depth + 1 entries."""
        outputs = [self.embed(clip)]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return outputs

    def embed(
        self, clip: Float[Tensor, "batch time height width"], keep: Int[Tensor, "batch kept"] | None = None
    ) -> Float[Tensor, "batch tokens width"]:
        """Pixels to tokens, with their positions."""
        expected = (self.scale.frames, self.scale.size, self.scale.size)
        if tuple(clip.shape[1:]) != expected:
            raise ValueError(f"clips are {tuple(clip.shape[1:])}, the network takes {expected}")
        pixels = patches(clip, self.scale.tubelet_frames, self.scale.tubelet_size)
        if keep is None:
            return self.tokenizer(pixels) + self.positions
        kept = pixels.gather(1, keep.unsqueeze(-1).expand(-1, -1, pixels.shape[-1]))
        return self.tokenizer(kept) + self.positions[keep]
