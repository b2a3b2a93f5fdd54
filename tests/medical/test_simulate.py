"""The simulated dataset: what is planted can be read back from the files, what is not planted cannot."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.medical.conftest import Made
from transferscale.errors import UserError
from transferscale.medical import simulate
from transferscale.medical.atlas import cut_parcels, grey_matter
from transferscale.study.load import load_dataset
from transferscale.versions import STAGE_VERSION

SPEC: dict[str, Any] = {
    "subjects": 12,
    "sites": 2,
    "first_site": 1,
    "volumes": 24,
    "tr_s": 2.0,
    "voxel_mm": 12.0,
    "parcels": 16,
    "class_effect": 1.0,
    "slope": 0.5,
    "block_amplitude": 0.6,
    "states": 1,
    "latents": 0,
    "mixtures": 1,
    "similarity": 0.0,
    "snr": 0.5,
    "noise_ar1": 0.4,
    "seed": 3,
}
# First rows of the table of people, and the SD of the second's image where it is not empty.
GOLDEN_ROWS = [
    "participant_id\tsite\tsex\tgroup\ttrait\tcoin",
    "sub-01\tsite1\tF\tcontrol\t32.29\ttails",
    "sub-02\tsite1\tM\tpatient\t42.22\ttails",
]
GOLDEN_SD = 61.43627444478699


@pytest.fixture(scope="module")
def measured(demo: Made) -> dict[str, np.ndarray]:
    """Coupling, response and labels of every subject, read back with nibabel and nilearn's own response
    model."""
    from nilearn.glm.first_level import compute_regressor

    root = Path(demo.dataset.root)
    atlas = np.asarray(nibabel.load(root / "atlas-blocks_dseg.nii.gz").dataobj)
    readme = (root / "README").read_text().splitlines()
    driven, coupled = (
        [int(n) for line in readme if f"{name} parcels:" in line for n in line.split(":")[1].split()]
        for name in ("driven", "coupled")
    )
    with (root / "participants.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    coupling, response = [], []
    for row in rows:
        path = next((root / row["participant_id"] / "func").glob("*_bold.nii.gz"))
        volumes = np.asarray(nibabel.load(path).dataobj, dtype=np.float64)
        series = np.stack([volumes[atlas == n].mean(axis=0) for n in range(1, atlas.max() + 1)])
        events = np.genfromtxt(path.parent / f"{row['participant_id']}_task-blocks_events.tsv", skip_header=1)
        times = 2.0 * np.arange(series.shape[1])
        blocks, _ = compute_regressor((events[:, 0], events[:, 1], np.ones(len(events))), "spm", times)
        design = np.column_stack([blocks, times, np.ones_like(times)])
        beta, *_ = np.linalg.lstsq(design, series.T, rcond=None)
        noise = series - (design @ beta).T
        at = [n - 1 for n in driven]
        response.append(np.mean(beta[0, at] / noise[at].std(axis=1)))
        pairs = np.corrcoef(noise[[n - 1 for n in coupled]])[np.triu_indices(len(coupled), 1)]
        coupling.append(np.arctanh(pairs).mean())
    return {
        "coupling": np.array(coupling),
        "response": np.array(response),
        **{key: np.array([row[key] for row in rows]) for key in ("group", "coin", "site", "sex")},
        "trait": np.array([float(row["trait"]) for row in rows]),
    }


def cohens_d(values: np.ndarray, second: np.ndarray) -> float:
    a, b = values[~second], values[second]
    pooled = ((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / (len(values) - 2)
    return float((b.mean() - a.mean()) / np.sqrt(pooled))


def test_the_class_effect_is_recovered_within_sampling_error(measured: dict[str, np.ndarray]) -> None:
    d = cohens_d(measured["coupling"], measured["group"] == "patient")
    planted = load_dataset(ROOT / "config/datasets/demo.yaml").simulate.class_effect
    # The subjects realise the planted effect exactly; the noise of the measurement dilutes it.
    assert 0.7 * planted < d < 1.15 * planted


def test_the_slope_is_recovered_within_sampling_error(measured: dict[str, np.ndarray]) -> None:
    r = np.corrcoef(measured["response"], measured["trait"])[0, 1]
    assert abs(r - 0.7) < 0.15


def test_the_null_label_goes_with_nothing(measured: dict[str, np.ndarray]) -> None:
    tails = measured["coin"] == "tails"
    standard_error = 2 / np.sqrt(len(tails))
    for quantity in ("coupling", "response", "trait"):
        assert abs(cohens_d(measured[quantity], tails)) < 2.5 * standard_error
    assert abs(np.mean(tails[measured["group"] == "patient"]) - 0.5) < 0.1


def test_effects_do_not_leak_into_the_other_label(measured: dict[str, np.ndarray]) -> None:
    patient = measured["group"] == "patient"
    assert abs(cohens_d(measured["response"], patient)) < 0.4
    assert abs(cohens_d(measured["trait"], patient)) < 0.01
    assert abs(np.corrcoef(measured["coupling"], measured["trait"])[0, 1]) < 0.3


def test_sites_are_balanced_over_the_groups(measured: dict[str, np.ndarray]) -> None:
    patient = measured["group"] == "patient"
    for site in ("site1", "site2"):
        assert np.sum(patient[measured["site"] == site]) == np.sum(~patient[measured["site"] == site])


@given(st.integers(0, 1000), st.floats(-1, 1.2), st.floats(-1, 1), st.integers(40, 61), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_the_subjects_realise_the_planted_effects_exactly(
    seed: int, effect: float, slope: float, subjects: int, sites: int
) -> None:
    changes = {"seed": seed, "class_effect": effect, "slope": slope, "subjects": subjects, "sites": sites}
    try:
        who = simulate.people({**SPEC, **changes})
    except UserError:
        # A rare draw of people has somebody whose coupling would be none; that is told, and is no draw to judge.
        reject()
    assert cohens_d(who.coupling, who.group == 1) == pytest.approx(effect, abs=1e-8)
    assert np.corrcoef(who.amplitude, who.trait)[0, 1] == pytest.approx(
        slope, abs=2e-3
    )  # trait has 2 decimals
    assert cohens_d(who.amplitude, who.group == 1) == pytest.approx(0, abs=1e-8)
    assert abs(np.sum(who.group == 1) - np.sum(who.group == 0)) <= 1


def test_the_same_spec_gives_the_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    hashes = []
    for name, threads in (("one", 1), ("two", 2)):
        simulate.write_dataset(SPEC, tmp_path / name, threads)
        files = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        assert len(files) == 5 + 3 * SPEC["subjects"]
        hashes.append([hashlib.sha256(p.read_bytes()).hexdigest() for p in files])
    assert hashes[0] == hashes[1]
    simulate.write_dataset({**SPEC, "seed": 4}, tmp_path / "other", 2)
    first = "sub-01/func/sub-01_task-blocks_space-MNI152_desc-preproc_bold.nii.gz"
    assert (tmp_path / "one" / first).read_bytes() != (tmp_path / "other" / first).read_bytes()


def test_golden_numbers_change_only_with_the_version(tmp_path: Path) -> None:
    assert STAGE_VERSION["medical simulate"] == 1, "take the figures below anew"
    simulate.write_dataset(SPEC, tmp_path / "out", 1)
    rows = (tmp_path / "out" / "participants.tsv").read_text().splitlines()
    assert rows[:3] == GOLDEN_ROWS
    image = nibabel.load(
        tmp_path / "out" / "sub-02/func/sub-02_task-blocks_space-MNI152_desc-preproc_bold.nii.gz"
    )
    data = np.asarray(image.dataobj, dtype=np.float64)
    assert data[data > 0].std() == pytest.approx(GOLDEN_SD, rel=1e-4)


def test_it_is_a_bids_derivative(demo: Made) -> None:
    root = Path(demo.dataset.root)
    description = json.loads((root / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "transferscale"
    image = nibabel.load(root / "sub-01/func/sub-01_task-blocks_space-MNI152_desc-preproc_bold.nii.gz")
    atlas = nibabel.load(root / "atlas-blocks_dseg.nii.gz")
    assert image.header.get_zooms() == pytest.approx((10, 10, 10, 2.0))
    assert np.array_equal(image.affine, atlas.affine)
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
    sidecar = json.loads(
        (root / "sub-01/func/sub-01_task-blocks_space-MNI152_desc-preproc_bold.json").read_text()
    )
    assert sidecar["RepetitionTime"] == 2.0


def test_the_grey_matter_is_that_of_nilearns_template() -> None:
    from nilearn.datasets import load_mni152_gm_template

    mask, affine = grey_matter(10.0)
    fine = load_mni152_gm_template(resolution=1)
    probability = np.asarray(fine.dataobj)
    probability = probability / probability.max()
    centres = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    at = np.rint((centres - fine.affine[:3, 3]) @ np.linalg.inv(fine.affine[:3, :3]).T).astype(int)
    blocks = [probability[tuple(slice(max(0, i - 5), i + 5) for i in index)].mean() for index in at]
    assert np.mean(np.array(blocks) > 0.3) > 0.97


def test_parcels_are_numbered_from_left_to_right_and_front_to_back() -> None:
    labels, centroids = cut_parcels(*grey_matter(10.0), parcels=64)
    assert sorted(np.unique(labels)) == list(range(65))
    grid = centroids.reshape(8, 8, 3)
    assert np.all(np.diff(grid[..., 0].mean(axis=0)) > 0)  # columns: left to right
    assert np.all(np.diff(grid[..., 1], axis=0) <= 0)  # rows: front to back
    again, _ = cut_parcels(*grey_matter(10.0), parcels=64)
    assert np.array_equal(labels, again)


def test_the_noise_has_the_declared_autocorrelation_and_variance() -> None:
    noise = simulate.ar1(np.random.default_rng(0), 2000, 50, 0.4)
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert np.mean(noise[1:] * noise[:-1]) == pytest.approx(0.4, abs=0.02)


def test_the_response_is_late_and_has_an_undershoot() -> None:
    t = np.arange(0, 32, 0.1)
    response = simulate.haemodynamic_response(t)
    assert t[np.argmax(response)] == pytest.approx(5.0, abs=0.2)
    assert 12 < t[np.argmin(response)] < 18


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"slope": 1.5}, "simulate.slope"),
        ({"class_effect": 9.0}, "simulate.class_effect"),
        ({"parcels": 4}, "simulate.parcels"),
        ({"parcels": 4000}, "simulate.parcels"),
    ],
)
def test_what_cannot_be_simulated_is_said(changes: dict[str, Any], key: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=key):
        simulate.write_dataset({**SPEC, **changes}, tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()
