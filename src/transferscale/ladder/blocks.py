"""What one block of a family holds, computes and keeps for the backward pass.

FLOPs count a multiply-add as two, matrix products and convolutions only, as torch's FlopCounterMode does.
"""

from dataclasses import dataclass

# Taps of the depthwise convolutions: across rows and columns, then along time.
SPACE_TAPS, TIME_TAPS = 9, 3


@dataclass(frozen=True)
class AttentionBlock:
    """A transformer block; ``factorised`` attends across space, then along time.

    Attributes
    ----------
    width, heads, mlp
        Width, attention heads, hidden units of the MLP.
    qk_norm, qkv_bias, key_bias
        Whether queries and keys are normalised; whether queries and values, and keys, have a bias.
    """

    width: int
    heads: int
    mlp: int
    factorised: bool = False
    qk_norm: bool = True
    qkv_bias: bool = False
    key_bias: bool = False

    @property
    def params(self) -> int:
        """Parameters: norm and attention (twice when factorised), norm and MLP."""
        d = self.width
        attention = 2 * d + 4 * d**2 + d
        attention += d * (2 * self.qkv_bias + self.key_bias) + 2 * (d // self.heads) * self.qk_norm
        return (1 + self.factorised) * attention + 2 * d + 2 * self.mlp * d + self.mlp + d

    def flops(self, times: int, places: int, asked: int | None = None) -> int:
        """FLOPs of a forward pass over ``times`` x ``places`` tokens.

        With ``asked``, only so many tokens are asked of it: keys and values of all, queries and MLP of those.
        """
        tokens, d = times * places, self.width
        out = tokens if asked is None else asked
        mixed = tokens * (places + times) if self.factorised else out * tokens
        attention = (1 + self.factorised) * 2 * (tokens + out) * d**2 + 2 * mixed * d
        return 2 * (attention + 2 * out * d * self.mlp)

    def saved(self, tokens: int) -> int:
        """Numbers kept for the backward pass (measured: 11 activations of its width, and a few a head)."""
        attention = (1 + self.factorised) * (8 * self.width + 5 * self.heads)
        return tokens * (attention + 3 * self.width + 2 * self.mlp)


@dataclass(frozen=True)
class ConvBlock:
    """A ConvNeXt block: depthwise convolutions over the whole grid, an MLP on the tokens that are seen."""

    width: int
    mlp: int

    @property
    def params(self) -> int:
        """Parameters: filters with a bias, norm, MLP with its response normalisation."""
        d = self.width
        return (SPACE_TAPS + TIME_TAPS) * d + d + 2 * d + 2 * d * self.mlp + 3 * self.mlp + d

    def flops(self, times: int, places: int, grid: int) -> int:
        """FLOPs of a forward pass: ``times`` x ``grid`` cells convolved, ``times`` x ``places`` tokens mixed."""
        filters = times * grid * self.width * (SPACE_TAPS + TIME_TAPS)
        return 2 * (filters + 2 * times * places * self.width * self.mlp)

    def saved(self, tokens: int, cells: int) -> int:
        """Numbers kept for the backward pass (measured): two grids, and 14 activations of its width a token."""
        return cells * 2 * self.width + tokens * (2 * self.width + 3 * self.mlp)
