"""One small corpus for the room."""

from pathlib import Path

import pytest

from tests.pretrain.moving_squares import write_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``clips/`` and ``clips.parquet``."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))
