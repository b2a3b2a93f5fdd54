"""What the transfer of a study costs on this machine, before anything runs: jobs, fits and minutes by read-out.

Minutes are FLOPs by formula at the rate that pretraining was measured at, and the start of every job; what a read-out
without a network computes is seconds, and is not counted.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from transferscale.ladder.cost import encoder_flops, training_flops
from transferscale.pretrain.calibration import jobs_at_once
from transferscale.pretrain.estimate import Line
from transferscale.study.beforehand import subjects_of, why_unknown, windows_of
from transferscale.study.cells import Cell, cells, frozen
from transferscale.study.dataset import Dataset
from transferscale.study.show import fits_of
from transferscale.study.study import Study
from transferscale.transfer.choice import CHOICE_FROM

# Start of a job that imports torch, and of one that does not: measured on a server CPU (docs/benchmarks/demo.md).
TORCH_S, PLAIN_S = 2.5, 0.5
# A training step is worth three forward passes.
STEP = 3
# Read-outs whose network stays as it is: its tokens are computed once.
FROZEN = ("ridge", "attentive")

# (windows in all, windows of a subject)
Windows = tuple[int, int]


def transfer_text(study: Study, lines: Sequence[Line]) -> str:
    """Jobs, fits and minutes of every read-out.

    Parameters
    ----------
    lines
        ``pretrain.estimate.estimate`` of the study: what its networks were measured at.
    """
    jobs, fits, seconds = Counter[str](), Counter[str](), defaultdict[str, float](float)
    passes = _forward_seconds(lines)
    # Once a dataset: its table of people is read for it.
    counted = {dataset.dataset: _windows(dataset) for dataset in study.datasets}
    known = {name: windows for name, windows in counted.items() if windows is not None}
    unknown = [name for name, windows in counted.items() if windows is None]
    for name, (every, _) in known.items():
        for reader in frozen(study, name):
            once = passes.get((reader.family, reader.depth), 0.0)
            jobs["features"] += 1
            seconds["features"] += every * once + (TORCH_S if reader.network else PLAIN_S)
    for cell in cells(study):
        if cell.dataset not in known:
            continue
        jobs[cell.read_out] += 1
        fits[cell.read_out] += fits_of(study, cell)
        seconds[cell.read_out] += _seconds(study, cell, known[cell.dataset], passes)
    total = sum(seconds.values()) / 60
    told = ["Transfer on this machine:"]
    told += [
        f"  {name}: {jobs[name]:,} jobs"
        + (f", {fits[name]:,} fits" if fits[name] else "")
        + f", {s / 60:,.1f} min"
        for name, s in seconds.items()
    ]
    at_once = jobs_at_once(study.pretrain.threads)
    told.append(
        f"about {total:,.1f} min one after the other, {total / at_once:,.1f} min with {at_once} at a time"
    )
    if unknown:
        told.append(
            f"without {', '.join(unknown)}: how many windows there are is known when the recordings are read, or from "
            "windows.count"
        )
    return "\n".join(told)


def _windows(dataset: Dataset) -> Windows | None:
    each = windows_of(dataset)
    if why_unknown(dataset) or each is None:
        return None
    subjects = max(subjects_of(dataset, task).total() for task in dataset.tasks.values())
    return subjects * each, each


def _forward_seconds(lines: Sequence[Line]) -> dict[tuple[str, int], float]:
    """Seconds of a window's forward pass by family and depth."""
    return {
        (line.scale.family, line.scale.depth): encoder_flops(line.scale)
        / (line.speed * training_flops(line.scale, line.work))
        for line in lines
        if line.speed
    }


def _seconds(study: Study, cell: Cell, windows: Windows, passes: dict[tuple[str, int], float]) -> float:
    """Seconds of a job."""
    options = study.transfer.read_outs.trained.get(cell.read_out)
    if options is None:
        return PLAIN_S
    once, (every, each) = passes.get((cell.reader.family, cell.reader.depth), 0.0), windows
    start = TORCH_S + every * once
    if cell.read_out in FROZEN:
        return start
    n = every // each if cell.n_labels == "all" else int(cell.n_labels)
    runs = 1 + (len(options.learning_rates) if n >= CHOICE_FROM and len(options.learning_rates) > 1 else 0)
    step = STEP * min(options.batch_subjects, n) * each * once
    tested = every * once / study.transfer.folds
    return start + fits_of(study, cell) * (runs * options.steps * step + tested)
