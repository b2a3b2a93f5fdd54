"""Blocks of the family ``vit``: pre-norm attention and MLP, residual branches scaled by 1 / depth.

CompleteP's scaling: Dey et al. 2025, arXiv 2505.01618.
"""

from jaxtyping import Float
from torch import Tensor, nn

from transferscale.ladder import Scale
from transferscale.models.attention import Attention
from transferscale.models.mup import Linear
from transferscale.models.seen import Seen


def mlp(width: int, hidden: int) -> nn.Sequential:
    """Two linear maps with a GELU between them."""
    return nn.Sequential(Linear(width, hidden), nn.GELU(), Linear(hidden, width))


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)), both branches times ``residual``."""

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        residual: float,
        qk_norm: bool = True,
        qkv_bias: bool = False,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.norm_attention = nn.LayerNorm(width, eps=eps)
        self.attention = Attention(width, heads, qk_norm, qkv_bias, eps)
        self.norm_mlp = nn.LayerNorm(width, eps=eps)
        self.mlp = mlp(width, hidden)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], seen: Seen | None = None, skip: int = 0
    ) -> Float[Tensor, "batch asked width"]:
        """Transform the tokens; the first ``skip`` of them are attended to, but not returned."""
        x = x[:, skip:] + self.residual * self.attention(self.norm_attention(x), skip)
        return x + self.residual * self.mlp(self.norm_mlp(x))


class FactorisedBlock(nn.Module):
    """Attention among the tokens of a time step, then among those of a place, then the MLP.

    Arnab et al. 2021, arXiv 2103.15691, model 3. Its cost grows with times + places, not with their product.
    """

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.times, self.residual = scale.times, scale.multipliers.residual
        self.norm_space = nn.LayerNorm(scale.width, eps=scale.eps)
        self.space = Attention(scale.width, scale.heads, scale.qk_norm, scale.qkv_bias, scale.eps)
        self.norm_time = nn.LayerNorm(scale.width, eps=scale.eps)
        self.time = Attention(scale.width, scale.heads, scale.qk_norm, scale.qkv_bias, scale.eps)
        self.norm_mlp = nn.LayerNorm(scale.width, eps=scale.eps)
        self.mlp = mlp(scale.width, scale.mlp)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], seen: Seen | None = None
    ) -> Float[Tensor, "batch tokens width"]:
        """Transform the tokens, which lie time by time."""
        batch, tokens, width = x.shape
        times = self.times if seen is None else seen.times
        places = tokens // times
        x = x.reshape(batch * times, places, width)
        x = x + self.residual * self.space(self.norm_space(x))
        x = x.reshape(batch, times, places, width).transpose(1, 2).reshape(batch * places, times, width)
        x = x + self.residual * self.time(self.norm_time(x))
        x = x + self.residual * self.mlp(self.norm_mlp(x))
        return x.reshape(batch, places, times, width).transpose(1, 2).reshape(batch, tokens, width)


def blocks(scale: Scale) -> nn.ModuleList:
    """The blocks of a transformer of that shape."""
    if scale.attention == "factorised":
        return nn.ModuleList(FactorisedBlock(scale) for _ in range(scale.depth))
    return nn.ModuleList(
        Block(
            scale.width,
            scale.heads,
            scale.mlp,
            scale.multipliers.residual,
            scale.qk_norm,
            scale.qkv_bias,
            scale.eps,
        )
        for _ in range(scale.depth)
    )
