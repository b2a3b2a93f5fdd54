"""Arm ``raw:mlp``: a multilayer perceptron on the raw window series, trained from random weights.

A window (volumes, columns) is flattened and passes two hidden layers; the second one's units are its features, read
like a network's tokens of one time step: in the same heads, with the same tuning.
"""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from transferscale.models.mup import Linear, generator, initialise

# Units of a layer. With half as many the film of ds000228 is told with .65 instead of .73 at 16 labels, with twice as
# many with .77, in four times the time; child against adult is told best with these.
HIDDEN = 512

# Inputs of a matrix that learns at the study's rate: between the 32 and the 128 that matrices have in an encoder of
# depth 1, which the rate is made for. Adam moves a unit by up to the rate times its inputs, so that more inputs take a
# lower one. At one rate for all, the encoders' (1e-2) spoils the perceptron (same film, 12 steps: .35; at 1e-3 .74).
REFERENCE = 64


class Perceptron(nn.Module):
    """Two hidden layers; see the module.

    Parameters
    ----------
    inputs
        Numbers of a window: volumes * columns.
    seed
        Of its random weights.
    width
        Units of a layer.
    """

    grid = (1, 1, 1)

    def __init__(self, inputs: int, seed: int, width: int = HIDDEN) -> None:
        super().__init__()
        self.width = width
        self.first, self.second = Linear(inputs, width, role="embedding"), Linear(width, width)
        initialise(self, generator("raw-mlp", seed))

    def forward(self, series: Float[Tensor, "windows volumes columns"]) -> Float[Tensor, "windows 1 hidden"]:
        """Hidden units of every window."""
        hidden = nn.functional.gelu(self.first(series.flatten(1)))
        units: Tensor = nn.functional.gelu(self.second(hidden))
        return units.unsqueeze(1)

    def groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Its weights, grouped for AdamW; rate times decay is the same for both matrices."""
        matrices = [
            {
                "params": [layer.weight],
                "lr": learning_rate * REFERENCE / layer.in_features,
                "weight_decay": weight_decay * layer.in_features / REFERENCE,
                "eps": 1e-8,
            }
            for layer in (self.first, self.second)
        ]
        biases = [self.first.bias, self.second.bias]
        return [*matrices, {"params": biases, "lr": learning_rate, "weight_decay": 0.0, "eps": 1e-8}]
