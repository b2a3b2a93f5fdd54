"""The real sets, each added by `medical add` alone and run through the read-outs: known answers are reproduced."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.transfer.planted import auroc
from transferscale.errors import UserError
from transferscale.medical.add.add import add
from transferscale.medical.check import load
from transferscale.medical.index import index
from transferscale.medical.leaks import audit_view
from transferscale.medical.reading import View
from transferscale.medical.split import split
from transferscale.medical.view import build
from transferscale.study.cells import Cell
from transferscale.study.grid import Grid
from transferscale.study.reader import Reader
from transferscale.tables import read_table
from transferscale.transfer import baselines
from transferscale.transfer.fit import fit

pytestmark = pytest.mark.real_data

Columns = dict[str, np.ndarray]


@dataclass
class Prepared:
    """A real set from the file that `medical add` wrote to audited folds."""

    grid: Grid
    folder: Path

    @property
    def name(self) -> str:
        return self.grid.study.datasets[0].dataset

    @property
    def view(self) -> View:
        return View(self.folder / "view")

    def read_out(self, arm: str, task: str, n_labels: str = "all") -> Columns:
        """Predictions of a baseline by ridge."""
        reader, out = Reader(arm), self.folder / "predictions.parquet"
        baselines.extract(self.grid.features_spec(self.name, reader), self.folder / "view", self.folder / "f")
        kind = self.grid.study.datasets[0].view.kind
        spec = self.grid.fit_spec(Cell(self.name, kind, "ridge", reader, n_labels))
        spec["tasks"] = {task: spec["tasks"][task]}
        places = (self.folder / name for name in ("view", "recordings.parquet", "splits.json"))
        fit(spec, self.folder / "f", *places, out)
        table = read_table(out, "predictions").to_pydict()
        score = [scores[-1] if scores else np.nan for scores in table["y_score"]]
        return {
            "truth": np.array(table["y_true"]),
            "predicted": np.array(table["y_pred"]),
            "score": np.array(score),
        }


Prepare = Callable[..., Prepared]


@pytest.fixture
def prepared(real_data: Path, tmp_path: Path) -> Prepare:
    """Add, index, lay out, split and audit: ``prepared("rhyming_9roi", tr_s=2.0)``."""

    def prepare(path: str, **options: object) -> Prepared:
        added = add(str(real_data / "fmri" / path), out=tmp_path / "set.yaml", **options)  # type: ignore[arg-type]
        assert added.problem == ""
        grid = load(str(added.file))
        name, recordings = grid.study.datasets[0].dataset, tmp_path / "recordings.parquet"
        index(grid.recordings_spec(name), recordings, tmp_path / "quarantine.parquet")
        build(grid.view_spec(name), recordings, tmp_path / "view", 1)
        split(grid.split_spec(name), recordings, tmp_path / "splits.json")
        audit_view(tmp_path / "splits.json", recordings, tmp_path / "view", tmp_path / "audit.json")
        return Prepared(grid, tmp_path)

    return prepare


def r_squared(columns: Columns) -> float:
    truth = columns["truth"]
    return float(1 - ((truth - columns["predicted"]) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def correlation(columns: Columns) -> float:
    return float(np.corrcoef(columns["truth"], columns["predicted"])[0, 1])


def test_pixar_children_are_told_from_adults_by_connectivity(prepared: Prepare) -> None:
    pixar = prepared("ds000228_pixar/basc064", tr_s=2.0, targets=["Child_Adult", "Age"])
    assert len(pixar.view.subjects) == 77
    columns = pixar.read_out("connectivity", "child_adult")
    assert auroc(columns["score"], columns["truth"] == 1) >= 0.88
    assert correlation(pixar.read_out("connectivity", "age")) >= 0.70


def test_camcan_age_is_in_motion_and_tissue_signals(prepared: Prepare) -> None:
    camcan = prepared("camcan_smt_tissue", tr_s=1.97, targets=["age"])
    assert len(camcan.view.subjects) == 322
    few, all_of_them = (r_squared(camcan.read_out("spectrum", "age", n)) for n in ("32", "all"))
    assert 0.1 < few < 0.3
    assert 0.36 < all_of_them < 0.5


def test_haxby_runs_of_one_person_are_held_out(prepared: Prepare) -> None:
    haxby = prepared("haxby2001_sub001/*_task-objectviewing_run-*_bold_25mm.nii.gz")
    assert len(haxby.view.subjects) == 6
    assert set(haxby.view.windows["trial_type"]) == {
        *("bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe")
    }
    columns = haxby.read_out("raw:linear", "trial_type")
    # Every block of every run is tested once. No figure is known of voxels of 25 mm and five runs to learn from.
    assert len(columns["truth"]) == len(haxby.view) >= 6 * 7
    assert np.isfinite(columns["score"]).all()


def test_five_people_of_nine_columns_run_through(prepared: Prepare) -> None:
    rhyming = prepared("rhyming_9roi", tr_s=2.0)
    assert (len(rhyming.view.subjects), rhyming.view.series.shape[1]) == (5, 9)
    columns = rhyming.read_out("raw:linear", "window")
    assert len(columns["truth"]) == 5 * 10
    assert np.isfinite(columns["score"]).all()


STUDYFORREST = "studyforrest_localizer/*_task-oneback_run-*_part-open_bold.nii.gz"


def test_studyforrest_s_only_run_is_cut_and_pictures_are_told_from_pauses(prepared: Prepare) -> None:
    forrest = prepared(STUDYFORREST, tr_s=2.0)
    assert len(forrest.view.subjects) == 5
    assert forrest.view.subjects[0] == "sub-02_run-1_stretch-01"
    columns = forrest.read_out("raw:linear", "trial_type")
    right = columns["truth"] == columns["predicted"]
    balanced = np.mean([np.mean(right[columns["truth"] == kind]) for kind in (0, 1)])
    # 0.89 over 32 windows. The six categories, each shown in one block alone, cannot be told apart in one run.
    assert balanced >= 0.8


def test_studyforrest_s_repetition_time_is_doubted(real_data: Path, tmp_path: Path) -> None:
    pattern = real_data / "fmri" / STUDYFORREST
    added = add(str(pattern), out=tmp_path / "set.yaml")
    assert any("the repetition time may be wrong" in line for line in added.lines)
    true = add(str(pattern), out=tmp_path / "set.yaml", tr_s=2.0, force=True)
    assert not any("the repetition time may be wrong" in line for line in true.lines)
    with pytest.raises(UserError, match="holds recordings in 2 layouts"):
        add(str(pattern.parent), out=tmp_path / "other.yaml")
