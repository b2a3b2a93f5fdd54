"""What makes frozen video pretraining better or worse than random weights on real fMRI?

    python -m benchmarks.frozen --data-root PATH [--out docs/benchmarks/frozen.md]

Runs the real study (config/studies/pixar-cut.yaml) through the workflow with frozen read-outs, one depth and three
seeds, and changes one thing at a time: the objective, the corpus and its control corpora, the input normalisation, the
size, the length of pretraining. Every row is the `gains` table's own: video against random weights, against raw:linear
and against the same on smoothed windows, on the same test subjects, folds and draws, with the paired 95 % interval.
"""

import argparse
import sys
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from benchmarks.machine import heading, publish
from benchmarks.study_run import ROOT, run_study

DEPTH, SEEDS, CLIPS = 2, 3, 4000
TASKS = {"film": "accuracy", "child_adult": "auroc"}
LABELS = [8, 16, "all"]


def base(data_root: Path, results: Path) -> dict[str, Any]:
    """The real study, cut to what is compared here."""
    study: dict[str, Any] = yaml.safe_load((ROOT / "config/studies/pixar-cut.yaml").read_text())
    dataset = yaml.safe_load((ROOT / "config/datasets/pixar.yaml").read_text())
    dataset["tasks"] = {name: dataset["tasks"][name] for name in TASKS}
    for key in ("known_answers", "plan"):
        study.pop(key)
    claim = {"task": "film", "reference": "random", "read_out": "ridge", "depth": DEPTH, "n_labels": 16}
    study.update(
        study="frozen",
        results=str(results),
        data_root=str(data_root),
        datasets=[dataset],
        verdict=[{**claim, "metric": "accuracy", "sesoi": 0.02}],
    )
    study["pretrain"].update(
        vit={"depths": [DEPTH], "seeds": SEEDS}, budgets={"first": CLIPS, "ratio": 2, "rungs": 1}
    )
    study["transfer"].update(
        labels=LABELS,
        draws=10,
        baselines=["connectivity", "raw:linear", "smooth", "dummy"],
        read_outs={"ridge": {}},
    )
    return study


def variants(study: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Name -> study with one thing changed."""
    found = {"as it is (mae, mixed corpus, depth 2, 4,000 clips)": study}

    def change(name: str, **sections: dict[str, Any]) -> None:
        other = deepcopy(study)
        for section, values in sections.items():
            other[section].update(values)
        found[name] = other

    for objective in ("jepa", "next"):
        change(f"objective {objective}", pretrain={"objective": objective})
    change("mae, half of the clip hidden", pretrain={"objective": {"name": "mae", "mask_ratio": 0.5}})
    for normalisation in ("window", "column"):
        change(f"input normalisation: {normalisation}", transfer={"normalisation": normalisation})
    change("16,000 clips", pretrain={"budgets": {"first": 4 * CLIPS, "ratio": 2, "rungs": 1}})
    for depth in (1, 4):
        change(f"depth {depth}", pretrain={"vit": {"depths": [depth], "seeds": SEEDS}})
        found[f"depth {depth}"]["verdict"][0]["depth"] = depth
    controls = ["static", "shuffled", "phase", "noise"]
    change("control corpora", pretrain={"controls": {"depths": [DEPTH]}})
    found["control corpora"]["controls"] = controls
    real, synthetic = study["corpus"]["sources"]
    for name, sources in (("real videos alone", [real]), ("synthetic motion alone", [synthetic])):
        change(name, corpus={"sources": sources, "name": name.split()[0]})
    return found


def gains(study: dict[str, Any], place: Path) -> list[dict[str, Any]]:
    """Rows of the gains table, from Snakemake."""
    gains = Path(study["results"]) / study["study"] / "scaling/gains.parquet"
    run_study(study, place, str(gains))
    found: list[dict[str, Any]] = pq.read_table(gains).to_pylist()
    return found


def table(task: str, found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """One table a task: a row a variant and arm, a column a label count."""
    lines = [
        f"## {task} ({TASKS[task]})",
        "",
        "| what is changed | arm | against | " + " | ".join(f"n = {n}" for n in LABELS) + " |",
        "|---|---|---|" + "---|" * len(LABELS),
    ]
    for name, rows in found.items():
        own = [r for r in rows if (r["task"], r["metric"]) == (task, TASKS[task])]
        for arm in dict.fromkeys(r["arm"] for r in own):
            if (arm != "video") != (name == "control corpora"):
                continue
            for reference in ("random", "raw:linear", "smooth"):
                cells = {
                    r["n_labels"]: f"{r['arm_value']:.3f} against {r['reference_value']:.3f} "
                    f"({r['estimate']:+.3f}, {r['low']:+.3f} to {r['high']:+.3f})"
                    for r in own
                    if (r["arm"], r["reference"]) == (arm, reference)
                }
                lines.append(
                    f"| {name} | {arm} | {reference} | " + " | ".join(cells[str(n)] for n in LABELS) + " |"
                )
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--out", type=Path, help="write the page here")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        found = {}
        for name, study in variants(base(asked.data_root.resolve(), place / "results")).items():
            found[name] = gains(study, place)
            print(f"{name}: done", file=sys.stderr)
    lines = [
        "# Frozen features: what makes the difference",
        "",
        heading("--data-root PATH"),
        "",
        f"Score of the arm and of the reference, and in brackets the gain with its paired 95 % interval. Frozen ridge "
        f"read-out, {SEEDS} seeds, 10 label draws, 5 folds, 77 people. These rows are exploratory: many, and not "
        "corrected for each other.",
        "",
    ]
    for task in TASKS:
        lines += table(task, found)
    publish(lines, asked.out)


if __name__ == "__main__":
    main()
