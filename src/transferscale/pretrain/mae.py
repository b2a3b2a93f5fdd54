"""Masked autoencoder on video (He et al. 2022, arXiv 2111.06377; Feichtenhofer et al., arXiv 2205.09113).

The encoder sees a few random tokens of a clip; a decoder of one block, half as wide, predicts the pixels of
the others, each token's pixels normalised by their own mean and SD.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from transferscale.ladder import DECODER_HEAD, Scale
from transferscale.models.mup import Linear, generator, initialise
from transferscale.models.patches import patches, positions
from transferscale.models.video_transformer import Block, VideoTransformer
from transferscale.pretrain.counter import Draw

# Added to a token's variance: a tenth of the clips' SD, about five grey levels, squared. Below it a token
# is flat and what varies in it is compression noise, which the usual 1e-6 would blow up to unit variance.
FLAT_VARIANCE = 0.01


class Decoder(nn.Module):
    """From kept tokens and mask tokens to the pixels of the masked ones."""

    positions: Tensor

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        width = scale.decoder_width
        self.output = scale.multipliers.output
        self.project = Linear(scale.width, width)
        self.mask = nn.Parameter(torch.zeros(width))
        self.register_buffer("positions", positions(scale.grid, width), persistent=False)
        # One block at every depth, so its residual branches are not scaled.
        self.block = Block(width, width // DECODER_HEAD, residual=1.0)
        self.norm = nn.LayerNorm(width)
        self.pixels = Linear(width, scale.patch, role="output")

    def forward(
        self,
        encoded: Float[Tensor, "batch kept width"],
        keep: Int[Tensor, "batch kept"],
        masked: Int[Tensor, "batch masked"],
    ) -> Float[Tensor, "batch masked patch"]:
        # Attention does not care about order: kept tokens first, then masked ones, each with its position.
        seen = self.project(encoded) + self.positions[keep]
        asked = self.mask + self.positions[masked]
        x = self.block(torch.cat([seen, asked], dim=1))[:, keep.shape[1] :]
        return self.output * self.pixels(self.norm(x))


class MaskedAutoencoder:
    """Encoder, decoder and loss.

    Parameters
    ----------
    seed
        Seed of the decoder's initial weights.
    mask_ratio
        Share of the tokens that is masked, drawn anew for each clip at each visit, without structure in time.
    """

    def __init__(self, encoder: VideoTransformer, seed: int, mask_ratio: float) -> None:
        self.encoder, self.decoder = encoder, Decoder(encoder.scale)
        initialise(self.decoder, generator("decoder", seed))
        self.kept = encoder.scale.kept(mask_ratio)

    def losses(self, clip: Float[Tensor, "batch time height width"], draw: Draw) -> Float[Tensor, " batch"]:  # type: ignore[name-defined]
        """Mean squared error over the masked tokens of each clip."""
        order = np.argsort(draw.bits("mask", self.encoder.tokens), axis=1, kind="stable")
        tokens = torch.from_numpy(order).to(clip.device)
        keep, masked = tokens[:, : self.kept], tokens[:, self.kept :]
        predicted = self.decoder(self.encoder(clip, keep), keep, masked)
        target = normalised(patches(clip, self.encoder.scale.tubelet_frames, self.encoder.scale.tubelet_size))
        asked = target.gather(1, masked.unsqueeze(-1).expand(-1, -1, target.shape[-1]))
        return (predicted - asked).square().mean(dim=(1, 2))


def normalised(pixels: Float[Tensor, "batch tokens patch"]) -> Float[Tensor, "batch tokens patch"]:
    """Pixels of each token at zero mean and, unless it is flat, unit SD."""
    centred = pixels - pixels.mean(dim=-1, keepdim=True)
    # Not torch.var: over short rows on a CPU it takes ten times as long.
    variance = centred.square().mean(dim=-1, keepdim=True)
    return centred * (variance + FLAT_VARIANCE).rsqrt()
