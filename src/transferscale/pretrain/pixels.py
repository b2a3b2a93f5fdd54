"""Pixels as a target: those of each token, normalised by their own mean and SD (He et al. 2022, arXiv 2111.06377)."""

from jaxtyping import Float, Int
from torch import Tensor

from transferscale.models.patches import rows

# Added to a token's variance: a tenth of the clips' SD, about five grey levels, squared. Below it a token
# is flat and what varies in it is compression noise, which the usual 1e-6 would blow up to unit variance.
FLAT_VARIANCE = 0.01


def squared_errors(
    pixels: Float[Tensor, "batch tokens patch"],
    predicted: Float[Tensor, "batch asked patch"],
    asked: Int[Tensor, "batch asked"],
) -> Float[Tensor, " batch"]:  # type: ignore[name-defined]
    """Mean squared error of the predicted pixels of each clip."""
    target = normalised(rows(pixels, asked))
    return (predicted.float() - target).square().mean(dim=(1, 2))


def normalised(pixels: Float[Tensor, "batch tokens patch"]) -> Float[Tensor, "batch tokens patch"]:
    """Pixels of each token at zero mean and, unless it is flat, unit SD."""
    centred = pixels - pixels.mean(dim=-1, keepdim=True)
    # Not torch.var: over short rows on a CPU it takes ten times as long.
    variance = centred.square().mean(dim=-1, keepdim=True)
    return centred * (variance + FLAT_VARIANCE).rsqrt()
