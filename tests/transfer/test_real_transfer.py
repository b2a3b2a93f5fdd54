"""Known answers on real data: 77 people of OpenNeuro ds000228 through the whole read-out."""

from pathlib import Path

import numpy as np
import pytest

from tests.transfer.planted import auroc
from transferscale.medical.index import index
from transferscale.medical.split import split
from transferscale.medical.view import build
from transferscale.study.cells import Cell
from transferscale.study.grid import Grid
from transferscale.study.load import load_study, read_yaml
from transferscale.study.reader import Reader
from transferscale.tables import read_table
from transferscale.transfer import baselines
from transferscale.transfer.fit import fit


@pytest.mark.real_data
def test_linear_baselines_reach_the_known_figures(root: Path, real_data: Path, tmp_path: Path) -> None:
    content = read_yaml(root / "config" / "studies" / "pixar.yaml")
    content["data_root"] = str(real_data)
    content["datasets"] = [str(root / "config" / "datasets" / "pixar.yaml")]
    grid = Grid(load_study(content))
    recordings, view, splits = (tmp_path / name for name in ("recordings.parquet", "view", "splits.json"))
    index(grid.recordings_spec("pixar"), recordings, tmp_path / "quarantine.parquet")
    build(grid.view_spec("pixar"), recordings, view, 1)
    split(grid.split_spec("pixar"), recordings, splits)

    def rows(arm: str, task: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        reader, out = Reader(arm), tmp_path / "p.parquet"
        baselines.extract(grid.features_spec("pixar", reader), view, tmp_path / "f")
        spec = grid.fit_spec(Cell("pixar", "roi", "ridge", reader, "all"))
        spec["tasks"] = {task: spec["tasks"][task]}
        fit(spec, tmp_path / "f", view, recordings, splits, out)
        table = read_table(out, "predictions").to_pydict()
        score = np.array([s[-1] if s else np.nan for s in table["y_score"]])
        return np.array(table["y_true"]), np.array(table["y_pred"]), score

    truth, _, score = rows("connectivity", "child_adult")
    assert auroc(score, truth == 1) >= 0.88
    truth, predicted, _ = rows("connectivity", "age")
    assert np.corrcoef(truth, predicted)[0, 1] >= 0.70
    truth, predicted, _ = rows("raw:linear", "film")
    assert np.mean(truth == predicted) >= 0.85
