"""The tests of the report use the planted results of the tests of scaling."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scaling"))
