"""Is a decoder that is asked for half of what is hidden any worse, at equal clips seen?

    python -m benchmarks.decoder_share [--out docs/benchmarks/decoder-share.md]

Runs the demo's study twice through the workflow, with `decoder_share` 0.5 and 1.0 and nothing else changed: three
sizes, three seeds, longer budgets, frozen read-outs. Compares held-out loss (every hidden token, whatever was asked for
in training) seed by seed, the score of the ridge read-out with all labels, and clips a second of training.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from benchmarks.machine import heading, publish
from benchmarks.study_run import ROOT, run_study

SHARES = {"half": 0.5, "whole": 1.0}
DEPTHS, SEEDS = [1, 2, 4], 3


def run(name: str, share: float, place: Path) -> Path:
    """Results folder of the demo's study with that share, run through Snakemake."""
    study: dict[str, Any] = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    study.update(study=name, results=str(place), verdict=[_claim(study["verdict"][0])])
    study["pretrain"].update(
        objective={"name": "mae", "decoder_share": share},
        vit={"depths": DEPTHS, "seeds": {"default": SEEDS}},
        budgets={"first": 4000, "ratio": 2, "rungs": 2},
    )
    study["transfer"]["read_outs"] = {"ridge": {}}
    return run_study(study, place)


def _claim(claim: dict[str, Any]) -> dict[str, Any]:
    return {**claim, "read_out": "ridge", "reference": "random", "n_labels": "all", "depth": DEPTHS[-1]}


def rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a table."""
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def losses(results: Path) -> dict[tuple[int, int, int], dict[str, Any]]:
    """Ledger rows by (depth, seed, rung)."""
    return {(r["depth"], r["seed"], r["rung"]): r for r in rows(results / "tables/ledger.parquet")}


def scores(results: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Ridge read-out of the last rung with all labels, by (task, depth)."""
    own = [
        r
        for r in rows(results / "scaling/scores.parquet")
        if (r["arm"], r["read_out"], r["rung"], r["n_labels"]) == ("video", "ridge", 2, "all")
    ]
    return {(f"{r['task']}, {r['metric']}", r["depth"]): r for r in own}


def page(half: Path, whole: Path) -> list[str]:
    """The tables."""
    one, other = losses(half), losses(whole)
    lines = [
        "# Asking the decoder for half of what is hidden",
        "",
        heading(),
        "",
        f"The demo's corpus and dataset, depths {', '.join(map(str, DEPTHS))}, {SEEDS} seeds, budgets of 4,000 and",
        "8,000 clips. Differences are half minus whole, seed by seed; below zero half is better.",
        "",
        "| depth | clips seen | held-out loss, half | whole | difference (SD over seeds) | clips/s, half | whole |",
        "|---|---|---|---|---|---|---|",
    ]
    for depth in DEPTHS:
        for rung in (1, 2):
            keys = [(depth, seed, rung) for seed in range(SEEDS)]
            a, b = (np.array([found[key]["heldout_loss"] for key in keys]) for found in (one, other))
            speed = [np.median([found[key]["clips_per_second"] for key in keys]) for found in (one, other)]
            lines.append(
                f"| {depth} | {one[keys[0]]['clips_seen']:,} | {a.mean():.4f} | {b.mean():.4f} | "
                f"{(a - b).mean():+.4f} ({(a - b).std(ddof=1):.4f}) | {speed[0]:,.0f} | {speed[1]:,.0f} |"
            )
    lines += ["", "| task, metric | depth | half (95 %) | whole (95 %) |", "|---|---|---|---|"]
    found, beside = scores(half), scores(whole)
    for task, depth in sorted(found):
        cells = [
            f"{r['value']:.3f} ({r['low']:.3f} to {r['high']:.3f})"
            for r in (found[task, depth], beside[task, depth])
        ]
        lines.append(f"| {task} | {depth} | {cells[0]} | {cells[1]} |")
    return lines


def main() -> None:
    """Run both studies and print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        results = {name: run(name, share, Path(place)) for name, share in SHARES.items()}
        publish(page(results["half"], results["whole"]), options.out)


if __name__ == "__main__":
    main()
