"""A small simulated tree of derivatives as fMRIPrep writes them: the same planted cortical signal as volumes, as
GIFTI pairs and as CIFTI dense series."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

# Vertices of a hemisphere of fsaverage5.
SIZE = 10242
SPACE = "MNI152NLin2009cAsym"
BASELINE, AMPLITUDE = 5000.0, 300.0
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
BUMPS, WIDTH_MM = 12, 22.0
REACH_MM, BLUR_MM = 7.0, 2.5


@dataclass(frozen=True)
class Planted:
    """What was written.

    Attributes
    ----------
    root
        The derivatives.
    signals
        Name of a run (``sub-01_ses-a_task-film_run-1``) -> signal at every vertex, left then right, before noise and
        in units of its amplitude, (volumes, 2 x 10242).
    """

    root: Path
    signals: dict[str, np.ndarray[Any, Any]]


@cache
def vertices() -> np.ndarray[Any, Any]:
    """Places of the vertices of fsaverage5, midway between pial and white surface, left then right, in mm."""
    from nilearn.datasets import load_fsaverage

    meshes = load_fsaverage("fsaverage5")
    sides = [
        (meshes["pial"].parts[side].coordinates + meshes["white_matter"].parts[side].coordinates) / 2
        for side in ("left", "right")
    ]
    return np.concatenate(sides)


@cache
def grid(voxel_mm: float) -> tuple[tuple[int, int, int], np.ndarray[Any, Any], csr_array]:
    """Shape and affine of an MNI grid, and weights (voxels, vertices) that paint vertices into the voxels near them;
    the first axis is fastest."""
    low, high = np.array([-78.0, -112.0, -72.0]), np.array([78.0, 78.0, 84.0])
    lengths = np.floor((high - low) / voxel_mm).astype(int) + 1
    shape = (int(lengths[0]), int(lengths[1]), int(lengths[2]))
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = low
    places = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape, order="F"), axis=1) * voxel_mm + low
    near = cKDTree(places).sparse_distance_matrix(cKDTree(vertices()), REACH_MM, output_type="coo_matrix")
    weights = np.exp(-0.5 * (near.data / BLUR_MM) ** 2)
    painted = csr_array((weights, (near.row, near.col)), shape=near.shape)
    total = np.asarray(painted.sum(axis=1)).ravel()
    painted.data /= np.repeat(total, np.diff(painted.indptr))
    return shape, affine, painted


def field(volumes: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Smooth signal at every vertex (volumes, vertices): bumps of their own on either hemisphere, so that a mirror
    image is another one."""
    places, total = vertices(), np.zeros((volumes, 2 * SIZE))
    for side in (slice(0, SIZE), slice(SIZE, 2 * SIZE)):
        own = places[side]
        centres = own[rng.choice(SIZE, BUMPS, replace=False)]
        apart = ((own[:, None] - centres) ** 2).sum(axis=2)
        courses = rng.standard_normal((volumes, BUMPS))
        total[:, side] = courses @ np.exp(-0.5 * apart / WIDTH_MM**2).T
    return total / total.std()


def write_fmriprep(
    root: Path,
    subjects: int = 2,
    sessions: Sequence[str] = ("",),
    runs: Sequence[str] = ("",),
    volumes: int = 24,
    tr_s: float = 2.0,
    voxel_mm: float = 4.0,
    noise: float = 0.1,
    seed: int = 0,
) -> Planted:
    """Write the tree: for every run volumes with mask, GIFTI pair and CIFTI series, JSON files, confounds and events.

    Parameters
    ----------
    root
        Folder to write, the derivatives' own.
    sessions, runs
        Their entities; the empty one writes none.
    noise
        Standard deviation of white noise in units of the signal's, drawn anew for every kind of file.
    """
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    about = {"Name": "simulated", "BIDSVersion": "1.9.0", "DatasetType": "derivative"}
    (root / "dataset_description.json").write_text(
        json.dumps({**about, "GeneratedBy": [{"Name": "fMRIPrep", "Version": "23.2.0"}]})
    )
    lines = ["participant_id\tage\tgroup"]
    signals = {}
    for number in range(1, subjects + 1):
        lines.append(f"sub-{number:02d}\t{20 + number}\t{'ab'[number % 2]}")
        for session in sessions:
            for run in runs:
                parts = [f"sub-{number:02d}", f"ses-{session}" if session else "", "task-film"]
                name = "_".join(part for part in (*parts, f"run-{run}" if run else "") if part)
                folder = root.joinpath(*[part for part in parts[:2] if part], "func")
                folder.mkdir(parents=True, exist_ok=True)
                signals[name] = field(volumes, rng)
                write_run(folder, name, signals[name], tr_s, voxel_mm, noise, rng)
    (root / "participants.tsv").write_text("\n".join(lines) + "\n")
    return Planted(root, signals)


