"""One line of progress on stderr every few seconds, and the curve to a logger where one is wanted."""

import sys
import time

from lightning.pytorch import Trainer

from transferscale.pretrain.account import Account
from transferscale.pretrain.curve import Curve

EVERY_S = 5.0


class Progress:
    """Say step, loss and speed every :data:`EVERY_S` seconds; sample energy; log the new rows of the curve."""

    def __init__(self, name: str, curve: Curve, account: Account) -> None:
        self.name, self.curve, self.account = name, curve, account

    def start(self, trainer: Trainer) -> None:
        """Start the clock."""
        self.last, self.step, self.logged = time.monotonic(), trainer.global_step, len(self.curve.rows)

    def after(self, step: int, trainer: Trainer) -> None:
        """Print when it is time."""
        now = time.monotonic()
        if now - self.last < EVERY_S:
            return
        self.account.meter.sample()
        speed = (step - self.step) * self.curve.batch / (now - self.last)
        loss = self.curve.rows[-1]["loss"] if self.curve.rows else float("nan")
        line = f"{self.name}: step {step}/{self.curve.schedule.end}, loss {loss:.4f}, {speed:.0f} clips/s"
        print(line, file=sys.stderr, flush=True)
        self.log(trainer)
        self.last, self.step = now, step

    def log(self, trainer: Trainer) -> None:
        """Give the logger, where there is one, the rows since the last call."""
        for row in self.curve.rows[self.logged :] if trainer.logger is not None else []:
            numbers = {key: value for key, value in row.items() if isinstance(value, int | float)}
            trainer.logger.log_metrics(numbers, row["step"])
        self.logged = len(self.curve.rows)
