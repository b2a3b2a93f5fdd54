"""The verbs as functions of a table."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from transferscale import scaling


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two families, a pretrained one and one without, at four label counts."""
    rng = np.random.default_rng(0)
    lines = ["arm,flops,n_labels,trunk,score"]
    for arm, trunks in (("video", np.geomspace(1e15, 1e18, 6)), ("scratch", np.zeros(4))):
        for trunk, flops in enumerate(trunks):
            for n in (8, 16, 32, 64):
                fall = 60 * flops**-0.1 if flops else 2.0
                error = (0.15 + fall * n**-0.35) * np.exp(0.01 * rng.standard_normal())
                lines.append(f"{arm},{flops:.4g},{n},{arm}{trunk},{1 - 0.5 * error:.5f}")
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_verb_and_its_function_say_the_same(runs: Path) -> None:
    found, refused = scaling.fit(
        runs,
        "n_labels",
        "score",
        ["power", "power-floor"],
        group=["arm"],
        cluster="trunk",
        chance=0.5,
        bootstrap=50,
    )
    assert refused == []
    told = subprocess.run(
        f"transferscale scaling fit {runs} --x n_labels --y score --law power --law power-floor --group arm "
        "--cluster trunk --chance 0.5 --bootstrap 50 --format json".split(),
        capture_output=True,
        text=True,
        check=True,
        executable=Path(sys.executable).parent / "transferscale",
    ).stdout
    assert json.loads(told) == json.loads(json.dumps([one.as_json() for one in found]))


def test_families_of_a_table_are_compared(runs: Path) -> None:
    (found,), _ = scaling.compare(runs, "n_labels", "score", "arm", "power", cluster="trunk", bootstrap=50)
    assert found.p_better_at_target["video"] == 1


def test_a_plan_for_a_table(runs: Path) -> None:
    (found,), refused = scaling.plan(
        runs,
        0.75,
        "auroc",
        arm="arm",
        cluster="trunk",
        flops_per_second=1e13,
        price_gpu_hour=2,
        price_subject=500,
        bootstrap=50,
    )
    assert refused == []
    assert found.best == "video"


def test_requirements_of_a_table(runs: Path) -> None:
    rows = runs.read_text().splitlines()
    tasks = runs.with_name("tasks.csv")
    own = [row for row in rows[1:] if row.startswith("video")]
    harder = [f"{2 * k},{row}" for k in (1, 2, 3) for row in own]
    tasks.write_text("\n".join([f"classes,{rows[0]}", *harder]) + "\n")
    (found,), _ = scaling.relative(
        tasks, 0.7, difficulty="classes", compute="flops", labels="n_labels", metric="auroc", bootstrap=0
    )
    assert [need.difficulty for need in found.needs if need.resource == "labels"] == ["2", "4", "6"]


def test_sharp_changes_of_a_table(runs: Path) -> None:
    found, refused = scaling.transitions(runs, "n_labels", "score", group=["arm"], bootstrap=0)
    assert [one.group["arm"] for one in found] == ["scratch", "video"]
    assert refused == []


def test_the_package_imports_nothing_before_a_verb_is_used() -> None:
    code = "import sys, transferscale.scaling; print('numpy' in sys.modules, dir(transferscale.scaling))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("False")
    with pytest.raises(AttributeError, match="has no attribute 'fits_everything'"):
        _ = scaling.fits_everything
