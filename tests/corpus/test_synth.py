"""The synthetic corpus: reproducible, moving, natural in its statistics."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from transferscale.corpus.motion import film, render, scene
from transferscale.corpus.photographs import PHOTOGRAPHS, photograph, photographs_of
from transferscale.corpus.statistics import TARGETS, motion, summary
from transferscale.corpus.synth import encode, split_of, write_videos

SPEC = {
    "verb": 1,
    "kind": "synthetic",
    "seed": 5,
    "heldout": 0.4,
    "files": 3,
    "seconds": 1.0,
    "fps": 8,
    "size": 48,
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_spec_gives_the_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    write_videos(SPEC, tmp_path / "one", threads=1)
    write_videos({**SPEC, "files": 4}, tmp_path / "two", threads=2)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    labels = one.pop("labels.csv"), two.pop("labels.csv")
    assert list(one) == ["motion-00000.mp4", "motion-00001.mp4", "motion-00002.mp4"]
    # One more file leaves the others as they were.
    assert len(two) == 4
    assert one.items() <= two.items()
    assert labels[1].startswith(labels[0])
    assert (tmp_path / "one.prov.json").exists()


def test_an_encoded_film_does_not_depend_on_what_lay_in_memory(tmp_path: Path) -> None:
    pictures, path, made, filled = film(5, 1, 16, 8, 96), tmp_path / "film.mp4", set(), []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        # What the last round filled and this one freed is what the encoder gets.
        filled = [rng.integers(0, 255, rng.integers(100, 200_000), dtype=np.uint8) for _ in range(20)]
        encode(pictures, 8, path)
        made.add(path.read_bytes())
    assert (len(made), len(filled)) == (1, 20)


def photographs_in(seed: int, number: int, split: str) -> set[int]:
    drawn = scene(seed, number, photographs_of(seed, split))
    surfaces = [drawn.background, *(shape.texture for shape in drawn.shapes)]
    return {surface.which for surface in surfaces if surface is not None}


@pytest.mark.parametrize("seed", range(20))
def test_held_out_videos_show_a_photograph_of_every_kind(seed: int) -> None:
    kinds = [PHOTOGRAPHS[which][-1] for which in photographs_of(seed, "heldout")]
    assert sorted(kinds) == ["living", "scene", "thing"]


@pytest.mark.parametrize("seed", [0, 5])
def test_no_photograph_is_shown_on_both_sides(seed: int) -> None:
    shown: dict[str, set[int]] = {"train": set(), "heldout": set()}
    for number in range(400):
        split = split_of(number, 0.2)
        shown[split] |= photographs_in(seed, number, split)
    assert not shown["train"] & shown["heldout"]
    assert shown["train"] | shown["heldout"] == set(range(len(PHOTOGRAPHS)))
    assert len(shown["heldout"]) == 3


@pytest.mark.parametrize("heldout", [0.01, 0.1, 0.3, 0.5, 0.9])
def test_held_out_videos_are_spread_evenly_from_the_first_on(heldout: float) -> None:
    sides = [split_of(number, heldout) for number in range(500)]
    assert sides[0] == "heldout"
    for count in (10, 100, 500):
        assert abs(sides[:count].count("heldout") - count * heldout) <= 1


def test_the_labels_tell_the_side(tmp_path: Path) -> None:
    write_videos(SPEC, tmp_path / "v", threads=1)
    with (tmp_path / "v" / "labels.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["split"] for row in rows] == ["heldout", "train", "heldout"]


def test_seeds_and_numbers_give_different_films() -> None:
    films = [film(seed, number, 2, 8, 32) for seed in (0, 1) for number in (0, 1)]
    assert len({f.tobytes() for f in films}) == 4


def test_a_finer_frame_rate_shows_the_same_motion() -> None:
    assert np.array_equal(film(2, 3, 4, 8, 32), film(2, 3, 8, 16, 32)[::2])


def test_a_long_film_still_moves_at_its_end() -> None:
    late = film(0, 2, 480, 8, 32)[-32:]
    assert late.std() > 5
    assert motion(late) > 0


def test_labels_tell_what_the_background_does() -> None:
    """Where no shape comes, a flat or still background stays as it is, and a moving one does not."""
    found: dict[str, int] = {}
    for number in range(60):
        drawn = scene(0, number)
        bare = replace(drawn, shapes=[])
        pictures = [render(bare, t, 32) for t in (0.0, 1.5)]
        assert (drawn.label == "moving") == (not np.array_equal(*pictures))
        assert (drawn.label == "flat") == (drawn.background is None)
        found[drawn.label] = found.get(drawn.label, 0) + 1
    assert set(found) == {"flat", "still", "moving"}
    assert min(found.values()) >= 3


def test_every_photograph_is_in_the_wheels() -> None:
    for which in range(len(PHOTOGRAPHS)):
        picture = photograph(which)
        assert picture.ndim == 2
        assert picture.std() > 5


def test_films_have_the_statistics_of_natural_video() -> None:
    """At 64 px halved as a decoder does it; the corpus itself is measured on its card, here a sixth of it."""
    clips = []
    for number in range(54):
        fine = np.pad(film(0, number, 31, 16, 64)[::2].astype(float), ((0, 0), (1, 1), (1, 1)), mode="edge")
        rows = (fine[:, :-2:2] + 3 * fine[:, 1:-1:2] + 3 * fine[:, 2::2] + fine[:, 3::2][:, :32]) / 8
        clips.append((rows[..., :-2:2] + 3 * rows[..., 1:-1:2] + 3 * rows[..., 2::2] + rows[..., 3::2]) / 8)
    found = summary(np.stack(clips).round().astype(np.uint8))
    assert found["spectrum_slope"] == pytest.approx(TARGETS["spectrum_slope"], abs=0.35)
    assert found["frame_difference"] == pytest.approx(TARGETS["frame_difference"], rel=0.4)
    assert TARGETS["gradient_kurtosis"] / 2 < found["gradient_kurtosis"] < 2 * TARGETS["gradient_kurtosis"]
