"""`pretrain rung`: continue a trunk to the end of its rung, decay from there to the finished model, test it.

Notable:
- one pass through the loop: the trunk's state is saved on the way (``trunk.ckpt``), the decay goes on;
- everything random is drawn by counter (``counter.py``), so resuming and running through are the same;
- what a person can get wrong is checked before Lightning, which takes seconds, is imported.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from transferscale.artefacts import Stopwatch, atomic, fingerprint, sha256_file, write_provenance
from transferscale.errors import UserError
from transferscale.ladder.cost import params_total, training_flops, work_of
from transferscale.models.build import scale_of
from transferscale.models.checkpoint import save_model
from transferscale.pretrain.accumulation import check_parts
from transferscale.pretrain.averaging import averaged, exchange
from transferscale.pretrain.data import ClipStream, Corpus, HeldOutClips, batches, open_corpus
from transferscale.pretrain.flops import counted_training_flops
from transferscale.pretrain.health import collapsed, effective_rank, feature_spread
from transferscale.pretrain.heldout import Evaluation, evaluate, interval_over_videos
from transferscale.pretrain.identity import trunk_identity
from transferscale.pretrain.loggers import check_logger, loggers_of
from transferscale.pretrain.memory import refuse_what_does_not_fit
from transferscale.pretrain.objective import Objective, build_objective
from transferscale.pretrain.precision import chosen_precision
from transferscale.pretrain.probe import PROBE_CLIPS, probe_metric, probe_score
from transferscale.pretrain.schedule import Schedule, schedule_of
from transferscale.study.grid import RUNG_KEYS
from transferscale.study.reader import Reader
from transferscale.tables import write_table

if TYPE_CHECKING:
    from transferscale.pretrain.curve import Curve

# What a rung depends on (Grid.rung_spec); ``threads`` may be left to the command line.
KEYS = (
    *("corpus", "control", "fraction", "fold", "fold_task", "parts", "model", "seed", "rung"),
    *("warmup_clips", "trunk_start", "trunk_end", "budget"),
    *(key for key in RUNG_KEYS if key != "threads"),
)


@dataclass(frozen=True)
class ClipFiles:
    """Files of a rung's clips: a store and its table for every part, and where the held-out clips are.

    Without a place of their own they are the first part's.
    """

    stores: Sequence[Path]
    indexes: Sequence[Path]
    heldout_store: Path | None = None
    heldout_index: Path | None = None

    def identity(self) -> list[str]:
        """Checksums of the tables and of the stores' headers."""
        indexes = [*self.indexes, *([self.heldout_index] if self.heldout_index else [])]
        stores = [*self.stores, *([self.heldout_store] if self.heldout_store else [])]
        return [sha256_file(path) for path in [*indexes, *(Path(store) / "store.json" for store in stores)]]


