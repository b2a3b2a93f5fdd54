"""Fits: what is told with them, what is refused, what the data do not say is not claimed."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.scaling.laws.planted import CHINCHILLA, PLANE, PLANTED
from transferscale.errors import UserError
from transferscale.scaling.fits.fit import fit, replicate_noise
from transferscale.scaling.fits.objectives import Huber
from transferscale.scaling.fits.outcome import Outcome
from transferscale.scaling.fits.table import Request, fit_table
from transferscale.scaling.laws.power import PowerFloor
from transferscale.scaling.metrics import Reals

X = np.geomspace(1e3, 1e6, 8)
CONTRACT = (
    "group law n params intervals derived objective rmsle_fit rmsle_holdout baselines identified warnings"
)


def _noisy(noise: float = 0.02, seed: int = 0, x: Reals = X) -> Reals:
    return 3 * x**-0.1 * np.exp(noise * np.random.default_rng(seed).standard_normal(len(x)))


@pytest.mark.parametrize("bootstrap", [0, 30])
def test_a_fit_is_plain_json_with_the_keys_of_the_contract(bootstrap: int) -> None:
    for name, one in PLANTED.items():
        y = np.exp(one.log_y + 0.01 * np.random.default_rng(1).standard_normal(len(one.x)))
        found = fit(one.x, y, one.form, bootstrap=bootstrap, starts=2)
        written = json.loads(json.dumps(found.as_json(), allow_nan=False))
        assert set(CONTRACT.split()) <= set(written)
        assert written["law"] == one.form.name
        assert set(written["params"]) == set(written["identified"]) == set(one.form.parameters)
        assert set(written["intervals"]) == (set(one.form.parameters) if bootstrap else set())
        assert set(written["derived_intervals"]) == (set(written["derived"]) if bootstrap else set()), name


def test_group_names_and_notes_are_told() -> None:
    found = fit(
        X, _noisy(), "power", names=(("tokens",), "loss"), group={"family": "vit"}, notes=["row 3 is odd"]
    )
    told = found.as_json()
    assert (told["x"], told["y"], told["group"]) == (["tokens"], "loss", {"family": "vit"})
    assert told["warnings"][0] == "row 3 is odd"


def test_without_names_columns_are_called_as_in_the_law() -> None:
    one = PLANTED["chinchilla"]
    found = fit(PLANE, np.exp(one.log_y), "chinchilla", bootstrap=0)
    assert found.x == ("N", "D")
    assert found.params == pytest.approx(CHINCHILLA, rel=1e-6)


def test_a_law_may_be_given_by_its_name_or_as_itself() -> None:
    assert (
        fit(X, _noisy(), PowerFloor(), bootstrap=0).as_json()
        == fit(X, _noisy(), "power-floor", bootstrap=0).as_json()
    )


def test_inputs_are_left_as_they_are() -> None:
    x, y = X[::-1].copy(), _noisy()
    fit(x, y, "power", bootstrap=5)
    np.testing.assert_array_equal(x, X[::-1])
    np.testing.assert_array_equal(y, _noisy())


def test_the_band_of_the_curve_holds_its_middle() -> None:
    found = fit(X, _noisy(), "power", bootstrap=300)
    middle, low, high = found.curve(X)
    assert low is not None
    assert high is not None
    assert (low <= middle).all()
    assert (middle <= high).all()


def test_without_draws_there_is_no_band() -> None:
    found = fit(X, _noisy(), "power", bootstrap=0)
    assert found.curve(X)[1:] == (None, None)
    assert found.draws(X) is None
    assert found.new_run(X) is None
    assert found.as_json()["intervals"] == {}


def test_intervals_of_derived_quantities_hold_them() -> None:
    one = PLANTED["chinchilla"]
    y = np.exp(one.log_y + 0.003 * np.random.default_rng(0).standard_normal(len(PLANE)))
    found = fit(PLANE, y, "chinchilla", bootstrap=200)
    low, high = found.derived_intervals["a"] or (0, 0)
    assert low < found.derived["a"] < high
    assert high - low < 0.2
    # Compute is a number of the points, not of the fit.
    assert found.derived_intervals["compute"] == pytest.approx((found.derived["compute"],) * 2)


def test_95_percent_of_new_runs_lie_in_their_interval() -> None:
    x = np.repeat(np.geomspace(1e3, 1e6, 15), 2)
    ahead, inside = np.array([2e6]), 0
    for seed in range(60):
        found = fit(x, _noisy(0.1, seed, x), "power", bootstrap=150)
        run = 3 * 2e6**-0.1 * np.exp(0.1 * np.random.default_rng(10_000 + seed).standard_normal())
        interval = found.new_run(ahead)
        assert interval is not None
        _, low, high = found.curve(ahead)
        assert low is not None
        assert high is not None
        assert interval[0][0] < low[0] < high[0] < interval[1][0]
        inside += interval[0][0] <= run <= interval[1][0]
    # Three standard errors of 60 trials.
    assert inside / 60 >= 0.86


def test_weights_count() -> None:
    y = 3 * X**-0.1
    y[-1] *= 2
    light = fit(X, y, "power", weight=np.r_[np.ones(7), 1e-6], bootstrap=0)
    assert light.params == pytest.approx({"b": 3.0, "c": 0.1}, rel=1e-4)
    twice = fit(np.r_[X, X[-1]], np.r_[y, y[-1]], "power", bootstrap=0)
    heavy = fit(X, y, "power", weight=np.r_[np.ones(7), 2.0], bootstrap=0)
    assert heavy.params == pytest.approx(twice.params)
    assert heavy.objective == pytest.approx(twice.objective)


def test_weights_go_with_their_rows_in_any_order() -> None:
    order = np.random.default_rng(0).permutation(8)
    weight = np.linspace(0.2, 3, 8)
    here = fit(X, _noisy(), "power", weight=weight, bootstrap=0)
    there = fit(X[order], _noisy()[order], "power", weight=weight[order], bootstrap=0)
    assert here.as_json() == there.as_json()


def test_the_objective_is_told_with_its_name() -> None:
    found = fit(X, _noisy(), "power", bootstrap=0)
    assert found.objective_name == "sum of squared residuals of log y"
    assert found.objective == pytest.approx(8 * found.rmsle_fit**2)
    assert "Huber" in fit(X, _noisy(), "power", objective=Huber(1e-3), bootstrap=0).objective_name


def test_growth_with_scale_is_told() -> None:
    assert "the outcome grows with scale" in fit(X, X**0.1, "power", bootstrap=0).warnings
    assert "the outcome grows with scale" not in fit(X, _noisy(), "power", bootstrap=0).warnings


def test_few_or_close_scales_are_told() -> None:
    found = fit(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 0.8, 0.7, 0.65]), "power", bootstrap=0)
    assert "4 different scales; a law wants at least 5" in found.warnings
    assert "the scales span a factor of 4.0; a law wants at least 10" in found.warnings
    clean = fit(X, _noisy(0.001), "power", bootstrap=0)
    assert not any("a law wants" in warning for warning in clean.warnings)


def test_a_parameter_at_its_bound_is_told_and_not_identified() -> None:
    y = 1 + (X / 1e3) ** -15.0
    found = fit(X, y, "power-floor", bootstrap=0)
    assert any(w.startswith("at a bound of what is allowed:") and "c = 10" in w for w in found.warnings)
    assert not found.identified["c"]


def test_the_noise_between_replicates_is_pooled_over_scales() -> None:
    log_x = np.log([[1.0], [1.0], [2.0], [2.0], [2.0], [4.0]])
    log_y = np.array([0.0, 0.2, 1.0, 1.1, 1.2, 5.0])
    assert replicate_noise(log_x, log_y) == pytest.approx(np.sqrt((0.02 + 0.02) / 3))
    assert replicate_noise(log_x[[0, 2, 5]], log_y[[0, 2, 5]]) is None


def test_a_law_of_the_wrong_form_is_told_from_replicates() -> None:
    x = np.repeat(X, 3)
    y = (1 + 50 * x**-0.5) * np.exp(0.002 * np.random.default_rng(0).standard_normal(24))
    wrong, right = fit(x, y, "power", bootstrap=0), fit(x, y, "power-floor", bootstrap=0)
    assert any("the form of the law does not fit" in warning for warning in wrong.warnings)
    assert not any("the form of the law does not fit" in warning for warning in right.warnings)


def test_rows_that_are_copies_of_others_are_no_obstacle() -> None:
    y = _noisy()
    found = fit(np.r_[X, X], np.r_[y, y], "power", bootstrap=20)
    assert found.noise == pytest.approx(0, abs=1e-15)
    assert found.params == pytest.approx(fit(X, y, "power", bootstrap=0).params)


def test_as_many_scales_as_parameters_can_be_fitted() -> None:
    found = fit(X[:3], 1 + 50 * X[:3] ** -0.5, "power-floor", bootstrap=0)
    assert found.rmsle_fit < 1e-8
    assert found.rmsle_backtest is None
    assert found.baselines == {}


@pytest.mark.parametrize(
    ("x", "y", "law", "sentence"),
    [
        (X, np.r_[np.nan, np.ones(7)], "power", "column 'loss': found nan, which is no number"),
        (np.r_[np.inf, X[1:]], np.ones(8), "power", "column 'n': found inf, which is no number"),
        (
            np.r_[-1.0, X[1:]],
            np.ones(8),
            "power",
            "column 'n': a law needs scales above zero, found -1; leave that row out",
        ),
        (
            X,
            np.r_[_noisy()[:7], 0.0],
            "power",
            "column 'loss': a law needs positive numbers, found 0; leave that row out, or give --ceiling if it is a "
            "score",
        ),
        (np.full(8, 5.0), _noisy(), "power", "column 'n' has one value (5); a law needs several"),
        (
            np.repeat(X[:2], 4),
            _noisy(),
            "power-floor",
            "'n': 2 different values, but law 'power-floor' (y = e + b x^-c) has 3 parameters",
        ),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(x: Reals, y: Reals, law: str, sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        fit(x, y, law, names=(("n",), "loss"), bootstrap=0)
    assert str(refused.value) == sentence


def test_with_one_model_size_there_is_no_law_of_size_and_data() -> None:
    x = np.c_[np.full(8, 1e9), X * 1e6]
    with pytest.raises(UserError, match=r"column 'N' has one value \(1e\+09\); a law needs several"):
        fit(x, _noisy(), "chinchilla", bootstrap=0)


def test_holding_out_every_point_leaves_none() -> None:
    with pytest.raises(UserError, match="column 'x' has no value; a law needs several"):
        fit(X, _noisy(), "power", held=np.ones(8, dtype=np.bool_), bootstrap=0)


def test_a_held_out_point_that_cannot_be_tested_is_refused_too() -> None:
    y = _noisy()
    y[-1] = -1
    with pytest.raises(UserError, match="a law needs positive numbers, found -1"):
        fit(X, y, "power", held=X[-1] == X, outcome=Outcome(), bootstrap=0)


def _table(folder: Path, *rows: str) -> Path:
    path = folder / "curves.csv"
    path.write_text("\n".join(["kind,n,loss", *rows]) + "\n")
    return path


def _rows(kind: str, c: float, last: str = "") -> list[str]:
    return [f"{kind},{x},{3 * x**-c}" for x in X] + ([last] if last else [])


def test_a_table_is_fitted_by_group(tmp_path: Path) -> None:
    table = _table(tmp_path, *_rows("a", 0.1), *_rows("b", 0.2))
    found, refused = fit_table(table, ["n"], "loss", [Request("power", bootstrap=20, top=2)], group=["kind"])
    told = [(one.group, round(one.params["c"], 6), one.n) for one in found]
    assert told == [({"kind": "a"}, 0.1, 6), ({"kind": "b"}, 0.2, 6)]
    assert refused == []
    assert found[0].rmsle_holdout == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (_rows("b", 0.2, "b,5,x"), "column 'loss' must hold numbers, found 'x' in row 17"),
        (_rows("b", 0.2, "b,0,1"), "column 'n': 0 in row 17 is not above zero"),
        (_rows("b", 0.2, "b,5,0"), "column 'loss': a law needs positive numbers, found 0"),
        (_rows("b", 0.2)[:1], "column 'n' has one value (1000)"),
        (_rows("b", 0.2)[:2], "2 different values"),
        (["b,,"], "no row has a value"),
    ],
)
def test_a_bad_group_is_one_sentence_and_the_others_are_fitted(
    tmp_path: Path, rows: list[str], sentence: str
) -> None:
    table = _table(tmp_path, *_rows("a", 0.1), *rows)
    found, refused = fit_table(table, ["n"], "loss", [Request("power-floor", bootstrap=0)], group=["kind"])
    assert [one.group for one in found] == [{"kind": "a"}]
    assert len(refused) == 1
    assert refused[0].startswith(f"{table}, kind = b")
    assert sentence in refused[0]


@pytest.mark.parametrize(
    ("y", "law", "rows", "sentence"),
    [
        ("lost", "power", _rows("a", 0.1), "column 'lost' is missing; did you mean 'loss'?"),
        ("loss", "powre", _rows("a", 0.1), "law 'powre' is unknown; did you mean 'power'?"),
    ],
)
def test_a_request_that_no_group_could_meet_is_refused(
    tmp_path: Path, y: str, law: str, rows: list[str], sentence: str
) -> None:
    with pytest.raises(UserError) as refused:
        fit_table(_table(tmp_path, *rows), ["n"], y, [Request(law, bootstrap=0)])
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_without_rows_has_no_fit_and_says_so(tmp_path: Path) -> None:
    table = _table(tmp_path)
    assert fit_table(table, ["n"], "loss", [Request("power", bootstrap=0)]) == (
        [],
        [f"{table}: the table has no rows"],
    )


def test_dates_are_no_scale(tmp_path: Path) -> None:
    table = _table(tmp_path, "a,2020-01-01,3", "a,2021-01-01,2")
    found, refused = fit_table(table, ["n"], "loss", [Request("power", bootstrap=0)])
    assert found == []
    assert refused == [f"{table}: column 'n' must hold numbers, found '2020-01-01' in row 1"]


def test_the_same_input_gives_the_same_bytes() -> None:
    one, two = (json.dumps(fit(X, _noisy(), "power-floor", bootstrap=50).as_json()) for _ in range(2))
    assert one == two
