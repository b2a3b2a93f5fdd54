"""Tasks of stated difficulty: patterns, mixtures and states are exactly what is said of them."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.medical.test_simulate import SPEC
from transferscale.errors import UserError
from transferscale.medical import simulate
from transferscale.medical.difficulty import kinds_of_blocks, mixing_weights, patterns

HARD = {**SPEC, "subjects": 24, "states": 3, "latents": 4, "mixtures": 3, "similarity": 0.6, "volumes": 100}


@settings(max_examples=50, deadline=None)
@given(amplitudes=st.integers(1, 20), mixtures=st.integers(1, 20), similarity=st.floats(0, 1))
def test_mixtures_have_norm_one_and_the_similarity(amplitudes: int, mixtures: int, similarity: float) -> None:
    mixtures = min(mixtures, amplitudes)
    weights = mixing_weights(amplitudes, mixtures, similarity)
    wanted = similarity + (1 - similarity) * np.eye(mixtures)
    np.testing.assert_allclose(weights @ weights.T, wanted, atol=1e-9)


def test_a_single_mixture_weighs_all_amplitudes_alike() -> None:
    np.testing.assert_allclose(mixing_weights(9, 1, 0.0), np.full((1, 9), 1 / 3), atol=1e-12)


def test_patterns_are_orthonormal_in_noise_sds_and_those_of_a_harder_dataset_hold_those_of_an_easier() -> (
    None
):
    free = np.arange(3, 13)
    found = patterns(HARD, free)
    together = np.concatenate([found.states, found.latents])
    np.testing.assert_allclose(together @ together.T, HARD["snr"] ** 2 * 10 * np.eye(7), atol=1e-9)
    easier = patterns({**HARD, "states": 2, "latents": 1}, free)
    np.testing.assert_array_equal(easier.states, found.states[:2])
    np.testing.assert_array_equal(easier.latents, found.latents[:1])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), latents=st.integers(1, 12), slope=st.floats(-1, 1))
def test_latents_are_uncorrelated_with_each_other_and_all_else(seed: int, latents: int, slope: float) -> None:
    changes = {
        "seed": seed,
        "latents": latents,
        "mixtures": min(2, latents),
        "slope": slope,
        "class_effect": 0.0,
    }
    who = simulate.people({**HARD, **changes})
    others = np.column_stack([who.group, who.site, who.amplitude, who.coupling, who.trait])
    np.testing.assert_allclose(who.latent.std(axis=0, ddof=1), 1, atol=1e-9)
    both = np.corrcoef(np.column_stack([who.latent, others]), rowvar=False)[:latents]
    np.testing.assert_allclose(both[:, :latents], np.eye(latents), atol=1e-9)
    np.testing.assert_allclose(both[:, latents:], 0, atol=2e-3)  # trait has 2 decimals
    if latents > 1:
        assert np.corrcoef(who.mixture, rowvar=False)[0, 1] == pytest.approx(0.6, abs=1e-9)


def test_the_people_are_those_of_the_dataset_without_latents() -> None:
    with_latents, without = simulate.people(HARD), simulate.people({**HARD, "latents": 0})
    for name in ("group", "site", "trait", "coupling", "amplitude"):
        np.testing.assert_array_equal(getattr(with_latents, name), getattr(without, name))


@given(blocks=st.integers(2, 20), states=st.integers(2, 20), subject=st.integers(0, 50))
def test_every_state_comes_as_often_as_the_others_or_once_more(
    blocks: int, states: int, subject: int
) -> None:
    if blocks < states:
        with pytest.raises(UserError, match=r"simulate\.states"):
            kinds_of_blocks(0, subject, blocks, states)
        return
    counts = Counter(kinds_of_blocks(0, subject, blocks, states).tolist())
    assert len(counts) == states
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hard") / "hard"
    simulate.write_dataset({**HARD, "snr": 2.0, "first_site": 3}, folder, 1)
    return folder


def series(folder: Path, name: str) -> np.ndarray:
    """Mean series of the parcels (volumes, parcels), in noise SDs."""
    atlas = np.asarray(nibabel.load(folder / "atlas-blocks_dseg.nii.gz").dataobj)
    (path,) = (folder / name / "func").glob("*_bold.nii.gz")
    volumes = np.asarray(nibabel.load(path).dataobj, dtype=np.float64)
    return (
        np.stack([volumes[atlas == n].mean(axis=0) for n in range(1, atlas.max() + 1)], axis=1)
        / simulate.UNIT
    )


def test_states_and_mixtures_can_be_read_back_from_the_files(written: Path) -> None:
    (line,) = [
        one for one in (written / "README").read_text().splitlines() if one.startswith("free parcels:")
    ]
    free = np.array([int(n) - 1 for n in line.split(":")[1].split()])
    shapes = patterns({**HARD, "snr": 1.0}, free)
    each = simulate.responses_to_blocks(100, 2.0)
    design = np.column_stack([each.T, np.arange(100), np.ones(100)])
    rows = list(csv.DictReader((written / "participants.tsv").open(), delimiter="\t"))
    hits, amplitudes = [], []
    for row in rows:
        events = written / row["participant_id"] / "func" / f"{row['participant_id']}_task-blocks_events.tsv"
        states = [int(line.split("\t")[2][-2:]) - 1 for line in events.read_text().splitlines()[1:]]
        beta = np.linalg.lstsq(design, series(written, row["participant_id"])[:, free], rcond=None)[0][
            : len(each)
        ]
        hits += (np.argmax(beta @ shapes.states.T, axis=1) == states).tolist()
        amplitudes.append((beta @ shapes.latents.T).mean(axis=0))
    assert np.mean(hits) > 0.9
    weights = mixing_weights(4, 3, 0.6)
    for number, told in enumerate((np.array(amplitudes) @ weights.T).T):
        truth = np.array([float(row[f"mixture{number + 1}"]) for row in rows])
        assert np.corrcoef(told, truth)[0, 1] > 0.9
    assert {row["site"] for row in rows} == {"site3", "site4"}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"latents": 30, "subjects": 24}, "simulate.latents"),
        ({"latents": 7}, "simulate.latents"),
        ({"latents": 2}, "simulate.mixtures"),
        ({"states": 9, "latents": 0}, "simulate.latents"),
        ({"volumes": 40}, "simulate.states"),
    ],
)
def test_what_cannot_be_simulated_is_said(changes: dict[str, Any], key: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=key):
        simulate.write_dataset({**HARD, **changes}, tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()
