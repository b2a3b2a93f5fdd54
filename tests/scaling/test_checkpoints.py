"""The table of checkpoints: a row from every model.json."""

from pathlib import Path

import pytest

from tests.scaling.results_folder import demo, fill
from transferscale.artefacts import read_json, write_json
from transferscale.errors import UserError
from transferscale.scaling.checkpoints import checkpoints
from transferscale.study.grid import Grid
from transferscale.study.study import Study
from transferscale.tables import read_table


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = demo(tmp_path_factory.mktemp("results"))
    fill(made)
    return made


def _rows(study: Study, path: str, name: str) -> list[dict]:
    return read_table(Path(study.folder) / path, name).to_pylist()


def test_every_checkpoint_of_the_study_is_a_row(study: Study) -> None:
    rows = _rows(study, "tables/checkpoints.parquet", "checkpoints")
    assert [row["reader_id"] for row in rows] == [reader.reader_id for reader in Grid(study).checkpoints()]
    assert rows[0]["path"] == "pretrain/motion/mae/vit-d1/seed0/rung1"


def test_a_model_json_that_lacks_a_column_is_one_sentence(study: Study, tmp_path: Path) -> None:
    path = Path(study.folder) / Grid(study).checkpoints()[0].folder / "model.json"
    facts = read_json(path)
    try:
        write_json(path, {key: value for key, value in facts.items() if key != "heldout_loss"})
        with pytest.raises(UserError, match="key 'heldout_loss' is missing; pretrain this checkpoint again"):
            checkpoints(study, tmp_path / "c.parquet")
    finally:
        write_json(path, facts)
