"""The tables of docs/what-we-found.md from the results of the whole real study.

    python -m benchmarks.found results/pixar [--out docs/benchmarks/found.md]

Reads `scaling/scores.parquet` and `scaling/gains.parquet` of a finished run of config/studies/pixar.yaml and prints,
for the primary tasks, every arm's score by read-out at 16 labelled people, and the gains of the pretrained arms of the
claim's depth at every label count: of `video` over all its references, of the others over the most important ones.
"""

import argparse
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from benchmarks.machine import heading, publish

TASKS = {"film": "accuracy", "child_adult": "auroc"}
DEPTH, RUNG, LABELS = 2, 3, ("4", "8", "16", "32", "all")
# Of arms other than video.
REFERENCES = ("random", "scratch", "raw:linear", "smooth", "fmri")

Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    """Rows of a table at the claim's depth and rung, and of what has neither."""
    found: list[Row] = pq.read_table(path).to_pylist()
    return [
        row
        for row in found
        if row["depth"] in (0, DEPTH) and row["rung"] in (0, RUNG) and TASKS.get(row["task"]) == row["metric"]
    ]


def scores_table(scores: list[Row], task: str) -> list[str]:
    """Scores at 16 labelled people, best first within a read-out."""
    own = [row for row in scores if row["task"] == task and row["n_labels"] == "16"]
    lines = [
        f"### {task}: {TASKS[task]} with 16 labelled people",
        "",
        "| read-out | arm | score |",
        "|---|---|---|",
    ]
    for read_out in ("ridge", "attentive", "fpt", "lora", "full"):
        here = sorted((r for r in own if r["read_out"] == read_out), key=lambda row: -row["value"])
        lines += [
            f"| {read_out} | {r['arm']} | {r['value']:.3f} ({r['low']:.3f} to {r['high']:.3f}) |"
            for r in here
        ]
    return [*lines, ""]


def gains_table(gains: list[Row], task: str) -> list[str]:
    """Gains of what was pretrained, a column a label count."""
    own = [
        row
        for row in gains
        if row["task"] == task and (row["arm"] == "video" or row["reference"] in REFERENCES)
    ]
    head = "| read-out | arm | against | " + " | ".join(f"n = {n}" for n in LABELS) + " |"
    lines = [f"### {task}: gains in {TASKS[task]}", "", head, "|---|---|---|" + "---|" * len(LABELS)]
    keys = dict.fromkeys((r["read_out"], r["arm"], r["reference"]) for r in own)
    for key in keys:
        cells = {
            r["n_labels"]: f"{r['estimate']:+.3f} ({r['low']:+.3f} to {r['high']:+.3f})"
            for r in own
            if (r["read_out"], r["arm"], r["reference"]) == key
        }
        lines.append("| " + " | ".join(key) + " | " + " | ".join(cells.get(n, "") for n in LABELS) + " |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of the finished study")
    parser.add_argument("--out", type=Path, help="write the page here")
    asked = parser.parse_args()
    scores, gains = (rows(asked.results / f"scaling/{name}.parquet") for name in ("scores", "gains"))
    lines = [
        "# The whole real study",
        "",
        heading("results/pixar"),
        "",
        f"Depth {DEPTH}, the longest pretraining. 95 % intervals for new people, draws and seeds; gains are paired, "
        "exploratory, and not corrected for their number.",
        "",
    ]
    for task in TASKS:
        lines += [*scores_table(scores, task), *gains_table(gains, task)]
    publish(lines, asked.out)


if __name__ == "__main__":
    main()
