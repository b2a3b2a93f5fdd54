"""The training loop of a rung: Lightning's, with everything off that a small network would wait for."""

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment

from transferscale.errors import UserError
from transferscale.pretrain.data import ClipStream
from transferscale.pretrain.module import Curve, RungModule
from transferscale.pretrain.progress import Progress
from transferscale.pretrain.resume import Resume, Workspace, checkpoint_step, noted_sigterm


def train(
    module: RungModule, stream: ClipStream, previous: Path | None, workspace: Workspace, name: str
) -> list[dict[str, Any]]:
    """Train from the workspace's state, else from ``previous``, else from the start; return the rung's curve.

    Raises
    ------
    UserError
        If ``previous`` does not end where the rung starts, or the loss is not finite.
    """
    saved = workspace.step()
    schedule = module.schedule
    if saved is None and previous is not None and (step := checkpoint_step(previous)) != schedule.start:
        raise UserError(
            f"{previous}: ends at step {step}, but this rung starts at step {schedule.start}; "
            "give the trunk of the rung before"
        )
    stream.start = schedule.start if saved is None else saved
    curve = Curve([] if saved is None else workspace.rows(saved))
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings(), noted_sigterm() as stop:
        warnings.filterwarnings("ignore", module="lightning")
        trainer = Trainer(
            accelerator="gpu" if torch.cuda.is_available() else "cpu",
            devices=1,
            max_steps=schedule.end,
            max_epochs=-1,
            callbacks=[curve, Progress(name), Resume(workspace, curve, stop)],
            # Not SLURM's: its requeueing saves inside the signal handler.
            plugins=[LightningEnvironment()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=workspace.folder,
        )
        trainer.fit(
            module, stream, ckpt_path=workspace.state if saved is not None else previous, weights_only=True
        )
    return curve.rows
