"""Drops are paired with clean, positive when worse whatever the metric, and apart where other people are tested."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.scaling.planted_predictions import predictions
from transferscale.conditions import plain
from transferscale.errors import UserError
from transferscale.scaling.behaviour.cells import read_conditions
from transferscale.scaling.behaviour.conditions import rows
from transferscale.study.study import Study
from transferscale.tables import write_table

READER = "raw-linear"


def asked(study: Study, level: float, condition: str, severity: int, seed: int = 0) -> list[dict[str, Any]]:
    """Predictions of raw:linear at 8 labels, as good as ``level``, under a condition."""
    drawn = predictions(study, lambda cell, task: level, np.random.default_rng(seed))
    own = [row for row in drawn if (row["reader_id"], row["n_labels"]) == (READER, "8")]
    return [{**row, "condition": condition, "severity": severity} for row in own]


def scored(study: Study, path: Path, given: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    write_table(path, "predictions", given)
    found = rows(study, read_conditions(path))
    return {(row["task"], row["condition"], row["severity"], row["metric"]): row for row in found}


@pytest.fixture(scope="module")
def found(study: Study, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[Any, ...], dict[str, Any]]:
    given = [
        *asked(study, 1.5, "clean", 0),
        *asked(study, 0.2, "corrupt:noise", 3),
        *asked(study, 1.5, "attack", 1),
        *asked(study, 0.2, "onto:other", 1, seed=7),
    ]
    return scored(study, tmp_path_factory.mktemp("b") / "p.parquet", given)


def test_what_gets_worse_has_a_positive_drop_in_every_metric(found) -> None:
    for task, metric in (("group", "auroc"), ("group", "brier"), ("trait", "r")):
        row, clean = found[task, "corrupt:noise", 3, metric], found[task, "clean", 0, metric]
        assert row["drop"] > 0.02
        assert row["drop_low"] > 0
        assert row["drop_low"] < row["drop"] < row["drop_high"]
        assert row["clean"] == clean["value"] == clean["clean"]
        assert clean["drop"] is None
    auroc, brier = (found["group", "corrupt:noise", 3, metric] for metric in ("auroc", "brier"))
    assert auroc["value"] < auroc["clean"]
    assert brier["value"] > brier["clean"]


def test_the_same_predictions_drop_by_exactly_nothing(found) -> None:
    row = found["group", "attack", 1, "auroc"]
    assert (row["drop"], row["drop_low"], row["drop_high"]) == (0, 0, 0)


def test_pairing_makes_a_drop_surer_than_two_groups_of_people_would(study: Study, tmp_path: Path) -> None:
    given = [
        *asked(study, 1.0, "clean", 0),
        *asked(study, 0.7, "corrupt:noise", 1),
        *asked(study, 0.7, "onto:other", 1),
    ]
    found = scored(study, tmp_path / "p.parquet", given)
    paired, apart = (found["group", c, 1, "auroc"] for c in ("corrupt:noise", "onto:other"))
    assert paired["drop"] == pytest.approx(apart["drop"])
    assert paired["drop_high"] - paired["drop_low"] < 0.8 * (apart["drop_high"] - apart["drop_low"])


def test_a_severity_says_what_it_is_of(found) -> None:
    assert found["group", "corrupt:noise", 3, "auroc"]["amount"] == 1.0
    assert found["group", "attack", 1, "auroc"]["amount"] == 0.05
    assert found["group", "onto:other", 1, "auroc"]["amount"] is None


def test_calibration_is_of_tasks_with_probabilities_alone(found) -> None:
    metrics = {(task, metric) for task, _, _, metric in found}
    assert metrics >= {("group", "brier"), ("group", "ece"), ("trait", "r")}
    assert not metrics & {("trait", "brier"), ("trait", "ece")}


def test_a_condition_without_clean_predictions_beside_it_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="has no clean predictions beside it; run `transferscale transfer behave`"
    ):
        scored(study, tmp_path / "p.parquet", asked(study, 1.0, "attack", 2))


def test_of_permuted_labels_the_conditions_are_known_too(study: Study, tmp_path: Path) -> None:
    given = [*asked(study, 0.0, "permuted", 0), *asked(study, 0.0, "permuted:corrupt:noise", 2)]
    row = scored(study, tmp_path / "p.parquet", given)["group", "permuted:corrupt:noise", 2, "auroc"]
    assert row["amount"] == 0.5
    assert row["drop"] == 0
    assert plain("permuted") == "clean"
    assert plain("permuted:site") == "site"
