"""The ladder's checkpoints alone."""

from pathlib import Path

import pytest

from tests.scaling.results_folder import fill, pretraining_alone
from transferscale.scaling.checkpoints import checkpoints
from transferscale.scaling.rungs.ladder import plain, run
from transferscale.study.study import Study
from transferscale.tables import read_table


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = pretraining_alone(tmp_path_factory.mktemp("results"))
    fill(made)
    return made


def test_controls_and_fractions_are_left_out_and_nothing_else(study: Study, tmp_path: Path) -> None:
    tables = Path(study.folder) / "tables"
    run(tables / "checkpoints.parquet", tmp_path / "ladder.parquet")
    everything = read_table(tables / "checkpoints.parquet", "checkpoints").to_pylist()
    rows = read_table(tmp_path / "ladder.parquet", "ladder").to_pylist()
    assert len(everything) == 104
    assert len(rows) == 100 == sum(plain(row) for row in everything)
    assert {len([r for r in rows if r["trunk"] == trunk]) for trunk in {r["trunk"] for r in rows}} == {5}
    assert len({row["trunk"] for row in rows}) == 20


def test_a_fold_is_not_of_the_ladder() -> None:
    row = {"control": "", "fraction": 1.0, "fold": -1}
    assert plain(row)
    assert not any(
        plain({**row, **other}) for other in ({"control": "static"}, {"fraction": 0.5}, {"fold": 0})
    )


def test_before_the_last_rung_nothing_of_it_is_gathered(study: Study, tmp_path: Path) -> None:
    checkpoints(study, tmp_path / "earlier.parquet", before_last=True)
    rows = read_table(tmp_path / "earlier.parquet", "checkpoints").to_pylist()
    assert {row["rung"] for row in rows} == {1, 2, 3, 4}
    assert all(plain(row) for row in rows)
    for path in Path(study.folder).glob("pretrain/*/*/*/*/rung5/model.json"):
        path.rename(path.with_suffix(".away"))
    checkpoints(study, tmp_path / "again.parquet", before_last=True)
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "earlier.parquet").read_bytes()
