"""Resuming inside a rung: a killed job goes on where it was, to the last digit.

The state lies in an undeclared folder beside the output, named by what the run depends on, so that Snakemake
neither deletes nor knows it. It is saved every minute and, after SIGTERM, at the end of the batch (a save
inside a signal handler would catch the optimiser half-way).
"""

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from transferscale.artefacts import atomic
from transferscale.errors import UserError
from transferscale.pretrain.module import Curve, RungModule
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
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state, self.trunk, self.curve = (
            folder / "state.ckpt",
            folder / "trunk.ckpt",
            folder / "curve.parquet",
        )

    def step(self) -> int | None:
        """Step of the saved state, None when there is none."""
        return checkpoint_step(self.state) if self.state.exists() else None

    def rows(self, step: int) -> list[dict[str, Any]]:
        """The curve up to ``step``."""
        rows: list[dict[str, Any]] = read_table(self.curve, "curve").to_pylist()
        return [row for row in rows if row["step"] <= step]

    def remove(self) -> None:
        """Remove the folder: the rung is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Resume(Callback):  # type: ignore[misc]
    """Save the trunk at its end; the rung's state every :data:`SAVE_EVERY_S` and when told to stop."""

    def __init__(self, workspace: Workspace, curve: Curve, stop: list[bool]) -> None:
        self.workspace, self.curve, self.stop = workspace, curve, stop
        self.last = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, module: RungModule, *args: Any) -> None:
        """Save what is due; after SIGTERM leave with its usual exit status."""
        step = trainer.global_step
        if step == module.schedule.trunk_end:
            save(trainer, self.workspace.trunk)
        if self.stop or (step < module.schedule.end and time.monotonic() - self.last >= SAVE_EVERY_S):
            # The curve first: rows past the state are dropped on resuming, missing ones could not be made up.
            write_table(self.workspace.curve, "curve", self.curve.rows)
            save(trainer, self.workspace.state)
            self.last = time.monotonic()
            if self.stop:
                print(f"stopped at step {step}; run again to go on from there", file=sys.stderr, flush=True)
                raise SystemExit(128 + signal.SIGTERM)


def save(trainer: Trainer, path: Path) -> None:
    """Write a Lightning checkpoint atomically."""
    with atomic(path) as temporary:
        trainer.save_checkpoint(temporary)


def checkpoint_step(path: Path) -> int:
    """Step of a Lightning checkpoint.

    Raises
    ------
    UserError
        If the file is missing or not a checkpoint.
    """
    try:
        return int(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["global_step"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path}: not a readable trunk state ({reason}); delete it and run the rung again"
        ) from None


@contextmanager
def noted_sigterm() -> Iterator[list[bool]]:
    """Turn SIGTERM into an entry in a list, and give the old handler back afterwards."""
    stop: list[bool] = []

    def note(_number: int, _frame: FrameType | None) -> None:
        stop.append(True)

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