def run(
    spec: Mapping[str, Any],
    clips: ClipFiles,
    previous: Path | None,
    out: Path,
    threads: int,
    logger: str | None = None,
) -> None:
    """Run one rung; write trunk.ckpt, model.safetensors, model.json and curve.parquet to ``out``.

    Parameters
    ----------
    spec
        ``Grid.rung_spec``.
    clips
        Clip stores and ``clips`` tables of the corpus.
    previous
        ``trunk.ckpt`` of the rung before; None for the first.
    out
        Folder of the rung. Until the rung is finished its state lies beside it, in ``.resume-<fingerprint>``;
        a killed run that is started again goes on from there, and the result is the same to the last bit.
    threads
        CPU threads, when the spec does not name them (the last digits depend on them).
    logger
        ``csv`` or ``tensorboard``: also log the curve beside ``out``, in ``log``.

    Raises
    ------
    UserError
        If the corpus is smaller than a batch or has another geometry, the previous trunk is not the one that
        this rung continues, this machine lacks the precision, or a loss is not finite.
    """
    watch, spec, out = Stopwatch(), dict(spec), Path(out)
    _check_inputs(spec, previous)
    check_logger(logger)
    torch.set_num_threads(int(spec.get("threads", threads)))
    check_parts(int(spec["batch"]), int(spec["accumulate"]))
    schedule = schedule_of(spec, previous is not None)
    corpus = open_corpus(spec, clips.stores, clips.indexes, clips.heldout_store, clips.heldout_index)
    _check_memory(spec, len(corpus.classes))
    objective = build_objective(spec, len(corpus.classes))
    inputs = {
        "spec": spec,
        "clips": clips.identity(),
        "previous": sha256_file(previous) if previous else "",
    }

    # Lightning takes seconds to import: after the checks, so that a mistake in the input is told at once.
    from transferscale.pretrain.account import Account
    from transferscale.pretrain.compiling import eagerly
    from transferscale.pretrain.loop import fabric_of, train
    from transferscale.pretrain.resume import Workspace
    from transferscale.pretrain.state import check_previous
    from transferscale.pretrain.training import Training

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    workspace, started = Workspace(out.parent / f".resume-{fingerprint(inputs)}"), Stopwatch()
    account = Account(workspace.costs, device, torch.get_num_threads(), watch)
    identity, resumed = trunk_identity(spec, clips.indexes), workspace.step()
    if resumed is None:
        # A trunk stays in the precision it began in, wherever its rungs run.
        chosen = (
            check_previous(previous, schedule.start, identity)
            if previous
            else chosen_precision(spec["precision"], device)
        )
        workspace.choose("precision", chosen)
    precision = workspace.chosen()["precision"]
    attempt = f"rung{spec['rung']}-step{schedule.start if resumed is None else resumed}"
    fabric = fabric_of(device, precision, loggers_of(logger, out.parent, attempt))
    training = Training(fabric, precision, objective, schedule, spec, identity)
    stream = ClipStream(corpus, spec["seed"], spec["batch"], spec["crop"])

    asked, at_once = corpus.heldout.first(PROBE_CLIPS), clips_at_once(spec)

    probing: list[float] = []

    def probe() -> dict[str, float | None]:
        watch = Stopwatch()
        with eagerly(training.compilable), averaged(training.networks, training.average):
            found = probed_values(evaluate(objective, batches(asked, at_once)), asked)
        probing.append(watch.seconds)
        return found

    curve = train(training, stream, probe, previous, workspace, account, Reader.of_rung(spec).reader_id)
    # Probes are no training: plans are made from its speed.
    train_s = started.seconds - sum(probing)
    if training.average is not None:
        exchange(training.networks, training.average)
    facts = finished_facts(spec, schedule, corpus, stream, objective, curve) | {"precision": precision}
    write_table(out / "curve.parquet", "curve", curve.rows)
    save_model(out, objective.encoder, objective.networks["decoder"], facts)
    with atomic(out / "trunk.ckpt") as temporary:
        shutil.copyfile(workspace.trunk, temporary)
    trained = (schedule.end - (schedule.start if resumed is None else resumed)) * int(spec["batch"])
    varying = {
        **account.totals(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "train_s": round(train_s, 3),
        "probe_s": round(sum(probing), 3),
        "clips_per_second": round(trained / train_s, 1),
        "compiled": workspace.chosen().get("compile", {}).get("reason", "off"),
        "resumed_at_step": resumed,
        "inputs": inputs,
    }
    workspace.remove()
    for name in ("model.json", "trunk.ckpt"):
        write_provenance(out / name, watch, **varying)


def _check_inputs(spec: Mapping[str, Any], previous: Path | None) -> None:
    missing = [key for key in KEYS if key not in spec]
    if missing:
        raise UserError(f"--spec: key '{missing[0]}' is missing")
    if previous is not None and not Path(previous).is_file():
        raise UserError(f"{previous}: no such file")


def _check_memory(spec: Mapping[str, Any], classes: int) -> None:
    scale = scale_of(spec["model"])
    # An objective that is none is told when it is built.
    with suppress(ValueError):
        work = work_of(scale, spec["objective"], classes)
        refuse_what_does_not_fit(scale, work, int(spec["batch"]), int(spec["accumulate"]))


def clips_at_once(spec: Mapping[str, Any]) -> int:
    """Clips that a device holds at once, in training and in evaluation."""
    return int(spec["batch"]) // int(spec["accumulate"])


def probed_values(found: Evaluation, heldout: HeldOutClips) -> dict[str, Any]:
    """What a network makes of held-out clips: loss, health of its features, and what they know."""
    return {
        "heldout_loss": float(found.losses.mean()),
        "effective_rank": effective_rank(found.features),
        "feature_spread": feature_spread(found.features),
        "probe": probe_score(found.features, heldout.labels, heldout.motion, heldout.videos),
    }


def finished_facts(
    spec: Mapping[str, Any],
    schedule: Schedule,
    corpus: Corpus,
    stream: ClipStream,
    objective: Objective,
    curve: "Curve",
) -> dict[str, Any]:
    """What ``model.json`` says: the spec, the input's scale, and a row of table ``checkpoints``."""
    scale, work, reader = objective.encoder.scale, objective.work, Reader.of_rung(spec)
    seen = schedule.end * int(spec["batch"])
    heldout = corpus.heldout
    found = evaluate(objective, batches(heldout, clips_at_once(spec)))
    told = probed_values(found, heldout)
    return {
        "spec": dict(spec),
        "model": dict(spec["model"]),
        "input": {"mean": corpus.scale.mean, "sd": corpus.scale.sd},
        "reader_id": reader.reader_id,
        "corpus": reader.corpus,
        "control": reader.control,
        "fraction": reader.fraction,
        "objective": reader.objective,
        "family": reader.family,
        "depth": reader.depth,
        "seed": reader.seed,
        "rung": reader.rung,
        "fold": reader.fold,
        "params_total": params_total(scale, work),
        "params_encoder": scale.params_encoder,
        "params_nonembedding": scale.params_nonembedding,
        "flops_formula": float(training_flops(scale, work) * seen),
        "flops_counted": float(counted_training_flops(objective) * seen),
        "clips_seen": seen,
        "clips_unique": stream.unique_until(schedule.end),
        "tokens_seen": seen * (work.encoded + work.asked),
        "train_loss": curve.train_loss,
        "grad_norm": curve.grad_norm,
        **told,
        **interval_over_videos(found.losses, heldout.videos).facts(),
        "flags": curve.instability.flags(collapsed(told["effective_rank"], told["feature_spread"])),
        "probe_metric": probe_metric(heldout.labels),
        "heldout_clips": len(heldout),
        "heldout_videos": len(set(heldout.videos)),
        "path": reader.folder,
    }
