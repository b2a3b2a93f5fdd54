"""One line of progress on stderr every few seconds, and the curve to a logger where one is wanted."""

import sys
import time

from lightning_fabric import Fabric

from transferscale.pretrain.account import Account
from transferscale.pretrain.curve import Curve

EVERY_S = 5.0


class Progress:
    """Say step, loss and speed every :data:`EVERY_S` seconds; sample energy; log the new rows of the curve.

    Parameters
    ----------
    start
        Steps taken so far.
    """

    def __init__(self, name: str, start: int, curve: Curve, account: Account, fabric: Fabric) -> None:
        self.name, self.curve, self.account, self.fabric = name, curve, account, fabric
        self.last, self.step, self.logged = time.monotonic(), start, len(curve.rows)

    def after(self, step: int) -> None:
        """Print when it is time."""
        now = time.monotonic()
        if now - self.last < EVERY_S:
            return
        self.account.meter.sample()
        speed = (step - self.step) * self.curve.batch / (now - self.last)
        loss = self.curve.rows[-1]["loss"] if self.curve.rows else float("nan")
        line = f"{self.name}: step {step}/{self.curve.schedule.end}, loss {loss:.4f}, {speed:.0f} clips/s"
        print(line, file=sys.stderr, flush=True)
        self._log()
        self.last, self.step = now, step

    def close(self) -> None:
        """Log what is left."""
        self._log()
        for logger in self.fabric.loggers:
            logger.finalize("success")

    def _log(self) -> None:
        for row in self.curve.rows[self.logged :] if self.fabric.loggers else []:
            numbers = {key: value for key, value in row.items() if isinstance(value, int | float)}
            self.fabric.log_dict(numbers, row["step"])
        self.logged = len(self.curve.rows)
