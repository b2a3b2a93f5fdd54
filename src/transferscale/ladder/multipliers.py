"""What muP and CompleteP multiply the values of depth 1 with.

muP: Yang et al. 2022, arXiv 2203.03466. CompleteP: Dey et al. 2025, arXiv 2505.01618, alpha = 1.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Multipliers:
    """Factors at width ratio m_d and depth ratio m_L.

    "Hidden" are matrices both of whose sides grow with the width; "embedding" are those that read pixels, and
    vectors (norms, biases, filters of one channel); "output" is the one that writes pixels or features.
    """

    width: float
    depth: float

    @property
    def residual(self) -> float:
        """Factor on every residual branch of the encoder, 1 / m_L."""
        return 1 / self.depth

    @property
    def hidden_init(self) -> float:
        """Factor on the SD of hidden matrices, m_d^-1/2 (drawing with SD fan_in^-1/2 has it built in)."""
        return 1 / math.sqrt(self.width)

    @property
    def hidden_rate(self) -> float:
        """Factor on the learning rate of hidden matrices, 1 / m_d."""
        return 1 / self.width

    @property
    def hidden_decay(self) -> float:
        """Factor on the weight decay of hidden matrices, m_d, so that rate times decay stays as it is."""
        return self.width

    @property
    def hidden_epsilon(self) -> float:
        """Factor on Adam's epsilon inside residual branches, 1 / (m_d m_L)."""
        return 1 / (self.width * self.depth)

    @property
    def embedding_epsilon(self) -> float:
        """Factor on Adam's epsilon outside residual branches, 1 / m_d."""
        return 1 / self.width

    @property
    def output(self) -> float:
        """Factor on the output, 1 / m_d."""
        return 1 / self.width


# Depth 1, and published weights, whose rates are somebody else's.
UNSCALED = Multipliers(1.0, 1.0)
