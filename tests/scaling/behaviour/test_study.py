"""The verb writes both tables, the same bytes from the same predictions, and none where nothing is asked."""

from pathlib import Path

import numpy as np

from tests.scaling.planted_predictions import predictions
from transferscale.scaling.behaviour.study import run
from transferscale.study.study import Study
from transferscale.tables import read_table, write_table


def test_conditions_and_sequences_go_to_their_tables_and_give_the_same_bytes_again(
    study: Study, tmp_path: Path
) -> None:
    drawn = predictions(study, lambda cell, task: 1.0, np.random.default_rng(0))
    own = [row for row in drawn if (row["reader_id"], row["n_labels"]) == ("raw-linear", "8")]
    stages = [("group", 1), ("group", 2), ("trait", 2)]
    given = [
        *own,
        *({**row, "condition": "corrupt:sign", "severity": 1} for row in own),
        *(
            {**row, "condition": "continual:1", "severity": stage}
            for task, stage in stages
            for row in own
            if row["task"] == task
        ),
    ]
    write_table(tmp_path / "p.parquet", "predictions", given)
    for name in ("a", "b"):
        run(study, tmp_path / "p.parquet", tmp_path / f"{name}.parquet", tmp_path / f"{name}c.parquet")
    for table in ("", "c"):
        first, second = (tmp_path / f"{name}{table}.parquet" for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()
    behaviour = read_table(tmp_path / "a.parquet", "behaviour")
    assert set(behaviour["condition"].to_pylist()) == {"clean", "corrupt:sign"}
    sequences = read_table(tmp_path / "ac.parquet", "continual")
    assert set(zip(sequences["stage"].to_pylist(), sequences["task"].to_pylist(), strict=True)) == {
        *stages_of(stages),
        (1, ""),
        (2, ""),
    }


def stages_of(stages: list[tuple[str, int]]) -> set[tuple[int, str]]:
    return {(stage, task) for task, stage in stages}


def test_a_study_that_asks_for_nothing_gets_empty_tables(study: Study, tmp_path: Path) -> None:
    write_table(tmp_path / "p.parquet", "predictions", [])
    run(study, tmp_path / "p.parquet", tmp_path / "b.parquet", tmp_path / "c.parquet")
    assert read_table(tmp_path / "b.parquet", "behaviour").num_rows == 0
    assert read_table(tmp_path / "c.parquet", "continual").num_rows == 0
