"""A study small enough that its predictions are drawn in an instant."""

from pathlib import Path

import pytest
import yaml

from transferscale.study.load import load_study
from transferscale.study.study import Study


@pytest.fixture(scope="session")
def study() -> Study:
    """The demo at one depth, one seed and one label count, with a section behaviour."""
    root = Path(__file__).parents[3]
    content = yaml.safe_load((root / "config/config.yaml").read_text())
    content["datasets"] = [yaml.safe_load((root / "config/datasets/demo.yaml").read_text())]
    content["pretrain"]["vit"] = {"depths": [1]}
    content["transfer"] |= {
        "labels": [8],
        "draws": 3,
        "baselines": ["connectivity", "raw:linear"],
        "read_outs": {"full": {"depths": [1], "labels": [8]}},
    }
    content["verdict"] = [{**content["verdict"][0], "depth": 1, "n_labels": 8}]
    del content["known_answers"]
    content["behaviour"] = {
        "depths": [1],
        "labels": [8],
        "radii": [0.05, 0.2],
        "corruptions": ["noise"],
        "continual": [["demo/group", "demo/trait"]],
    }
    return load_study(content)
