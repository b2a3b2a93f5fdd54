"""Which way is better, and which way the future lies: never guessed in silence."""

from pathlib import Path

import numpy as np
import pytest

from transferscale.errors import UserError
from transferscale.scaling.comparisons.compare import compare
from transferscale.scaling.fits.auto import fit_auto, fit_breaks
from transferscale.scaling.fits.fit import Fit, fit
from transferscale.scaling.fits.points import Points
from transferscale.scaling.fits.table import Request, fit_table
from transferscale.scaling.metrics import Reals

X = np.geomspace(1e3, 1e6, 8)


def _table(folder: Path, groups: dict[str, Reals], name: str = "value") -> Path:
    rows = [f"{group},{x},{y}" for group, values in groups.items() for x, y in zip(X, values, strict=True)]
    path = folder / "runs.csv"
    path.write_text("\n".join([f"task,x,{name}", *rows]) + "\n")
    return path


def _fits(path: Path, name: str = "value", **options: object) -> dict[str, Fit]:
    found, refused = fit_table(path, ["x"], name, [Request("power", bootstrap=0, **options)], group=["task"])
    assert refused == []
    return {one.group["task"]: one for one in found}


def _family(y: Reals) -> Points:
    rows = np.arange(len(y), dtype=np.int64)
    return Points(
        group={},
        x=X[:, None],
        y=y,
        cluster=None,
        pair=None,
        weight=None,
        held=np.zeros(len(y), bool),
        row=rows,
        notes=(),
    )


def test_a_percentage_has_no_winner_until_its_ceiling_is_said() -> None:
    slow, fast = (100 * (1 - f * (X / 1e3) ** -c) for f, c in ((0.5, 0.1), (0.6, 0.2)))
    families = {"slow": _family(slow), "fast": _family(fast)}
    with pytest.raises(
        UserError, match=r"'y' rises with scale and exceeds 1; give --ceiling.* or --better lower"
    ):
        compare(families, "power", bootstrap=0)
    assert compare(families, "power", bootstrap=0, ceiling=100).pairs[0].overtakes == "fast"
    assert compare(families, "power", bootstrap=0, better="lower").pairs[0].overtakes == "slow"


def test_a_group_that_goes_nowhere_is_what_the_other_groups_are(tmp_path: Path) -> None:
    rising = 1 - 5 * X**-0.3
    flat = 0.6 + 0.01 * np.array([1, -1, -1, 1, 1, -1, -1, 1])
    found = _fits(_table(tmp_path, {"rising": rising, "flat": flat}))
    assert found["rising"].outcome.score
    assert found["flat"].outcome.score
    assert any("hardly goes with scale here" in warning for warning in found["flat"].warnings)


def test_groups_that_go_different_ways_are_told(tmp_path: Path) -> None:
    rising, falling = 1 - 5 * X**-0.3, 0.5 * (X / 1e3) ** -0.05
    found = _fits(_table(tmp_path, {"a": rising, "b": rising, "c": falling}))
    assert any("goes down with scale here and not in other groups" in one for one in found["c"].warnings)
    assert not any("other groups" in one for one in found["a"].warnings)
    said = _fits(_table(tmp_path, {"a": rising, "c": falling}), better="higher")
    assert said["c"].outcome.score
    assert not any("other groups" in one for one in said["c"].warnings)


def test_a_column_whose_name_says_otherwise_is_told(tmp_path: Path) -> None:
    found = _fits(_table(tmp_path, {"a": 0.02 * (X / 1e3) ** 0.3}, "test_err"), "test_err")
    assert any("say --better lower if it is a loss" in one for one in found["a"].warnings)
    found = _fits(_table(tmp_path, {"a": 0.9 * (X / 1e3) ** -0.3}, "accuracy"), "accuracy")
    assert any("say --better higher if it is a score" in one for one in found["a"].warnings)


def test_the_future_of_a_link_lies_at_lower_losses() -> None:
    loss = np.linspace(2.0, 4.0, 9)
    error = 0.9 - 0.8 * np.exp(-0.9 * (loss - 1))
    exact = fit(loss, error, "exp-link", bootstrap=0)
    held = fit(loss, error + 0.05 * (loss < 2.1), "exp-link", bootstrap=0)
    # The lowest loss is what is held out, so that a change there is what the test sees.
    assert exact.rmsle_backtest == pytest.approx(0, abs=1e-6)
    assert held.rmsle_backtest is not None
    assert held.rmsle_backtest > 0.05
    assert held.baselines["last"] == pytest.approx(abs(np.log((error[0] + 0.05) / error[1])))
    assert not any("span" in warning and "factor of 2.0" in warning for warning in exact.warnings)


def test_the_test_of_a_choice_includes_the_choice() -> None:
    y = (1.2 + 60 * X**-0.6) * np.exp(0.01 * np.random.default_rng(0).standard_normal(len(X)))
    for choose in (fit_auto, fit_breaks):
        found = choose(X, y, bootstrap=0, starts=8)
        without = choose(X[:-1], y[:-1], bootstrap=0, starts=8, test=False)
        wanted = abs(np.log(without.predict(X[-1:])[0] / y[-1]))
        assert found.rmsle_backtest == pytest.approx(wanted, rel=1e-6)


def test_an_optimum_outside_of_the_points_is_told_and_one_within_is_not() -> None:
    n, d = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(2e8, 2e11, 6)))
    both = 1.8 + 480 * n**-0.35 + 2100 * d**-0.37
    alone = 2 + 400 * n**-0.35 + 1e-4 * d**-0.02
    inside, outside = (
        fit(np.c_[n, d], y, "chinchilla", bootstrap=0, starts=20).warnings for y in (both, alone)
    )
    assert not any("outside of the points" in warning for warning in inside)
    assert any("outside of the points" in warning for warning in outside)
