"""Resuming inside a rung: a killed job goes on where it was, to the last digit.

The state lies in an undeclared folder beside the output, named by what the run depends on, so that Snakemake
neither deletes nor knows it. It is saved every minute and, after SIGTERM, at the end of the step (a save
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

from transferscale.artefacts import read_json, write_json
from transferscale.pretrain.account import Account
from transferscale.pretrain.curve import Curve
from transferscale.pretrain.state import read_state, save_state
from transferscale.pretrain.training import NotFiniteError, Training
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
        return int(read_state(self.state)["step"]) if self.state.exists() else None

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
    """Save the trunk at its end; the rung's state every :data:`SAVE_EVERY_S` and when told to stop."""

    def __init__(
        self, training: Training, workspace: Workspace, curve: Curve, account: Account, stop: "Stop"
    ) -> None:
        self.training, self.workspace, self.curve = training, workspace, curve
        self.account, self.stop = account, stop
        self.last = time.monotonic()

    def after(self, step: int) -> None:
        """Save what is due; after SIGTERM leave with its usual exit status."""
        schedule = self.training.schedule
        if step == schedule.trunk_end:
            save_state(self.workspace.trunk, self.training, self.curve, step)
        if self.stop.asked or (step < schedule.end and time.monotonic() - self.last >= SAVE_EVERY_S):
            self.curve.flush(self.training)
            self._save(step)
            if self.stop.asked:
                print(f"stopped at step {step}; run again to go on from there", file=sys.stderr, flush=True)
                raise SystemExit(128 + signal.SIGTERM)

    def failed(self, bad: NotFiniteError) -> None:
        """Keep the state before a step that was not finite."""
        self.curve.add(self.training.take())
        self._save(bad.step - 1)

    def _save(self, step: int) -> None:
        # The curve first: rows past the state are dropped on resuming, missing ones could not be made up.
        write_table(self.workspace.curve, "curve", self.curve.rows)
        save_state(self.workspace.state, self.training, self.curve, step)
        self.account.keep()
        self.last = time.monotonic()


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
