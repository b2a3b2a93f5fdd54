"""Control corpora keep what they say and spoil the rest."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transferscale.clips.store import ClipStore, ClipWriter
from transferscale.corpus.controls import (
    CONTROLS,
    generator,
    make,
    noise,
    periodic_spectrum,
    phase,
    shuffled,
    spoiled,
    static,
)
from transferscale.corpus.motion import film
from transferscale.errors import UserError
from transferscale.tables import write_table


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of 8 x 16 x 16 in three shards."""
    folder, rows = tmp_path_factory.mktemp("corpus"), []
    with ClipWriter(folder / "clips", (8, 16, 16), "uint8", shard_bytes=3 * 8 * 16 * 16) as writer:
        for number in range(8):
            shard, offset = writer.add(film(1, number, 8, 8, 16))
            rows.append({"clip_id": f"v{number}-0", "shard": shard, "offset": offset, "dropped": False})
    write_table(folder / "clips.parquet", "clips", rows)
    return folder


def clips(store: Path) -> np.ndarray:
    opened = ClipStore(store)
    return opened.take(np.arange(len(opened)))


def made(corpus: Path, out: Path, control: str, **changes: Any) -> np.ndarray:
    spec = {"verb": 1, "control": control, "seed": 0, **changes}
    make(spec, corpus / "clips", corpus / "clips.parquet", out)
    return clips(out)


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_corpus_has_the_rows_of_the_corpus(corpus: Path, tmp_path: Path, control: str) -> None:
    spoiled = made(corpus, tmp_path / control, control)
    assert (tmp_path / control / "store.json").read_bytes() == (corpus / "clips/store.json").read_bytes()
    assert not any(np.array_equal(a, b) for a, b in zip(spoiled, clips(corpus / "clips"), strict=True))


@pytest.mark.parametrize("control", CONTROLS)
def test_a_clip_is_spoiled_alike_whatever_else_is_in_the_corpus(
    corpus: Path, tmp_path: Path, control: str
) -> None:
    whole = made(corpus, tmp_path / "whole", control)
    with ClipWriter(tmp_path / "clips", (8, 16, 16), "uint8") as writer:
        shard, offset = writer.add(clips(corpus / "clips")[5])
    row = {"clip_id": "v5-0", "shard": shard, "offset": offset, "dropped": False}
    write_table(tmp_path / "clips.parquet", "clips", [row])
    assert np.array_equal(made(tmp_path, tmp_path / "alone", control)[0], whole[5])
    assert not np.array_equal(made(tmp_path, tmp_path / "other", control, seed=1)[0], whole[5])


@pytest.fixture
def clip() -> np.ndarray:
    return film(0, 3, 16, 8, 32)


@pytest.fixture
def rng() -> np.random.Generator:
    return generator(0, "test", "clip")


def test_static_repeats_one_of_the_frames(clip: np.ndarray) -> None:
    first = set()
    for number in range(40):
        still = static(clip, generator(0, "static", f"clip-{number}"))
        assert (still == still[0]).all()
        first |= {i for i, frame in enumerate(clip) if np.array_equal(frame, still[0])}
    assert len(first) > 10


def test_shuffled_keeps_the_frames_in_another_order(clip: np.ndarray) -> None:
    for count in (2, 3, 16):
        for number in range(20):
            mixed = shuffled(clip[:count], generator(0, "shuffled", f"clip-{number}"))
            assert sorted(frame.tobytes() for frame in mixed) == sorted(f.tobytes() for f in clip[:count])
            assert not np.array_equal(mixed, clip[:count])


