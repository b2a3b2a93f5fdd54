"""One line of progress on stderr every few seconds."""

import sys
import time
from typing import Any

from lightning.pytorch import Callback, Trainer

from transferscale.pretrain.module import RungModule

EVERY_S = 5.0


class Progress(Callback):  # type: ignore[misc]
    """Say step, loss and speed every :data:`EVERY_S` seconds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_train_start(self, trainer: Trainer, module: RungModule) -> None:
        """Start the clock."""
        self.last, self.step = time.monotonic(), trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, module: RungModule, *args: Any) -> None:
        """Print when it is time."""
        now, step = time.monotonic(), trainer.global_step
        if now - self.last >= EVERY_S:
            speed = (step - self.step) * module.batch / (now - self.last)
            line = (
                f"{self.name}: step {step}/{module.schedule.end}, loss {module.loss:.4f}, {speed:.0f} clips/s"
            )
            print(line, file=sys.stderr, flush=True)
            self.last, self.step = now, step
