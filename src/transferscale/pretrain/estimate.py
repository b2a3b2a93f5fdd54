"""`pretrain ladder`: the ladder of a study and what it costs on this machine, before anything runs."""

from collections import Counter
from dataclasses import dataclass

from transferscale.errors import UserError
from transferscale.ladder import Scale
from transferscale.ladder.cost import (
    Work,
    encoder_flops,
    forward_flops,
    needed_bytes,
    params_total,
    training_flops,
    work_of,
)
from transferscale.models.build import scale_of
from transferscale.pretrain.calibration import Speed, jobs_at_once, measure, probes
from transferscale.pretrain.memory import available_bytes, refuse_what_does_not_fit
from transferscale.pretrain.probe import PROBE_CLIPS
from transferscale.pretrain.spacing import probed
from transferscale.study.grid import CLASSES, Grid
from transferscale.study.pretrain import steps
from transferscale.study.study import Study
from transferscale.study.trunks import Trunk, ladder_trunks, trunks_beside

# Wall time of a rung outside steps and evaluations: imports, opening the clips, writing; measured on a server CPU
# (benchmarks/pretrain_overheads.py).
START_UP_S = 4.0

HEAD = (
    "family",
    "depth",
    "width",
    "encoder",
    "with decoder",
    "MFLOP/clip",
    "MB",
    "trunks",
    "rungs",
    "clips/trunk",
    "clips/s",
    "min",
)


@dataclass(frozen=True)
class Line:
    """Trunks of one network on one kind of corpus.

    Attributes
    ----------
    what
        Family, and the corpus where it is not the ladder's.
    trunks, rungs
        Number of trunks; rungs of each, those passed through included.
    clips
        Clips that training one of them takes, decays included.
    speed
        Clips a second; None where no network of the family fits.
    seconds
        Of all trunks, one after the other, evaluation and start-up included; None without a speed.
    fits
        Whether it fits this machine's memory.
    """

    what: str
    scale: Scale
    work: Work
    trunks: int
    rungs: int
    clips: int
    speed: float | None
    seconds: float | None
    fits: bool


def ladder_text(study: Study, price_hour: float | None = None, lines: list[Line] | None = None) -> str:
    """The ladder as a table: shape, parameters, FLOPs, memory, clips and minutes of every depth.

    The minutes come from some ten seconds of measured training: two networks a family. Networks that do not fit
    this machine are marked.

    Parameters
    ----------
    price_hour
        Price of an hour of this machine; by default ``plan.price_gpu_hour`` of the study, if it has one.
    lines
        :func:`estimate`, where it was asked for already.
    """
    lines, pretrain = estimate(study) if lines is None else lines, study.pretrain
    part = pretrain.batch // pretrain.accumulate
    rows = [
        (
            line.what,
            str(line.scale.depth),
            str(line.scale.width),
            f"{line.scale.params_encoder:,}",
            f"{params_total(line.scale, line.work):,}",
            f"{training_flops(line.scale, line.work) / 1e6:,.1f}",
            f"{needed_bytes(line.scale, line.work, part) / 1e6:,.0f}" + ("" if line.fits else " !"),
            str(line.trunks),
            str(line.rungs),
            f"{line.clips:,}",
            "-" if line.speed is None else f"{line.speed:,.0f}",
            "-" if line.seconds is None else f"{line.seconds / 60:,.1f}",
        )
        for line in lines
    ]
    budgets = ", ".join(f"{pretrain.budgets.at(rung):,}" for rung in range(1, pretrain.budgets.rungs + 1))
    flops = sum(training_flops(line.scale, line.work) * line.clips * line.trunks for line in lines)
    jobs = sum(line.trunks * line.rungs for line in lines)
    told = [
        f"Pretraining ladder ({pretrain.objective.name}, {pretrain.precision}), budgets {budgets} clips:",
        *_columns([HEAD, *rows]),
        f"{jobs} jobs, {flops:.2e} FLOPs, {_minutes(study, lines, price_hour)}",
    ]
    if not all(line.fits for line in lines):
        told.append(
            f"! needs more memory than the {available_bytes() / 1e9:,.1f} GB of this machine; minutes here."
        )
    return "\n".join(told)


def refuse_what_cannot_run(study: Study) -> None:
    """Tell which network of a study does not fit this machine.

    Raises
    ------
    UserError
        At the first that does not.
    """
    for shape, work in _networks(study).values():
        refuse_what_does_not_fit(shape, work, study.pretrain.batch, study.pretrain.accumulate)


