"""The probe finds what features know, of videos that it was not fitted to."""

import numpy as np
import pytest

from transferscale.pretrain.probe import folds, probe_metric, probe_score, ridge

RNG = np.random.default_rng(0)
CLIPS = 120
VIDEOS = [f"v{i // 3}" for i in range(CLIPS)]
NONE = np.full(CLIPS, -1)


def test_it_reads_motion_where_there_are_no_classes() -> None:
    features = RNG.normal(size=(CLIPS, 8))
    motion = np.exp(features @ RNG.normal(size=8) * 0.5)
    assert probe_metric(NONE) == "r2"
    score = probe_score(features, NONE, motion, VIDEOS)
    assert score is not None
    assert score > 0.95
    nothing = probe_score(RNG.normal(size=(CLIPS, 8)), NONE, motion, VIDEOS)
    assert nothing is not None
    assert nothing < 0.1


def test_it_reads_classes_where_there_are_and_guesses_at_chance() -> None:
    labels = RNG.integers(0, 3, CLIPS)
    labels[:30] = 0  # balanced accuracy does not care
    features = np.eye(3)[labels] @ RNG.normal(size=(3, 8)) * 3 + RNG.normal(size=(CLIPS, 8))
    motion = np.ones(CLIPS)
    assert probe_metric(labels) == "balanced_accuracy"
    score = probe_score(features, labels, motion, VIDEOS)
    assert score is not None
    assert score > 0.9
    chance = [probe_score(RNG.normal(size=(CLIPS, 8)), labels, motion, VIDEOS) for _ in range(20)]
    assert np.mean([one for one in chance if one is not None]) == pytest.approx(1 / 3, abs=0.05)


def test_clips_of_a_video_are_never_on_both_sides() -> None:
    # Features that name the video alone say nothing of another one.
    features = np.eye(CLIPS // 3)[np.arange(CLIPS) // 3]
    motion = np.exp(np.repeat(RNG.normal(size=CLIPS // 3), 3))
    score = probe_score(features, NONE, motion, VIDEOS)
    assert score is not None
    assert score < 0.05
    assert len(set(zip(VIDEOS, folds(VIDEOS), strict=True))) == CLIPS // 3


def test_clips_without_a_class_or_motion_are_left_out() -> None:
    features = RNG.normal(size=(CLIPS, 4))
    motion = np.exp(features[:, 0])
    motion[::5], motion[1::5] = np.nan, 0.0
    score = probe_score(features, NONE, motion, VIDEOS)
    assert score is not None
    assert score > 0.9


def test_where_there_is_nothing_to_tell_there_is_no_score() -> None:
    features = RNG.normal(size=(CLIPS, 4))
    assert probe_score(features, NONE, np.ones(CLIPS), VIDEOS) is None
    assert probe_score(features[:3], NONE[:3], np.array([1.0, 2.0, 3.0]), ["a", "b", "c"]) is None
    assert probe_score(features, NONE, np.full(CLIPS, np.nan), VIDEOS) is None


def test_both_forms_of_ridge_are_one() -> None:
    x, y, new = RNG.normal(size=(30, 10)), RNG.normal(size=(30, 2)), RNG.normal(size=(7, 10))
    wide = np.concatenate([x, np.zeros((30, 40))], axis=1), np.concatenate([new, np.zeros((7, 40))], axis=1)
    np.testing.assert_allclose(ridge(wide[0], y, wide[1]), ridge(x, y, new), atol=1e-10)
