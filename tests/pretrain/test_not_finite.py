"""A loss that is not finite stops the rung, names step and clips, and leaves the state before it."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.pretrain.moving_squares import row, rung_spec
from tests.pretrain.rungs import rung
from transferscale.clips.store import ClipWriter
from transferscale.errors import UserError
from transferscale.pretrain import training
from transferscale.pretrain.data import ClipStream, open_corpus
from transferscale.tables import read_table, write_table

# Step, from 1, whose batch holds the clip that is not a number.
BAD = 3
# Recordings are neither mirrored nor cropped.
PARTS = [{**rung_spec()["parts"][0], "augment": False}]


def recordings(folder: Path, bad: int | None) -> Path:
    """A corpus of noise; all pixels of clip ``bad`` are no number."""
    rows, rng = [], np.random.default_rng(0)
    with ClipWriter(folder / "clips", (4, 16, 16), "float32") as writer:
        for number in range(48):
            pixels = rng.standard_normal((4, 16, 16), dtype=np.float32)
            shard, offset = writer.add(np.full_like(pixels, np.nan) if number == bad else pixels)
            rows.append(row(f"v{number:03d}", 0, shard, offset, "heldout" if number < 8 else "train"))
    write_table(folder / "clips.parquet", "clips", rows)
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings without a flaw."""
    return recordings(tmp_path_factory.mktemp("good"), None)


@pytest.fixture(scope="module")
def name(good: Path) -> str:
    """The first clip of step :data:`BAD`."""
    opened = open_corpus(rung_spec(parts=PARTS), [good / "clips"], [good / "clips.parquet"], None, None)
    return ClipStream(opened, 0, 8, 1.0).names(BAD - 1)[0]


@pytest.fixture(scope="module")
def bad(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with that clip spoiled."""
    return recordings(tmp_path_factory.mktemp("bad"), int(name[1:4]))


CASES: dict[str, tuple[dict[str, Any], int]] = {
    "every-step-is-read": ({}, 1),
    "micro-batches": ({"accumulate": 2}, 1),
    "muon-and-average": ({"optimizer": "muon", "ema": 0.5}, 1),
    # As on a GPU: the device leaves steps out until their losses are read.
    "read-seldom": ({"probes_per_decade": 0}, 4),
    "read-seldom-micro-batches": ({"probes_per_decade": 0, "accumulate": 2}, 8),
}


@pytest.mark.parametrize("case", CASES)
def test_the_state_before_the_bad_step_is_kept(
    good: Path, bad: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    changes, every = CASES[case]
    monkeypatch.setattr(training, "steps_between_reads", lambda *_: every)
    told = (
        rf"loss is nan at step {BAD}, on clips {name}, v.*; the state before that step is kept in .*\.resume-"
    )
    with pytest.raises(UserError, match=told):
        rung(bad, tmp_path / "bad" / "rung1", **changes, parts=PARTS)
    (folder,) = (tmp_path / "bad").glob(".resume-*")
    assert [r["step"] for r in read_table(folder / "curve.parquet", "curve").to_pylist()] == [1, 2]

    # A run on the good corpus that is stopped there has the same weights: they never saw the bad clip.
    with monkeypatch.context() as patched:
        stop_in(BAD - 1, patched)
        with pytest.raises(SystemExit):
            rung(good, tmp_path / "good" / "rung1", **changes, parts=PARTS)
    (other,) = (tmp_path / "good").glob(".resume-*")
    one, two = (torch.load(f / "state.ckpt", weights_only=True) for f in (folder, other))
    assert one["step"] == two["step"] == BAD - 1
    for key, value in two["networks"].items():
        assert torch.equal(one["networks"][key], value), key
    assert str(one["optimiser"]) == str(two["optimiser"])

    # Started again it goes on from there, and says the same.
    with pytest.raises(UserError, match=told):
        rung(bad, tmp_path / "bad" / "rung1", **changes, parts=PARTS)


def stop_in(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process SIGTERM in a step, from 1."""
    set_rate = training.Training.set_rate

    def stop_and_set(self: training.Training, number: int) -> None:
        if number == step - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        set_rate(self, number)

    monkeypatch.setattr(training.Training, "set_rate", stop_and_set)


def test_a_state_kept_within_a_step_goes_on_in_step_with_the_micro_batches(
    good: Path, bad: Path, tmp_path: Path
) -> None:
    # What follows the mended step must be what an undisturbed run does, half-steps and all.
    through = rung(good, tmp_path / "good" / "rung1", accumulate=2, parts=PARTS)
    with pytest.raises(UserError, match="loss is nan"):
        rung(bad, tmp_path / "bad" / "rung1", accumulate=2, parts=PARTS)
    (kept,) = (tmp_path / "bad").glob(".resume-*")
    with pytest.MonkeyPatch.context() as patched:
        stop_in(1, patched)
        with pytest.raises(SystemExit):
            rung(good, tmp_path / "mended" / "rung1", accumulate=2, parts=PARTS)
    (mended,) = (tmp_path / "mended").glob(".resume-*")
    for file in ("state.ckpt", "curve.parquet"):
        (mended / file).write_bytes((kept / file).read_bytes())
    again = rung(good, tmp_path / "mended" / "rung1", accumulate=2, parts=PARTS)
    assert (again / "model.safetensors").read_bytes() == (through / "model.safetensors").read_bytes()
    assert (again / "curve.parquet").read_bytes() == (through / "curve.parquet").read_bytes()
