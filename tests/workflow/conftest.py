"""A clean copy of the checkout, and a study run in it for real, once for all workflow tests of a worker."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from benchmarks.chain import copy_checkout

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would clone (with the changes not yet committed), in another folder."""
    target = tmp_path_factory.mktemp("clone")
    copy_checkout(target)
    return target


@pytest.fixture(scope="session")
def snakemake(clone: Path) -> Run:
    """Run snakemake in the clone, with no flag but the ones given."""

    def run(*arguments: str, timeout: int = 500) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["snakemake", *arguments],
            cwd=clone,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture(scope="session")
def tiny(clone: Path, snakemake: Run) -> subprocess.CompletedProcess[str]:
    """The tiny study, run to its end in the clean clone."""
    done = snakemake("--configfile", "tests/workflow/tiny.yaml")
    assert done.returncode == 0, done.stdout[-6000:]
    return done


@pytest.fixture
def jobs_of(clone: Path, snakemake: Run, tiny: object) -> Callable[..., Counter[str]]:
    """Jobs that a change of the tiny study would run, counted by rule in a dry run."""

    def count(**changes: object) -> Counter[str]:
        study = yaml.safe_load((clone / "tests/workflow/tiny.yaml").read_text())
        for key, value in changes.items():
            section = study
            *path, last = key.split("__")
            for part in path:
                section = section[part]
            section[last] = value
        (clone / "changed.yaml").write_text(yaml.safe_dump(study))
        dry = snakemake("-n", "--configfile", "changed.yaml")
        assert dry.returncode == 0, dry.stdout[-4000:]
        return Counter(
            {m[1]: int(m[2]) for m in re.finditer(r"^([a-z_]+) +(\d+)$", dry.stdout, re.M) if m[1] != "total"}
        )

    return count
