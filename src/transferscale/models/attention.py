"""Self-attention, by the kernel that is fastest for device and precision."""

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from transferscale.models.mup import Linear

# On a CPU in bf16 the fused kernel's backward pass is slow over short sequences: 55 against 10 ms for 128 tokens,
# even at about a thousand (one core of a server CPU).
FUSED_FROM = 512

# Queries, keys or values, head by head.
Heads = Annotated[Tensor, "batch heads tokens head"]


def attend(q: Heads, k: Heads, v: Heads) -> Heads:
    """Softmax attention."""
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and k.shape[-2] < FUSED_FROM:
        weights: Tensor = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
        return weights @ v
    return scaled_dot_product_attention(q, k, v)


class Attention(nn.Module):
    """Multi-head self-attention; queries and keys are normalised where ``qk_norm`` (arXiv 2302.05442).

    With ``qkv_bias`` queries and values have a bias, keys none, as in VideoMAE: softmax does not notice theirs.
    """

    def __init__(
        self, width: int, heads: int, qk_norm: bool = True, qkv_bias: bool = False, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width, bias=False)
        self.bias_q = nn.Parameter(torch.zeros(width)) if qkv_bias else None
        self.bias_v = nn.Parameter(torch.zeros(width)) if qkv_bias else None
        head = width // heads
        self.norm_q = nn.LayerNorm(head, eps=eps, bias=False) if qk_norm else nn.Identity()
        self.norm_k = nn.LayerNorm(head, eps=eps, bias=False) if qk_norm else nn.Identity()
        self.out = Linear(width, width)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], skip: int = 0
    ) -> Float[Tensor, "batch asked width"]:
        """Attend from all tokens but the first ``skip`` to all."""
        batch, tokens, width = x.shape
        if skip:
            q, others = self.qkv.apart(width, x[:, skip:], x)
            k, v = others.chunk(2, dim=-1)
        else:
            q, k, v = self.qkv(x).chunk(3, dim=-1)
        if self.bias_q is not None and self.bias_v is not None:
            q, v = q + self.bias_q, v + self.bias_v
        y = attend(self.norm_q(self._split(q)), self.norm_k(self._split(k)), self._split(v))
        return self.out(y.transpose(1, 2).reshape(batch, tokens - skip, width))

    def _split(self, x: Float[Tensor, "batch tokens width"]) -> Heads:
        batch, tokens, width = x.shape
        heads: Tensor = x.reshape(batch, tokens, self.heads, width // self.heads).transpose(1, 2)
        return heads
