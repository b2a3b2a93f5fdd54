"""Time the whole chain of a study: dry run, first run, second run, and where the time went.

    python -m benchmarks.chain [STUDY.yaml] [--config KEY=VALUE ...] [--out docs/benchmarks/demo.md] [--keep FOLDER]

Runs in a clean copy of the checkout (what git would clone), with the default profile and nothing else. The job times
come from the provenance sidecars and from Snakemake's log; the machine and the date are written beside them.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.machine import heading, publish

ROOT = Path(__file__).resolve().parents[1]


def copy_checkout(target: Path) -> None:
    """Copy what git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    """Seconds and output of a command that must succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return seconds, done.stdout + done.stderr


def verb_of(path: Path) -> str:
    """Stage of a provenance sidecar, from where it lies."""
    parts = path.parts
    if parts[0] == "transfer":
        return f"transfer {'features' if 'features' in parts else parts[3]}"
    return f"{parts[0]} {'rung' if parts[0] == 'pretrain' else path.name.split('.')[0]}"


def job_times(results: Path) -> dict[str, list[float]]:
    """Stage -> wall seconds of its jobs, without interpreter start-up.

    A job with several outputs leaves the same times beside each; it is counted once.
    """
    times: dict[str, list[float]] = defaultdict(list)
    seen = set()
    for sidecar in sorted(results.rglob("*.prov.json")):
        facts = json.loads(sidecar.read_text())
        job = (sidecar.parent, facts["finished"], round(facts["wall_s"], 1))
        if job not in seen:
            seen.add(job)
            times[verb_of(sidecar.relative_to(results))].append(facts["wall_s"])
    return times


def main() -> None:
    """Run, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", nargs="?", default="config/config.yaml")
    parser.add_argument("--config", nargs="*", default=[])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path, help="new folder to copy the results to")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "clone"
        copy_checkout(folder)
        command = ["snakemake", "--configfile", arguments.study]
        if arguments.config:
            command += ["--config", *arguments.config]
        dry, _ = timed([*command, "-n", "--quiet"], folder)
        first, _ = timed(command, folder)
        second, _ = timed(command, folder)
        results = next((folder / "results").iterdir())
        times = job_times(results)
        flops = sum(
            json.loads(path.read_text())["flops_formula"]
            for path in results.glob("pretrain/**/rung*/model.json")
            if path.parent.name == max(p.name for p in path.parent.parent.glob("rung*"))
        )
        if arguments.keep:
            shutil.copytree(results, arguments.keep)
        size = sum(p.stat().st_size for p in results.rglob("*") if p.is_file())

    rows = [
        heading(arguments.study),
        "",
        "| what | figure |",
        "|---|---|",
        f"| dry run | {dry:.1f} s |",
        f"| whole chain | {first:.0f} s |",
        f"| second run (nothing to do) | {second:.1f} s |",
        f"| pretraining FLOPs, longest rung of every trunk, by formula | {flops:.2g} |",
        f"| results on disk | {size / 2**20:.0f} MiB |",
        "",
        "| jobs | number | wall s, sum | wall s, longest |",
        "|---|---|---|---|",
        *(
            f"| {verb} | {len(t)} | {sum(t):.1f} | {max(t):.1f} |"
            for verb, t in sorted(times.items(), key=lambda i: -sum(i[1]))
        ),
    ]
    publish(rows, arguments.out)


if __name__ == "__main__":
    main()
