"""What transfer costs is told beforehand: more fits cost more, and what cannot be counted is said."""

import re

import pytest

from transferscale.pretrain.estimate import Line, estimate
from transferscale.study.load import load_study
from transferscale.study.study import Study
from transferscale.transfer.estimate import transfer_text


@pytest.fixture(scope="module")
def demo(request: pytest.FixtureRequest) -> tuple[Study, list[Line]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(request.config.rootpath)
        study = load_study("config/config.yaml")
        patched.setattr("transferscale.pretrain.estimate.measure", lambda study, family, depth: 1e-3 * depth)
        return study, estimate(study)


def minutes(text: str, read_out: str) -> float:
    found = re.search(rf"  {read_out}: .*?([0-9.,]+) min", text)
    assert found is not None, text
    return float(found[1])


def test_every_read_out_has_its_jobs_fits_and_minutes(demo: tuple[Study, list[Line]]) -> None:
    told = transfer_text(*demo)
    assert re.search(r"ridge: 129 jobs, 5,676 fits", told)
    assert re.search(r"full: 6 jobs, 24 fits", told)
    # Of 9 readers: a task in 4 folds, and once more for each of two scanners; two tasks in 4 folds.
    assert re.search(r"behaviour: 9 jobs, 108 fits, [0-9.]+ min", told)
    assert re.search(r"continual: 9 jobs, 72 fits, [0-9.]+ min", told)


def test_more_steps_and_a_choice_of_rates_cost_more(demo: tuple[Study, list[Line]]) -> None:
    study, lines = demo
    content = study.spec()
    before = minutes(transfer_text(study, lines), "full")
    content["transfer"]["read_outs"]["full"] |= {"learning_rates": [1e-2, 3e-3], "steps": 160}
    assert minutes(transfer_text(Study.model_validate(content), lines), "full") > 2 * before


def test_a_dataset_that_cannot_be_counted_beforehand_is_named(demo: tuple[Study, list[Line]]) -> None:
    study, lines = demo
    content = study.spec()
    content["datasets"][0] |= {"simulate": None, "participants": None}
    content["datasets"][0]["windows"]["count"] = None
    told = transfer_text(Study.model_validate(content), lines)
    assert "without demo: how many windows there are is known when the recordings are read" in told