def write_run(
    folder: Path,
    name: str,
    signal: np.ndarray[Any, Any],
    tr_s: float,
    voxel_mm: float,
    noise: float,
    rng: np.random.Generator,
) -> None:
    """Write the files of one run."""

    def measured(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        noisy = values + noise * rng.standard_normal(values.shape)
        return (BASELINE + AMPLITUDE * noisy).astype(np.float32)

    shape, affine, painted = grid(voxel_mm)
    inside = np.diff(painted.indptr) > 0
    image = np.zeros((len(signal), len(inside)), dtype=np.int16)
    image[:, inside] = np.rint(measured(signal @ painted.T.tocsc()[:, inside])).astype(np.int16)
    four = nibabel.Nifti1Image(image.T.reshape(*shape, -1, order="F"), affine)
    four.header.set_xyzt_units("mm", "sec")
    four.header.set_zooms((voxel_mm,) * 3 + (tr_s,))
    four.to_filename(folder / f"{name}_space-{SPACE}_desc-preproc_bold.nii.gz")
    mask = nibabel.Nifti1Image(inside.astype(np.uint8).reshape(shape, order="F"), affine)
    mask.to_filename(folder / f"{name}_space-{SPACE}_desc-brain_mask.nii.gz")
    told = json.dumps({"RepetitionTime": tr_s, "SkullStripped": False})
    (folder / f"{name}_space-{SPACE}_desc-preproc_bold.json").write_text(told)
    for side, columns in (("L", slice(0, SIZE)), ("R", slice(SIZE, 2 * SIZE))):
        stem = f"{name}_hemi-{side}_space-fsaverage5_bold"
        write_gifti(folder / f"{stem}.func.gii", measured(signal[:, columns]))
        (folder / f"{stem}.json").write_text(told)
    write_dense(folder / f"{name}_space-fsaverage5_den-10k_bold.dtseries.nii", measured(signal), tr_s)
    write_confounds(folder / f"{name}_desc-confounds_timeseries.tsv", len(signal), rng)
    onsets = np.arange(1, len(signal) - 8, 4) * tr_s
    rows = [f"{onset:g}\t{tr_s:g}\t{'ab'[i % 2]}" for i, onset in enumerate(onsets)]
    (folder / f"{name}_events.tsv").write_text("\n".join(["onset\tduration\ttrial_type", *rows]) + "\n")


def write_gifti(path: Path, values: np.ndarray[Any, Any]) -> None:
    """A functional GIFTI file of values (volumes, vertices)."""
    arrays = [
        nibabel.gifti.GiftiDataArray(volume, intent="NIFTI_INTENT_TIME_SERIES", datatype="NIFTI_TYPE_FLOAT32")
        for volume in values
    ]
    nibabel.GiftiImage(darrays=arrays).to_filename(path)


def write_dense(path: Path, values: np.ndarray[Any, Any], tr_s: float) -> None:
    """A dense series of values (volumes, vertices of both hemispheres): without the medial wall, and with a structure
    below the cortex, as real ones are."""
    models, kept = None, []
    for side, name in ((0, "CORTEX_LEFT"), (SIZE, "CORTEX_RIGHT")):
        x = vertices()[side : side + SIZE]
        wall = (np.abs(x[:, 0]) < 6) & (np.abs(x[:, 2]) < 20) & (np.abs(x[:, 1] + 15) < 20)
        model = nibabel.cifti2.BrainModelAxis.from_mask(~wall, name=name)
        models = model if models is None else models + model
        kept.append(side + np.flatnonzero(~wall))
    assert models is not None
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    below = nibabel.cifti2.BrainModelAxis.from_mask(
        np.ones((2, 2, 1), dtype=bool), name="THALAMUS_LEFT", affine=affine
    )
    series = nibabel.cifti2.SeriesAxis(0, tr_s, len(values), unit="SECOND")
    data = np.concatenate([values[:, np.concatenate(kept)], np.full((len(values), 4), 7.0)], axis=1)
    image = nibabel.Cifti2Image(data.astype(np.float32), (series, models + below))
    image.nifti_header.set_intent("NIFTI_INTENT_CONNECTIVITY_DENSE_SERIES")
    image.to_filename(path)


def write_confounds(path: Path, volumes: int, rng: np.random.Generator) -> None:
    """A confounds table with its JSON: motion, white matter, CSF, global signal, cosines, aCompCor, FD and DVARS."""
    columns: dict[str, np.ndarray[Any, Any]] = {}
    for name in ("csf", "white_matter", "global_signal", *MOTION):
        walk = np.cumsum(rng.standard_normal(volumes)) * 0.02
        step = np.concatenate([[np.nan], np.diff(walk)])
        columns[name] = walk
        columns[f"{name}_derivative1"] = step
        columns[f"{name}_power2"] = walk**2
        columns[f"{name}_derivative1_power2"] = step**2
    time = np.arange(volumes) + 0.5
    for k in range(2):
        columns[f"cosine{k:02d}"] = np.cos(np.pi * (k + 1) * time / volumes)
    described = {}
    for k in range(6):
        columns[f"a_comp_cor_{k:02d}"] = rng.standard_normal(volumes)
        described[f"a_comp_cor_{k:02d}"] = {
            "CumulativeVarianceExplained": 0.1 * (k + 1),
            "Mask": "combined",
            "Method": "aCompCor",
            "Retained": True,
        }
    displacement = sum(np.abs(columns[f"{name}_derivative1"]) for name in MOTION)
    columns["framewise_displacement"] = np.asarray(displacement)
    columns["std_dvars"] = np.concatenate([[np.nan], 1 + 0.1 * rng.standard_normal(volumes - 1)])
    lines = ["\t".join(columns)]
    for row in np.stack(list(columns.values()), axis=1):
        lines.append("\t".join("n/a" if np.isnan(cell) else f"{cell:.8g}" for cell in row))
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".json").write_text(json.dumps(described))
