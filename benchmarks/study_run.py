"""A study that a benchmark makes, run through the workflow."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]


def run_study(study: dict[str, Any], place: Path, *targets: str) -> Path:
    """Run a study to ``targets``, by default to its report, and return its results folder; a failure ends the program.

    Parameters
    ----------
    study
        Content of the study's file, with ``study`` and ``results``.
    place
        Folder that the file is written to.
    """
    path = place / f"{study['study']}.yaml"
    path.write_text(yaml.safe_dump(study))
    command = [str(Path(sys.executable).with_name("snakemake")), *targets, "--configfile", str(path)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit((done.stdout + done.stderr)[-4000:])
    return Path(study["results"]) / study["study"]
