"""A simulated BIDS-derivatives dataset whose effects are planted and known.

Every subject watches the same blocks. Parcel series are made first, then given to the voxels of the parcels:

- ``noise``: AR(1) of unit variance; in the parcels of the *coupled* network a common course carries the share
  rho of
  it, so that two of these parcels correlate at rho;
- ``block``: the block design convolved with the canonical haemodynamic response, peak 1, times the subject's
  amplitude,
  in the parcels of the *driven* network;
- ``states`` and ``latents``: patterns in the other parcels, where they are asked for
  (:mod:`transferscale.medical.difficulty`);
- nuisance: three smooth maps a subject with AR(1) courses, a smooth map of gain, drift, a site's intensity
  and noise.

Planted, exactly in these latent quantities and hence in expectation in what is measured, where noise dilutes
them: Cohen's d of rho between the groups is ``class_effect``; the correlation of trait and amplitude is
``slope``; the column coin is balanced over group and site and used nowhere.
"""

import gzip
import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import Stopwatch, atomic, write_provenance
from transferscale.errors import UserError
from transferscale.medical.atlas import cut_parcels, grey_matter
from transferscale.medical.difficulty import kinds_of_blocks, mixing_weights, patterns

Float64 = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

GROUPS, COINS, SEXES = ("control", "patient"), ("heads", "tails"), ("F", "M")

# Coupling rho of the coupled network: mean over the groups, SD within a group.
COUPLING, COUPLING_SD, COUPLING_MOST = 0.35, 0.1, 0.95
# SD of a subject's block amplitude as a share of its mean.
AMPLITUDE_SPREAD = 0.4
# Share of the parcel noise's variance that comes from a subject's own smooth maps; their length scale.
NUISANCE_SHARE, NUISANCE_MAPS, SMOOTH_MM = 0.1, 3, 35.0
# Blocks of rest and stimulation, seconds: 16 volumes of 2 s hold one whole cycle.
BLOCK_S = 16.0
# Intensities: baseline, units a noise SD, drift in noise SDs, voxel noise in noise SDs at the first site.
BASELINE, UNIT, DRIFT, VOXEL_NOISE = 1000.0, 20.0, 2.0, 0.8
# The networks are the quarter of the parcels nearest to these points (MNI, mm): back, front.
DRIVEN_AT, COUPLED_AT = (0.0, -88.0, 4.0), (0.0, 50.0, 10.0)


@dataclass(frozen=True)
class People:
    """Subjects and their latent quantities, one entry a subject.

    Attributes
    ----------
    group, site, sex, coin
        Index into ``GROUPS``, the sites, ``SEXES``, ``COINS``.
    trait
        Mean 50, SD 10.
    coupling
        Correlation rho of the coupled network's parcel noise.
    amplitude
        Block amplitude of the driven network in noise SDs.
    latent
        Latent amplitudes (subjects, latents), each of mean 0 and SD 1.
    mixture
        Sums of the latent amplitudes (subjects, mixtures), each of SD 1.
    """

    group: Int
    site: Int
    sex: Int
    coin: Int
    trait: Float64
    coupling: Float64
    amplitude: Float64
    latent: Float64
    mixture: Float64


