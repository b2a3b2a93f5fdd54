"""What clips seen again are worth."""

from typing import Any

import numpy as np
import pytest

from tests.scaling.minima.planted import SEEDS, Surface, size
from transferscale.scaling.rungs.repeats import epochs, worth

SURFACE, UNIQUE, CLIPS = Surface(), 2000, (500, 1000, 2000, 4000, 8000, 16000)


def rows(r: float, seed: int = 0, unique: int = UNIQUE) -> list[dict[str, Any]]:
    """A ladder whose repeated clips are worth what R* ``r`` says (arXiv 2305.16264)."""
    source, out = np.random.default_rng(seed), []
    for depth, seeds in enumerate(SEEDS, 1):
        for number in range(seeds):
            luck = 0.005 * source.standard_normal()
            for rung, clips in enumerate(CLIPS, 1):
                u = min(clips, unique)
                worth_ = u + u * r * (1 - np.exp((1 - clips / u) / r))
                loss = float(SURFACE.loss(np.array(size(depth)), np.array(worth_)))
                out.append(
                    {
                        "family": "vit",
                        "trunk": f"d{depth}-s{number}",
                        "depth": depth,
                        "rung": rung,
                        "params_encoder": int(size(depth)),
                        "clips_seen": clips,
                        "clips_unique": u,
                        "heldout_loss": loss * float(np.exp(luck + 0.002 * source.standard_normal())),
                    }
                )
    return out


def test_epochs_are_clips_seen_over_different_clips() -> None:
    assert epochs({"clips_seen": 24992, "clips_unique": 10350}) == pytest.approx(2.4147, rel=1e-4)


@pytest.mark.parametrize("r", [1.0, 3.0, 1000.0])
def test_the_planted_worth_lies_in_the_interval(r: float) -> None:
    truth = 1 + r * (1 - np.exp(-7 / r))
    inside = []
    for seed in range(4):
        [found], refused = worth(rows(r, seed))
        assert not refused
        assert found.epochs == 8
        inside.append(found.low - 0.05 <= truth <= found.high + 0.05)
    assert sum(inside) >= 3


def test_strong_wear_is_told_and_none_is_not_identified() -> None:
    [worn], _ = worth(rows(1.0))
    assert worn.told
    assert worn.value == pytest.approx(2.0, rel=0.25)
    assert worn.words.startswith("vit: 8.0 epochs are worth 2.")
    [new], _ = worth(rows(1000.0))
    assert not new.told
    assert new.high == pytest.approx(8, rel=0.01)
    assert new.words.endswith("not identified, repeats cannot be told from new clips")


def test_a_ladder_of_one_epoch_has_nothing_to_tell() -> None:
    assert worth(rows(1000.0, unique=16000)) == ([], [])


def test_a_ladder_too_small_for_a_surface_is_refused_in_a_sentence() -> None:
    [sentence] = worth([row for row in rows(1.0) if row["depth"] == 1 and row["rung"] == 6][:1])[1]
    assert sentence.startswith("vit, repeated clips: ")
