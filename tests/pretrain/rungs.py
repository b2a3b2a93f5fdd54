"""Rungs of the corpus of moving squares, run in this process or in one that is killed."""

import os
import signal
import zipfile
from pathlib import Path
from typing import Any

import pandas
import pytest

from tests.pretrain.moving_squares import rung_spec
from transferscale.pretrain import data, resume
from transferscale.pretrain.rung import ClipFiles, run

FILES = ("trunk.ckpt", "model.safetensors", "model.json", "curve.parquet")
# Everything that moves beside the weights: momentum of two optimisers, average, teacher, half a step.
ALL_THAT_MOVES: dict[str, Any] = {
    "objective": {"name": "jepa", "mask_ratio": 0.75, "decoder_share": 0.5, "momentum": 0.9},
    "optimizer": "muon",
    "ema": 0.8,
    "accumulate": 2,
    "crop": 0.5,
}


def clips_of(corpus: Path) -> ClipFiles:
    """The corpus of a folder."""
    return ClipFiles([corpus / "clips"], [corpus / "clips.parquet"])


def rung(corpus: Path, out: Path, previous: Path | None = None, **changes: Any) -> Path:
    """Run the first rung, or the second from ``previous``."""
    run(rung_spec(2 if previous else 1, **changes), clips_of(corpus), previous, out, 1)
    return out


def content(path: Path) -> Any:
    """Bytes of a file; of a state those of every record but torch's own stamp.

    The stamp hashes the records' names in the order of a C++ hash table, which is another one in a process that
    loaded other libraries before torch.
    """
    if path.suffix != ".ckpt":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith(".data/serialization_id")]
        return {name: archive.read(name) for name in names}


def differing(one: Path, other: Path, names: tuple[str, ...] = FILES) -> list[str]:
    """Files that two rungs wrote differently, with the rows of a curve that differ."""
    found = [name for name in names if content(one / name) != content(other / name)]
    if "curve.parquet" in found:
        curves = [pandas.read_parquet(folder / "curve.parquet") for folder in (one, other)]
        found.append(str(curves[0].compare(curves[1])) if len({*map(len, curves)}) == 1 else str(curves))
    return found


def rung_that_dies(
    corpus: Path, out: Path, previous: Path, changes: dict[str, Any], step: int, number: int
) -> None:
    """The second rung; the process sends itself a signal as the clips of ``step`` are read.

    SIGKILL leaves no time to save, so states are saved after every step before it.
    """
    if number == signal.SIGKILL:
        resume.SAVE_EVERY_S = 0.0
    at = data.ClipStream.at

    def at_and_die(self: data.ClipStream, wanted: int) -> Any:
        if wanted == step:
            os.kill(os.getpid(), number)
        return at(self, wanted)

    data.ClipStream.at = at_and_die  # type: ignore[method-assign]
    rung(corpus, out, previous, **changes)


def rung_that_is_watched(corpus: Path, out: Path, previous: Path, changes: dict[str, Any]) -> None:
    """The second rung, saving after every step."""
    resume.SAVE_EVERY_S = 0.0
    rung(corpus, out, previous, **changes)


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process SIGTERM as the clips of ``step``, from 0, are read."""
    at = data.ClipStream.at

    def at_and_stop(self: data.ClipStream, wanted: int) -> Any:
        if wanted == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return at(self, wanted)

    monkeypatch.setattr(data.ClipStream, "at", at_and_stop)


SIGNALS = {"SIGKILL": (signal.SIGKILL, -signal.SIGKILL), "SIGTERM": (signal.SIGTERM, 128 + signal.SIGTERM)}