def people(spec: Mapping[str, Any]) -> People:
    """Draw the subjects such that the planted effects hold exactly in their latent quantities.

    Coupling within a group, amplitude and the rest of the trait are normal draws made orthogonal to group,
    site and one another: what is planted is planted, and nothing else is.

    Raises
    ------
    UserError
        If ``slope`` is no correlation, ``class_effect`` needs a coupling outside 0 ... 0.95, or there are too few
        subjects for the latents, or too few latents for the mixtures.
    """
    n, d, slope = int(spec["subjects"]), float(spec["class_effect"]), float(spec["slope"])
    if abs(slope) > 1:
        raise UserError(f"simulate.slope: {slope:g} is no correlation; give a value from -1 to 1")
    rng = np.random.default_rng([int(spec["seed"]), 0])
    group = _balanced(rng, 2, np.zeros(n, dtype=np.int64))
    site = _balanced(rng, int(spec["sites"]), group)
    coin = _balanced(rng, 2, group * int(spec["sites"]) + site)
    sex = _balanced(rng, 2, group)
    # Not orthogonal to coin: a label whose effect is exactly nil in the sample is predicted below chance by
    # cross-validation, because what the training subjects lack the test subjects have.
    design = np.column_stack([np.ones(n), group, *(site == s for s in range(1, int(spec["sites"])))])
    z = _orthogonal_to(design, rng.standard_normal((n, 3)))
    # Degrees of freedom: two group means for the pooled SD of Cohen's d, one mean for the SD of a column.
    within, amplitude = z[:, 0] * math.sqrt(n - 2), z[:, 1] * math.sqrt(n - 1)
    trait = slope * amplitude + math.sqrt(1 - slope**2) * z[:, 2] * math.sqrt(n - 1)
    coupling = COUPLING + COUPLING_SD * (within + d * (group - 0.5))
    if coupling.min() < 0 or coupling.max() > COUPLING_MOST:
        raise UserError(
            f"simulate.class_effect: {d:g} needs a coupling outside 0 ... {COUPLING_MOST:g} with these "
            "subjects; lower it, or take another seed"
        )
    latent, weights = _latents(spec, np.column_stack([design, z]))
    return People(
        group=group,
        site=site,
        sex=sex,
        coin=coin,
        trait=np.round(50 + 10 * trait, 2),
        coupling=coupling,
        amplitude=float(spec["block_amplitude"]) * (1 + AMPLITUDE_SPREAD * amplitude),
        latent=latent,
        mixture=latent @ weights.T,
    )


def _latents(spec: Mapping[str, Any], taken: Float64) -> tuple[Float64, Float64]:
    """Latent amplitudes (subjects, latents), orthogonal to what is taken, and the weights of the mixtures."""
    n, count = len(taken), int(spec["latents"])
    if count + taken.shape[1] > n:
        raise UserError(
            f"simulate.latents: {count} amplitudes that are orthogonal to all else need "
            f"{count + taken.shape[1]} subjects, and there are {n}; lower it or raise simulate.subjects"
        )
    if not count:
        return np.zeros((n, 0)), np.zeros((0, 0))
    draws = np.random.default_rng([int(spec["seed"]), 2]).standard_normal((n, count))
    weights = mixing_weights(count, int(spec["mixtures"]), float(spec["similarity"]))
    return _orthogonal_to(taken, draws) * math.sqrt(n - 1), weights


def _orthogonal_to(taken: Float64, draws: Float64) -> Float64:
    """Columns of norm 1 that are orthogonal to ``taken`` and one another, one a column of ``draws``."""
    columns: Float64 = np.linalg.qr(np.column_stack([taken, draws]))[0][:, taken.shape[1] :]
    return columns


def _balanced(rng: np.random.Generator, levels: int, cells: Int) -> Int:
    """Random levels, as even as can be within every cell and over all cells."""
    level = np.zeros(len(cells), dtype=np.int64)
    dealt = 0
    for cell in np.unique(cells):
        members = rng.permutation(np.flatnonzero(cells == cell))
        level[members] = (dealt + np.arange(len(members))) % levels
        dealt += len(members)
    return level


def haemodynamic_response(seconds: Float64) -> Float64:
    """Canonical double-gamma response (peak at 5 s, undershoot at 15 s of a sixth): SPM's default, Friston
    1998."""
    t = np.clip(seconds, 0, None)
    response: Float64 = t**5 * np.exp(-t) / math.gamma(6) - t**15 * np.exp(-t) / math.gamma(16) / 6
    return response


