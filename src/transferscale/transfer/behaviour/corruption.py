"""Corruptions of test recordings, each at five severities; read-outs are fitted on clean windows and see them unwarned.

=============  ====================================================  ====================================
corruption     what severity 1 ... 5 is                              values
=============  ====================================================  ====================================
``tr``         repetition time as a share of the recording's own     .9 .8 .7 .6 .5
``noise``      SD of added white noise, in SDs of the column         .25 .5 1 2 4
``spikes``     share of volumes that are motion spikes, rounded up  .05 .1 .2 .3 .4
``parcels``    share of the columns that are zero                    .1 .2 .3 .5 .7
``hemisphere`` share of the left hemisphere's columns that are zero  .2 .4 .6 .8 1
``sign``       share of the columns whose sign is flipped            .1 .2 .3 .4 .5
=============  ====================================================  ====================================

Notable:
- a corruption acts on the columns of a window, before they are laid out as a clip: every arm, networks and
  ``raw:linear``, is shown the same corrupted windows. How a window was standardised is not computed anew;
- a ``tr`` below one shows less time in as many volumes, about the middle of the window, linear between its volumes, as
  a faster scanner would; a longer one would need volumes that the last window of a run does not have;
- a spike is a jump of all columns in one volume by :data:`SPIKE` SDs of each, up or down alike;
- a column is a parcel in view roi and a pixel elsewhere. Which columns are hit is a matter of the recording, which
  volumes and which noise of the window; both by hash of their names, so no arm, fold, draw or seed has a say;
- what a severity hits, a higher one hits too, and their noise has one shape: severities differ by severity alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import fingerprint
from transferscale.errors import UserError
from transferscale.medical.reading import View
from transferscale.study.behaviour import SEVERITIES
from transferscale.transfer.behaviour.hemisphere import left_columns

Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

# Height of a motion spike, in SDs of the column.
SPIKE = 5.0


@dataclass(frozen=True)
class Recorded:
    """All windows of a view, and what corruptions must know of them.

    Attributes
    ----------
    series
        (windows, volumes, columns), as every arm is shown them.
    spread
        (windows, columns) SD of a column over the windows of its recording.
    recording, number
        Name of each window's recording, and the window's number within it.
    left
        (columns,) whether a column lies in the left hemisphere; None where the view does not tell.
    """

    series: Float32
    spread: Float32
    recording: Sequence[str]
    number: Sequence[int]
    left: Bool | None

    @classmethod
    def of(cls, view: View) -> "Recorded":
        """The windows of a view."""
        series, recording = view.series_windows(), view.windows["recording"]
        spread = np.empty((len(series), series.shape[2]), dtype=np.float32)
        names = np.array(recording)
        for name in np.unique(names):
            own = np.flatnonzero(names == name)
            spread[own] = series[own].std(axis=(0, 1))
        return cls(series, spread, recording, view.windows["window"], left_columns(view))

    def corrupted(self, rows: Int, corruption: str, severity: int) -> Float32:
        """Windows ``rows`` under a corruption: (rows, volumes, columns).

        Raises
        ------
        UserError
            If a hemisphere is to be taken away from a view that does not tell hemispheres apart.
        """
        amount = SEVERITIES[corruption][severity - 1]
        return ACTIONS[corruption](self, rows, amount)


def _tr(of: Recorded, rows: Int, amount: float) -> Float32:
    volumes = of.series.shape[1]
    middle = (volumes - 1) / 2
    at = middle + amount * (np.arange(volumes) - middle)
    below = np.minimum(at.astype(np.int64), volumes - 2) if volumes > 1 else np.zeros(1, dtype=np.int64)
    share = (at - below)[:, None].astype(np.float32)
    windows, above = of.series[rows], np.minimum(below + 1, volumes - 1)
    between: Float32 = (1 - share) * windows[:, below] + share * windows[:, above]
    return between


def _noise(of: Recorded, rows: Int, amount: float) -> Float32:
    shape = of.series.shape[1:]
    drawn = np.stack([of_window(of, row, "noise").standard_normal(shape, dtype=np.float32) for row in rows])
    noisy: Float32 = of.series[rows] + np.float32(amount) * of.spread[rows][:, None] * drawn
    return noisy


def _spikes(of: Recorded, rows: Int, amount: float) -> Float32:
    volumes = of.series.shape[1]
    count = math.ceil(amount * volumes)
    windows = of.series[rows].copy()
    for i, row in enumerate(rows):
        random = of_window(of, row, "spikes")
        hit = random.permutation(volumes)[:count]
        sign = random.choice(np.array([-1, 1], dtype=np.float32), size=volumes)[hit]
        windows[i, hit] += np.float32(SPIKE) * sign[:, None] * of.spread[row]
    return windows


def _parcels(of: Recorded, rows: Int, amount: float) -> Float32:
    return _on_columns(of, rows, "parcels", amount, np.arange(of.series.shape[2]), 0.0)


def _hemisphere(of: Recorded, rows: Int, amount: float) -> Float32:
    if of.left is None:
        raise UserError(
            "behaviour.corruptions: the view does not tell hemispheres apart; leave 'hemisphere' out"
        )
    return _on_columns(of, rows, "hemisphere", amount, np.flatnonzero(of.left), 0.0)


def _sign(of: Recorded, rows: Int, amount: float) -> Float32:
    return _on_columns(of, rows, "sign", amount, np.arange(of.series.shape[2]), -1.0)


def _on_columns(
    of: Recorded, rows: Int, corruption: str, amount: float, columns: Int, factor: float
) -> Float32:
    """Windows with a share of ``columns``, the same in all windows of a recording, times ``factor``."""
    count = round(amount * len(columns))
    windows = of.series[rows].copy()
    for name in {of.recording[row] for row in rows}:
        own = np.flatnonzero([of.recording[row] == name for row in rows])
        hit = generator(corruption, name).permutation(columns)[:count]
        windows[np.ix_(own, np.arange(windows.shape[1]), hit)] *= np.float32(factor)
    return windows


ACTIONS: Mapping[str, Callable[[Recorded, Int, float], Float32]] = {
    "tr": _tr,
    "noise": _noise,
    "spikes": _spikes,
    "parcels": _parcels,
    "hemisphere": _hemisphere,
    "sign": _sign,
}


def of_window(of: Recorded, row: int, what: str) -> np.random.Generator:
    """Random numbers of one window."""
    return generator(what, of.recording[row], int(of.number[row]))


def generator(*identity: Any) -> np.random.Generator:
    """Random numbers that depend on ``identity`` alone."""
    return np.random.default_rng(int(fingerprint(list(identity), length=15), 16))
