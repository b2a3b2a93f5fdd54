"""A collapse is seen in two numbers."""

import numpy as np
import pytest

from transferscale.pretrain.health import collapsed, effective_rank, feature_spread

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_the_effective_rank_of_equal_directions_is_their_number(rank: int) -> None:
    basis = np.linalg.qr(RNG.normal(size=(16, 16)))[0][:rank]
    codes = np.concatenate([np.eye(rank), -np.eye(rank)])
    assert effective_rank(codes @ basis + 5.0) == pytest.approx(rank, rel=1e-6)


def test_it_is_the_exponential_of_the_entropy_of_singular_values() -> None:
    values = np.array([4.0, 2.0, 1.0, 1.0])
    features = np.concatenate([np.diag(values), -np.diag(values)])
    share = values / values.sum()
    assert effective_rank(features) == pytest.approx(np.exp(-(share * np.log(share)).sum()))


def test_the_spread_is_1_where_directions_are_isotropic_and_0_where_all_are_one() -> None:
    assert feature_spread(RNG.normal(size=(4000, 32))) == pytest.approx(1, abs=0.01)
    assert feature_spread(np.tile(RNG.normal(size=32), (50, 1)) * RNG.uniform(1, 9, (50, 1))) < 1e-12


def test_a_collapse_to_a_point_or_a_line_is_flagged_and_healthy_features_are_not() -> None:
    point = np.tile(RNG.normal(size=32), (50, 1)).astype(np.float32)
    near = point + 1e-4 * RNG.normal(size=(50, 32)).astype(np.float32)
    line = RNG.normal(size=(50, 1)) * RNG.normal(size=32)
    healthy = RNG.normal(size=(50, 32)) + 3 * RNG.normal(size=32)
    for features, expected in ((point, True), (near, True), (line, True), (healthy, False)):
        assert collapsed(effective_rank(features), feature_spread(features)) is expected


def test_features_that_are_all_the_same_have_rank_0() -> None:
    assert effective_rank(np.full((10, 4), 0.1, np.float32)) == 0
