"""What a task's difficulty does to pretraining, from the results of the study of relative scaling.

    python -m benchmarks.difficulty results/relative [--out docs/benchmarks/difficulty.md]

Simulated people, 16 of them labelled, frozen features (`ridge`). Datasets differ in one number alone from that of the
study's first claim. Columns are scores of the raw windows, of random weights, and of that claim's depth after each
budget of pretraining; the gain is that of the last budget over random weights, with its 95 % interval. At the end the
task that was asked of other people on other scanners, and the pairs of tasks that one network learned one after the
other.
"""

import argparse
from pathlib import Path
from typing import Any

from benchmarks.machine import heading, publish
from benchmarks.relative import FACTORS, of_factor

from transferscale.study.load import load_study
from transferscale.study.study import Study
from transferscale.tables import read_table

LABELS = "16"

Row = dict[str, Any]


def table(folder: Path, name: str) -> list[Row]:
    """Rows of a table of `scaling/` at 16 labelled people."""
    rows: list[Row] = read_table(folder / "scaling" / f"{name}.parquet", name).to_pylist()
    return [row for row in rows if row["n_labels"] == LABELS]


def factor_table(study: Study, scores: list[Row], gains: list[Row], task: str, factor: str) -> list[str]:
    """Levels of a factor by arms."""
    values, depth = of_factor(study, factor), study.verdict[0].depth
    rungs = range(1, study.pretrain.budgets.rungs + 1)
    arms = [("raw:linear", 0, 0), ("random", depth, 0), *(("video", depth, rung) for rung in rungs)]
    names = ["raw:linear", "random", *(f"video, {study.pretrain.budgets.at(rung):,} clips" for rung in rungs)]
    lines = [
        f"### {task}, by {factor}",
        "",
        f"| {factor} | {' | '.join(names)} | gain over random |",
        "|---" * (len(names) + 2) + "|",
    ]
    for dataset, level in sorted(values.items(), key=lambda item: item[1]):
        asked = {
            "dataset": dataset,
            "task": task,
            "metric": study.task(dataset, task).metric,
            "read_out": "ridge",
        }
        own = [only(scores, **asked, arm=arm, depth=at, rung=rung)["value"] for arm, at, rung in arms]
        gain = only(gains, **asked, arm="video", depth=depth, rung=rungs[-1], reference="random")
        told = " | ".join(f"{value:.3f}" for value in own)
        lines.append(
            f"| {level:g} | {told} | {gain['estimate']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f}) |"
        )
    return [*lines, ""]


def only(rows: list[Row], **asked: Any) -> Row:
    """The one row that is so."""
    (row,) = (row for row in rows if all(row[key] == value for key, value in asked.items()))
    return row


def onto_table(behaviour: list[Row]) -> list[str]:
    """A task asked of another dataset."""
    lines = [
        "### Learned on one dataset, asked of another",
        "",
        "| learned on | asked of | arm | read-out | there | drop |",
    ]
    lines.append("|---|---|---|---|---|---|")
    for row in behaviour:
        if row["condition"].startswith("onto:") and row["drop"] is not None:
            lines.append(
                f"| {row['dataset']}/{row['task']} | {row['condition'].removeprefix('onto:')} | {row['arm']} | "
                f"{row['read_out']} | {row['value']:.3f} | {row['drop']:+.3f} "
                f"({row['drop_low']:+.3f} to {row['drop_high']:+.3f}) |"
            )
    return [*lines, ""]


def sequence_table(continual: list[Row]) -> list[str]:
    """What the second task did to the first."""
    lines = [
        "### One task after another",
        "",
        "| tasks | arm | read-out | forgetting of the first |",
        "|---|---|---|---|",
    ]
    for row in continual:
        if row["quantity"] == "forgetting":
            lines.append(
                f"| {row['tasks']} | {row['arm']} | {row['read_out']} | {row['value']:+.3f} "
                f"({row['low']:+.3f} to {row['high']:+.3f}) |"
            )
    return lines


def main() -> None:
    """Read, lay out, publish."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    study = load_study(given.folder / "study.json")
    scores, gains = table(given.folder, "scores"), table(given.folder, "gains")
    about = (__doc__ or "").split("\n\n", 2)[2].strip()
    lines = ["# Difficulty", "", heading("results/relative"), "", about, ""]
    for task in study.dataset(study.claim_dataset(study.verdict[0])).tasks:
        for factor in FACTORS:
            lines += factor_table(study, scores, gains, task, factor)
    lines += onto_table(table(given.folder, "behaviour"))
    lines += sequence_table(table(given.folder, "continual"))
    publish(lines, given.out)


if __name__ == "__main__":
    main()
