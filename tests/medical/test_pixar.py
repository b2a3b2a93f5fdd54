"""The real dataset: 77 people watching a film. Known answers, by a ridge written here and nowhere else."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.medical.conftest import CONFIG, Made, made
from transferscale.medical.labels import labels
from transferscale.medical.reading import Splits, View
from transferscale.study.load import load_dataset

DATA = Path(os.environ.get("TRANSFERSCALE_DATA", CONFIG.parents[1] / "../shared/data"))

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not (DATA / "fmri").is_dir(), reason=f"no real data at TRANSFERSCALE_DATA ({DATA})"),
]


@pytest.fixture(scope="module")
def pixar(tmp_path_factory: pytest.TempPathFactory) -> Made:
    dataset = load_dataset(CONFIG.parent / "datasets" / "pixar.yaml")
    root = dataset.root.replace("{data_root}", str(DATA))
    it = made({**dataset.model_dump(), "root": root}, tmp_path_factory.mktemp("pixar"))
    return it.index().build().split(folds=5, repeats=1)


def ridge(train: np.ndarray, test: np.ndarray, targets: np.ndarray, penalty: float) -> np.ndarray:
    """Dual ridge on features centred by the training mean; penalty in units of their mean squared norm."""
    mean = train.mean(axis=0)
    train, test = train - mean, test - mean
    gram = train @ train.T
    alpha = np.linalg.solve(
        gram + penalty * np.trace(gram) / len(gram) * np.eye(len(gram)), targets - targets.mean(axis=0)
    )
    out: np.ndarray = test @ train.T @ alpha + targets.mean(axis=0)
    return out


def connectivity(view: View) -> np.ndarray:
    """Fisher-z correlations of every subject; those of a constant parcel are 0."""
    pairs = np.triu_indices(view.series.shape[1], 1)
    with np.errstate(invalid="ignore"):
        correlations = np.stack([np.corrcoef(run.T)[pairs] for _, run in view.runs()])
    return np.arctanh(np.clip(np.nan_to_num(correlations), -0.999, 0.999))


def predicted(pixar: Made, task: str, penalty: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Truth and out-of-fold prediction of a subject-level task from connectivity."""
    view, splits = View(pixar.view), Splits(pixar.splits)
    features, found = connectivity(view), labels(pixar.recordings, pixar.dataset.tasks[task].spec())
    row = {subject: i for i, subject in enumerate(view.subjects)}
    y = dict(zip(found.subjects, found.y, strict=True))
    truth, prediction = [], []
    for fold in range(5):
        train, test = splits.train(task, 0, fold, 0, "all"), splits.test(task, 0, fold)
        target = np.array([y[s] for s in train])
        prediction += list(
            ridge(features[[row[s] for s in train]], features[[row[s] for s in test]], target, penalty)
        )
        truth += [y[s] for s in test]
    return np.array(truth), np.array(prediction)


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    positive, negative = score[truth == 1][:, None], score[truth == 0]
    return float(np.mean(positive > negative) + np.mean(positive == negative) / 2)


def test_there_are_77_recordings_and_616_windows(pixar: Made) -> None:
    view = View(pixar.view)
    assert len(view.subjects) == 77
    assert view.clips(np.arange(8)).shape == (8, 20, 32, 32)
    assert len(view) == 616
    assert view.windows["start"][:8] == [8 + 20 * k for k in range(8)]
    assert view.series.shape == (77 * 168, 64)


def test_the_tasks_hold_whom_they_should(pixar: Made) -> None:
    sizes = {task: len(Splits(pixar.splits).task_subjects(task)) for task in pixar.dataset.tasks}
    assert sizes == {"child_adult": 77, "child_adult_313": 27, "age": 77, "age_3mm": 50, "film": 77}
    assert Splits(pixar.splits).classes("child_adult") == ["child", "adult"]


def test_children_and_adults_are_told_apart(pixar: Made) -> None:
    assert auroc(*predicted(pixar, "child_adult")) >= 0.88


def test_age_is_predicted_also_within_one_protocol(pixar: Made) -> None:
    assert np.corrcoef(*predicted(pixar, "age"))[0, 1] >= 0.70
    assert np.corrcoef(*predicted(pixar, "age_3mm"))[0, 1] >= 0.30


def test_the_stretch_of_the_film_is_recognised(pixar: Made) -> None:
    view, splits = View(pixar.view), Splits(pixar.splits)
    features = view.series_windows().reshape(len(view), -1)
    right = 0
    for fold in range(5):
        test = np.isin(view.window_subject, [view.subjects.index(s) for s in splits.test("film", 0, fold)])
        scores = ridge(features[~test], features[test], np.eye(8)[view.window_number[~test]], 0.3)
        right += int(np.sum(scores.argmax(axis=1) == view.window_number[test]))
    assert right / len(view) >= 0.85
