"""The held-out loss is the same question to every checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pretrain.moving_squares import rung_spec
from transferscale.pretrain.data import batches, open_corpus
from transferscale.pretrain.heldout import evaluate, interval_over_videos
from transferscale.pretrain.objective import build_objective


def test_masks_depend_on_the_clip_alone(corpus: Path) -> None:
    opened = open_corpus(rung_spec(), [corpus / "clips"], [corpus / "clips.parquet"], None, None)
    assert len(opened.heldout) == 10
    results = []
    for seed, batch in ((0, 4), (1, 4), (0, 10)):
        # An untrained decoder says nothing, so the loss of a clip is the variance of what its mask hides.
        objective = build_objective(rung_spec(seed=seed))
        results.append(evaluate(objective, batches(opened.heldout, batch)).losses)
    np.testing.assert_allclose(results[1], results[0], rtol=1e-6)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-6)
    assert len(set(results[0])) == 10


def test_it_is_asked_in_fp32_whatever_the_precision_around_it(corpus: Path) -> None:
    opened = open_corpus(rung_spec(), [corpus / "clips"], [corpus / "clips.parquet"], None, None)
    objective = build_objective(rung_spec())
    alone = evaluate(objective, batches(opened.heldout, 10))
    with torch.autocast("cpu", torch.bfloat16):
        within = evaluate(objective, batches(opened.heldout, 10))
    assert (alone.losses == within.losses).all()
    assert (alone.features == within.features).all()
    assert alone.features.shape == (10, 32)


@given(st.lists(st.floats(0.1, 2), min_size=2, max_size=30))
@settings(max_examples=30, deadline=None)
def test_the_interval_holds_the_mean(losses: list[float]) -> None:
    found = interval_over_videos(np.array(losses), [f"v{i // 2}" for i in range(len(losses))])
    assert found.value == pytest.approx(np.mean(losses))
    assert found.low <= found.value + 1e-9
    assert found.high >= found.value - 1e-9


def test_clips_of_one_video_count_as_one_when_they_are_alike() -> None:
    rng = np.random.default_rng(0)
    losses = np.repeat(rng.normal(1, 0.1, 40), 8)
    alone = interval_over_videos(losses, [str(i) for i in range(320)])
    clustered = interval_over_videos(losses, [str(i // 8) for i in range(320)])
    assert (clustered.high - clustered.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(8), rel=0.2)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(0), 0
    for _ in range(100):
        losses = np.repeat(rng.normal(1, 0.1, 40), 2) + rng.normal(0, 0.05, 80)
        found = interval_over_videos(losses, [str(i // 2) for i in range(80)])
        hits += found.low <= 1 <= found.high
    assert 86 <= hits <= 100