def block_onsets(volumes: int, tr_s: float) -> list[float]:
    """Onsets of the blocks in seconds: rest first, then stimulation, by turns."""
    cycles = int(volumes * tr_s // (2 * BLOCK_S))
    return [BLOCK_S + 2 * BLOCK_S * k for k in range(max(1, cycles))]


def block_response(volumes: int, tr_s: float, step_s: float = 0.1) -> Float64:
    """Response to the blocks at every volume, peak 1: (volumes,)."""
    sampled, peak = _response_to(block_onsets(volumes, tr_s), volumes, tr_s, step_s)
    return sampled / peak


def responses_to_blocks(volumes: int, tr_s: float, step_s: float = 0.1) -> Float64:
    """Response to every block alone, in units of the peak of the response to all: (blocks, volumes)."""
    onsets = block_onsets(volumes, tr_s)
    _, peak = _response_to(onsets, volumes, tr_s, step_s)
    return np.stack([_response_to([onset], volumes, tr_s, step_s)[0] for onset in onsets]) / peak


def _response_to(onsets: Sequence[float], volumes: int, tr_s: float, step_s: float) -> tuple[Float64, float]:
    """Response to blocks at every volume (volumes,), and its peak."""
    fine = np.arange(0, volumes * tr_s, step_s)
    neural = np.zeros_like(fine)
    for onset in onsets:
        neural[(fine >= onset) & (fine < onset + BLOCK_S)] = 1.0
    bold = np.convolve(neural, haemodynamic_response(np.arange(0, 32, step_s)))[: len(fine)]
    sampled: Float64 = np.interp(np.arange(volumes) * tr_s, fine, bold)
    return sampled, float(np.abs(bold).max())


def ar1(rng: np.random.Generator, volumes: int, columns: int, lag1: float) -> Float64:
    """Stationary AR(1) courses of unit variance: (volumes, columns)."""
    out = rng.standard_normal((volumes, columns))
    innovation = math.sqrt(1 - lag1**2)
    for t in range(1, volumes):
        out[t] = lag1 * out[t - 1] + innovation * out[t]
    return out


def smooth_factor(points: Float64) -> Float64:
    """Matrix (points, points) that turns white noise into a map of unit variance, smooth over
    ``SMOOTH_MM``."""
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    covariance = np.exp(-squared / (2 * SMOOTH_MM**2)) + 1e-6 * np.eye(len(points))
    factor: Float64 = np.linalg.cholesky(covariance / (1 + 1e-6))
    return factor


def networks(centroids: Float64) -> tuple[Int, Int]:
    """Parcels (rows of ``centroids``) of the driven and of the coupled network, disjoint, a quarter of all
    each."""
    size = len(centroids) // 4
    if size < 2:
        raise UserError(f"simulate.parcels: {len(centroids)} parcels leave no networks; give 8 or more")
    driven = np.argsort(((centroids - DRIVEN_AT) ** 2).sum(axis=1), kind="stable")[:size]
    from_front = np.argsort(((centroids - COUPLED_AT) ** 2).sum(axis=1), kind="stable")
    coupled = from_front[~np.isin(from_front, driven)][:size]
    return np.sort(driven), np.sort(coupled)


def parcel_noise(
    rng: np.random.Generator, volumes: int, coupled: Int, coupling: float, lag1: float, smooth: Float64
) -> Float64:
    """Noise of the parcels (volumes, parcels) of unit variance, the coupled ones correlated at
    ``coupling``."""
    parcels = len(smooth)
    noise = ar1(rng, volumes, parcels, lag1)
    common = ar1(rng, volumes, 1, lag1)
    noise[:, coupled] = math.sqrt(coupling) * common + math.sqrt(1 - coupling) * noise[:, coupled]
    maps = smooth @ rng.standard_normal((parcels, NUISANCE_MAPS)) / math.sqrt(NUISANCE_MAPS)
    nuisance = ar1(rng, volumes, NUISANCE_MAPS, lag1) @ maps.T
    mixed: Float64 = math.sqrt(1 - NUISANCE_SHARE) * noise + math.sqrt(NUISANCE_SHARE) * nuisance
    return mixed


def write_dataset(spec: Mapping[str, Any], out: Path, threads: int) -> None:
    """Write the dataset as a BIDS-derivatives folder.

    Parameters
    ----------
    spec
        ``study.grid.Grid.simulate_spec``.
    out
        Folder to write, replaced as a whole; the same spec gives the same bytes.
    threads
        Subjects made at once; the result does not depend on it.
    """
    watch = Stopwatch()
    who = people(spec)
    mask, affine = grey_matter(float(spec["voxel_mm"]))
    labels, centroids = cut_parcels(mask, affine, int(spec["parcels"]))
    driven, coupled = networks(centroids)
    smooth = smooth_factor(centroids)
    response = block_response(int(spec["volumes"]), float(spec["tr_s"]))
    each = responses_to_blocks(int(spec["volumes"]), float(spec["tr_s"]))
    free = np.setdiff1d(np.arange(len(centroids)), np.concatenate([driven, coupled]))
    shapes, states = patterns(spec, free), int(spec["states"])
    kinds = [kinds_of_blocks(int(spec["seed"]), i, len(each), states) for i in range(int(spec["subjects"]))]
    digits = max(2, len(str(spec["subjects"])))
    names = [f"sub-{i + 1:0{digits}d}" for i in range(int(spec["subjects"]))]
    with atomic(out) as folder:
        folder.mkdir(parents=True)
        _write_descriptions(folder, spec, who, names, driven, coupled, free)
        _write_image(folder / "atlas-blocks_dseg.nii.gz", labels, affine, None)

        def subject(i: int) -> None:
            rng = np.random.default_rng([int(spec["seed"]), 1, i])
            noise = parcel_noise(
                rng, len(response), coupled, float(who.coupling[i]), float(spec["noise_ar1"]), smooth
            )
            noise[:, driven] += who.amplitude[i] * response[:, None]
            if states > 1 or who.latent.size:
                noise[:, free] += shapes.response(each.T @ np.eye(states)[kinds[i]], who.latent[i])
            image = _paint(rng, noise, labels, smooth, int(who.site[i]) + int(spec["first_site"]) - 1)
            _write_subject(folder / names[i] / "func", names[i], image, affine, spec, kinds[i])

        with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
            list(pool.map(subject, range(len(names))))
    write_provenance(out, watch, subjects=len(names), grey_matter_voxels=int(mask.sum()))


def _paint(
    rng: np.random.Generator, parcels: Float64, labels: npt.NDArray[np.int16], smooth: Float64, site: int
) -> npt.NDArray[np.int16]:
    """Voxels (x, y, z, time) of one subject, 0 outside grey matter."""
    where = labels > 0
    of = labels[where].astype(np.int64) - 1
    gain, drift = (
        np.exp(0.15 * (smooth @ rng.standard_normal(len(smooth)))),
        smooth @ rng.standard_normal(len(smooth)),
    )
    volumes = len(parcels)
    slow = np.linspace(-1, 1, volumes)
    courses = parcels * gain + DRIFT * drift * slow[:, None]
    noise = rng.standard_normal((volumes, len(of)), dtype=np.float32) * (VOXEL_NOISE * (1 + 0.25 * site))
    baseline = BASELINE * (1 + 0.1 * site) + 50 * rng.standard_normal(len(of))
    values = np.rint(baseline + UNIT * (courses[:, of] + noise))
    image = np.zeros((*labels.shape, volumes), dtype=np.int16, order="F")
    image[where] = values.T
    return image


def _write_image(path: Path, data: npt.NDArray[np.int16], affine: Float64, tr_s: float | None) -> None:
    import nibabel

    image = nibabel.Nifti1Image(data, affine)
    image.header.set_data_dtype(np.int16)
    # int16 without a scale: decodes three times faster than float32 and packs twice as small.
    image.header.set_slope_inter(1, 0)
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(affine, code="mni")
    image.set_qform(affine, code="mni")
    if tr_s is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr_s))
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))


