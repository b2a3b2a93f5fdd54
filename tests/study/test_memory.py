"""Memory by formula: constants are those of the code, and what takes more is given more."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.transfer.planted import Planted, make
from transferscale.artefacts import canonical_json
from transferscale.medical.size import size_of
from transferscale.study import memory
from transferscale.study.grid import Grid
from transferscale.study.load import load_study
from transferscale.study.memory import (
    Network,
    Shown,
    Training,
    behaviour_bytes,
    continual_bytes,
    features_bytes,
    features_mb,
    shape_of,
    trained_bytes,
    trained_mb,
)
from transferscale.study.reader import Reader
from transferscale.transfer import features, perceptron

SHOWN = Shown(windows=400, each=4, volumes=16, columns=64, pixels=1024)
FULL = Training("full", 16, 4, 1)


@pytest.fixture(scope="module")
def grid(root: Path) -> Grid:
    return Grid(load_study(root / "config" / "config.yaml"))


@pytest.fixture(scope="module")
def network(grid: Grid) -> Network:
    return Network.of(shape_of(grid.model_spec("vit", 2)))


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return make(tmp_path_factory.mktemp("planted"))


def test_constants_are_those_of_the_jobs() -> None:
    assert memory.BATCH_WINDOWS == features.BATCH_WINDOWS
    assert (memory.MOMENT_BYTES, memory.MOMENT_COPIES) == (features.MEMORY_BYTES, features.COPIES)
    assert memory.HIDDEN == perceptron.HIDDEN


def test_tokens_of_a_layer_are_counted_as_they_lie_there(network: Network) -> None:
    assert network.tokens(3) == 4 * 3 * 8 * 16 * 64
    assert Network.columns(SHOWN).tokens(400) == SHOWN.series
    own = perceptron.Perceptron(16 * 64, 0)
    assert Network.perceptron(SHOWN).parameters == sum(p.numel() for p in own.parameters())


def test_a_published_network_takes_a_layer_and_not_all(network: Network) -> None:
    # ViT-B on 616 windows of 16 x 224 x 224: a layer is 2.8 GiB.
    base = replace(
        network.shape, depth=12, width=768, heads=12, mlp=3072, size=224, tubelet_size=16, channels=3
    )
    vit_b, shown = Network.of(base), replace(SHOWN, windows=616, pixels=224 * 224)
    layer = vit_b.tokens(616)
    assert layer == pytest.approx(2.76 * 2**30, rel=0.01)
    assert 2 * layer < features_bytes(vit_b, shown) < 5 * layer


@pytest.mark.parametrize("change", ["windows", "each", "attacked", "onto", "batch", "outputs"])
def test_what_takes_more_is_given_more(network: Network, change: str) -> None:
    def needed(
        windows: int = 400, each: int = 4, batch: int = 4, outputs: int = 1, **conditions: Any
    ) -> float:
        shown, training = (
            replace(SHOWN, windows=windows, each=each),
            replace(FULL, batch=batch, outputs=outputs),
        )
        asked = {"folds": 4, "attacked": False, "onto": [], **conditions}
        return behaviour_bytes(network, shown, training, **asked)

    more: dict[str, Any] = {
        "windows": 900,
        "each": 40,
        "attacked": True,
        "onto": [SHOWN],
        "batch": 64,
        "outputs": 3,
    }
    assert needed(**{change: more[change]}) > needed()


def test_the_rest_is_added_to_what_training_takes(network: Network) -> None:
    alone = trained_bytes(network, SHOWN, FULL)
    assert (
        alone < continual_bytes(network, [SHOWN], FULL, 4) < continual_bytes(network, [SHOWN, SHOWN], FULL, 4)
    )
    assert trained_bytes(network, SHOWN, replace(FULL, read_out="attentive")) < alone


def test_a_real_job_stays_below_what_it_is_given(laid_out: Planted, tmp_path: Path) -> None:
    # Larger jobs: docs/benchmarks/transfer-memory.md.
    grid, shown = laid_out.grid, size_of(laid_out.view)
    shape, reader = shape_of(grid.model_spec("vit", 1)), Reader("scratch", family="vit", depth=1, seed=0)
    spec = laid_out.spec("full", reader, 16)
    beside = ["--recordings", str(laid_out.recordings), "--splits", str(laid_out.splits)]
    for verb, job, asked in (
        ("features", [laid_out.features_spec("random.vit-d1.s0")], features_mb(shape, shown)),
        ("fit", [spec, *beside], trained_mb(spec, shape, shown)),
    ):
        out = tmp_path / verb
        words = [sys.executable, "-m", "transferscale", "transfer", verb, "--view", str(laid_out.view)]
        words += ["--out", str(out), "--spec", canonical_json(job[0]), *job[1:]]
        subprocess.run(words, check=True)
        peak = json.loads(Path(f"{out}.prov.json").read_text())["peak_memory_mb"]
        assert peak < asked < 4 * peak
