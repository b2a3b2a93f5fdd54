"""Resuming inside a rung: a killed job goes on where it was, to the last digit.

The state lies in an undeclared folder beside the output, named by what the run depends on, so that Snakemake
neither deletes nor knows it. It is saved every minute and, after SIGTERM, at the end of the batch (a save
inside a signal handler would catch the optimiser half-way).
"""

import json
import shutil
import signal
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Trainer

from transferscale.artefacts import atomic, read_json, write_json
from transferscale.errors import UserError
from transferscale.pretrain.account import Account
from transferscale.pretrain.curve import Curve
from transferscale.pretrain.identity import check_identity
from transferscale.pretrain.module import OURS, NotFiniteError, RungModule
from transferscale.tables import read_table, write_table

SAVE_EVERY_S = 60.0


class Workspace:
    """The undeclared folder of a rung.

    Attributes
    ----------
    state
        Last state inside the rung.
    trunk
        The trunk's state at its end, once it is there; moved to the output at the end.
    curve
        Curve up to the last state, or further.
    costs
        What the attempts cost so far.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state, self.trunk = folder / "state.ckpt", folder / "trunk.ckpt"
        self.curve, self.costs, self.choices = (
            folder / "curve.parquet",
            folder / "costs.json",
            folder / "choices.json",
        )

    def step(self) -> int | None:
        """Step of the saved state, None when there is none."""
        return int(read_checkpoint(self.state)["global_step"]) if self.state.exists() else None

    def rows(self, step: int) -> list[dict[str, Any]]:
        """The curve up to ``step``."""
        rows: list[dict[str, Any]] = read_table(self.curve, "curve").to_pylist()
        return [row for row in rows if row["step"] <= step]

    def chosen(self) -> dict[str, Any]:
        """What was chosen on this machine (precision, compiling), for the attempts that follow."""
        found: dict[str, Any] = read_json(self.choices) if self.choices.exists() else {}
        return found

    def choose(self, name: str, value: Any) -> None:
        """Keep a choice."""
        write_json(self.choices, {**self.chosen(), name: value})

    def remove(self) -> None:
        """Remove the folder: the rung is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Resume:
    """Save the trunk at its end; the rung's state every :data:`SAVE_EVERY_S` and when told to stop.

    After a loss that is not finite the state before that step is saved.
    """

    def __init__(self, workspace: Workspace, curve: Curve, account: Account, stop: "Stop") -> None:
        self.workspace, self.curve, self.account, self.stop = workspace, curve, account, stop
        self.last = time.monotonic()

    def start(self) -> None:
        """Take the signal back from Lightning, whose handler leaves between two micro-batches, and saves nothing."""
        signal.signal(signal.SIGTERM, self.stop.note)

    def after(self, step: int, trainer: Trainer, module: RungModule) -> None:
        """Save what is due; after SIGTERM leave with its usual exit status."""
        if step == module.schedule.trunk_end:
            save(trainer, self.workspace.trunk)
        if self.stop.asked or (step < module.schedule.end and time.monotonic() - self.last >= SAVE_EVERY_S):
            self.curve.flush(module)
            self._save(trainer)
            if self.stop.asked:
                print(f"stopped at step {step}; run again to go on from there", file=sys.stderr, flush=True)
                raise SystemExit(128 + signal.SIGTERM)

    def failed(self, trainer: Trainer, module: RungModule, exception: BaseException) -> None:
        """Keep the last good state."""
        if isinstance(exception, NotFiniteError):
            self.curve.add(module.take())
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        # The curve first: rows past the state are dropped on resuming, missing ones could not be made up.
        write_table(self.workspace.curve, "curve", self.curve.rows)
        save(trainer, self.workspace.state)
        self.account.keep()
        self.last = time.monotonic()


def save(trainer: Trainer, path: Path) -> None:
    """Write a Lightning checkpoint atomically."""
    with atomic(path) as temporary:
        trainer.save_checkpoint(temporary)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A Lightning checkpoint, its tensors left on disk; every byte is checked against the file's checksums.

    Raises
    ------
    UserError
        If the file is missing, damaged or not a checkpoint.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"'{damaged}' is damaged")
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        int(found["global_step"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path}: not a readable trunk state ({reason}); delete it and run the rung again"
        ) from None
    return found


def check_previous(path: Path, start: int, identity: Mapping[str, Any]) -> None:
    """Refuse a trunk that this rung does not continue.

    Raises
    ------
    UserError
        If the file is missing or damaged, of another study, or does not end at step ``start``.
    """
    checkpoint = read_checkpoint(path)
    check_identity(path, json.loads(checkpoint.get(OURS, "null")), identity)
    if (step := checkpoint["global_step"]) != start:
        raise UserError(
            f"{path}: ends at step {step}, but this rung starts at step {start}; give the trunk of the rung before"
        )


class Stop:
    """Whether SIGTERM has come."""

    def __init__(self) -> None:
        self.asked = False

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Handler of the signal."""
        self.asked = True


@contextmanager
def noted_sigterm() -> Iterator[Stop]:
    """Note SIGTERM instead of dying of it, and give the old handler back afterwards."""
    stop = Stop()
    before = signal.signal(signal.SIGTERM, stop.note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
