"""Whether an encoder still tells clips apart: two numbers of its features, so that a collapse is seen."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

# Below these the features of different clips are as good as the same, or lie on a line.
COLLAPSED_SPREAD, COLLAPSED_RANK = 0.01, 1.5


def effective_rank(features: Float[np.ndarray, "clips width"]) -> float:
    """Exponential of the entropy of the singular values of centred features (Roy & Vetterli 2007).

    Between 1 (features on a line) and their width; 0 where all are the same.
    """
    given: npt.NDArray[np.float64] = np.asarray(features, np.float64)
    values = np.linalg.svd(given - given.mean(axis=0), compute_uv=False)
    # Rounding leaves singular values where there is no variation.
    values = values[values > 1e-6 * max(float(np.abs(given).max()), 1e-30) * np.sqrt(len(given))]
    if not len(values):
        return 0.0
    share = values / values.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def feature_spread(features: Float[np.ndarray, "clips width"]) -> float:
    """Mean SD of features of unit length, times sqrt(width) (SimSiam: Chen & He 2021, arXiv 2011.10566).

    1 where directions are isotropic, 0 where all clips have the same.
    """
    values = np.asarray(features, np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    unit = values / np.maximum(length, np.finfo(np.float64).tiny)
    return float(unit.std(axis=0).mean() * np.sqrt(values.shape[1]))


def collapsed(rank: float, spread: float) -> bool:
    """Whether features have collapsed to a point or a line: the rule of the flag ``collapse``."""
    return spread < COLLAPSED_SPREAD or rank < COLLAPSED_RANK
