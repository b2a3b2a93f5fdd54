"""IsoFLOP minima of anybody's table: groups, the frontiers against each other, and what is written."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.scaling.minima.planted import Surface, as_csv, ladder
from transferscale import scaling
from transferscale.cli import app
from transferscale.errors import UserError
from transferscale.scaling.minima.table import write_crossovers, write_frontiers, write_isoflop
from transferscale.tables import read_table

OPTIONS = "--n params --c flops --d clips --y loss --group family --cluster trunk --bootstrap 100"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two families; the first is better at little compute and the second at much."""
    path = tmp_path_factory.mktemp("isoflop") / "runs.csv"
    early, late = Surface(e=0.55, a=40.0, b=10.0), Surface(e=0.3, a=60.0, b=13.0)
    path.write_text(as_csv(ladder(early, 0.003, 1, "early"), ladder(late, 0.003, 2, "late")))
    return path


def test_the_command_and_the_function_say_the_same(table: Path) -> None:
    found = scaling.isoflop(
        table, "params", "flops", "loss", d="clips", group=["family"], cluster="trunk", bootstrap=100
    )
    told = CliRunner().invoke(
        app, ["scaling", "isoflop", str(table), *OPTIONS.split(), "--format", "json"], catch_exceptions=False
    )
    assert json.loads(told.stdout) == json.loads(json.dumps(found.as_json()))
    assert [one.group for one in found.groups] == [{"family": "early"}, {"family": "late"}]


def test_frontiers_that_cross_are_found_to(table: Path) -> None:
    found = scaling.isoflop(
        table, "params", "flops", "loss", d="clips", group=["family"], cluster="trunk", bootstrap=200
    )
    assert found.comparison is not None
    (pair,) = found.comparison.pairs
    assert pair.crossover.answer == "crossover"
    assert pair.overtakes == "late"
    early, late = Surface(e=0.55, a=40.0, b=10.0), Surface(e=0.3, a=60.0, b=13.0)
    at = [10 ** (11 + 0.05 * i) for i in range(60)]
    truth = next(c for c in at if late.best(c)[1] < early.best(c)[1])
    assert pair.crossover.low is not None
    assert pair.crossover.high is not None
    assert pair.crossover.low < truth < 1.2 * pair.crossover.high


def test_the_laws_of_the_frontier_count_trunks_and_not_budgets(table: Path) -> None:
    found = scaling.isoflop(
        table, "params", "flops", "loss", d="clips", group=["family"], cluster="trunk", bootstrap=100
    )
    for one in found.groups:
        assert [law.law for law in one.frontier] == ["power", "power-floor"]
        assert len(one.trunks) == 10
        power = one.frontier[0]
        low, high = power.intervals["c"] or (0.0, 0.0)
        assert low < power.params["c"] < high
        # Ten trunks are enough to rely on, however few the budgets are.
        assert not any("independent runs" in warning for warning in power.warnings)


def test_what_is_written_fits_the_tables(table: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.parquet" for name in ("out", "laws", "crossovers")}
    told = CliRunner().invoke(
        app,
        ["scaling", "isoflop", str(table), *OPTIONS.split()]
        + [word for name, path in files.items() for word in (f"--{name}", str(path))],
        catch_exceptions=False,
    )
    minima = read_table(files["out"], "isoflop").to_pylist()
    assert len(minima) == 14
    assert {row["group"] for row in minima} == {"family early", "family late"}
    laws = read_table(files["laws"], "laws").to_pylist()
    assert {row["group"] for row in laws} == {
        "loss ~ flops, early, frontier",
        "loss ~ flops, late, frontier",
    }
    assert read_table(files["crossovers"], "crossovers").to_pylist()[0]["group"] == "curve = frontiers"
    assert all(f"{row['compute']:.3g}" in told.stdout for row in minima)


def test_csv_has_a_row_a_budget(table: Path) -> None:
    told = CliRunner().invoke(app, ["scaling", "isoflop", str(table), *OPTIONS.split(), "--format", "csv"])
    assert len(told.stdout.splitlines()) == 15
    assert told.stdout.startswith("family,")


def test_the_same_table_gives_the_same_bytes(table: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        found = scaling.isoflop(
            table, "params", "flops", "loss", d="clips", group=["family"], cluster="trunk"
        )
        write_isoflop(tmp_path / f"{name}.parquet", found)
        write_frontiers(tmp_path / f"{name}-laws.parquet", found)
        write_crossovers(tmp_path / f"{name}-crossovers.parquet", found)
    for kind in ("", "-laws", "-crossovers"):
        assert (tmp_path / f"one{kind}.parquet").read_bytes() == (
            tmp_path / f"two{kind}.parquet"
        ).read_bytes()


def test_mistakes_are_one_sentence_each(table: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"column 'flop' is missing; did you mean 'flops'"):
        scaling.isoflop(table, "params", "flop", "loss")
    few = tmp_path / "few.csv"
    few.write_text("\n".join(table.read_text().splitlines()[:11]) + "\n")
    with pytest.raises(UserError, match=r"few\.csv: column 'params' has one value"):
        scaling.isoflop(few, "params", "flops", "loss", d="clips")
    assert (
        scaling.isoflop(few, "params", "flops", "loss", d="clips", empty_ok=True)
        .left_out[0]
        .startswith(str(few))
    )
