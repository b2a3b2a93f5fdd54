"""Objective ``supervised``: tell a clip's class, where the corpus has labels; the yardstick of the others."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from transferscale.errors import UserError
from transferscale.ladder import Scale
from transferscale.ladder.cost import Work, work_of
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import Linear, generator, initialise
from transferscale.pretrain.batch import Batch


class MeanHead(nn.Module):
    """A linear map of the mean token, from zero."""

    def __init__(self, scale: Scale, classes: int) -> None:
        super().__init__()
        self.output = scale.multipliers.output
        self.head = Linear(scale.width, classes, role="output")

    def forward(self, tokens: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch classes"]:
        """Logits of each clip."""
        return self.output * self.head(tokens.mean(dim=1))


class Supervised:
    """Cross-entropy of the classes that the corpus names.

    Parameters
    ----------
    classes
        Number of classes among the training clips.
    seed
        Seed of the head's initial weights (which are zero: it is an output).

    Raises
    ------
    UserError
        If the corpus has fewer than two classes.
    """

    def __init__(self, encoder: VideoEncoder, classes: int, seed: int) -> None:
        if classes < 2:
            raise UserError(
                f"pretrain.objective supervised: the corpus has {classes} labels, and two are the least; give its "
                "sources labels (corpus.sources, key labels) or choose another objective"
            )
        self.encoder = encoder
        self.work: Work = work_of(encoder.scale, {"name": "supervised"}, classes)
        self.decoder = MeanHead(encoder.scale, classes)
        initialise(self.decoder, generator("decoder", seed))
        self.networks: dict[str, nn.Module] = {"encoder": encoder, "decoder": self.decoder}
        self.teachers: dict[str, nn.Module] = {}

    def losses(self, batch: Batch, whole: bool = False) -> Float[Tensor, " batch"]:  # type: ignore[name-defined]
        """Cross-entropy of each clip; NaN without a label, or held out, of a class that was not trained on.

        Training clips have labels: :func:`transferscale.pretrain.data.open_corpus` refuses others.
        """
        known = batch.label >= 0
        logits = self.decoder(self.encoder(batch.clip)).float()
        losses = cross_entropy(logits, batch.label.clamp(min=0), reduction="none")
        return torch.where(known, losses, torch.nan)

    def after_step(self) -> None:
        """Nothing moves but by gradient."""
