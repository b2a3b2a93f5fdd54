"""Objective ``next``: predict the frames that follow.

The encoder sees the first part of a clip whole; the decoder predicts the pixels of the rest (as in Ranzato et al. 2014,
arXiv 1412.6604, with a masked autoencoder's decoder and targets).
"""

from transferscale.pretrain.batch import Batch
from transferscale.pretrain.mae import MaskedAutoencoder
from transferscale.pretrain.masks import Question, future


class NextFrames(MaskedAutoencoder):
    """Predict the pixels of following frames.

    Its options are ``context``, the share of the time steps that is given, and ``decoder_share``, the share of the
    places asked for in training.
    """

    def question(self, batch: Batch, whole: bool) -> Question:
        """The past is seen; the future is asked."""
        share = 1.0 if whole else float(self.options["decoder_share"])
        context = float(self.options["context"])
        return future(self.encoder.scale, batch.draw, context, share, batch.clip.device)
