"""`pretrain rung`: continue a trunk to the end of its rung, decay from there to the finished model, test it.

Notable:
- one pass through the loop: the trunk's state is saved on the way (``trunk.ckpt``), the decay goes on;
- everything random is drawn by counter (``counter.py``), so resuming and running through are the same;
- what a person can get wrong is checked before Lightning, which takes seconds, is imported.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from transferscale.artefacts import Stopwatch, atomic, fingerprint, sha256_file, write_provenance
from transferscale.clips.store import ClipStore
from transferscale.errors import UserError
from transferscale.models.checkpoint import save_model
from transferscale.pretrain.data import ClipStream, Moments, Subset, moments, subset
from transferscale.pretrain.flops import counted_training_flops
from transferscale.pretrain.heldout import heldout_losses, interval_over_videos
from transferscale.pretrain.objective import Objective, build_objective
from transferscale.pretrain.schedule import Schedule, steps
from transferscale.study.grid import Reader
from transferscale.tables import write_table

# What a rung depends on (Grid.rung_spec).
KEYS = (
    "corpus",
    "model",
    "objective",
    "seed",
    "rung",
    "warmup_clips",
    "trunk_start",
    "trunk_end",
    "budget",
    "batch",
    "learning_rate",
    "weight_decay",
    "mask_ratio",
    "heldout_clips",
)


@dataclass(frozen=True)
class Corpus:
    """The clips of a rung: store, training and held-out clips, and the scale the network sees them on."""

    store: ClipStore
    train: Subset
    heldout: Subset
    scale: Moments


def run(
    spec: Mapping[str, Any], store: Path, index: Path, previous: Path | None, out: Path, threads: int
) -> None:
    """Run one rung; write trunk.ckpt, model.safetensors, model.json and curve.parquet to ``out``.

    Parameters
    ----------
    spec
        ``Grid.rung_spec``.
    store, index
        Clip store and ``clips`` table of the corpus.
    previous
        ``trunk.ckpt`` of the rung before; None for the first.
    out
        Folder of the rung. Until the rung is finished its state lies beside it, in ``.resume-<fingerprint>``;
        a killed run that is started again goes on from there, and the result is the same to the last bit.
    threads
        CPU threads, when the spec does not name them (the last digits depend on them).

    Raises
    ------
    UserError
        If the corpus is smaller than a batch or has another geometry, the previous trunk does not end where
        this rung starts, or the loss is not finite.
    """
    watch, spec, out = Stopwatch(), dict(spec), Path(out)
    _check_inputs(spec, previous)
    torch.set_num_threads(int(spec.get("threads", threads)))
    schedule = schedule_of(spec, previous)
    corpus = open_corpus(spec, Path(store), Path(index))
    identity = {
        "spec": spec,
        "index": sha256_file(index),
        "store": sha256_file(Path(store) / "store.json"),
        "previous": sha256_file(previous) if previous else "",
    }
    objective = build_objective(spec)

    # Lightning takes seconds to import: after the checks, so that a mistake in the input is told at once.
    from transferscale.pretrain.loop import train
    from transferscale.pretrain.module import RungModule
    from transferscale.pretrain.resume import Workspace

    workspace, training = Workspace(out.parent / f".resume-{fingerprint(identity)}"), Stopwatch()
    resumed = workspace.step()
    module = RungModule(objective, schedule, spec["batch"], spec["learning_rate"], spec["weight_decay"])
    stream = ClipStream(corpus.store, corpus.train, corpus.scale, spec["seed"], spec["batch"])
    curve = train(module, stream, previous, workspace, reader_of(spec).reader_id)
    train_s = training.seconds

    facts = finished_facts(spec, schedule, corpus, objective, curve)
    write_table(out / "curve.parquet", "curve", curve)
    save_model(out, objective.encoder, objective.decoder, facts)
    with atomic(out / "trunk.ckpt") as temporary:
        shutil.copyfile(workspace.trunk, temporary)
    workspace.remove()
    trained = (schedule.end - (schedule.start if resumed is None else resumed)) * int(spec["batch"])
    for name in ("model.json", "trunk.ckpt"):
        write_provenance(
            out / name,
            watch,
            device=next(objective.encoder.parameters()).device.type,
            threads=torch.get_num_threads(),
            torch=torch.__version__,
            train_s=round(train_s, 3),
            clips_per_second=round(trained / train_s, 1),
            resumed_at_step=resumed,
            inputs=identity,
        )


def _check_inputs(spec: Mapping[str, Any], previous: Path | None) -> None:
    missing = [key for key in KEYS if key not in spec]
    if missing:
        raise UserError(f"--spec: key '{missing[0]}' is missing")
    if previous is not None and not Path(previous).is_file():
        raise UserError(f"{previous}: no such file")


def schedule_of(spec: Mapping[str, Any], previous: Path | None) -> Schedule:
    """Steps of a rung from its clips.

    Raises
    ------
    UserError
        If a previous trunk is given where none is needed or the other way round, or the rung has no step.
    """
    batch = int(spec["batch"])
    schedule = Schedule(
        warmup=steps(spec["warmup_clips"], batch),
        start=steps(spec["trunk_start"], batch),
        trunk_end=steps(spec["trunk_end"], batch),
        end=steps(spec["budget"], batch),
    )
    if not 0 <= schedule.start < schedule.trunk_end < schedule.end:
        raise UserError(
            f"rung {spec['rung']}: trunk from {spec['trunk_start']} to {spec['trunk_end']} clips and decay "
            f"to {spec['budget']} leave no step of {batch} clips for one of them; raise "
            "pretrain.budgets.first or lower pretrain.batch"
        )
    if (previous is None) != (schedule.start == 0):
        needed = (
            "needs the trunk.ckpt of the rung before (--previous)"
            if schedule.start
            else "takes no --previous"
        )
        raise UserError(f"rung {spec['rung']}, which starts at {spec['trunk_start']} clips, {needed}")
    return schedule


def open_corpus(spec: Mapping[str, Any], store: Path, index: Path) -> Corpus:
    """Open the clips and check that they suffice.

    Raises
    ------
    UserError
        If the geometry is not the model's, training clips are fewer than a batch, or nothing is held out.
    """
    clips, model = ClipStore(store), spec["model"]
    expected = (model["frames"], model["size"], model["size"])
    if clips.shape != expected:
        raise UserError(f"{store}: clips are {clips.shape}, the model takes {expected}; make the clips again")
    train, heldout = subset(clips, index, "train"), subset(clips, index, "heldout")
    if len(train) < spec["batch"]:
        raise UserError(
            f"{index}: {len(train)} training clips are fewer than a batch of {spec['batch']}; add videos "
            "or lower pretrain.batch"
        )
    if not len(heldout):
        raise UserError(f"{index}: no clip is held out, so there is no held-out loss; raise corpus.heldout")
    return Corpus(clips, train, heldout.first(spec["heldout_clips"]), moments(clips, train))


def finished_facts(
    spec: Mapping[str, Any],
    schedule: Schedule,
    corpus: Corpus,
    objective: Objective,
    curve: list[dict[str, Any]],
) -> dict[str, Any]:
    """What ``model.json`` says: the spec, the input's scale, and a row of table ``checkpoints``."""
    scale, reader = objective.encoder.scale, reader_of(spec)
    seen = schedule.end * int(spec["batch"])
    decay = [row["loss"] for row in curve if row["phase"] == "decay"]
    tail = decay[-max(1, round(len(decay) / 10)) :]
    losses = heldout_losses(objective, corpus.store, corpus.heldout, corpus.scale, int(spec["batch"]))
    return {
        "spec": dict(spec),
        "model": dict(spec["model"]),
        "input": {"mean": corpus.scale.mean, "sd": corpus.scale.sd},
        "reader_id": reader.reader_id,
        "corpus": reader.corpus,
        "control": "",
        "fraction": 1.0,
        "objective": reader.objective,
        "family": reader.family,
        "depth": reader.depth,
        "seed": reader.seed,
        "rung": reader.rung,
        "fold": -1,
        "params_total": scale.params_total,
        "params_encoder": scale.params_encoder,
        "params_nonembedding": scale.params_nonembedding,
        "flops_formula": float(scale.training_flops(spec["mask_ratio"]) * seen),
        "flops_counted": float(counted_training_flops(objective) * seen),
        "clips_seen": seen,
        "clips_unique": min(seen, len(corpus.train)),
        "tokens_seen": seen * scale.tokens,
        "train_loss": sum(tail) / len(tail),
        **interval_over_videos(losses, corpus.heldout.videos).facts(),
        "heldout_clips": len(corpus.heldout),
        "heldout_videos": len(set(corpus.heldout.videos)),
        "path": reader.folder,
    }


def reader_of(spec: Mapping[str, Any]) -> Reader:
    """The name that every other table gives this checkpoint."""
    model = spec["model"]
    return Reader(
        "video",
        spec["corpus"],
        spec["objective"],
        model["family"],
        model["depth"],
        spec["seed"],
        spec["rung"],
    )
