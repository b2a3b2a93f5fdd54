"""Read-out ``fpt``: a frozen pretrained transformer, of which norms and tokenizer alone move.

Lu et al. 2021, arXiv 2103.05247: attention and MLP keep what pretraining made of them, while layer norms, input layer
and output layer are trained. Positions, which they train too, are fixed tables here. A convnet's norms are layer norms
and response norms; its filters and MLPs stay.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from transferscale.models.convnet import ResponseNorm
from transferscale.transfer.trained.full import Full
from transferscale.transfer.trained.network import Network

NORMS = (nn.LayerNorm, ResponseNorm)


class Fpt(Full):
    """As ``full``, but all except norms and tokenizer stay."""

    def begin(self, encoder: Network, identity: Sequence[Any]) -> Network:
        """A copy of the encoder in which norms and tokenizer move."""
        model = super().begin(encoder, identity).requires_grad_(False)
        for name, module in model.named_modules():
            if isinstance(module, NORMS) or name == "tokenizer":
                module.requires_grad_(True)
        return model