def _write_subject(
    folder: Path,
    name: str,
    image: npt.NDArray[np.int16],
    affine: Float64,
    spec: Mapping[str, Any],
    kinds: Int,
) -> None:
    folder.mkdir(parents=True)
    stem = f"{name}_task-blocks"
    tr_s = float(spec["tr_s"])
    _write_image(folder / f"{stem}_space-MNI152_desc-preproc_bold.nii.gz", image, affine, tr_s)
    _write_json(
        folder / f"{stem}_space-MNI152_desc-preproc_bold.json",
        {"RepetitionTime": tr_s, "TaskName": "blocks", "SkullStripped": True},
    )
    onsets = block_onsets(int(spec["volumes"]), tr_s)
    types = [f"state{kind + 1:02d}" if int(spec["states"]) > 1 else "block" for kind in kinds.tolist()]
    blocks = [f"{onset:g}\t{BLOCK_S:g}\t{kind}" for onset, kind in zip(onsets, types, strict=True)]
    lines = ["onset\tduration\ttrial_type", *blocks]
    (folder / f"{stem}_events.tsv").write_text("\n".join(lines) + "\n")


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def _write_descriptions(
    folder: Path,
    spec: Mapping[str, Any],
    who: People,
    names: Sequence[str],
    driven: Int,
    coupled: Int,
    free: Int,
) -> None:
    mixtures = [f"mixture{number + 1}" for number in range(who.mixture.shape[1])]
    _write_json(
        folder / "dataset_description.json",
        {
            "Name": "Simulated blocks: planted effects for the transferscale demo",
            "BIDSVersion": "1.9.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "transferscale", "Description": "medical simulate"}],
            "License": "CC0",
        },
    )
    _write_json(
        folder / "participants.json",
        {
            "site": {"Description": "simulated scanner: its own intensity and noise level"},
            "sex": {"Description": "random, balanced over groups; no effect"},
            "group": {"Description": "classes with different coupling of the coupled network"},
            "trait": {"Description": "correlated with the block amplitude of the driven network"},
            "coin": {"Description": "null label: balanced over group and site, no effect"},
            **{name: {"Description": "sum of all latent block amplitudes, weighted"} for name in mixtures},
        },
    )
    rows = ["\t".join(["participant_id", "site", "sex", "group", "trait", "coin", *mixtures])]
    for i, name in enumerate(names):
        site = f"site{who.site[i] + int(spec['first_site'])}"
        labels = (site, SEXES[who.sex[i]], GROUPS[who.group[i]], f"{who.trait[i]:.2f}", COINS[who.coin[i]])
        rows.append("\t".join([name, *labels, *(f"{value:.4f}" for value in who.mixture[i])]))
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")
    (folder / "README").write_text(_readme(spec, driven, coupled) + _readme_of_difficulty(spec, free))


