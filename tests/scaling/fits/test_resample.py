"""The bootstrap over clusters: who draws together, what leverage takes away, how wide intervals are."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from tests.scaling.laws.planted import PLANTED
from transferscale.errors import UserError
from transferscale.scaling.fits.fit import fit
from transferscale.scaling.fits.objectives import Huber, Likelihood, LogLsq, Objective
from transferscale.scaling.fits.resample import (
    FEWEST,
    RELIABLE,
    SMALLEST_REST,
    Leverage,
    exponential,
    leveraged,
    resample,
    student_factor,
    webb,
    weight_power,
)
from transferscale.scaling.fits.solve import Problem, optima
from transferscale.scaling.laws.power import Power
from transferscale.scaling.metrics import Ints, Reals

X = np.geomspace(1e3, 1e6, 12)
TRUNK = np.repeat(np.arange(12), 3)
ROBUST = [Huber(1e-3), Likelihood(1e-3)]


def _noisy(seed: int, law: str = "power") -> tuple[Problem, Reals]:
    one = PLANTED[law]
    log_y = one.log_y + 0.05 * np.random.default_rng(seed).standard_normal(len(one.x))
    return Problem.of(one.form, one.log_x, log_y, LogLsq()), log_y


def test_webb_s_six_weights_have_mean_0_and_variance_1() -> None:
    drawn = webb("trunk", 60_000, 0)
    values, count = np.unique(np.round(drawn**2 * np.sign(drawn), 12), return_counts=True)
    np.testing.assert_allclose(values, [-1.5, -1, -0.5, 0.5, 1, 1.5])
    assert np.abs(count / 10_000 - 1).max() < 0.05
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.var() == pytest.approx(1, abs=0.02)


def test_a_cluster_s_draws_depend_on_its_name_and_the_seed_alone() -> None:
    np.testing.assert_array_equal(webb("a", 50, 1), webb("a", 50, 1))
    assert (webb("a", 50, 1) != webb("b", 50, 1)).any()
    assert (webb("a", 50, 1) != webb("a", 50, 2)).any()
    assert np.abs(np.corrcoef(webb("a", 4000, 0), webb("b", 4000, 0))[0, 1]) < 0.06


def test_a_cluster_s_weights_depend_on_its_name_and_the_seed_alone() -> None:
    drawn = exponential("trunk", 60_000, 0)
    assert drawn.mean() == pytest.approx(1, abs=0.02)
    assert drawn.var() == pytest.approx(1, abs=0.04)
    np.testing.assert_array_equal(exponential("a", 50, 1), exponential("a", 50, 1))
    assert (exponential("a", 50, 1) != exponential("b", 50, 1)).any()
    assert (exponential("a", 50, 1) != exponential("a", 50, 2)).any()


@pytest.mark.parametrize(("held", "power"), [(0.0, 1.0), (0.5, None), (0.8, 2.0)])
def test_the_more_a_cluster_decides_the_more_its_weight_varies(held: float, power: float | None) -> None:
    found = weight_power(held)
    if power is not None:
        assert found == pytest.approx(power)
    drawn = np.random.default_rng(0).standard_exponential(400_000) ** found
    assert (drawn / drawn.mean()).var() == pytest.approx(1 / (1 - held), rel=0.05)


@pytest.mark.parametrize("freedom", [2, 3, 5, 9, 10, 30, 400])
def test_the_student_factor_is_that_of_scipy(freedom: int) -> None:
    assert student_factor(freedom) == pytest.approx(student.ppf(0.975, freedom) / 1.959964, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), clusters=st.integers(6, 25), weighted=st.booleans())
def test_leveraged_residuals_are_those_of_a_fit_without_the_cluster(
    seed: int, clusters: int, weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(5, 15, 60), rng.standard_normal(60)
    member: Ints = np.sort(np.r_[np.arange(clusters), rng.integers(0, clusters, 60 - clusters)])
    weight = rng.uniform(0.5, 2, 60) if weighted else np.ones(60)
    log_x = x[:, None]
    problem = Problem.of(Power(), log_x, y, LogLsq(), weight)
    theta = optima(problem, y, 1)[0][0]
    found = leveraged(problem, theta, y - Power().log_value(theta, log_x), member)
    columns, root = np.c_[np.ones(60), -x], np.sqrt(weight)
    for number in range(clusters):
        own = member == number
        hat = (columns * root[:, None]) @ np.linalg.pinv(columns * root[:, None])
        if np.linalg.eigvalsh(np.eye(own.sum()) - hat[np.ix_(own, own)]).min() < 0.2:
            continue
        left = np.linalg.lstsq((columns * root[:, None])[~own], (y * root)[~own], rcond=None)[0]
        np.testing.assert_allclose(found[own], y[own] - columns[own] @ left, rtol=1e-5, atol=1e-6)


def test_a_cluster_that_alone_decides_a_parameter_does_not_blow_up() -> None:
    problem, log_y = _noisy(0)
    member = np.r_[np.zeros(24, dtype=np.int64), 1]
    theta = optima(problem, log_y, 1)[0][0]
    residual = log_y - problem.law.log_value(theta, problem.log_x)
    found = leveraged(problem, theta, residual, member)
    assert np.linalg.norm(found[:24]) <= 5.001 * np.linalg.norm(residual[:24])


def test_leverage_is_that_of_the_hat_matrix_of_each_cluster() -> None:
    problem, _ = _noisy(0, "power-floor")
    theta = problem.law.coordinates(PLANTED["power-floor"].natural)
    member: Ints = np.arange(len(problem.log_x)) % 7
    jacobian = problem.law.jacobian(theta, problem.log_x)
    hat = jacobian @ np.linalg.pinv(jacobian)
    largest = [np.linalg.eigvalsh(hat[np.ix_(member == k, member == k)]).max() for k in range(7)]
    found = Leverage.of(problem, theta, member).largest()
    np.testing.assert_allclose(found, np.minimum(largest, 1 - SMALLEST_REST), rtol=1e-8)


@pytest.mark.parametrize("clusters", [2, 6_000])
def test_leverage_of_many_rows_needs_no_matrix_of_points_by_points(clusters: int) -> None:
    many = 6_000
    log_x = np.linspace(5, 15, many)[:, None]
    log_y = 1 - 0.1 * log_x[:, 0] + 0.02 * np.random.default_rng(0).standard_normal(many)
    problem = Problem.of(Power(), log_x, log_y, LogLsq())
    theta = optima(problem, log_y, 1)[0]
    tracemalloc.start()
    member: Ints = np.arange(many) % clusters
    drawn = resample(problem, log_y, theta, member, [f"{k}" for k in range(clusters)], 5, 0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert drawn.shape == (5, 2)
    # A matrix of points by points would be 0.3 GB.
    assert most < 5e7


def test_the_spread_of_the_draws_is_the_cluster_robust_standard_error() -> None:
    rng = np.random.default_rng(0)
    trunks = 40
    member = np.repeat(np.arange(trunks), 4)
    log_x = np.log(np.repeat(np.geomspace(1e3, 1e6, trunks), 4))[:, None]
    log_y = (
        1 - 0.1 * log_x[:, 0] + 0.1 * rng.standard_normal(trunks)[member] + 0.02 * rng.standard_normal(160)
    )
    problem = Problem.of(Power(), log_x, log_y, LogLsq())
    best = optima(problem, log_y, 1)[0]
    names = [f"trunk{k}" for k in range(trunks)]
    drawn = resample(problem, log_y, best, member, names, 4000, 0)
    # The sandwich of CR3: bread, and the leveraged residuals' scores summed over clusters.
    columns = problem.law.jacobian(best[0], log_x)
    residual = leveraged(problem, best[0], log_y - problem.law.log_value(best[0], log_x), member)
    scores = np.array([columns[member == k].T @ residual[member == k] for k in range(trunks)])
    bread = np.linalg.inv(columns.T @ columns)
    sandwich = np.sqrt(np.diag(bread @ scores.T @ scores @ bread))
    np.testing.assert_allclose(drawn.std(0), sandwich * student_factor(trunks - 1), rtol=0.05)


def test_families_whose_clusters_share_labels_draw_together() -> None:
    rng = np.random.default_rng(0)
    noise = 0.05 * rng.standard_normal(12)[TRUNK] + 0.001 * rng.standard_normal(36)
    x = np.repeat(X, 3)
    labels = [f"seed{k}" for k in TRUNK]
    one = fit(x, 3 * x**-0.1 * np.exp(noise), "power", cluster=labels, bootstrap=400)
    two = fit(x, 9 * x**-0.2 * np.exp(noise), "power", cluster=labels, bootstrap=400)
    other = fit(x, 9 * x**-0.2 * np.exp(noise), "power", cluster=[f"other{k}" for k in TRUNK], bootstrap=400)
    far = np.array([1e8])
    drawn = [np.log(found.draws(far)[:, 0]) for found in (one, two, other)]
    assert np.corrcoef(drawn[0], drawn[1])[0, 1] > 0.999
    assert abs(np.corrcoef(drawn[0], drawn[2])[0, 1]) < 0.2


@pytest.mark.parametrize("objective", ROBUST, ids=str)
def test_families_that_share_labels_draw_together_under_a_robust_objective(objective: Objective) -> None:
    rng = np.random.default_rng(0)
    noise = 0.05 * rng.standard_normal(12)[TRUNK] + 0.001 * rng.standard_normal(36)
    x, far = np.repeat(X, 3), np.array([1e8])
    drawn = []
    for factor, exponent, label in ((3, 0.1, "seed"), (9, 0.2, "seed"), (9, 0.2, "other")):
        y = factor * x**-exponent * np.exp(noise)
        names = [f"{label}{k}" for k in TRUNK]
        found = fit(x, y, "power", cluster=names, objective=objective, bootstrap=300)
        at = found.draws(far)
        assert at is not None
        drawn.append(np.log(at[:, 0]))
    assert np.corrcoef(drawn[0], drawn[1])[0, 1] > 0.99
    assert abs(np.corrcoef(drawn[0], drawn[2])[0, 1]) < 0.25


@pytest.mark.parametrize("objective", ROBUST, ids=str)
def test_the_spread_of_a_robust_line_is_that_of_least_absolute_deviations(objective: Objective) -> None:
    points, noise = 600, 0.02
    x = np.geomspace(1e3, 1e6, points)
    y = 3 * x**-0.1 * np.exp(noise * np.random.default_rng(0).standard_normal(points))
    found = fit(x, y, "power", objective=objective, bootstrap=300, starts=1)
    assert found.resampled is not None
    # Variance 1 / (4 f(0)^2) of the median in the place of sigma^2 (Bassett & Koenker 1978).
    columns = found.form.jacobian(found.theta, np.log(x)[:, None])
    known = noise * np.sqrt(np.pi / 2 * np.diag(np.linalg.inv(columns.T @ columns)))
    np.testing.assert_allclose(found.resampled.std(0), known, rtol=0.2)


def test_robust_draws_stay_within_the_bounds() -> None:
    rng = np.random.default_rng(3)
    y = 3 * X**-0.1 * np.exp(0.05 * rng.standard_normal(12))
    found = fit(X, y, "power-floor", cluster=np.arange(12) % 4, objective=Huber(1e-3), bootstrap=100)
    assert found.resampled is not None
    low, high = found.form.bounds(found.log_points, np.log(found.values))
    assert ((found.resampled >= low) & (found.resampled <= high)).all()


def test_pair_names_what_clusters_of_different_families_share() -> None:
    rng = np.random.default_rng(0)
    x, noise = np.repeat(X, 3), 0.05 * rng.standard_normal(12)[TRUNK]
    shared = [f"seed{k}" for k in TRUNK]
    one, two = (
        fit(
            x,
            3 * x**-0.1 * np.exp(noise),
            "power",
            cluster=[f"{family}-{k}" for k in TRUNK],
            pair=shared,
            bootstrap=50,
        )
        for family in ("vit", "convnet")
    )
    assert one.resampled is not None
    assert two.resampled is not None
    np.testing.assert_allclose(one.resampled, two.resampled, rtol=1e-6)


def test_a_cluster_with_two_pairs_is_refused_in_one_sentence() -> None:
    x = np.repeat(X, 3)
    with pytest.raises(UserError, match=r"cluster '0' has several pairs \(a, b\); it must have one"):
        fit(x, 3 * x**-0.1, "power", cluster=TRUNK, pair=["a", "b", "a"] * 12)


@pytest.mark.parametrize("clusters", [1, 2, 3, 9, 10, 12])
def test_few_clusters_give_no_interval_and_some_more_an_unreliable_one(clusters: int) -> None:
    rng = np.random.default_rng(0)
    y = 3 * X**-0.1 * np.exp(0.02 * rng.standard_normal(12))
    found = fit(X, y, "power", cluster=np.arange(12) % clusters, bootstrap=20)
    said = " ".join(found.warnings)
    assert (found.intervals["c"] is None) == (clusters < FEWEST)
    assert ("too few for an interval" in said) == (clusters < FEWEST)
    assert ("so the intervals are unreliable" in said) == (FEWEST <= clusters < RELIABLE)
    if clusters < FEWEST:
        assert not any(found.identified.values())
        assert found.curve(X)[1] is None


def test_without_clusters_every_point_is_its_own() -> None:
    rng = np.random.default_rng(0)
    y = 3 * X**-0.1 * np.exp(0.02 * rng.standard_normal(12))
    here, there = (
        fit(X, y, "power", cluster=c, bootstrap=50) for c in (None, [f"{k:02}" for k in range(12)])
    )
    width = [np.ptp(found.intervals["c"] or (0, 0)) for found in (here, there)]
    assert width[0] == pytest.approx(width[1], rel=0.5)
    assert not any("independent runs" in warning for warning in here.warnings)


def test_fewer_clusters_mean_wider_intervals() -> None:
    rng = np.random.default_rng(0)
    trunk = np.repeat(np.arange(8), 5)
    x = np.repeat(np.geomspace(1e3, 1e6, 8), 5)
    y = 3 * x**-0.1 * np.exp(0.05 * rng.standard_normal(8)[trunk] + 0.002 * rng.standard_normal(40))
    points, trunks = fit(x, y, "power", bootstrap=300), fit(x, y, "power", cluster=trunk, bootstrap=300)
    width = [np.ptp(found.intervals["c"] or (0, 0)) for found in (points, trunks)]
    assert width[1] > 1.3 * width[0]


def test_the_same_seed_gives_the_same_intervals_and_another_seed_others() -> None:
    rng = np.random.default_rng(0)
    y = 3 * X**-0.1 * np.exp(0.02 * rng.standard_normal(12))
    one, same, other = (fit(X, y, "power-floor", bootstrap=100, seed=seed).intervals for seed in (0, 0, 1))
    assert one == same
    assert one != other


@pytest.mark.parametrize("objective", [LogLsq(), *ROBUST], ids=str)
def test_a_curve_without_noise_has_no_spread(objective: Objective) -> None:
    found = fit(X, 1 + 50 * X**-0.5, "power-floor", objective=objective, bootstrap=30)
    for name, interval in found.intervals.items():
        assert interval == pytest.approx((found.params[name],) * 2, rel=1e-6)


@pytest.mark.parametrize("law", ["power", "power-floor"])
def test_95_percent_intervals_over_trunks_cover_the_truth(law: str) -> None:
    true = {"b": 3.0, "c": 0.1} if law == "power" else {"e": 1.0, "b": 40.0, "c": 0.4}
    x = np.repeat(X, 3)
    mean = true.get("e", 0.0) + true["b"] * x ** -true["c"]
    far = np.array([3e6])
    ahead = true.get("e", 0.0) + true["b"] * far[0] ** -true["c"]
    covered, trials = np.zeros(len(true) + 1), 100
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        noise = 0.03 * rng.standard_normal(12)[TRUNK] + 0.01 * rng.standard_normal(36)
        # One start is enough: the optimum of these laws is clear.
        found = fit(x, mean * np.exp(noise), law, cluster=TRUNK, bootstrap=200, starts=2)
        ends = [found.intervals[name] or (0, 0) for name in true]
        drawn = found.draws(far)
        assert drawn is not None
        ends.append(tuple(np.quantile(drawn, [0.025, 0.975])))
        for i, value in enumerate([*true.values(), ahead]):
            covered[i] += ends[i][0] <= value <= ends[i][1]
    # Three standard errors of 100 trials at 95 % are 6.5 %.
    assert (covered / trials >= 0.88).all()
