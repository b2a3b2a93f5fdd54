"""Objective ``jepa``: predict the features of a slowly moving teacher (Bardes et al. 2024, V-JEPA, arXiv 2404.08471).

The student sees a few tubes of a clip; the decoder predicts what the teacher, an exponential moving average of the
student, makes of the others when it sees the clip whole. The loss is relative to a teacher of its own, so losses of
different networks must not be compared: read-outs are.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from transferscale.ladder.cost import Work, work_of
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import generator, initialise
from transferscale.models.patches import rows
from transferscale.pretrain.batch import Batch
from transferscale.pretrain.decoder import Decoder
from transferscale.pretrain.masks import tubes


class JointEmbedding:
    """Predict a teacher's features of hidden tubes.

    Parameters
    ----------
    options
        ``mask_ratio`` and ``decoder_share`` as for ``mae``; ``momentum``: what the teacher keeps of itself a step.
    seed
        Seed of the decoder's initial weights.
    """

    def __init__(self, encoder: VideoEncoder, options: Mapping[str, Any], seed: int) -> None:
        self.encoder, self.options = encoder, options
        self.work: Work = work_of(encoder.scale, options)
        self.decoder = Decoder(encoder.scale, encoder.width)
        initialise(self.decoder, generator("decoder", seed))
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)
        self.networks: dict[str, nn.Module] = {"encoder": encoder, "decoder": self.decoder}
        self.teachers: dict[str, nn.Module] = {"teacher": self.teacher}

    def losses(self, batch: Batch, whole: bool = False) -> Float[Tensor, " batch"]:  # type: ignore[name-defined]
        """Mean absolute error over the teacher's normed features asked for, a clip."""
        share = 1.0 if whole else float(self.options["decoder_share"])
        ratio = float(self.options["mask_ratio"])
        seen, asked = tubes(self.encoder.scale, batch.draw, ratio, share, batch.clip.device)
        pixels = self.encoder.cut(batch.clip)
        with torch.no_grad():
            target = rows(self.teacher(batch.clip, None, pixels).float(), asked)
            target = layer_norm(target, target.shape[-1:])
        encoded = self.encoder(batch.clip, seen, pixels)
        predicted = self.decoder(encoded, seen.tokens(self.encoder.grid), asked)
        return (predicted.float() - target).abs().mean(dim=(1, 2))

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the teacher towards the student."""
        weight = 1 - float(self.options["momentum"])
        torch._foreach_lerp_(list(self.teacher.parameters()), list(self.encoder.parameters()), weight)
