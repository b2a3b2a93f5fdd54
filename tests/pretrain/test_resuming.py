"""A rung that is killed and started again is the rung that was never disturbed, to the last bit."""

import multiprocessing
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.pretrain.moving_squares import rung_spec
from tests.pretrain.rungs import (
    ALL_THAT_MOVES,
    SIGNALS,
    clips_of,
    differing,
    rung,
    rung_that_dies,
    rung_that_is_watched,
    stop_at,
)
from transferscale.errors import UserError
from transferscale.pretrain.rung import run

# A server that has imported what takes seconds, and forks a fresh process for each rung.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["transferscale.pretrain.rung", "transferscale.pretrain.loop", "tests.pretrain.rungs"]
)
CONFIGURATIONS: dict[str, dict[str, Any]] = {"plain": {}, "all-that-moves": ALL_THAT_MOVES}


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def changes(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a rung is made of."""
    return CONFIGURATIONS[request.param]


@pytest.fixture(scope="module")
def first(corpus: Path, changes: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rung, undisturbed."""
    return rung(corpus, tmp_path_factory.mktemp("trunk") / "rung1", **changes)


@pytest.fixture(scope="module")
def second(corpus: Path, changes: dict[str, Any], first: Path) -> Path:
    """The second rung, undisturbed."""
    return rung(corpus, first.parent / "rung2", first / "trunk.ckpt", **changes)


def test_a_first_rung_that_was_stopped_has_the_same_bytes(
    corpus: Path, changes: dict[str, Any], first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_at(5, patched)
        with pytest.raises(SystemExit):
            rung(corpus, tmp_path / "rung1", **changes)
    assert not differing(rung(corpus, tmp_path / "rung1", **changes), first)


@pytest.mark.parametrize("name", SIGNALS)
def test_resuming_after_kills_at_random_steps_gives_the_same_loss_curve_and_weights(
    corpus: Path, changes: dict[str, Any], first: Path, second: Path, tmp_path: Path, name: str
) -> None:
    number, status = SIGNALS[name]
    out, steps = (
        tmp_path / "rung2",
        sorted(random.Random(f"{name}{sorted(changes)}").sample(range(10, 20), 3)),
    )
    for step in steps:
        process = PROCESSES.Process(
            target=rung_that_dies, args=(corpus, out, first / "trunk.ckpt", changes, step, number)
        )
        process.start()
        process.join(60)
        assert process.exitcode == status
        assert not out.exists()
        assert len(list(tmp_path.glob(".resume-*/state.ckpt"))) == 1
    assert not differing(rung(corpus, out, first / "trunk.ckpt", **changes), second)
    assert not list(tmp_path.glob(".resume-*"))


def test_resuming_after_kills_at_any_moment_gives_the_same_bytes(
    corpus: Path, changes: dict[str, Any], first: Path, second: Path, tmp_path: Path
) -> None:
    out, source, killed = tmp_path / "rung2", random.Random(0), 0
    for _ in range(6):
        process = PROCESSES.Process(
            target=rung_that_is_watched, args=(corpus, out, first / "trunk.ckpt", changes)
        )
        process.start()
        # From the first save on, so that every kill falls among steps and saves.
        while process.is_alive() and not list(tmp_path.glob(".resume-*/curve.parquet")):
            time.sleep(0.005)
        process.join(source.uniform(0.0, 0.05))
        process.kill()
        process.join(60)
        killed += process.exitcode == -signal.SIGKILL
    assert killed
    assert not differing(rung(corpus, out, first / "trunk.ckpt", **changes), second)


def test_a_stop_keeps_the_handler_and_leaves_with_the_usual_status(
    corpus: Path, first: Path, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched:
        stop_at(14, patched)
        with pytest.raises(SystemExit) as left:
            rung(corpus, tmp_path / "rung2", first / "trunk.ckpt", **changes)
    assert left.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is handler


def test_another_spec_does_not_resume_from_what_is_left(
    corpus: Path, first: Path, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_at(5, patched)
        with pytest.raises(SystemExit):
            rung(corpus, tmp_path / "rung1", **(changes | {"learning_rate": 1e-3}))
    assert not differing(rung(corpus, tmp_path / "rung1", **changes), first)


def test_a_continued_trunk_is_the_trunk_that_was_never_interrupted(
    corpus: Path, changes: dict[str, Any], second: Path, tmp_path: Path
) -> None:
    through = tmp_path / "through"
    run(rung_spec(2, **changes) | {"trunk_start": 0}, clips_of(corpus), None, through, 1)
    one, other = (torch.load(f / "trunk.ckpt", weights_only=True) for f in (through, second))
    assert one["step"] == other["step"] == 16
    assert one.keys() == other.keys()
    for part in ("networks", "teachers", "average", "optimiser"):
        assert tensors(one.get(part)) == tensors(other.get(part)), part
    assert tensors(one["networks"])
    assert (through / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


def tensors(value: Any) -> list[Any]:
    """Every tensor of a state, as lists."""
    if isinstance(value, torch.Tensor):
        return [value.tolist()]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [found for one in inside for found in tensors(one)]


def test_a_damaged_state_is_told_and_not_resumed_from(
    corpus: Path, first: Path, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_at(14, patched)
        with pytest.raises(SystemExit):
            rung(corpus, tmp_path / "rung2", first / "trunk.ckpt", **changes)
    (state,) = tmp_path.glob(".resume-*/state.ckpt")
    state.write_bytes(state.read_bytes()[:-500])
    with pytest.raises(UserError, match=r"state\.ckpt: not a readable trunk state .*delete it and run"):
        rung(corpus, tmp_path / "rung2", first / "trunk.ckpt", **changes)
