"""What the transfer of a study costs on this machine, before anything runs: jobs, fits and minutes by read-out.

Minutes are FLOPs by formula at the rate that pretraining was measured at, and the start of every job
(:mod:`transferscale.transfer.prices`).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from transferscale.ladder.cost import encoder_flops, training_flops
from transferscale.pretrain.calibration import jobs_at_once
from transferscale.pretrain.estimate import Line
from transferscale.study.beforehand import sites_of, subjects_of, why_unknown, windows_of
from transferscale.study.dataset import Dataset
from transferscale.study.study import Study
from transferscale.transfer.prices import Prices, Size


def transfer_text(study: Study, lines: Sequence[Line]) -> str:
    """Jobs, fits and minutes of every read-out, of the section `behaviour` and of its sequences of tasks.

    Parameters
    ----------
    lines
        ``pretrain.estimate.estimate`` of the study: what its networks were measured at.
    """
    jobs, fits, seconds = Counter[str](), Counter[str](), defaultdict[str, float](float)
    # Once a dataset: its table of people is read for it.
    counted = {dataset.dataset: _size(dataset) for dataset in study.datasets}
    known = {name: size for name, size in counted.items() if size is not None}
    unknown = [name for name, size in counted.items() if size is None]
    for job in Prices(study, known, _forward_seconds(lines)).jobs():
        jobs[job.name] += 1
        fits[job.name] += job.fits
        seconds[job.name] += job.seconds
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


def _size(dataset: Dataset) -> Size | None:
    each = windows_of(dataset)
    if why_unknown(dataset) or each is None:
        return None
    subjects = max(subjects_of(dataset, task).total() for task in dataset.tasks.values())
    return Size(subjects * each, each, sites_of(dataset))


def _forward_seconds(lines: Sequence[Line]) -> dict[tuple[str, int], float]:
    """Seconds of a window's forward pass by family and depth."""
    return {
        (line.scale.family, line.scale.depth): encoder_flops(line.scale)
        / (line.speed * training_flops(line.scale, line.work))
        for line in lines
        if line.speed
    }
