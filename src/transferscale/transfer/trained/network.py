"""What a read-out trains: the encoders of this project, and the perceptron of arm ``raw:mlp``."""

from typing import Any, TypeAlias

from jaxtyping import Float
from torch import Tensor

from transferscale.ladder.multipliers import Multipliers
from transferscale.ladder.scale import HEAD
from transferscale.models.encoder import VideoEncoder
from transferscale.models.mup import parameter_groups
from transferscale.transfer.perceptron import Perceptron

Network: TypeAlias = VideoEncoder | Perceptron


def multipliers(encoder: VideoEncoder) -> Multipliers:
    """Factors of muP by the width that an encoder has, whether the ladder or a publisher gave it.

    For the ladder they are its own. Published weights are not scaled by depth, but their matrices have more inputs than
    those of depth 1, and a learning rate made there would spoil them.
    """
    return Multipliers(width=encoder.width / HEAD, depth=encoder.scale.multipliers.depth)


def tokens_of(network: Network, clips: Tensor) -> Float[Tensor, "windows times features"]:
    """Final tokens of clips, those of one time step side by side: features are places * width."""
    tokens: Tensor = network(clips)
    return tokens.reshape(len(clips), network.grid[0], -1)


def groups(network: Network, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """All its weights, grouped for AdamW (``params``, ``lr``, ``weight_decay``, ``eps``)."""
    if isinstance(network, Perceptron):
        return network.groups(learning_rate, weight_decay)
    return parameter_groups([network], multipliers(network), learning_rate, weight_decay)
