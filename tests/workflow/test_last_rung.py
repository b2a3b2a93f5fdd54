"""What is foretold of the last rung hangs on the rungs before it and on nothing of its own."""

import re

import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def test_the_prediction_of_the_last_rung_needs_no_model_of_it(snakemake):
    dry = snakemake("-n", "results/demo/scaling/prediction.parquet")
    assert dry.returncode == 0, dry.stdout[-2000:]
    needed = set(re.findall(r"/rung(\d+)/model\.json", dry.stdout))
    assert needed == {"1", "2"}
    after = snakemake("-n", "results/demo/scaling/hindsight.parquet")
    assert set(re.findall(r"/rung(\d+)/model\.json", after.stdout)) == {"1", "2", "3"}
