"""Cleaning of parcel series, a run at a time, before windows are cut."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.errors import UserError

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]


def clean_run(series: Float64, clean: Mapping[str, Any], tr_s: float) -> Float32:
    """Detrend, high-pass and standardise one run by :func:`nilearn.signal.clean`, in its order.

    The high-pass regresses out discrete cosines below the cut-off (nilearn's ``cosine``, as SPM and fMRIPrep
    do): of the filters on offer the one without a transient at the ends of a run. A constant parcel becomes
    zero, whatever is asked for.

    Parameters
    ----------
    series
        (volumes, parcels).
    clean
        Spec of the cleaning (``study.dataset.Cleaning``).
    tr_s
        Repetition time, seconds.

    Raises
    ------
    UserError
        If the cut-off is above half the highest frequency that the volumes hold.
    """
    nyquist = 0.5 / tr_s
    if clean["high_pass_hz"] is not None and clean["high_pass_hz"] >= nyquist / 2:
        raise UserError(
            f"dataset: key 'clean.high_pass_hz' is {clean['high_pass_hz']} Hz, but volumes every {tr_s:g} s hold "
            f"nothing above {nyquist:g} Hz, so little or nothing would be left; lower it (0.01 is usual)"
        )
    constant = np.ptp(series, axis=0) == 0
    high_pass = clean["high_pass_hz"]
    if clean["detrend"] or high_pass is not None:
        # nilearn takes a second and a half to import; recordings that need no filter go without.
        from nilearn.signal import clean as nilearn_clean

        cleaned = nilearn_clean(
            series,
            detrend=clean["detrend"],
            standardize="zscore_sample" if clean["standardize"] else None,
            filter=False if high_pass is None else "cosine",
            high_pass=high_pass,
            t_r=tr_s,
        )
    elif clean["standardize"]:
        deviation = series.std(axis=0, ddof=1)
        cleaned = (series - series.mean(axis=0)) / np.where(constant, 1.0, deviation)
    else:
        cleaned = series
    out: Float32 = np.where(constant, 0.0, cleaned).astype(np.float32)
    return out
