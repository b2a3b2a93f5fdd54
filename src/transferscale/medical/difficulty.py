"""Tasks of stated difficulty in the simulated dataset: how many states, how many latent amplitudes, how alike.

They live in the *free* parcels, which belong to neither the driven nor the coupled network, as patterns that are
orthonormal and the same in every dataset of as many parcels, whatever its seed: what is learned on one holds on the
other.

- ``states``: every block is of one of K kinds, each with a pattern of its own; which kind comes when differs between
  subjects, so that time tells nothing;
- ``latents``: D amplitudes a subject, each of SD 1 and uncorrelated with the others, each scale a pattern in the
  response to all blocks, of whatever kind: who tells states apart sees past them, so only datasets with as many latents
  compare in their states;
- ``mixtures``: T columns, each a sum of all D amplitudes with weights of norm 1. A mixture of one amplitude is a matter
  of one direction, one of D of D directions that vary alike, of which D - 1 tell nothing. Any two mixtures correlate at
  ``similarity``, which is the cosine between their weights and hence between their patterns: teachers that overlap
  (Lee, Goldt and Saxe 2021, ICML), for continual learning.

``snr`` is the root mean square of a pattern over the free parcels at the peak of the response, in noise SDs; of an
amplitude's pattern at an amplitude of one SD.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError

Float64 = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

# Seed of the patterns: one for all datasets.
PATTERNS = 20_01


@dataclass(frozen=True)
class Patterns:
    """Patterns over the free parcels.

    Attributes
    ----------
    free
        The free parcels.
    states
        One a kind of block (kinds, free parcels); none where blocks are of one kind.
    latents
        One an amplitude (amplitudes, free parcels).
    """

    free: Int
    states: Float64
    latents: Float64

    def response(self, of_kinds: Float64, amplitudes: Float64) -> Float64:
        """What is added to the free parcels (volumes, free parcels).

        Parameters
        ----------
        of_kinds
            Response to the blocks of each kind (volumes, kinds).
        amplitudes
            The subject's amplitudes (amplitudes,).
        """
        every = of_kinds.sum(axis=1)[:, None] * (amplitudes @ self.latents)
        added: Float64 = every + of_kinds @ self.states if len(self.states) else every
        return added


def patterns(spec: Mapping[str, Any], free: Int) -> Patterns:
    """Patterns of the states and of the latent amplitudes.

    States are counted from one end of one orthonormal basis and amplitudes from the other, so that a dataset with more
    of either has those of a dataset with fewer.

    Raises
    ------
    UserError
        If there are more of them than free parcels.
    """
    states = int(spec["states"]) if int(spec["states"]) > 1 else 0
    latents = int(spec["latents"])
    if states + latents > len(free):
        raise UserError(
            f"simulate.latents: {latents} amplitudes and {states} states need as many free parcels, and "
            f"{spec['parcels']} parcels leave {len(free)}; lower them or raise simulate.parcels"
        )
    size = len(free)
    basis = np.linalg.qr(np.random.default_rng([PATTERNS, size]).standard_normal((size, size)))[0].T
    rms = float(spec["snr"]) * size**0.5
    return Patterns(free, rms * basis[:states], rms * basis[::-1][:latents])


def kinds_of_blocks(seed: int, subject: int, blocks: int, states: int) -> Int:
    """Kind of every block of a subject (blocks,), in random order, each as often as the others or once more.

    Raises
    ------
    UserError
        If there are fewer blocks than kinds.
    """
    if blocks < states:
        raise UserError(
            f"simulate.states: {states} kinds of block, but a run of this length has {blocks} blocks; raise "
            "simulate.volumes"
        )
    if states == 1:
        return np.zeros(blocks, dtype=np.int64)
    return np.random.default_rng([seed, 3, subject]).permutation(np.arange(blocks) % states)


def mixing_weights(amplitudes: int, mixtures: int, similarity: float) -> Float64:
    """Weights (mixtures, amplitudes) of norm 1, any two at the cosine ``similarity``.

    The symmetric square root of the matrix of cosines, turned by the rows of an orthonormal cosine transform, the first
    of which is constant: a single mixture weighs all amplitudes alike.

    Raises
    ------
    UserError
        If there are more mixtures than amplitudes.
    """
    if mixtures > amplitudes:
        raise UserError(
            f"simulate.mixtures: {mixtures} mixtures of {amplitudes} amplitudes are not independent; raise "
            "simulate.latents"
        )
    own, shared = (1 - similarity) ** 0.5, (1 - similarity + mixtures * similarity) ** 0.5
    root = own * np.eye(mixtures) + (shared - own) / mixtures * np.ones((mixtures, mixtures))
    place = np.arange(amplitudes) + 0.5
    turn = np.cos(np.pi * np.arange(amplitudes)[:, None] * place / amplitudes) * (2 / amplitudes) ** 0.5
    turn[0] /= 2**0.5
    weights: Float64 = root @ turn[:mixtures]
    return weights
