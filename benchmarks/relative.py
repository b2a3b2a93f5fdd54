"""What networks and budgets scored at every difficulty of a study of relative scaling, as a table.

    python -m benchmarks.relative results/relative --task state --out state.csv

A row a checkpoint and label count of arm `video`, frozen: difficulty (`states` of the dataset's simulation for `state`,
`latents` for `mixture`), snr, FLOPs and parameters of the checkpoint, labelled people, and the score. It is what
`transferscale scaling relative` reads.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

from transferscale.artefacts import atomic
from transferscale.errors import UserError, nearest
from transferscale.study.load import load_study
from transferscale.tables import read_table

# What makes a task harder.
DIFFICULTY = {"state": "states", "mixture": "latents"}


def rows(folder: Path, task: str) -> list[dict[str, Any]]:
    """Rows of the table.

    Raises
    ------
    UserError
        If the task is none of those, or a table is missing.
    """
    if task not in DIFFICULTY:
        raise UserError(f"--task {task}: no such task; {nearest(task, DIFFICULTY)}")
    study = load_study(folder / "study.json")
    scores = read_table(folder / "scaling" / "scores.parquet", "scores").to_pylist()
    checkpoints = read_table(folder / "tables" / "checkpoints.parquet", "checkpoints").to_pylist()
    of_network = {
        (one["depth"], one["rung"]): one
        for one in checkpoints
        if one["corpus"] == study.corpus.name and one["seed"] == 0
    }
    found = []
    for score in scores:
        declared = study.task(score["dataset"], task) if score["task"] == task else None
        simulated = study.dataset(score["dataset"]).simulate
        if declared is None or simulated is None or score["arm"] != "video":
            continue
        if score["read_out"] != "ridge" or score["metric"] != declared.metric:
            continue
        network = of_network[score["depth"], score["rung"]]
        found.append(
            {
                "dataset": score["dataset"],
                "difficulty": getattr(simulated, DIFFICULTY[task]),
                "snr": simulated.snr,
                "depth": score["depth"],
                "rung": score["rung"],
                "flops": network["flops_formula"],
                "params": network["params_encoder"],
                "n_labels": round(score["n_train"]),
                "score": score["value"],
            }
        )
    return found


def main() -> None:
    """Join and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--task", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    try:
        found = rows(given.folder, given.task)
    except UserError as error:
        sys.exit(f"relative: {error}")
    with atomic(given.out) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    main()
