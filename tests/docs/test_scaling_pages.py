"""What the pages on scaling and published weights tell a stranger to type works, and prints what they say it prints."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.name for kind in ("scaling*.md", "published*.md") for path in DOCS.glob(kind))
# Results of a study are not there in a clean clone.
NEEDS_RESULTS = ("results/", "config/")


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of one language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def commands(page: str) -> list[tuple[str, list[str]]]:
    """Commands of a page, each with the lines that follow it up to the next one."""
    out: list[tuple[str, list[str]]] = []
    for block in blocks(page, "console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                out.append((line[2:], []))
            elif out:
                out[-1][1].append(line)
    return [(command, lines) for command, lines in out if not any(name in command for name in NEEDS_RESULTS)]


def run(command: str, folder: Path) -> tuple[int, str]:
    """Exit status, and both outputs."""
    words = shlex.split(command)
    assert words[0] == "transferscale"
    ran = subprocess.run(
        [Path(sys.executable).parent / words[0], *words[1:]], cwd=folder, capture_output=True, text=True
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run_as_they_stand(page: str, tmp_path: Path) -> None:
    for script in blocks(page, "python"):
        if "transferscale" not in script:
            subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    told = commands(page)
    assert told
    for command, lines in told:
        status, printed = run(command, tmp_path)
        wanted = [line for line in lines if line.strip() and line.strip() not in ("...", "[...]")]
        assert status == (1 if wanted and wanted[0].startswith("transferscale: ") else 0), printed
        # Words, not digits, which may differ between machines in the last place.
        shape = re.compile(r"[-+]?[\d.,]+(?:e[-+]?\d+)?")
        has = {shape.sub("#", line.strip()) for line in printed.splitlines()}
        missing = [line for line in wanted if shape.sub("#", line.strip()) not in has]
        assert not missing, f"{command} does not print: {missing[:3]}"
