"""The JSON schema that editors complete keys by takes what the loader takes."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from transferscale.study.study import Study

CONFIG = Path(__file__).parents[2] / "config"
STUDIES = [CONFIG / "config.yaml", *sorted((CONFIG / "studies").glob("*.yaml"))]


@pytest.fixture(scope="module")
def schema() -> dict[str, object]:
    return Study.model_json_schema()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_study_fits_short_forms_included(path: Path, schema: dict[str, object]) -> None:
    # Keys that are numbers become texts, as in an editor.
    jsonschema.validate(json.loads(json.dumps(yaml.safe_load(path.read_text()))), schema)


def test_an_unknown_objective_does_not_fit(schema: dict[str, object]) -> None:
    content = yaml.safe_load(STUDIES[0].read_text())
    content["pretrain"]["objective"] = "contrast"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(json.dumps(content)), schema)