def _readme(spec: Mapping[str, Any], driven: Int, coupled: Int) -> str:
    """The planted effects in words."""

    def numbers(parcels: Int) -> str:
        return " ".join(str(p + 1) for p in parcels)

    effect, slope, amplitude, lag1, voxel = (
        float(spec[key]) for key in ("class_effect", "slope", "block_amplitude", "noise_ar1", "voxel_mm")
    )
    subjects, parcels = spec["subjects"], spec["parcels"]
    return f"""Simulated fMRI dataset (BIDS derivatives). No person was scanned.

Planted, exactly in the latent quantities; what is measured is diluted by noise:
  group  Cohen's d = {effect:g} (patient minus control) in the correlation of the noise of the coupled
         parcels, whose mean is {COUPLING:g} and whose SD within a group is {COUPLING_SD:g}.
         coupled parcels: {numbers(coupled)}
  trait  r = {slope:g} with the block amplitude of the driven parcels, whose mean is {amplitude:g} noise
         SD and whose SD is {AMPLITUDE_SPREAD:g} of that.
         driven parcels: {numbers(driven)}
  coin   nothing: drawn independently of everything, balanced over group and site.
  sex    nothing: drawn independently of everything, balanced over group.

Nothing else goes with group or trait: coupling within a group, amplitude and the rest of the trait are
orthogonal to group, site and one another over the {subjects} subjects; site is balanced over the groups.

Also in the data: AR(1) noise (lag-1 autocorrelation {lag1:g}); {NUISANCE_MAPS} smooth maps of noise a
subject ({NUISANCE_SHARE:.0%} of the variance); a smooth map of gain a subject; linear drift; voxel noise;
and for each site an intensity and a noise level (baseline {BASELINE:g} and voxel noise {VOXEL_NOISE:g}
noise SD at the first, a tenth and a quarter of that more at each further one).
Blocks of {BLOCK_S:g} s after {BLOCK_S:g} s of rest, by turns, convolved with a double-gamma response.

atlas-blocks_dseg.nii.gz: {parcels} parcels, k-means on the grey-matter voxels of the MNI152 template at
{voxel:g} mm; numbered row by row, columns from left to right, within a column from front to back.
"""


def _readme_of_difficulty(spec: Mapping[str, Any], free: Int) -> str:
    """The states and latents in words; empty where there are none."""
    states, latents, mixtures = (int(spec[key]) for key in ("states", "latents", "mixtures"))
    parcels = " ".join(str(p + 1) for p in free)
    told = ""
    if states > 1:
        told += f"""
Every block is of one of {states} states (trial_type), in an order of the subject's own. Each state has a pattern over
the free parcels; patterns are orthonormal, of root mean square {spec["snr"]:g} noise SD at the peak of the response.
"""
    if latents:
        weights = mixing_weights(latents, mixtures, float(spec["similarity"]))
        lines = "\n".join(
            f"  mixture{number + 1}: " + " ".join(f"{weight:.4f}" for weight in row)
            for number, row in enumerate(weights)
        )
        told += f"""
Every subject has {latents} latent amplitudes of SD 1, orthogonal to one another and to group, site, trait and their
causes. Each scales a pattern over the free parcels in the response to all blocks, orthonormal to all other patterns, of
root mean square {spec["snr"]:g} noise SD at an amplitude of 1. The mixtures are their sums with these weights:
{lines}
"""
    return told and f"{told}free parcels: {parcels}\n"
