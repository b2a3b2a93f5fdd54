"""Time of a run before and after cleaning: first volumes left out, and one repetition time for all recordings."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError

# Relative difference of two repetition times below which there is nothing to resample.
SAME_TR = 1e-4
# Numbers in the ratio of two repetition times, as in 197/200: the larger ones only where the smaller are not exact
# enough, for the filter grows with them.
LARGEST_RATIOS = (1_000, 100_000)
# Volumes by which the last of a run may be off in time.
MOST_OFF = 0.5


@dataclass(frozen=True)
class Timing:
    """How the volumes of a cleaned run follow from those of the recording.

    Attributes
    ----------
    discard
        First volumes left out.
    tr_in_s, tr_s
        Repetition time of the recording and of the cleaned run, seconds.
    ratio
        ``tr_in_s / tr_s`` as a fraction: volumes out per volume in.
    volumes_in, volumes
        Volumes after the first ones are left out, and volumes of the cleaned run: those that lie between the first
        and the last of the recording.
    """

    discard: int
    tr_in_s: float
    tr_s: float
    ratio: Fraction
    volumes_in: int
    volumes: int

    def nearest(self) -> npt.NDArray[np.int64]:
        """Volume of the recording (without those left out) that is nearest to each volume of the cleaned run."""
        places = np.arange(self.volumes) / float(self.ratio)
        return np.minimum(np.floor(places + 0.5), self.volumes_in - 1).astype(np.int64)


def timing(n_volumes: int, tr_s: float, clean: Mapping[str, Any]) -> Timing:
    """Timing of a recording under a cleaning (``study.cleaning.Cleaning``).

    Raises
    ------
    UserError
        If the recording cannot be brought to ``resample_s``.

    >>> timing(100, 2.0, {"discard": 4, "resample_s": 1.0}).volumes
    191
    """
    left = max(0, n_volumes - clean["discard"])
    wanted = clean["resample_s"]
    if wanted is None or abs(wanted - tr_s) <= SAME_TR * tr_s:
        return Timing(clean["discard"], tr_s, tr_s, Fraction(1), left, left)
    ratio = _ratio(left, tr_s, wanted)
    volumes = int((left - 1) * ratio) + 1 if left else 0
    return Timing(clean["discard"], tr_s, wanted, ratio, left, volumes)


def _ratio(volumes: int, tr_s: float, wanted: float) -> Fraction:
    """``tr_s / wanted`` as a fraction of the smallest numbers that are exact enough over a run."""
    exact = tr_s / wanted
    for largest in LARGEST_RATIOS:
        ratio = Fraction(exact).limit_denominator(largest)
        if ratio and ratio.numerator <= largest and volumes * abs(float(ratio) - exact) <= MOST_OFF:
            return ratio
    raise UserError(
        f"dataset: key 'clean.resample_s' is {wanted:g} s, but {volumes} volumes every {tr_s:g} s cannot be brought to "
        f"that; choose a multiple of {tr_s:g} s"
    )
