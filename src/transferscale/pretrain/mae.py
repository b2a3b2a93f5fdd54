"""Objective ``mae``: a masked autoencoder on video.

He et al. 2022, arXiv 2111.06377; Tong et al. 2022, arXiv 2203.12602. The encoder sees a few tubes of a clip; the
decoder predicts the pixels of the others.
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from transferscale.ladder.cost import Work, work_of
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import generator, initialise
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.decoder import Decoder
from transferscale.pretrain.masks import Question, tubes
from transferscale.pretrain.pixels import squared_errors


class MaskedAutoencoder:
    """Predict the pixels of hidden tubes.

    Parameters
    ----------
    options
        ``mask_ratio``: share of the places that is hidden; ``decoder_share``: share of the hidden ones that is asked
        for in training.
    seed
        Seed of the decoder's initial weights.
    """

    def __init__(self, encoder: VideoEncoder, options: Mapping[str, Any], seed: int) -> None:
        self.encoder, self.options = encoder, options
        self.work: Work = work_of(encoder.scale, options)
        self.decoder = Decoder(encoder.scale, encoder.scale.patch)
        initialise(self.decoder, generator("decoder", seed))
        self.networks: dict[str, nn.Module] = {"encoder": encoder, "decoder": self.decoder}
        self.teachers: dict[str, nn.Module] = {}

    def question(self, batch: Batch, whole: bool) -> Question:
        """What is seen and what is asked; everything hidden when ``whole``."""
        share = 1.0 if whole else float(self.options["decoder_share"])
        ratio = float(self.options["mask_ratio"])
        return tubes(self.encoder.scale, batch.draw, ratio, share, batch.clip.device)

    def losses(self, batch: Batch, whole: bool = False) -> Float[Tensor, " batch"]:  # type: ignore[name-defined]
        """Mean squared error over the normalised pixels asked for, a clip."""
        seen, asked = self.question(batch, whole)
        pixels = self.encoder.cut(batch.clip)
        encoded = self.encoder(batch.clip, seen, pixels)
        predicted = self.decoder(encoded, seen.tokens(self.encoder.grid), asked)
        return squared_errors(pixels, predicted, asked)

    def after_step(self) -> None:
        """Nothing moves but by gradient."""
