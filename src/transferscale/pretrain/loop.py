"""The training loop of a rung: Lightning's, with everything off that a small network would wait for."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment

from transferscale.errors import UserError
from transferscale.pretrain.account import Account
from transferscale.pretrain.accumulation import MicroBatches
from transferscale.pretrain.compiling import Compiling, Plan, decompile
from transferscale.pretrain.curve import Curve
from transferscale.pretrain.data import ClipStream
from transferscale.pretrain.light import AfterStep, NoProfiler
from transferscale.pretrain.loggers import logger_of
from transferscale.pretrain.module import NotFiniteError, RungModule
from transferscale.pretrain.progress import Progress
from transferscale.pretrain.resume import Resume, Workspace, noted_sigterm

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


def train(
    module: RungModule,
    stream: ClipStream,
    probe: Callable[[], dict[str, float | None]],
    previous: Path | None,
    workspace: Workspace,
    account: Account,
    name: str,
    precision: str,
    logger: str | None,
) -> Curve:
    """Train from the workspace's state, else from ``previous``, else from the start; return the rung's curve.

    Parameters
    ----------
    probe
        Values of the network at its current weights, for the curve.
    precision
        ``fp32`` or ``bf16``.
    logger
        ``csv``, ``tensorboard`` or None.

    Raises
    ------
    UserError
        If a loss is not finite, or the GPU's memory does not suffice.
    """
    saved, schedule, spec = workspace.step(), module.schedule, module.spec
    parts, start = int(spec["accumulate"]), schedule.start if saved is None else saved
    curve = Curve(
        [] if saved is None else workspace.rows(saved),
        schedule,
        module.batch,
        probe,
        int(spec["probes_per_decade"]),
    )
    callbacks: list[Any] = []
    if spec["compile"] == "auto":
        plan = Plan(**workspace.chosen().get("compile", {}))
        callbacks.append(Compiling(plan, lambda facts: workspace.choose("compile", facts)))
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings(), noted_sigterm() as stop:
        warnings.filterwarnings("ignore", module="lightning")
        trainer = Trainer(
            accelerator="gpu" if account.device.type == "cuda" else "cpu",
            devices=1,
            precision=PRECISIONS[precision],
            accumulate_grad_batches=parts,
            max_steps=schedule.end,
            max_epochs=-1,
            callbacks=[
                *callbacks,
                AfterStep(curve, Progress(name, curve, account), Resume(workspace, curve, account, stop)),
            ],
            profiler=NoProfiler(),
            # Not SLURM's: its requeueing saves inside the signal handler.
            plugins=[LightningEnvironment()],
            logger=logger_of(logger, workspace.folder.parent, f"rung{spec['rung']}-step{start}"),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=workspace.folder,
        )
        try:
            trainer.fit(
                module,
                MicroBatches(stream, module.batch, parts, start),
                ckpt_path=workspace.state if saved is not None else previous,
                weights_only=True,
            )
        except NotFiniteError as bad:
            raise UserError(_not_finite(bad, stream.names(bad.step - 1), workspace, spec)) from None
        except torch.OutOfMemoryError:
            raise UserError(
                f"depth {spec['model']['depth']}: {module.batch // parts} clips at a time do not fit the GPU's memory; "
                f"raise pretrain.accumulate (now {parts})"
            ) from None
    decompile(module.compilable)
    return curve


def _not_finite(bad: NotFiniteError, clips: list[str], workspace: Workspace, spec: Any) -> str:
    what = f"loss is {bad.loss}" if bad.loss - bad.loss != 0 else f"gradient norm is {bad.norm}"
    return (
        f"{what} at step {bad.step}, on clips {', '.join(clips)}; the state before that step is kept in "
        f"{workspace.folder}; lower pretrain.learning_rate (now {spec['learning_rate']}) or look at these clips"
    )
