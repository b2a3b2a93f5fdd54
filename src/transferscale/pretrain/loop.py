"""The training loop of a rung; device, precision, loggers and files are Lightning Fabric's."""

import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment

from transferscale.errors import UserError
from transferscale.pretrain.account import Account
from transferscale.pretrain.compiling import Compiling, Plan, decompile
from transferscale.pretrain.curve import Curve
from transferscale.pretrain.data import ClipStream
from transferscale.pretrain.prefetch import in_turn
from transferscale.pretrain.progress import Progress
from transferscale.pretrain.resume import Resume, Workspace, noted_sigterm
from transferscale.pretrain.state import load_state
from transferscale.pretrain.training import NotFiniteError, Training

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


def fabric_of(device: torch.device, precision: str, loggers: list[Any]) -> Fabric:
    """Fabric on one device, in ``fp32`` or ``bf16``."""
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    return Fabric(
        accelerator=device.type,
        devices=1,
        precision=PRECISIONS[precision],
        # Not SLURM's, which would take the job's tasks for processes of this training.
        plugins=[LightningEnvironment()],
        loggers=loggers,
    )


def train(
    training: Training,
    stream: ClipStream,
    probe: Callable[[], dict[str, float | None]],
    previous: Path | None,
    workspace: Workspace,
    account: Account,
    name: str,
) -> Curve:
    """Train from the workspace's state, else from ``previous``, else from the start; return the rung's curve.

    Parameters
    ----------
    probe
        Values of the network at its current weights, for the curve.
    name
        What the lines of progress begin with.

    Raises
    ------
    UserError
        If a loss is not finite, or the GPU's memory does not suffice.
    """
    saved, schedule, spec = workspace.step(), training.schedule, training.spec
    start, rows = (schedule.start, []) if saved is None else (saved, workspace.rows(saved))
    curve = Curve(rows, schedule, stream.batch, probe, int(spec["probes_per_decade"]))
    state = previous if saved is None else workspace.state
    if state is not None:
        load_state(state, training, curve)
    plan = Plan(**workspace.chosen().get("compile", {})) if spec["compile"] == "auto" else Plan(settled=True)
    compiling = Compiling(plan, training, lambda facts: workspace.choose("compile", facts))
    progress = Progress(name, start, curve, account, training.fabric)
    with noted_sigterm() as stop, closing(in_turn(stream.at, start, account.device)) as batches:
        resume = Resume(training, workspace, curve, account, stop)
        try:
            for step in range(start, schedule.end):
                batch = next(batches)
                compiling.before(step, batch)
                training.set_rate(step)
                loss = training.backward(batch)
                training.update(step, loss)
                compiling.after(step + 1)
                curve.after(step + 1, training)
                progress.after(step + 1)
                resume.after(step + 1)
        except NotFiniteError as bad:
            resume.failed(bad)
            raise UserError(_not_finite(bad, stream.names(bad.step - 1), workspace, spec)) from None
        except torch.OutOfMemoryError:
            raise UserError(
                f"depth {spec['model']['depth']}: {stream.batch // training.parts} clips at a time do not fit the "
                f"GPU's memory; raise pretrain.accumulate (now {training.parts})"
            ) from None
        finally:
            progress.close()
    decompile(training.compilable)
    return curve


def _not_finite(bad: NotFiniteError, clips: list[str], workspace: Workspace, spec: Any) -> str:
    what = f"loss is {bad.loss}" if bad.loss - bad.loss != 0 else f"gradient norm is {bad.norm}"
    return (
        f"{what} at step {bad.step}, on clips {', '.join(clips)}; the state before that step is kept in "
        f"{workspace.folder}; lower pretrain.learning_rate (now {spec['learning_rate']}) or look at these clips"
    )
