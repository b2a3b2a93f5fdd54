"""What Lightning's loop does at every step, made light: a small network takes a step in milliseconds.

Lightning calls some twenty hooks a step, for the module and for every callback, and each passes through its profiler.
So there is one callback, a profiler that does nothing without making a generator for it, and a module whose hook names
are not set through ``nn.Module``.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.profilers import PassThroughProfiler

from transferscale.pretrain.curve import Curve
from transferscale.pretrain.progress import Progress
from transferscale.pretrain.resume import Resume

NOTHING: AbstractContextManager[None] = nullcontext()


class NoProfiler(PassThroughProfiler):  # type: ignore[misc]
    """Lightning's own does nothing either, but makes a generator seventy times a step."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:
        """Do nothing around an action."""
        return NOTHING


class AfterStep(Callback):  # type: ignore[misc]
    """Curve, progress and saving, in this order, after every step (not after every micro-batch)."""

    def __init__(self, curve: Curve, progress: Progress, resume: Resume) -> None:
        self.curve, self.progress, self.resume = curve, progress, resume

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clocks."""
        self.progress.start(trainer)
        self.resume.start()

    def on_train_batch_end(
        self, trainer: Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Do what is due."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        step = trainer.global_step
        self.curve.after(step, module)
        self.progress.after(step, trainer)
        self.resume.after(step, trainer, module)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Log what is left."""
        self.progress.log(trainer)

    def on_exception(self, trainer: Trainer, module: Any, exception: BaseException) -> None:
        """Keep the last good state."""
        self.resume.failed(trainer, module, exception)

    def state_dict(self) -> dict[str, Any]:
        """State of the curve."""
        return self.curve.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the curve."""
        self.curve.load_state_dict(state)