def estimate(study: Study) -> list[Line]:
    """Every kind of trunk of a study, with what it costs here."""
    networks = _networks(study)
    fits = {network: _fits(study, *shape_and_work) for network, shape_and_work in networks.items()}
    speeds = {}
    for family, ladder in study.families.items():
        flops = {d: training_flops(*networks[family, d]) for d in ladder.depths if fits[family, d]}
        points = (
            [(float(flops[depth]), measure(study, family, depth)) for depth in probes(flops)] if flops else []
        )
        speeds[family] = Speed.through(points) if points else None
    trunks = [*ladder_trunks(study), *trunks_beside(study)]
    kinds: Counter[tuple[str, str, int, int]] = Counter()
    examples: dict[tuple[str, str, int, int], Trunk] = {}
    for trunk in trunks:
        key = (_kind(trunk), trunk.family, trunk.depth, max(trunk.rungs))
        kinds[key] += 1
        examples.setdefault(key, trunk)
    lines = []
    for key, count in kinds.items():
        kind, family, depth, rungs = key
        (shape, work), speed = networks[family, depth], speeds[family]
        clips = clips_of(study, examples[key])
        train = speed.seconds(training_flops(shape, work)) if speed else None
        total = None
        if speed and train:
            test = evaluated(study, examples[key]) * speed.per_flop * evaluation_flops(study, shape)
            total = count * (clips * train + test + rungs * START_UP_S)
        what = f"{family} {kind}".strip()
        rate = 1 / train if train else None
        lines.append(Line(what, shape, work, count, rungs, clips, rate, total, fits[family, depth]))
    return lines


def clips_of(study: Study, trunk: Trunk) -> int:
    """Clips that training a whole trunk with all its decays takes."""
    batch = study.pretrain.batch
    return batch * sum(end - start for start, _, end in _rungs(study, trunk))


def evaluated(study: Study, trunk: Trunk) -> int:
    """Clips that a trunk is evaluated on: all held-out clips after every rung, some of them at every probe."""
    pretrain, rungs = study.pretrain, _rungs(study, trunk)
    last = rungs[-1][1]
    asked = sum(probed(step, pretrain.probes_per_decade) for step in range(1, last + 1))
    return len(rungs) * pretrain.heldout_clips + asked * min(PROBE_CLIPS, pretrain.heldout_clips)


def evaluation_flops(study: Study, shape: Scale) -> int:
    """FLOPs of evaluating a clip: its loss with everything hidden asked for, and its features, seen whole."""
    options = study.pretrain.objective.spec()
    if "decoder_share" in options:
        options["decoder_share"] = 1.0
    return forward_flops(shape, work_of(shape, options, CLASSES)) + encoder_flops(shape)


def _fits(study: Study, shape: Scale, work: Work) -> bool:
    try:
        refuse_what_does_not_fit(shape, work, study.pretrain.batch, study.pretrain.accumulate)
    except UserError:
        return False
    return True


def _rungs(study: Study, trunk: Trunk) -> list[tuple[int, int, int]]:
    """First step, end of the trunk and end of the decay of every rung."""
    grid, found = Grid(study), []
    for rung in range(1, max(trunk.rungs) + 1):
        spec = grid.rung_spec(trunk.family, trunk.depth, trunk.seed, rung, str(trunk.label))
        found.append(tuple(steps(spec[key], spec["batch"]) for key in ("trunk_start", "trunk_end", "budget")))
    return [(start, middle, end) for start, middle, end in found]


def _networks(study: Study) -> dict[tuple[str, int], tuple[Scale, Work]]:
    grid, options = Grid(study), study.pretrain.objective.spec()
    shapes = {
        (family, depth): scale_of(grid.model_spec(family, depth))
        for family, ladder in study.families.items()
        for depth in ladder.depths
    }
    return {key: (shape, work_of(shape, options, CLASSES)) for key, shape in shapes.items()}


def _minutes(study: Study, lines: list[Line], price_hour: float | None) -> str:
    known = [line.seconds for line in lines if line.seconds is not None]
    if not known:
        return "and no network of it fits this machine."
    minutes, at_once = sum(known) / 60, jobs_at_once(study.pretrain.threads)
    price = price_hour if price_hour is not None else study.plan.price_gpu_hour if study.plan else None
    cost = f", {minutes / at_once / 60 * price:,.2f} at {price:g} an hour" if price else ""
    return (
        f"about {minutes:,.1f} min one after the other on this machine;\n{minutes / at_once:,.1f} min with {at_once} "
        f"at a time, of {study.pretrain.threads} CPU threads each{cost}. {START_UP_S:.0f} s a job are its start."
    )


def _kind(trunk: Trunk) -> str:
    """What a trunk is trained on, empty for the whole corpus; folds are alike."""
    label = trunk.label
    if label.dataset:
        return f"fmri {label.dataset}" + (f" + {label.corpus}" if label.corpus else "")
    return label.control or (f"fraction {label.fraction:g}" if label.fraction < 1 else "")


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if not i else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
