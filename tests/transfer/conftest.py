"""The planted dataset, made once."""

import pytest

from tests.transfer.planted import Planted, make


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """The small dataset with planted effects."""
    return make(tmp_path_factory.mktemp("planted"))
