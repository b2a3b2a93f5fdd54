"""Laws: what was planted is found, what the data do not say is not claimed."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.errors import UserError
from transferscale.scaling.fit import fit, fit_table
from transferscale.scaling.laws import LAWS

X = np.geomspace(1e3, 1e6, 8)


def test_every_law_states_its_equation_and_parameters() -> None:
    for name, law in LAWS.items():
        assert law.name == name
        assert all(parameter in law.equation for parameter in law.parameters)


@settings(max_examples=25, deadline=None)
@given(b=st.floats(0.1, 100), c=st.floats(-1, 2))
def test_a_noiseless_power_law_is_found_exactly(b: float, c: float) -> None:
    found = fit(X, b * X**-c, "power", bootstrap=0)
    assert found.params["b"] == pytest.approx(b, rel=1e-6)
    assert found.params["c"] == pytest.approx(c, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(e=st.floats(0.2, 2), b=st.floats(2, 100), c=st.floats(0.15, 0.8))
def test_a_noiseless_floor_is_found(e: float, b: float, c: float) -> None:
    found = fit(X, e + b * X**-c, "power-floor", bootstrap=0)
    assert found.rmsle_fit < 1e-5
    assert found.params["e"] == pytest.approx(e, rel=0.02)
    assert found.params["c"] == pytest.approx(c, rel=0.03)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-6, 1e6), law=st.sampled_from(sorted(LAWS)))
def test_the_units_of_x_and_y_do_not_matter(scale: float, law: str) -> None:
    rng = np.random.default_rng(3)
    y = (1 + 20 * X**-0.4) * np.exp(0.01 * rng.standard_normal(len(X)))
    here, there = fit(X, y, law, bootstrap=0), fit(X * scale, y * scale, law, bootstrap=0)
    assert there.params["c"] == pytest.approx(here.params["c"], rel=1e-3)
    assert there.objective == pytest.approx(here.objective, rel=1e-4)


@pytest.mark.parametrize(("law", "true"), [("power", (3.0, 0.1)), ("power-floor", (0.5, 8.0, 0.3))])
def test_intervals_over_trunks_cover_the_truth(law: str, true: tuple[float, ...]) -> None:
    rng, trials = np.random.default_rng(0), 60
    depth = np.repeat([1, 2, 3, 4, 6, 8], [3, 3, 1, 1, 1, 1])
    x = np.tile(12.0 * (32 * depth) ** 2 * depth, 3)
    trunk = np.tile(np.arange(len(depth)), 3)
    form = LAWS[law]
    covered = np.zeros(len(true))
    for _ in range(trials):
        mean = true[0] * x ** -true[1] if law == "power" else true[0] + true[1] * x ** -true[2]
        noise = 0.02 * rng.standard_normal(len(depth))[trunk] + 0.005 * rng.standard_normal(len(x))
        found = fit(x, mean * np.exp(noise), law, cluster=trunk, bootstrap=300)
        for i, parameter in enumerate(form.parameters):
            interval = found.intervals[parameter]
            assert interval is not None
            covered[i] += interval[0] <= true[i] <= interval[1]
    # 60 trials at 95 %: 0.86 is three standard errors below.
    assert (covered / trials >= 0.86).all()


def test_clusters_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    trunk = np.repeat(np.arange(8), 5)
    x = np.repeat(X, 5)
    y = 3 * x**-0.1 * np.exp(0.05 * rng.standard_normal(8)[trunk] + 0.002 * rng.standard_normal(40))
    points, trunks = fit(x, y, "power"), fit(x, y, "power", cluster=trunk)
    width = [np.ptp(found.intervals["c"] or (0, 0)) for found in (points, trunks)]
    assert width[1] > 1.3 * width[0]


def test_a_floor_that_the_data_do_not_show_is_not_identified_and_said() -> None:
    rng = np.random.default_rng(0)
    found = fit(X, 3 * X**-0.1 * np.exp(0.01 * rng.standard_normal(8)), "power-floor")
    assert not found.identified["e"]
    assert any("floor is not identified" in warning for warning in found.warnings)


def test_a_floor_that_the_data_show_is_identified() -> None:
    rng = np.random.default_rng(0)
    found = fit(X, (1 + 50 * X**-0.5) * np.exp(0.01 * rng.standard_normal(8)), "power-floor")
    assert found.identified == {"e": True, "b": True, "c": True}
    assert found.derived["reducible_share_at_largest"] < 0.1


def test_the_held_out_scale_is_predicted_better_than_by_the_best_small_model() -> None:
    found = fit(X, 3 * X**-0.1, "power", holdout_top=1, bootstrap=0)
    assert found.rmsle_holdout == pytest.approx(0, abs=1e-9)
    # the baseline is off by one step of the ladder
    assert found.baselines["best_small"] == pytest.approx(0.1 * np.log(X[1] / X[0]))
    assert not any("held-out" in warning for warning in found.warnings)


def test_a_law_without_a_future_is_told_so() -> None:
    y = 3 * X**-0.1
    y[-1] = y[-2]
    found = fit(X, y, "power", holdout_top=1, bootstrap=0)
    assert any("no better than 'best_small'" in warning for warning in found.warnings)


def test_growth_with_scale_is_told() -> None:
    assert "the outcome grows with scale" in fit(X, X**0.1, "power", bootstrap=0).warnings


def test_the_band_of_the_curve_holds_its_middle() -> None:
    rng = np.random.default_rng(0)
    found = fit(X, 3 * X**-0.1 * np.exp(0.02 * rng.standard_normal(8)), "power")
    middle, low, high = found.curve(X)
    assert low is not None
    assert high is not None
    assert (low <= middle).all()
    assert (middle <= high).all()


def test_two_runs_are_no_interval() -> None:
    found = fit(X, 3 * X**-0.1, "power", cluster=["a"] * 4 + ["b"] * 4)
    assert found.intervals["c"] is None
    assert not found.identified["c"]
    assert any("too few for an interval" in warning for warning in found.warnings)


def test_the_same_points_in_another_order_give_the_same_fit() -> None:
    rng = np.random.default_rng(0)
    y, order = 3 * X**-0.1 * np.exp(0.02 * rng.standard_normal(8)), rng.permutation(8)
    assert fit(X, y, "power-floor").as_json() == fit(X[order], y[order], "power-floor").as_json()


def test_fitting_a_table_by_group(tmp_path: Path) -> None:
    table = tmp_path / "curves.csv"
    lines = [f"{kind},{x},{3 * x**-c}" for kind, c in (("a", 0.1), ("b", 0.2)) for x in X]
    table.write_text("kind,n,loss\n" + "\n".join(lines) + "\n")
    found = fit_table(table, "n", "loss", "power", group=["kind"], bootstrap=20, holdout_top=2)
    assert [(f.group, round(f.params["c"], 6)) for f in found] == [({"kind": "a"}, 0.1), ({"kind": "b"}, 0.2)]
    keys = (
        "group law n params intervals derived objective rmsle_fit rmsle_holdout baselines identified warnings"
    )
    assert set(keys.split()) <= set(json.loads(json.dumps(found[0].as_json(), allow_nan=False)))


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        ("n,loss\n1,2\n2,1\n", ("n", "lost", "power"), "column 'lost' is missing; did you mean 'loss'?"),
        ("n,loss\n1,2\n2,1\n", ("n", "loss", "powre"), "law 'powre' is unknown; did you mean 'power'?"),
        (
            "n,loss\n1,2\n2,0\n",
            ("n", "loss", "power"),
            "column 'loss': a law needs positive numbers, found 0",
        ),
        ("n,loss\n1,2\n2,x\n", ("n", "loss", "power"), "column 'loss' must hold numbers, found '2'"),
        ("n,loss\n1,2\n2,1\n", ("n", "loss", "power-floor"), "2 different values"),
        ("n,loss\n", ("n", "loss", "power"), "the table has no rows"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path, content: str, arguments: tuple[str, str, str], sentence: str
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(content)
    with pytest.raises(UserError) as error:
        fit_table(table, *arguments)
    assert sentence in str(error.value)
    assert str(table) in str(error.value)


def test_a_missing_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        fit_table(tmp_path / "none.csv", "x", "y", "power")


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (["2020-01-01,3", "2021-01-01,2"], "column 'n' must hold numbers, found '2020-01-01' in row 1"),
        (["1,3", "10,"], "column 'loss' must hold numbers, found nothing in row 2"),
        (["1,2", "10,2", "100,2"], "column 'loss' does not vary"),
    ],
)
def test_a_column_that_holds_no_numbers_or_no_change_is_named(
    tmp_path: Path, cells: list[str], sentence: str
) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["n,loss", *cells]) + "\n")
    with pytest.raises(UserError, match=sentence):
        fit_table(path, "n", "loss", "power")
