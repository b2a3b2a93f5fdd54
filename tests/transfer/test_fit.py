"""A table of predictions from a features file: complete, reproducible, right about planted effects."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.transfer.planted import PARCELS, SUBJECTS, Planted, auroc
from transferscale.artefacts import read_json
from transferscale.errors import UserError
from transferscale.study.reader import Reader
from transferscale.tables import TABLES, read_table
from transferscale.transfer import baselines
from transferscale.transfer.fit import fit


def run(
    planted: Planted, folder: Path, reader: str, n_labels: int | str, **changes: Any
) -> dict[str, np.ndarray]:
    """Columns of the table of one baseline."""
    features, out = folder / f"{reader}.safetensors", folder / f"{reader}-{n_labels}.parquet"
    baselines.extract(planted.features_spec(reader), planted.view, features)
    spec = planted.spec("ridge", Reader.parse(reader), n_labels, **changes)
    fit(spec, features, planted.view, planted.recordings, planted.splits, out)
    table = read_table(out, "predictions")
    assert table.column_names == list(TABLES["predictions"].columns)
    return {name: np.array(table[name].to_pylist(), dtype=object) for name in table.column_names}


def of(columns: dict[str, np.ndarray], task: str) -> dict[str, np.ndarray]:
    here = columns["task"] == task
    return {name: column[here] for name, column in columns.items()}


def positive_score(columns: dict[str, np.ndarray]) -> np.ndarray:
    return np.array([score[-1] for score in columns["y_score"]])


def test_every_test_subject_is_predicted_once_a_draw(planted: Planted, tmp_path: Path) -> None:
    columns = run(planted, tmp_path, "raw-linear", 4)
    assert set(columns["task"]) == {"group", "three", "score", "film", "few"}
    for task in ("group", "three", "score"):
        rows = of(columns, task)
        assert set(Counter(zip(rows["subject"], rows["draw"], strict=True)).values()) == {1}
        assert len(rows["subject"]) == SUBJECTS * 2
        assert set(rows["window"]) == {-1}
        assert set(rows["n_train"]) == {4}
    film = of(columns, "film")
    assert len(film["subject"]) == SUBJECTS * 2 * 4
    assert set(Counter(zip(film["subject"], film["window"], film["draw"], strict=True)).values()) == {1}


def test_all_labels_are_one_draw(planted: Planted, tmp_path: Path) -> None:
    columns = run(planted, tmp_path, "raw-linear", "all")
    assert set(columns["draw"]) == {0}
    assert set(columns["n_labels"]) == {"all"}
    assert set(of(columns, "group")["n_train"]) == {20}


def test_planted_effects_are_found_and_the_dummy_finds_none(planted: Planted, tmp_path: Path) -> None:
    columns = run(planted, tmp_path, "connectivity", "all")
    group, three = of(columns, "group"), of(columns, "three")
    assert auroc(positive_score(group), group["y_true"] == 1) > 0.9
    assert np.mean(three["y_true"] == three["y_pred"]) > 0.6
    raw = run(planted, tmp_path, "raw-linear", "all")
    score, film = of(raw, "score"), of(raw, "film")
    assert np.corrcoef(score["y_true"].astype(float), score["y_pred"].astype(float))[0, 1] > 0.7
    assert np.mean(film["y_true"] == film["y_pred"]) > 0.9
    dummy = run(planted, tmp_path, "dummy", "all")
    nothing, states = of(dummy, "group"), of(dummy, "film")
    assert auroc(positive_score(nothing), nothing["y_true"] == 1) == 0.5
    assert np.mean(states["y_true"] == states["y_pred"]) == 0.25


def test_scores_and_classes_fit_each_other(planted: Planted, tmp_path: Path) -> None:
    columns = run(planted, tmp_path, "connectivity", 4)
    for task, classes in (("group", 2), ("three", 3), ("film", 4)):
        rows = of(columns, task)
        assert (
            {len(score) for score in rows["y_score"]}
            == {len(names) for names in rows["classes"]}
            == {classes}
        )
        assert [int(np.argmax(score)) for score in rows["y_score"]] == rows["y_pred"].astype(int).tolist()
    assert all(score == [] for score in of(columns, "score")["y_score"])


def test_more_draws_leave_the_first_ones_as_they_were(planted: Planted, tmp_path: Path) -> None:
    few, many = (run(planted, tmp_path, "raw-linear", 16, draws=draws) for draws in (1, 3))
    first = many["draw"] == 0
    for name in ("subject", "y_true", "choice"):
        assert few[name].tolist() == many[name][first].tolist()
    np.testing.assert_allclose(few["y_pred"].astype(float), many["y_pred"][first].astype(float), atol=1e-9)


def test_below_16_labels_the_choice_is_fixed_and_above_it_is_made(planted: Planted, tmp_path: Path) -> None:
    assert set(run(planted, tmp_path, "raw-linear", 4)["choice"]) == {
        '{"chosen":"fixed","layer":0,"penalty":0.1}'
    }
    assert all('"inner folds"' in choice for choice in run(planted, tmp_path, "raw-linear", 16)["choice"])


def test_the_same_spec_gives_the_same_bytes(planted: Planted, tmp_path: Path) -> None:
    run(planted, tmp_path, "raw-linear", 16)
    first = (tmp_path / "raw-linear-16.parquet").read_bytes()
    run(planted, tmp_path, "raw-linear", 16)
    assert (tmp_path / "raw-linear-16.parquet").read_bytes() == first


def test_a_task_with_too_few_subjects_is_left_out_aloud(
    planted: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = run(planted, tmp_path, "raw-linear", 16)
    assert "few" not in set(columns["task"])
    assert "task 'few' of dataset 'small' is left out at 16 labelled subjects" in capsys.readouterr().err
    assert read_json(tmp_path / "raw-linear-16.parquet.prov.json")["left_out"]


def test_a_reader_of_too_small_tasks_alone_has_an_empty_table(
    planted: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = {"few": planted.spec("ridge", Reader("raw:linear"), 16)["tasks"]["few"]}
    assert len(run(planted, tmp_path, "raw-linear", 16, tasks=tasks)["task"]) == 0
    assert "task 'few' of dataset 'small' is left out" in capsys.readouterr().err
    (sentence,) = read_json(tmp_path / "raw-linear-16.parquet.prov.json")["left_out"]
    assert "a fold has" in sentence


def test_a_task_of_more_classes_than_labels_is_left_out_aloud(
    planted: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = run(planted, tmp_path, "raw-linear", 2)
    assert set(columns["task"]) == {"group", "score", "film", "few"}
    assert (
        "'three' of dataset 'small' is left out at 2 labelled subjects: it has 3 classes"
        in capsys.readouterr().err
    )


def test_features_of_another_view_are_refused(planted: Planted, tmp_path: Path) -> None:
    from transferscale.transfer.grams import Grams, read_grams, write_grams

    features = tmp_path / "f.safetensors"
    baselines.extract(planted.features_spec("dummy"), planted.view, features)
    grams = read_grams(features)
    write_grams(features, Grams(grams.matrices, grams.subjects, "other"))
    spec = planted.spec("ridge", Reader("dummy"), 4)
    with pytest.raises(UserError, match="extract the features again"):
        fit(spec, features, planted.view, planted.recordings, planted.splits, tmp_path / "p.parquet")
    assert not (tmp_path / "p.parquet").exists()


def test_shuffled_labels_leave_nothing_to_find(planted: Planted, tmp_path: Path) -> None:
    """A null through the whole chain: no row of a test subject leaks into its own prediction."""
    from transferscale.medical.reading import View
    from transferscale.transfer.readout import Problem, fit_problems, targets

    baselines.extract(planted.features_spec("connectivity"), planted.view, tmp_path / "f")
    from transferscale.transfer.grams import read_grams

    blocks, view = [read_grams(tmp_path / "f").subject_blocks(0, "group", 0)], View(planted.view)
    assert view.series.shape[1] == PARCELS
    found = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        y = random.permutation(np.arange(SUBJECTS) % 2).astype(float)
        tests = np.array_split(random.permutation(SUBJECTS), 3)
        folds = [Problem(np.setdiff1d(np.arange(SUBJECTS), test), test) for test in tests]
        options = {"penalties": [1.0], "fixed_penalty": 1.0}
        fitted = fit_problems(blocks, "classification", targets("classification", y, 2), folds, options)
        found += [auroc(f.scores[:, 0], y[p.test] > 0) for f, p in zip(fitted, folds, strict=True)]
    assert abs(np.nanmean(found) - 0.5) < 0.06
