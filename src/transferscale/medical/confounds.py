"""Confounds of a run, from the table that fMRIPrep writes."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.medical.recording import Float64, Stretch, UnreadableError

MOTION = "framewise_displacement"


@dataclass(frozen=True)
class Regressors:
    """What is regressed out of a run, and which volumes count.

    Attributes
    ----------
    values
        (volumes, confounds), their mean over the kept volumes zero; ``None`` where there is nothing to regress.
    names
        Of the confounds.
    kept
        (volumes,) not scrubbed, and past the non-steady state.
    """

    values: Float64 | None
    names: list[str]
    kept: npt.NDArray[np.bool_]


def confounds_of(
    path: Path | None, options: Mapping[str, Any], n_volumes: int, stretch: Stretch | None = None
) -> Regressors:
    """Confounds by :func:`nilearn.interfaces.fmriprep.load_confounds`, every threshold given.

    The first row of derivatives, which is n/a, is given the value of the second (as nilearn does). Volumes
    that fMRIPrep calls non-steady are left out whatever the strategy.

    Parameters
    ----------
    path
        ``desc-confounds_timeseries.tsv``; ``None`` where the recording has none.
    options
        Spec of ``study.cleaning.Confounds``.
    n_volumes
        Volumes of the recording.
    stretch
        Which volumes of its run they are; the other rows of the table are not seen by anything.

    Raises
    ------
    UnreadableError
        If there is no table, its rows are not the volumes, or it lacks what the strategy needs.
    """
    if path is None:
        raise UnreadableError("no confounds table, which clean.confounds needs")
    lines = _lines(path, n_volumes, stretch)
    from nilearn.interfaces.fmriprep import load_confounds

    strategy = list(options["strategy"])
    try:
        # nilearn finds the table by the name of an image beside it; under a name of our own any table serves.
        with tempfile.TemporaryDirectory(prefix="confounds") as folder:
            prefix = Path(folder) / "sub-x_desc-confounds_timeseries"
            prefix.with_suffix(".tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
            if (described := path.with_suffix(".json")).is_file():
                prefix.with_suffix(".json").symlink_to(described.resolve())
            table, sample = load_confounds(
                str(Path(folder) / "sub-x_desc-preproc_bold.nii.gz"),
                strategy=strategy,
                motion=options["motion"],
                wm_csf=options["wm_csf"],
                global_signal=options["global_signal"],
                compcor=options["compcor"],
                n_compcor=options["n_compcor"],
                scrub=options["scrub_segment"],
                fd_threshold=options["fd_mm"],
                std_dvars_threshold=options["std_dvars"],
                demean=True,
            )
    except KeyError as error:
        raise UnreadableError(f"confounds {path.name}: no column {error}, which scrubbing needs") from None
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UnreadableError(f"confounds {path.name}: {reason}") from None
    kept = np.ones(n_volumes, dtype=np.bool_)
    if sample is not None:
        kept[:] = False
        kept[sample] = True
    if not kept.any():
        raise UnreadableError(f"confounds {path.name}: every volume is scrubbed")
    names = [str(name) for name in table.columns]
    if not names:
        return Regressors(None, [], kept)
    values: Float64 = table.to_numpy(dtype=np.float64)
    for name, column in zip(names, values.T, strict=True):
        if not np.all(np.isfinite(column)):
            raise UnreadableError(f"confounds {path.name}: column '{name}' has missing values")
    return Regressors(values, names, kept)


def rows_and_motion(path: Path, n_volumes: int, stretch: Stretch | None = None) -> float | None:
    """Check that a confounds table has a row a volume; its mean framewise displacement in mm, ``None`` without.

    Raises
    ------
    UnreadableError
        If it cannot be read, or has another number of rows than there are volumes.
    """
    lines = _lines(path, n_volumes, stretch)
    header = [name.strip() for name in lines[0].split("\t")]
    if MOTION not in header:
        return None
    at = header.index(MOTION)
    values = []
    for line in lines[1:]:
        try:
            values.append(float(line.split("\t")[at]))
        except (ValueError, IndexError):  # the first volume is n/a: there is none before it
            continue
    finite = [v for v in values if np.isfinite(v)]
    return float(np.mean(finite)) if finite else None


def _lines(path: Path, n_volumes: int, stretch: Stretch | None) -> list[str]:
    """The header and the rows of a recording.

    Raises
    ------
    UnreadableError
        If the table cannot be read, or has another number of rows than its run has volumes.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except FileNotFoundError:
        raise UnreadableError(f"confounds {path.name}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"confounds {path.name} cannot be read ({error})") from None
    rows, volumes = max(len(lines) - 1, 0), stretch.of if stretch else n_volumes
    if rows != volumes:
        raise UnreadableError(f"confounds {path.name} has {rows} rows, the image {volumes} volumes")
    if stretch is None:
        return lines
    return [lines[0], *lines[1 + stretch.first : 1 + stretch.first + stretch.volumes]]