def test_phase_keeps_the_spectrum_up_to_the_cut_at_black_and_white(
    clip: np.ndarray, rng: np.random.Generator
) -> None:
    grey = (clip // 4 + 96).astype(np.uint8)  # far from black and white, so that nothing is cut
    scrambled, cut = spoiled("phase", grey, rng)
    before, after = np.abs(periodic_spectrum(grey)), np.abs(np.fft.rfftn(scrambled.astype(float)))
    assert cut == 0
    large = before > 100 * np.sqrt(grey.size / 12)  # far above what rounding adds
    assert large.sum() > 50
    np.testing.assert_allclose(after[large], before[large], rtol=0.03)
    assert abs(scrambled.mean() - grey.mean()) < 0.1
    assert abs(np.corrcoef(grey.ravel().astype(float), scrambled.ravel())[0, 1]) < 0.3


def fast(clips: list[np.ndarray]) -> float:
    """Mean power of the upper half of temporal frequencies under a Hann window, which hides the ends."""
    power = 0.0
    for values in clips:
        window = np.hanning(len(values))[:, None, None]
        spectrum = np.fft.rfft((values - values.mean(axis=0)) * window, axis=0)
        power += float((np.abs(spectrum[len(spectrum) // 2 :]) ** 2).mean())
    return power / len(clips)


def test_phase_has_no_more_fast_change_than_the_clip() -> None:
    """A transform of the clip itself adds a third: the jump from its last frame to its first."""
    films = [film(0, number, 31, 16, 32)[::2] for number in range(40)]
    rngs = [generator(0, "phase", str(number)) for number in range(40)]
    scrambled = [phase(one, rng) for one, rng in zip(films, rngs, strict=True)]
    assert fast(scrambled) / fast([one.astype(float) for one in films]) == pytest.approx(1, abs=0.15)


def test_the_periodic_part_of_a_ramp_is_its_mean_and_a_periodic_clip_is_its_own() -> None:
    ramp = np.broadcast_to(np.arange(0, 64, 8, dtype=np.uint8)[:, None, None], (8, 4, 4))
    spectrum = np.abs(periodic_spectrum(ramp))
    spectrum[0, 0, 0] = 0
    before = np.abs(np.fft.rfftn(ramp.astype(float)))
    before[0, 0, 0] = 0
    assert (spectrum**2).sum() < 0.05 * (before**2).sum()
    same = np.random.default_rng(0).integers(0, 256, (4, 6, 6), dtype=np.uint8)
    for axis in range(3):
        same = np.concatenate([same, np.flip(same, axis)], axis)
    np.testing.assert_allclose(periodic_spectrum(same), np.fft.rfftn(same.astype(float)), atol=1e-6)


def test_what_is_cut_at_black_and_white_is_told(corpus: Path, tmp_path: Path) -> None:
    white = np.full((8, 16, 16), 255, np.uint8)
    white[:4] = 0
    assert spoiled("static", white, generator(0, "static", "a"))[1] == 0
    assert 0.1 < spoiled("noise", white, generator(0, "noise", "a"))[1] < 0.6
    made(corpus, tmp_path / "noise", "noise")
    told = json.loads((tmp_path / "noise.prov.json").read_text())["cut_share"]
    assert 0 < told < 0.3


def test_noise_keeps_mean_and_sd_alone(clip: np.ndarray, rng: np.random.Generator) -> None:
    grey = (clip // 4 + 96).astype(np.uint8)
    values = noise(grey, rng)
    assert abs(values.mean() - grey.mean()) < 0.5
    assert abs(values.std() / grey.std() - 1) < 0.03
    for axis in range(3):
        neighbours = np.corrcoef(
            np.take(values, range(values.shape[axis] - 1), axis).ravel(),
            np.take(values, range(1, values.shape[axis]), axis).ravel(),
        )[0, 1]
        assert abs(neighbours) < 0.05


def test_what_a_person_can_get_wrong_is_told(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown control 'fase'; did you mean 'phase'\?"):
        made(corpus, tmp_path / "out", "fase")
    (tmp_path / "clips").symlink_to(corpus / "clips")
    write_table(tmp_path / "clips.parquet", "clips", [])
    with pytest.raises(UserError, match=r"no clip is at row 0 of shard-00000\.npy"):
        made(tmp_path, tmp_path / "out", "noise")
    assert not (tmp_path / "out").exists()
    with ClipWriter(tmp_path / "view" / "clips", (2, 4, 4), "float32") as writer:
        writer.add(np.zeros((2, 4, 4), np.float32))
    write_table(tmp_path / "view" / "clips.parquet", "clips", [])
    with pytest.raises(UserError, match="holds float32 clips"):
        made(tmp_path / "view", tmp_path / "out", "noise")
