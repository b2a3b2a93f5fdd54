"""Classical baselines as features files, so that they go through the same read-out as every arm.

- ``raw-linear``: the window's parcel series as it is, volumes for tokens and parcels for channels;
- ``smooth``: the same after every parcel's window is averaged over three neighbouring volumes (1, 2, 1 quarters): what
  a network's tokenizer may do without having learned anything of video;
- ``drift``: ``raw-linear`` after each parcel's window is replaced by its mean and linear trend, so that only what is
  slow is left;
- ``spectrum``: log power of every parcel in the units of the recording, of the window frequency by frequency, of the
  subject's whole runs in ten bands, and its mean level: how much and how fast it varies, and nothing of who varies with
  whom;
- ``connectivity``: Fisher-z correlations between parcels, of the window, and of the subject's whole runs
  (averaged over runs); where columns are pixels, between the means of tokens;
- ``tangent`` (:mod:`transferscale.transfer.tangent`) and ``confounds`` (:mod:`transferscale.transfer.confounds`);
- ``dummy``: no features, which leaves the mean of the training subjects, or equal scores of the classes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError, nearest
from transferscale.medical.reading import Splits, View
from transferscale.transfer.aggregate import covariances, membership, moments
from transferscale.transfer.confounds import confound_features
from transferscale.transfer.grams import Grams, gram, view_hash, write_grams
from transferscale.transfer.tangent import tangent_features

Array = npt.NDArray[np.float32]

# Columns from which covariances of windows are had as inner products alone.
MANY_COLUMNS = 500
# Bands of a whole run's spectrum.
BANDS = 10
# Correlations are kept this far from +-1, where Fisher's z is infinite.
LARGEST_CORRELATION = 0.9999


def extract(spec: Mapping[str, Any], view: Path, out: Path, splits: Path | None = None) -> None:
    """Write the features file of a baseline.

    Parameters
    ----------
    spec
        ``Grid.features_spec``; its ``reader`` names the baseline.
    view
        Folder of the view.
    out
        The features file: one layer, 0.
    splits
        splits.json; ``tangent`` alone depends on them.

    Raises
    ------
    UserError
        If there is no baseline of that name, or the view is missing or broken.
    """
    watch = Stopwatch()
    reader = str(spec["reader"])
    data = View(view, spec["normalisation"])
    matrices = {f"{name}/0": matrix for name, matrix in _grams(reader, spec, data, splits).items()}
    write_grams(out, Grams(matrices, data.subjects, view_hash(data.windows)))
    write_provenance(out, watch, reader=reader)


def _grams(reader: str, spec: Mapping[str, Any], data: View, splits: Path | None) -> dict[str, Array]:
    """Gram matrices of a baseline, by block."""
    if reader == "confounds":
        return grams_of(confound_features(data, spec["confounds"]))
    if reader == "tangent":
        if splits is None:
            raise UserError("--splits is missing: baseline 'tangent' depends on who is in each fold")
        return grams_of(tangent_features(data, Splits(splits), spec["tasks"]))
    if reader not in BASELINES:
        known = [*BASELINES, "confounds", "tangent"]
        raise UserError(f"transfer.baselines: no baseline '{reader}'; {nearest(reader, known)}")
    return BASELINES[reader](data)


def correlations(series: Array) -> Array:
    """Fisher-z correlations between parcels, strict upper triangle.

    Parameters
    ----------
    series
        (..., volumes, parcels).

    Returns
    -------
    Array
        (..., parcels * (parcels - 1) / 2). A parcel that is constant has correlation 0 with every other.
    """
    centred = series - series.mean(axis=-2, keepdims=True)
    size = np.sqrt((centred**2).sum(axis=-2, keepdims=True))
    constant = size <= 1e-6 * np.abs(series).max(axis=-2, keepdims=True)
    unit = np.where(constant, 0, centred / np.where(constant, 1, size))
    r = np.swapaxes(unit, -1, -2) @ unit
    rows, columns = np.triu_indices(series.shape[-1], k=1)
    z: Array = np.arctanh(np.clip(r[..., rows, columns], -LARGEST_CORRELATION, LARGEST_CORRELATION))
    return z


def trend(series: Array) -> Array:
    """Mean and linear trend of each window and parcel, (windows, volumes, parcels) as the series."""
    volumes = series.shape[1]
    slope = np.arange(volumes, dtype=np.float32) - np.float32((volumes - 1) / 2)
    basis = np.stack([np.full(volumes, volumes**-0.5), slope / max(1e-12, np.sqrt((slope**2).sum()))])
    projector = (basis.T @ basis).astype(np.float32)
    fitted: Array = projector @ series
    return fitted


def smoothed(series: Array) -> Array:
    """Windows (windows, volumes, parcels) averaged over neighbouring volumes, 1/4 1/2 1/4; ends lean on themselves."""
    edges = np.pad(series, ((0, 0), (1, 1), (0, 0)), mode="edge")
    average: Array = (edges[:, :-2] + 2 * edges[:, 1:-1] + edges[:, 2:]) / np.float32(4)
    return average


def grams_of(features: Mapping[str, Array]) -> dict[str, Array]:
    """Gram matrix of every block of features."""
    return {name: gram(value) for name, value in features.items()}


def _series(windows: Array, owner: npt.NDArray[np.int64], subjects: int) -> dict[str, Array]:
    member = membership(owner, subjects)
    if windows.shape[-1] > MANY_COLUMNS:
        # Covariances of ten thousand pixels are not formed; torch takes seconds to import.
        import torch

        from transferscale.transfer.features import token_grams

        return token_grams(torch.from_numpy(windows), torch.from_numpy(member))
    mean, sd, deviation = moments(windows, member)
    return grams_of(
        {
            "window": windows,
            "subject-mean": mean,
            "subject-sd": sd,
            "subject-cov": covariances(deviation, member),
        }
    )


def _raw_linear(data: View) -> dict[str, Array]:
    return _series(data.series_windows(), data.window_subject, len(data.subjects))


def _smooth(data: View) -> dict[str, Array]:
    return _series(smoothed(data.series_windows()), data.window_subject, len(data.subjects))


def _drift(data: View) -> dict[str, Array]:
    return _series(trend(data.series_windows()), data.window_subject, len(data.subjects))


def _connectivity(data: View) -> dict[str, Array]:
    runs: list[list[Array]] = [[] for _ in data.subjects]
    for subject, series in data.runs():
        runs[subject].append(correlations(data.regions(series)))
    subjects = np.stack([np.mean(mine, axis=0) for mine in runs])
    # In parts, because the arithmetic takes several times the memory of its result.
    parts = np.array_split(data.series_windows(), max(1, len(data) // 64))
    windows = np.concatenate([correlations(data.regions(part)) for part in parts])
    return grams_of({"window": windows, "subject-correlation": subjects})


def log_power(series: Array) -> Array:
    """Log power of every parcel at every frequency above zero.

    Parameters
    ----------
    series
        (..., volumes, parcels).

    Returns
    -------
    Array
        (..., frequencies, parcels), volumes // 2 frequencies. Power is kept above a millionth of the mean over all, so
        that a constant parcel has a logarithm.
    """
    power: Array = np.abs(np.fft.rfft(series, axis=-2)[..., 1:, :]) ** 2 / series.shape[-2]
    floor = max(float(power.mean()) * 1e-6, float(np.finfo(np.float32).tiny))
    logarithm: Array = np.log(np.maximum(power, floor)).astype(np.float32)
    return logarithm


def in_bands(power: Array) -> Array:
    """Means of log power (frequencies, parcels) in :data:`BANDS` bands of equal width: (bands, parcels).

    A band of a short run that holds no frequency is read between its neighbours.
    """
    count = len(power)
    frequency = (np.arange(count) + 1) / count
    band = np.minimum((frequency * BANDS).astype(np.int64), BANDS - 1)
    if len(np.unique(band)) == BANDS:
        means: Array = np.stack([power[band == b].mean(axis=0) for b in range(BANDS)])
        return means
    centres = (np.arange(BANDS) + 0.5) / BANDS
    read = [np.interp(centres, frequency, column) for column in power.T]
    between: Array = np.stack(read, axis=1).astype(np.float32)
    return between


def _spectrum(data: View) -> dict[str, Array]:
    bands: list[list[Array]] = [[] for _ in data.subjects]
    levels: list[list[Array]] = [[] for _ in data.subjects]
    places = {entry["recording"]: place for place, entry in enumerate(data.recordings)}
    loudness = _loudness(data)
    for place, (subject, series) in enumerate(data.runs(bridged=True)):
        bands[subject].append((in_bands(log_power(series)) + loudness[place]).ravel())
        levels[subject].append(np.asarray(data.moments[place, 0]))
    of_window = loudness[[places[recording] for recording in data.windows["recording"]]]
    return grams_of(
        {
            "window": log_power(data.series_windows()) + of_window[:, None],
            "subject-spectrum": np.stack([np.mean(own, axis=0) for own in bands]),
            "subject-level": np.stack([np.mean(own, axis=0) for own in levels]),
        }
    )


def _loudness(data: View) -> Array:
    """Log of the variance that standardising took from every recording and parcel: (recordings, parcels)."""
    if not data.contract["cleaning"]["standardize"]:
        return np.zeros((len(data.recordings), data.series.shape[1]), dtype=np.float32)
    variance = np.asarray(data.moments[:, 1]) ** 2
    floor = max(float(variance.mean()) * 1e-6, float(np.finfo(np.float32).tiny))
    loud: Array = np.log(np.maximum(variance, floor)).astype(np.float32)
    return loud


def _dummy(data: View) -> dict[str, Array]:
    return grams_of(
        {
            "window": np.zeros((len(data.window_subject), 1), dtype=np.float32),
            "subject-nothing": np.zeros((len(data.subjects), 1), dtype=np.float32),
        }
    )


BASELINES: Mapping[str, Callable[[View], dict[str, Array]]] = {
    "connectivity": _connectivity,
    "raw-linear": _raw_linear,
    "smooth": _smooth,
    "spectrum": _spectrum,
    "drift": _drift,
    "dummy": _dummy,
}
