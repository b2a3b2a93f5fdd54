"""Which part of a mixture each clip of a stream comes from: by its place alone, and evenly spread.

A part with share w gets floor(k w + 1/2) of the first k clips, the remaining places go to the next part by the same
rule, and so on: a Beatty sequence for every part. In whole numbers, so that any place is found at once, on every
machine, and the parts' counts stay within one clip of their shares for two parts and within a few for more.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.int64]

# Shares given as weights are taken in millionths; k times a share must stay below 2^63.
RESOLUTION = 10**6


def whole_shares(weights: Sequence[float]) -> list[int]:
    """Weights as whole numbers in the same proportions, up to a millionth of their sum, none of them 0."""
    total = sum(weights)
    return [max(1, round(RESOLUTION * weight / total)) for weight in weights]


def turns(places: Int, shares: Sequence[int]) -> tuple[Int, Int]:
    """Part of every place of the stream, and how many clips that part gave before it.

    Parameters
    ----------
    places
        Places in the stream, counted from 0, (clips,).
    shares
        Whole shares of the parts (:func:`whole_shares`, or their numbers of clips).

    Returns
    -------
    part, before
        Both (clips,).
    """
    part, before = np.full(len(places), len(shares) - 1), np.array(places, dtype=np.int64)
    left, open_places = sum(shares), np.arange(len(places))
    for number, share in enumerate(shares[:-1]):
        here = before[open_places]
        given = _given(here, share, left)
        mine = _given(here + 1, share, left) > given
        part[open_places[mine]] = number
        before[open_places] = np.where(mine, given, here - given)
        open_places, left = open_places[~mine], left - share
    return part, before


def given_until(place: int, shares: Sequence[int]) -> list[int]:
    """Clips that every part gives before a place of the stream; their sum is the place."""
    counts, left = [], sum(shares)
    for share in shares[:-1]:
        counts.append(int(_given(np.array([place]), share, left)[0]))
        place, left = place - counts[-1], left - share
    return [*counts, place]


def _given(places: Int, share: int, of: int) -> Int:
    return (places * share + of // 2) // of
