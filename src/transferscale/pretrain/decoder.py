"""The decoder of pretraining: from encoded tokens to what is asked of others; dropped afterwards.

One transformer block, half as wide as the encoder, for both families, so that only encoders differ.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from transferscale.ladder import Scale
from transferscale.ladder.scale import DECODER_HEAD
from transferscale.models.mup import Linear
from transferscale.models.patches import positions
from transferscale.models.vit import Block


class Decoder(nn.Module):
    """From encoded tokens and the places of others to ``outputs`` numbers for each of those."""

    positions: Tensor

    def __init__(self, scale: Scale, outputs: int) -> None:
        super().__init__()
        width = scale.decoder_width
        self.output = scale.multipliers.output
        self.project = Linear(scale.width, width)
        self.mask = nn.Parameter(torch.zeros(width))
        self.register_buffer("positions", positions(scale.grid, width), persistent=False)
        # One block at every depth, so its residual branches are not scaled.
        self.block = Block(width, width // DECODER_HEAD, scale.decoder_block.mlp, residual=1.0)
        self.norm = nn.LayerNorm(width)
        self.head = Linear(width, outputs, role="output")

    def forward(
        self,
        encoded: Float[Tensor, "batch seen width"],
        seen: Int[Tensor, "batch seen"],
        asked: Int[Tensor, "batch asked"],
    ) -> Float[Tensor, "batch asked outputs"]:
        """Predict the tokens ``asked`` from the encoded tokens ``seen``, both numbered within the clip."""
        # Attention does not care about order: seen tokens first, whose own output nobody needs.
        given = self.project(encoded) + self.positions[seen]
        wanted = self.mask + self.positions[asked]
        x = self.block(torch.cat([given, wanted], dim=1), skip=seen.shape[1])
        return self.output * self.head(self.norm(x))
