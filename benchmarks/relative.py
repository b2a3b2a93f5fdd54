"""What networks and budgets scored as one number of a study of relative scaling rises, as a table.

    python -m benchmarks.relative results/relative --task state --factor states --out state.csv

A row a checkpoint and label count of arm `video`, frozen, of the dataset of the study's first claim and of those whose
simulation differs from it in the factor alone: difficulty (the factor's value; for `snr` a higher one is easier), FLOPs
and parameters of the checkpoint, labelled people, and the score, a mean over the seeds of the network. It is what
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
from transferscale.study.study import Study
from transferscale.tables import read_table

# Numbers of a simulation that make a task harder or easier.
FACTORS = ("states", "latents", "snr")


def of_factor(study: Study, factor: str) -> dict[str, float]:
    """Datasets that differ from that of the first claim in a factor alone, itself among them, and their value of it.

    Raises
    ------
    UserError
        If the factor is none of those, or none of the datasets differs in it alone.
    """
    if factor not in FACTORS:
        raise UserError(f"--factor {factor}: no such factor; {nearest(factor, FACTORS)}")
    middle = study.dataset(study.claim_dataset(study.verdict[0])).simulate
    found = {}
    for dataset in study.datasets:
        if middle is None or dataset.simulate is None:
            continue
        value = getattr(dataset.simulate, factor)
        if dataset.simulate == middle.model_copy(update={factor: value}):
            found[dataset.dataset] = float(value)
    if len(set(found.values())) < 2:
        raise UserError(
            f"--factor {factor}: no dataset of study '{study.study}' differs in simulate.{factor} alone from that of "
            "its first claim; add one"
        )
    return found


def rows(folder: Path, task: str, factor: str) -> list[dict[str, Any]]:
    """Rows of the table.

    Raises
    ------
    UserError
        If the datasets have no such task, the factor is none, or a table is missing.
    """
    study = load_study(folder / "study.json")
    values = of_factor(study, factor)
    metrics = {dataset: study.task(dataset, task).metric for dataset in values}
    scores = read_table(folder / "scaling" / "scores.parquet", "scores").to_pylist()
    checkpoints = read_table(folder / "tables" / "checkpoints.parquet", "checkpoints").to_pylist()
    of_network = {
        (one["depth"], one["rung"]): one
        for one in checkpoints
        if one["corpus"] == study.corpus.name and one["seed"] == 0
    }
    found = []
    for score in scores:
        name = score["dataset"]
        if name not in values or (score["task"], score["metric"]) != (task, metrics[name]):
            continue
        if (score["arm"], score["read_out"]) != ("video", "ridge"):
            continue
        network = of_network[score["depth"], score["rung"]]
        found.append(
            {
                "dataset": name,
                "difficulty": values[name],
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
    parser.add_argument("--factor", required=True, help=", ".join(FACTORS))
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    try:
        found = rows(given.folder, given.task, given.factor)
    except UserError as error:
        sys.exit(f"relative: {error}")
    with atomic(given.out) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    main()
