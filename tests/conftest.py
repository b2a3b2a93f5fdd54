"""Shared fixtures: where the real data lies, and a study small enough for tests."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data; the test is skipped with a message where it is absent."""
    folder = Path(os.environ.get("TRANSFERSCALE_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "fmri" / "ds000228_pixar").is_dir():
        pytest.skip(f"real data not found at {folder}; set TRANSFERSCALE_DATA")
    return folder.resolve()
