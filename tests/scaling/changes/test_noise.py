"""Noise is told apart into that of a point, of a cluster, and what neighbours share."""

import numpy as np
import pytest

from tests.scaling.planted_courses import planted
from transferscale.scaling.changes.breaks import problem_of
from transferscale.scaling.changes.noise import Noise, lag, neighbours, noise_of
from transferscale.scaling.fits.solve import optima
from transferscale.scaling.metrics import Ints


def _found(clusters: int, noise: float, shared: float, seed: int) -> Noise:
    course = planted(None, seed, clusters=clusters, noise=noise, shared=shared)
    problem = problem_of(course, 0)
    theta = optima(problem, course.log_y, 3)[0][0]
    return noise_of(problem, theta, course.log_y, course.member)


def test_noise_of_points_is_found_free_of_the_fit() -> None:
    found = [_found(1, 0.02, 0.0, seed) for seed in range(12)]
    # The fit takes three of twenty degrees of freedom, which the estimate gives back.
    assert np.sqrt(np.mean([one.own**2 for one in found])) == pytest.approx(0.02, rel=0.1)


def test_noise_of_clusters_is_told_apart_from_that_of_points() -> None:
    found = [_found(8, 0.01, 0.04, seed) for seed in range(12)]
    assert np.sqrt(np.mean([one.own**2 for one in found])) == pytest.approx(0.01, rel=0.15)
    assert np.sqrt(np.mean([one.shared**2 for one in found])) == pytest.approx(0.04, rel=0.25)
    assert all(one.correlation < 0.3 for one in found)


def test_independent_noise_is_not_taken_for_correlated() -> None:
    assert np.mean([_found(1, 0.02, 0.0, seed).correlation > 0 for seed in range(20)]) <= 0.2


def test_simulated_noise_has_the_moments_that_it_says() -> None:
    member: Ints = np.repeat(np.arange(4), 30)
    drawn = Noise(0.1, 0.2, 0.6).simulate(member, 2000, 0)
    assert drawn.var() == pytest.approx(0.1**2 + 0.2**2, rel=0.1)
    own = drawn[:, member == 0]
    assert np.mean(own[:, 0] * own[:, 1]) == pytest.approx(0.2**2 + 0.6 * 0.1**2, rel=0.1)
    assert np.mean(own[:, 0] * own[:, -1]) == pytest.approx(0.2**2, rel=0.1)
    assert np.mean(drawn[:, 0] * drawn[:, 31]) == pytest.approx(0, abs=0.004)


def test_neighbours_are_those_within_a_cluster() -> None:
    member: Ints = np.array([0, 1, 0, 1, 0])
    assert neighbours(member).tolist() == [[0, 2], [2, 4], [1, 3]]
    assert lag(np.array([1.0, -1.0, 1.0, -1.0, 1.0]), np.zeros(5, dtype=np.int64)) == pytest.approx(-0.8)


def test_draws_depend_on_the_seed_alone() -> None:
    member: Ints = np.zeros(10, dtype=np.int64)
    noise = Noise(1.0, 0.0, 0.5)
    assert (noise.simulate(member, 3, 5) == noise.simulate(member, 3, 5)).all()
    assert (noise.simulate(member, 3, 5) != noise.simulate(member, 3, 6)).any()
